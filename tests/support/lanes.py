"""Which lanes a test runs in, read off what it uses: nobody keeps a list.

The fast lane has no server and no process but its own. A test is in it unless it or a helper that its module imports
can start one, it needs a server, it is a drill, or it is marked slow; the lane itself sees to it that none is started.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import ModuleType

TESTS = Path(__file__).resolve().parents[1]
_SERVERS = {"postgres_server_url", "postgres_url"}
_STARTING_SERVERS = ("start_own", "own_server")
_STARTING_PROCESSES = {
    "subprocess",
    "multiprocessing",
    "multiprocessing.context",
    "support.postgres_server",
    "support.fork_server",
}
_STARTS = frozenset({"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.exec"})
_ASIDE = ("faults", "benchmarks")
"""Folders of what takes its time."""


def sort_into_lanes(items: Iterable[pytest.Item]) -> None:
    """Mark tests by what they use, and skip what needs root where these tests don't run as root."""
    for item in items:
        postgres = _uses_postgres(item)
        if postgres:
            item.add_marker(pytest.mark.postgres)
        if hasattr(_module(item), "permissions_bind"):
            item.add_marker(pytest.mark.permissions)
        if item.get_closest_marker("needs_root") and os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="needs root, who may mount a disk"))
        aside = item.path.parent.name in _ASIDE or item.get_closest_marker("slow")
        if not postgres and not aside and not _can_start_processes(_module(item)):
            item.add_marker(pytest.mark.fast)


def without_processes(item: pytest.Item) -> bool:
    """Tell whether a test may start no process: where the fast lane was asked for, a fast test."""
    return "fast" in item.config.option.markexpr and item.get_closest_marker("fast") is not None


def refuse_process(event: str) -> None:
    """Fail a test of the fast lane that starts a process after all."""
    if event in _STARTS:
        raise AssertionError(f"A test of the fast lane starts a process ({event}); mark it pytest.mark.slow.")


def _uses_postgres(item: pytest.Item) -> bool:
    callspec = getattr(item, "callspec", None)
    return (
        not _SERVERS.isdisjoint(getattr(item, "fixturenames", ()))
        or (callspec is not None and "postgresql" in callspec.id.split("-"))
        or any(hasattr(_module(item), name) for name in _STARTING_SERVERS)
    )


@cache
def _can_start_processes(module: ModuleType | None) -> bool:
    """Tell whether a module, or one of the tests' own that it takes something from, knows how to start a process."""
    if module is None:
        return False
    names = set(_taken_from(module))
    return not names.isdisjoint(_STARTING_PROCESSES) or any(
        _can_start_processes(sys.modules[name])
        for name in names
        if name != module.__name__ and _is_of_the_tests(sys.modules.get(name))
    )


def _taken_from(module: ModuleType) -> Iterator[str]:
    """Yield the names of the modules that a module's own names come from."""
    for value in vars(module).values():
        name: Any = value.__name__ if isinstance(value, type(sys)) else getattr(value, "__module__", None)
        if isinstance(name, str):
            yield name


def _is_of_the_tests(module: ModuleType | None) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).is_relative_to(TESTS)


def _module(item: pytest.Item) -> Any:
    return getattr(item, "module", None)
