"""Who runs, and where: this process as others may check it, whether another one still lives, and roots by their host.

Which sessions of a ledger that roots share are one root's? Those of its host, whatever name it was called by.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from quantlab.base import platform

if TYPE_CHECKING:
    from collections.abc import Iterable

_PROC = Path("/proc")
_WITHOUT_NAMESPACE = 2
"""Parts of a mark that names no namespace: boot and start time."""
_START_TIME_FIELD = 19
"""Place of the start time among the fields of /proc/PID/stat that follow the command's name (proc(5), field 22)."""


def identity() -> tuple[str, int, str | None]:
    """Return this process's host, pid and start mark; the mark is None where the system doesn't tell."""
    pid = os.getpid()
    return this_host(), pid, start_mark(pid)


def start_mark(pid: int) -> str | None:
    """Return what tells a process from a later one with the same pid, and where pids are counted as here.

    Returns:
        Boot, start time, and the namespace of pids in which both are told, where the system tells it; None where it
        tells no start time.
    """
    fields = _fields(pid)
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return platform.began(pid)
    if not fields:
        return None
    namespace = _namespace()
    return ":".join([boot, fields[_START_TIME_FIELD], *([namespace] if namespace else [])])


def is_alive(host: str | None, pid: int | None, mark: str | None) -> bool | None:
    """Tell whether a recorded process still lives; None where it can't be told from here.

    A process of another namespace of pids, such as another container's of the same host name, has another number here
    if any at all: of it nothing can be told.
    """
    if host != this_host() or pid is None or pid <= 0 or not _counts_as_here(mark):
        return None
    if not platform.exists(pid):
        return False
    if _fields(pid)[:1] in (["Z"], ["X"]):
        return False  # a zombie: it has ended, and nobody has asked for its exit code yet
    now = start_mark(pid)
    return mark is None or now is None or _start_of(now) == _start_of(mark)


def may_count_elsewhere(mark: str | None) -> bool:
    """Tell whether a recorded pid may be one of another namespace: earlier versions did not say of which it was."""
    return not _names_its_namespace(mark) and _namespace() is not None


def _names_its_namespace(mark: str | None) -> bool:
    return mark is not None and len(mark.split(":")) > _WITHOUT_NAMESPACE


def _counts_as_here(mark: str | None) -> bool:
    return (
        mark is None or not _names_its_namespace(mark) or mark.split(":")[_WITHOUT_NAMESPACE] == _namespace()
    )


def _start_of(mark: str) -> list[str]:
    return mark.split(":")[:_WITHOUT_NAMESPACE]


def _namespace() -> str | None:
    """Return the number of this process's namespace of pids; None where the system doesn't tell."""
    try:
        return str((_PROC / "self/ns/pid").readlink()).removeprefix("pid:[").removesuffix("]")
    except OSError:
        return None


def _fields(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on; empty where the system doesn't tell."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return []
    # The command's name stands in parentheses and may itself hold spaces and parentheses.
    return stat.rpartition(")")[2].split()


def this_host() -> str:
    """Return this machine's name, as sessions keep it."""
    return socket.gethostname()


def name_of(root: Path) -> str:
    """Return a root's absolute path with its links as they were named: so its sessions keep it, and exports show it."""
    return os.path.abspath(root)  # noqa: PTH100 - `resolve` would follow the links


def names_of(root: Path, recorded: Iterable[str | None]) -> list[str]:
    """Return the names of a root among those that sessions of this host were recorded with, and its own."""
    here = os.path.realpath(root)
    others = {name for name in recorded if name is not None and os.path.realpath(name) == here}
    return sorted(others | {name_of(root)})
