"""Transactions, the writers' queue, and errors that say what to do."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest
from support.ledger_history import CHECKOUT, entry, fill, history, open_root, record, started, stored

from quantlab.base.errors import LedgerBusyError, LedgerDamagedError, LedgerError
from quantlab.ledger import refusals
from quantlab.ledger.location import Location, locate
from quantlab.ledger.log import read_head
from quantlab.ledger.reader import open_reader
from quantlab.ledger.recorder import Recorder
from quantlab.ledger.sqlite import holders, locks, writing

fcntl = pytest.importorskip("fcntl", reason="the queue is one of POSIX's locks")

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from quantlab.ledger.store import Store


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("synchronous", 2), ("foreign_keys", 1), ("recursive_triggers", 1), ("busy_timeout", 30_000)],
)
def test_every_connection_has_the_ledger_s_pragmas(tmp_path: Path, pragma: str, value: int) -> None:
    with open_root(tmp_path) as store, store.read() as connection:
        assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    fill(tmp_path)
    with open_root(tmp_path) as store, pytest.raises(ZeroDivisionError):
        _delete_and_fail(store)
    assert stored(tmp_path / "ledger.db", "SELECT count(*) FROM paper_sessions") == [(3,)]


def _execute(store: Store, statement: str) -> None:
    with store.read() as connection:
        connection.exec_driver_sql(statement)


def _delete_and_fail(store: Store) -> None:
    with store.write() as connection:
        connection.exec_driver_sql("DELETE FROM paper_sessions")
        raise ZeroDivisionError


def test_a_commit_that_the_database_refuses_leaves_nothing(tmp_path: Path) -> None:
    with open_root(tmp_path) as store:
        with pytest.raises(LedgerError, match="FOREIGN KEY constraint failed"):
            _commit_an_orphan(store)
        record(store, [entry("s1", 1, started("s1"))])
    assert stored(tmp_path / "ledger.db", "SELECT count(*) FROM paper_sessions") == [(1,)]


def _commit_an_orphan(store: Store) -> None:
    with store.write() as connection:
        connection.exec_driver_sql("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
        connection.exec_driver_sql(
            "CREATE TABLE child (parent REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)"
        )
        connection.exec_driver_sql("INSERT INTO child VALUES (1)")


def test_two_threads_write_by_turns(tmp_path: Path) -> None:
    with open_root(tmp_path) as store:

        def write() -> None:
            record(store, [entry("s2", 1, started("s2"))])

        second = threading.Thread(target=write)
        with store.write() as connection:
            second.start()
            time.sleep(0.05)
            connection.exec_driver_sql("DELETE FROM pending_files")
        second.join()
        record(store, [entry("s1", 1, started("s1"))])
    assert stored(tmp_path / "ledger.db", "SELECT session_id FROM events ORDER BY sequence") == [
        ("s2",),
        ("s1",),
    ]


def test_a_reader_keeps_its_snapshot_while_others_write(tmp_path: Path) -> None:
    with open_root(tmp_path) as store, store.read() as connection:
        before = read_head(connection)
        record(store, history("s1"))
        assert read_head(connection) == before


def test_a_reader_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    with open_root(tmp_path) as store, store.write(), store.read() as connection:
        assert read_head(connection).sequence == 0


def test_a_writer_that_waits_too_long_says_who_holds_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holders, "TOLD_AFTER_SECONDS", 0.05)
    monkeypatch.setattr(writing, "BUSY_TIMEOUT_SECONDS", 0.1)
    with open_root(tmp_path) as store, closing(sqlite3.connect(tmp_path / "ledger.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerBusyError, match="another process holds it"):
            Recorder(store).record(entry("s1", 1, started()))


def test_an_error_that_nobody_foresaw_is_told_in_the_database_s_words(tmp_path: Path) -> None:
    with open_root(tmp_path) as store, pytest.raises(LedgerError, match="refused: near"):
        _execute(store, "SELEC 1")


def test_a_failing_disk_is_told_with_what_to_do() -> None:
    location = Location(root=None, file=None, url="postgresql+psycopg://ann:s3cret@host/db")
    with pytest.raises(LedgerError, match="Check the disk"), refusals.translated(location):
        raise sqlite3.OperationalError("disk I/O error")


def test_a_password_in_the_database_s_words_is_not_repeated() -> None:
    location = Location(root=None, file=None, url="postgresql+psycopg://ann:s3cret@host/db")
    with pytest.raises(LedgerError) as told, refusals.translated(location):
        raise sqlite3.OperationalError("can't reach postgresql://ann:s3cret@host/db")
    assert "s3cret" not in str(told.value)


def test_an_error_without_words_is_told_by_its_name(tmp_path: Path) -> None:
    location = Location(root=None, file=tmp_path / "ledger.db")
    with pytest.raises(LedgerError, match="refused: OperationalError"), refusals.translated(location):
        raise sqlite3.OperationalError


def test_a_store_that_was_closed_lets_the_file_go(tmp_path: Path) -> None:
    fill(tmp_path)
    assert not (tmp_path / "ledger.db-wal").exists()


def test_the_queue_is_held_while_writing(tmp_path: Path) -> None:
    turn = tmp_path / "ledger.db.lock"
    with (
        open_root(tmp_path) as store,
        store.write(),
        turn.open("rb") as handle,
        pytest.raises(BlockingIOError),
    ):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_stopped_holder_of_the_queue_stops_nobody_for_good(tmp_path: Path) -> None:
    with locks.file_lock(tmp_path / "turn") as first, locks.file_lock(tmp_path / "turn", 0.02) as second:
        assert (first, second) == (True, False)


def test_a_turn_that_was_given_back_can_be_taken(tmp_path: Path) -> None:
    with locks.file_lock(tmp_path / "turn"):
        pass
    with locks.file_lock(tmp_path / "turn", 0.02) as again:
        assert again


def test_who_gave_up_waiting_keeps_nobody_else_from_a_turn(tmp_path: Path) -> None:
    with locks.file_lock(tmp_path / "turn"), locks.file_lock(tmp_path / "turn", 0.02):
        pass
    with locks.file_lock(tmp_path / "turn", 20) as again:
        assert again


def test_a_file_system_that_refuses_locks_is_written_without_a_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with locks.file_lock(tmp_path / "turn") as held:
        assert not held


@contextmanager
def stopped_in_the_queue(folder: Path) -> Iterator[None]:
    """Let somebody else be the first in the queue for a ledger, and never get on."""
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    yield
    os.close(handle)


def seconds_to_write(store: Store) -> float:
    begun = time.monotonic()
    with store.write():
        return time.monotonic() - begun


def test_a_writer_that_goes_straight_on_does_not_queue_up_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "SLICE_SECONDS", 60)
    with open_root(tmp_path) as store:
        seconds_to_write(store)
        with stopped_in_the_queue(tmp_path):
            assert seconds_to_write(store) < writing.WAIT_SECONDS / 2


def test_a_writer_queues_up_again_after_its_slice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "SLICE_SECONDS", 0)
    monkeypatch.setattr(writing, "WAIT_SECONDS", 0.2)
    with open_root(tmp_path) as store:
        seconds_to_write(store)
        with stopped_in_the_queue(tmp_path):
            assert seconds_to_write(store) >= 0.2


def test_a_lock_s_file_that_was_deleted_is_made_again_after_the_time_slice(tmp_path: Path) -> None:
    turn = tmp_path / "ledger.db.lock"
    with open_root(tmp_path) as store:
        seconds_to_write(store)
        turn.unlink()
        time.sleep(writing.SLICE_SECONDS)
        with store.write(), turn.open("rb") as handle, pytest.raises(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_turn_is_given_back_when_the_wait_for_it_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> bool:
        raise KeyboardInterrupt

    with open_root(tmp_path) as store:
        with monkeypatch.context() as patched:
            patched.setattr(writing, "_queue_up", interrupted)
            with pytest.raises(KeyboardInterrupt):
                seconds_to_write(store)
        with locks.file_lock(tmp_path / "ledger.db.lock", 0.02) as held:
            assert held
        assert seconds_to_write(store) < writing.WAIT_SECONDS / 2


def test_a_turn_is_given_back_after_each_write(tmp_path: Path) -> None:
    with open_root(tmp_path) as store:
        seconds_to_write(store)
        with locks.file_lock(tmp_path / "ledger.db.lock", 0.02) as held:
            assert held


def test_the_first_in_the_queue_gets_the_turn_when_it_is_given_back(tmp_path: Path) -> None:
    open_root(tmp_path).close()
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path / "ledger.db.lock")], stdout=subprocess.PIPE, cwd=CHECKOUT
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    begun = time.monotonic()
    with open_root(tmp_path) as store, store.write():
        waited = time.monotonic() - begun
    holder.communicate()
    assert waited > 0.05


def test_a_machine_without_room_for_a_thread_writes_without_a_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with locks.file_lock(tmp_path / "turn"), locks.file_lock(tmp_path / "turn") as second:
        assert not second


def test_a_place_without_locks_is_written_without_a_queue(tmp_path: Path) -> None:
    with locks.file_lock(tmp_path / "missing" / "turn") as held:
        assert not held


def test_a_server_has_no_queue_of_ours() -> None:
    with locks.write_lock(Location(root=None, file=None, url="postgresql+psycopg://host/db")):
        pass


def test_a_waiting_writer_gets_its_turn(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path / "turn")], stdout=subprocess.PIPE, cwd=CHECKOUT
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    begun = time.monotonic()
    with locks.file_lock(tmp_path / "turn", 20) as held:
        waited = time.monotonic() - begun
    holder.communicate()
    assert held
    assert waited > 0.05


_HOLD = """
import sys, time
from pathlib import Path
from quantlab.ledger.sqlite.locks import file_lock
with file_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(0.3)
"""


def test_the_ledger_s_file_is_not_for_the_world_to_write(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        open_root(tmp_path).close()
    finally:
        os.umask(before)
    assert (tmp_path / "ledger.db").stat().st_mode & 0o022 == 0


@pytest.mark.parametrize("taken", ["deleted", "replaced"])
def test_a_ledger_that_is_taken_away_is_missed_by_the_next_event(tmp_path: Path, taken: str) -> None:
    file = tmp_path / "ledger.db"
    with open_root(tmp_path) as store:
        record(store, [entry("s1", 1, started("s1"))])
        file.rename(tmp_path / "away.db")
        if taken == "replaced":
            file.write_bytes((tmp_path / "away.db").read_bytes())
        with pytest.raises(LedgerError, match="was deleted or replaced while it was open"):
            record(store, [entry("s2", 1, started("s2"))])
        file.unlink(missing_ok=True)
        (tmp_path / "away.db").rename(file)
        record(store, [entry("s2", 1, started("s2"))])
    assert stored(file, "SELECT count(*) FROM events") == [(2,)]


@pytest.fixture
def bereft(tmp_path: Path) -> Path:
    """Leave a root with the log of a ledger that was taken away after a kill; returns where the ledger is now."""
    root, away = tmp_path / "root", tmp_path / "away"
    root.mkdir()
    away.mkdir()
    fill(root)
    with open_root(root) as store:
        record(store, [entry("s9", 1, started("s9"))])
        log = (root / "ledger.db-wal").read_bytes()
        database = (root / "ledger.db").read_bytes()
    (away / "ledger.db").write_bytes(database)
    (root / "ledger.db").unlink()
    (root / "ledger.db-wal").write_bytes(log)
    return away / "ledger.db"


def test_a_new_ledger_is_not_given_the_log_of_one_that_was_taken_away(
    bereft: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = tmp_path / "root"
    with open_root(root) as store, store.read() as connection:
        assert read_head(connection).sequence == 0
    (kept,) = root.glob("ledger.db.left-*-wal")
    assert kept.name in caplog.text
    kept.rename(bereft.with_name("ledger.db-wal"))
    assert stored(bereft, "SELECT session_id FROM events ORDER BY sequence DESC LIMIT 1") == [("s9",)]


def test_an_empty_file_in_a_ledger_s_place_does_not_cost_its_log(bereft: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "ledger.db").touch()
    before = (root / "ledger.db-wal").read_bytes()
    for ask in (open_root, lambda place: open_reader(locate(place, None))):
        with pytest.raises(LedgerDamagedError, match="is no QuantLab ledger"):
            ask(root)
    assert (root / "ledger.db-wal").read_bytes() == before
