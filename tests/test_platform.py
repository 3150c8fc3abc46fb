"""What systems do each in their own way: the second way is tried here on whatever system there is."""

from __future__ import annotations

import ast
import errno
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support.shown_pages import REPOSITORY

from quantlab.base import files, platform, process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGE = REPOSITORY / "quantlab"
ONLY_POSIX = {"fcntl", "pwd", "grp", "resource", "termios", "fork", "getuid", "geteuid", "kill", "killpg"} | {
    *("SIGHUP", "SIGKILL", "SIGALRM", "O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_DIRECTORY")
}

RUNS_ON_POSIX_ALONE = PACKAGE / "trading" / "strategies" / "worker.py"
"""Strategies of one's own run in a process that gets its time limit by SIGALRM (decision 24)."""


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the second way in everything, as where there is no `fcntl`."""
    monkeypatch.setattr(platform, "_IS_POSIX", False)
    monkeypatch.setattr(platform, "_NO_LINK", 0)


def names_in(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("os", "signal"):
            yield node.attr
        elif isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (node.module or "", *(one.name for one in node.names))


def test_what_only_posix_has_stands_in_one_module() -> None:
    users = {module for module in PACKAGE.rglob("*.py") if ONLY_POSIX & {*names_in(module)}}
    assert users == {PACKAGE / "base" / "platform.py", RUNS_ON_POSIX_ALONE}


def test_a_lock_of_the_library_excludes_another(elsewhere: None, tmp_path: Path) -> None:
    first, second = (platform.file_lock(str(tmp_path / "lock")) for _ in range(2))
    assert (first.try_take(), second.try_take(), second.wait(0.02)) == (True, False, False)
    first.release()
    assert second.wait(1)
    second.close()
    assert first.retake()
    first.close()


def test_without_posix_locks_there_is_no_queue(elsewhere: None, tmp_path: Path) -> None:
    with platform.queued_on(str(tmp_path), 1), platform.queued_on(str(tmp_path), 1):
        pass


def test_a_file_appears_whole_without_posix_locks(elsewhere: None, tmp_path: Path) -> None:
    files.write_whole(tmp_path / "report.json", b"whole")
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("report.json", b"whole")]


def test_a_living_writers_file_stays_without_posix_locks(elsewhere: None, tmp_path: Path) -> None:
    with files.writing_whole(tmp_path / "report.json") as handle:
        files.remove_leftovers(tmp_path)
        handle.write(b"whole")
    assert (tmp_path / "report.json").read_bytes() == b"whole"


def test_a_dead_writers_file_goes_without_posix_locks(elsewhere: None, tmp_path: Path) -> None:
    (tmp_path / f".report.json.{ended()}.0123abcd.tmp").touch()
    files.remove_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_not_opened_without_the_flag_for_it(elsewhere: None, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with pytest.raises(OSError, match="link") as refused:
        platform.open_to_read(str(tmp_path / "link"))
    assert refused.value.errno == errno.ELOOP


def test_this_process_is_known_by_when_it_began(elsewhere: None) -> None:
    pid = os.getpid()
    assert platform.exists(pid)
    assert (platform.began(pid) or "").startswith("began:")


def test_a_process_that_ended_is_not_there(elsewhere: None) -> None:
    pid = ended()
    assert (platform.exists(pid), platform.began(pid)) == (False, None)
    with pytest.raises(ProcessLookupError):
        platform.ask_to_stop(pid)


def test_a_process_ends_when_it_is_asked_to(elsewhere: None) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as child:
        platform.ask_to_stop(child.pid)
        assert child.wait(30) != 0


def test_somebody_elses_process_is_told_as_that(elsewhere: None, monkeypatch: pytest.MonkeyPatch) -> None:
    import psutil

    def refuse(_process: psutil.Process) -> None:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil.Process, "terminate", refuse)
    with pytest.raises(PermissionError):
        platform.ask_to_stop(os.getpid())


def test_without_proc_a_process_is_told_from_a_later_one(
    elsewhere: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(process, "_PROC", tmp_path)
    host, pid, mark = process.identity()
    assert (process.is_alive(host, pid, mark), process.is_alive(host, pid, "began:1.000")) == (True, False)


def test_windows_has_no_folders_to_flush(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", None)
    with monkeypatch.context() as patched:
        patched.setattr(os, "name", "nt")
        platform.flush_folder(tmp_path)


@pytest.mark.timeout(600)
def test_the_fast_lane_passes_where_nothing_is_that_only_posix_has() -> None:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "tests")}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "support.without_posix",
        "-p",
        "no:cacheprovider",
        "-m",
        "fast",
    ]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def ended() -> int:
    """Return the number of a process that there was."""
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    return child.pid
