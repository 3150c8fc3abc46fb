"""Disks that fill, folders that can't be written, folders that go: a clear line, the right code, nothing lost."""

from __future__ import annotations

import shutil
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from support import audit
from support.ledger_history import stored

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.fork_server import Done, Server

pytestmark = pytest.mark.permissions
SESSION = ("--paper", "--prices", "synthetic")


def _run(server: Server, outdir: Path, *more: str, **how: Any) -> Done:
    return server.run(*SESSION, "--outdir", str(outdir), *more, **how)


def _assert_clear(done: Done, code: int, *named: str) -> None:
    """One line that says what was wrong and what to do, and the contract's code."""
    errors = [line for line in done.err.splitlines() if line.startswith("ERROR:")]
    assert (done.code, len(errors), "Traceback" in done.err, "defect" in done.err) == (
        code,
        1,
        False,
        False,
    ), done
    for text in named:
        assert text in errors[0]


def _goes_on(server: Server, outdir: Path) -> None:
    """The cause is gone: nothing acknowledged was lost, the next command heals, the next session succeeds."""
    root = outdir / "paper_sessions"
    assert _run(server, outdir).code == 0
    done = server.run("paper-sessions", "index", str(root))
    assert done.code == 0, done
    assert (audit.ledger_faults(root), audit.healed_faults(root)) == ([], [])


@pytest.mark.parametrize("size", [500, 4_000, 20_000, 60_000, 100_000, 130_000])
def test_a_new_ledger_that_meets_a_full_disk_says_so_and_goes_on_later(
    server: Server, tmp_path: Path, size: int
) -> None:
    done = _run(server, tmp_path, file_bytes=size)
    _assert_clear(done, 1)
    _goes_on(server, tmp_path)


@pytest.mark.parametrize("size", [4_000, 12_000, 40_000, 60_000])
def test_a_disk_that_fills_while_a_session_works_loses_nothing(
    server: Server, tmp_path: Path, size: int
) -> None:
    """The limit falls on the ledger's log or on the session's files, wherever it is met first."""
    acknowledged = tmp_path / "acknowledged"
    assert server.start("session", str(tmp_path), str(acknowledged)).wait().code == 0
    done = server.start("session", str(tmp_path), str(acknowledged), file_bytes=size).wait()
    _assert_clear(done, 1)
    root = tmp_path / "paper_sessions"
    assert audit.lost(root, audit.read_lines(acknowledged)) == []
    assert audit.torn_files(root) == []
    _goes_on(server, tmp_path)


def test_a_file_that_finds_no_room_fails_the_session_by_name(server: Server, tmp_path: Path) -> None:
    """Twenty years of prices are larger than the limit, the ledger and its log smaller."""
    done = _run(server, tmp_path, "--start", "2000-01-01", "--end", "2020-01-01", file_bytes=400_000)
    _assert_clear(done, 1, "prices.csv can't be written: File too large")
    root = tmp_path / "paper_sessions"
    ((status, message),) = stored(root / "ledger.db", "SELECT status, message FROM paper_sessions")
    assert (status, "prices.csv can't be written" in str(message)) == ("failed", True)
    assert audit.healed_faults(root) == []
    _goes_on(server, tmp_path)


def test_exports_that_find_no_room_are_a_warning_and_the_session_stands(
    server: Server, tmp_path: Path
) -> None:
    root = tmp_path / "paper_sessions"
    _run(server, tmp_path)
    (root / "paper_sessions_index.csv").unlink()
    (root / "paper_sessions_index.csv").mkdir()
    done = _run(server, tmp_path)
    assert (done.code, done.err.count("WARNING:")) == (0, 1)
    assert "paper_sessions_index.csv can't be written: Is a directory" in done.err
    (root / "paper_sessions_index.csv").rmdir()
    _goes_on(server, tmp_path)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    with _mounted("-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)):
        yield folder


@contextmanager
def _mounted(*words: str) -> Iterator[None]:
    """Mount something; in a container even root may be refused that."""
    done = subprocess.run(["mount", *words], check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", words[-1]], check=True)


@pytest.mark.needs_root
@pytest.mark.parametrize("left", [0, 4_096, 40_960, 102_400, 204_800])
def test_a_disk_without_room_refuses_in_one_line_and_goes_on_once_there_is(
    server: Server, small_disk: Path, left: int
) -> None:
    _run(server, small_disk)
    root = small_disk / "paper_sessions"
    before = stored(root / "ledger.db", "SELECT hash FROM events ORDER BY sequence")
    junk = small_disk / "junk"
    with junk.open("wb") as filling:
        filling.write(b"x" * max(0, shutil.disk_usage(small_disk).free - left))
    done = _run(server, small_disk)
    assert done.code in (0, 1, 2)
    if done.code:
        _assert_clear(done, done.code)
    junk.unlink()
    after = stored(root / "ledger.db", "SELECT hash FROM events ORDER BY sequence")
    assert after[: len(before)] == before
    assert audit.torn_files(root) == []
    _goes_on(server, small_disk)


@pytest.fixture(params=["permissions", pytest.param("mount", marks=pytest.mark.needs_root)])
def read_only_root(request: pytest.FixtureRequest, server: Server, tmp_path: Path) -> Iterator[Path]:
    """A root that can't be written, by its permissions or because its disk is mounted so."""
    outdir = tmp_path / "outputs"
    assert _run(server, outdir).code == 0
    if request.param == "permissions":
        _permit(outdir, 0o555)
        yield outdir
        _permit(outdir, 0o755)
        return
    with _mounted("--bind", str(outdir), str(outdir)):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(outdir)], check=True)
        yield outdir


def _permit(outdir: Path, mode: int) -> None:
    for folder in (outdir, outdir / "paper_sessions"):
        folder.chmod(mode)


def test_a_read_only_root_refuses_a_session_before_there_is_one(server: Server, read_only_root: Path) -> None:
    done = _run(server, read_only_root, permissions_bind=True)
    _assert_clear(done, 2, "can't be written", "--outdir")


def test_a_read_only_root_answers_questions(server: Server, read_only_root: Path) -> None:
    root = str(read_only_root / "paper_sessions")
    done = server.run("paper-sessions", "health", root, permissions_bind=True)
    assert (done.code, "success" in done.out) == (0, True)


def test_a_read_only_root_refuses_an_index_in_one_line(server: Server, read_only_root: Path) -> None:
    root = str(read_only_root / "paper_sessions")
    _assert_clear(server.run("paper-sessions", "index", root, permissions_bind=True), 1)


def test_a_ledger_file_that_may_only_be_read_refuses_a_session_until_what_it_names_may_be_written(
    server: Server, tmp_path: Path
) -> None:
    """SQLite gives the files that it makes beside a ledger the ledger's mode, and leaves them when it can't write."""
    root = tmp_path / "paper_sessions"
    assert _run(server, tmp_path).code == 0
    (root / "ledger.db").chmod(0o444)
    done = _run(server, tmp_path, permissions_bind=True)
    _assert_clear(done, 1, "may only be read", "permissions")
    closed = [file for file in root.glob("ledger.db*") if not file.stat().st_mode & 0o200]
    _assert_clear(done, 1, *(file.name for file in closed))
    for file in closed:
        file.chmod(0o644)
    assert _run(server, tmp_path, permissions_bind=True).code == 0
    _goes_on(server, tmp_path)


def test_a_folder_deleted_beneath_a_session_is_an_error_that_says_how_it_stands(
    server: Server, tmp_path: Path
) -> None:
    child = server.start("session", str(tmp_path), str(tmp_path / "acknowledged"), "--pace", "0.005")
    root = tmp_path / "paper_sessions"
    _await_events(tmp_path / "acknowledged", 3)
    (folder,) = [one for one in root.iterdir() if one.is_dir()]
    _delete(folder)
    _assert_clear(child.wait(), 1, "can't be written")
    assert stored(root / "ledger.db", "SELECT status FROM paper_sessions") == [("failed",)]
    assert audit.lost(root, audit.read_lines(tmp_path / "acknowledged")) == []
    _goes_on(server, tmp_path)


def test_a_root_deleted_beneath_a_session_does_not_come_back_empty(server: Server, tmp_path: Path) -> None:
    child = server.start("session", str(tmp_path), str(tmp_path / "acknowledged"), "--pace", "0.005")
    _await_events(tmp_path / "acknowledged", 3)
    _delete(tmp_path / "paper_sessions")
    _assert_clear(child.wait(), 1)
    assert not (tmp_path / "paper_sessions" / "ledger.db").exists()
    _goes_on(server, tmp_path)


def _delete(folder: Path) -> None:
    """Delete a folder in which somebody goes on making files."""
    while folder.exists():
        shutil.rmtree(folder, ignore_errors=True)


def _await_events(acknowledged: Path, count: int) -> None:
    deadline = time.monotonic() + 30
    while len(audit.read_lines(acknowledged)) < count:
        assert time.monotonic() < deadline
        time.sleep(0.005)
