"""Questions end, and whoever waits for a stranger's lock is told who holds it."""

from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest
from support.both_engines import birth, plain_client
from support.flow_program import until
from support.ledger_history import entry, heartbeat, open_root, record, started
from support.postgres_server import plain

from quantlab.base.errors import LedgerBusyError, LedgerError
from quantlab.ledger.location import locate
from quantlab.ledger.postgres import holders as on_server
from quantlab.ledger.reader import open_reader
from quantlab.ledger.recorder import Recorder
from quantlab.ledger.sqlite import holders, writing
from quantlab.ledger.store import open_store

if TYPE_CHECKING:
    from pathlib import Path

    from quantlab.ledger.location import Location

PROGRAM = os.path.basename(sys.executable)  # noqa: PTH119 - the name that the system has of it, links and all
ENDLESS = (
    "DROP VIEW session_health",
    "CREATE VIEW session_health AS WITH RECURSIVE more(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM more)"
    " SELECT COUNT(*) AS n FROM more",
)
SLOW = """
import sqlite3, sys
client = sqlite3.connect(sys.argv[1], isolation_level=None)
client.execute(sys.argv[2])
client.execute("SELECT * FROM ledger_head").fetchall()
print("held", flush=True)
sys.stdin.readline()
"""


def test_a_view_that_never_ends_is_interrupted_with_what_to_do(
    any_location: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quantlab.ledger.reader.PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr("quantlab.ledger.postgres.reader.PATIENCE_SECONDS", 0.3)
    open_store(any_location).close()
    for statement in ENDLESS:
        plain_client(any_location, statement)
    with open_reader(any_location) as reader, pytest.raises(LedgerError, match="was interrupted"):
        reader.rows("SELECT * FROM session_health")


def test_rows_that_keep_coming_are_never_interrupted(
    any_location: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quantlab.ledger.reader.PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr("quantlab.ledger.reader._STEPS", 100)
    open_store(any_location).close()
    counting = (
        "WITH RECURSIVE more(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM more WHERE n < 300000)"
        " SELECT n FROM more"
    )
    with open_reader(any_location) as reader:
        assert len(reader.rows(counting)) == 300_000


def test_a_question_s_own_time_limit_in_the_url_wins(postgres_url: str) -> None:
    location = locate(None, f"{postgres_url}%20-cstatement_timeout%3D77s")
    open_store(location).close()
    with open_reader(location) as reader:
        assert reader.rows("SELECT current_setting('statement_timeout') AS it") == [{"it": "77s"}]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (holders, on_server):
        monkeypatch.setattr(module, "TOLD_AFTER_SECONDS", 0.2)
    monkeypatch.setattr("quantlab.ledger.reader.TOLD_AFTER_SECONDS", 0.2)


def _stranger(file: Path, statement: str) -> subprocess.Popen[str]:
    stranger = subprocess.Popen(
        [sys.executable, "-c", SLOW, str(file), statement],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert stranger.stdout is not None
    assert stranger.stdout.readline() == "held\n"
    return stranger


def _release(stranger: subprocess.Popen[str]) -> None:
    stranger.communicate("\n")


def _release_once_told(stranger: subprocess.Popen[str], caplog: pytest.LogCaptureFixture) -> None:
    until(lambda: bool(caplog.records), "whoever waits is told")
    _release(stranger)


def test_a_writer_that_waits_for_a_stranger_is_told_who_it_is_and_goes_on(
    tmp_path: Path, hasty: None, caplog: pytest.LogCaptureFixture
) -> None:
    with open_root(tmp_path) as store:
        record(store, [entry("s1", 1, started("s1"))])
        stranger = _stranger(tmp_path / "ledger.db", "BEGIN IMMEDIATE")
        threading.Thread(target=_release_once_told, args=(stranger, caplog)).start()
        record(store, [entry("s1", 2, heartbeat(2))])
    assert [record.message for record in caplog.records] == [
        f"The ledger {tmp_path / 'ledger.db'} is held by process {stranger.pid} ({PROGRAM}); waiting for up to 30 s."
    ]


def test_a_stranger_who_never_lets_go_is_told_as_busy(
    tmp_path: Path, hasty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quantlab.ledger.sqlite.writing.BUSY_TIMEOUT_SECONDS", 0.5)
    with open_root(tmp_path) as store:
        record(store, [entry("s1", 1, started("s1"))])
        stranger = _stranger(tmp_path / "ledger.db", "BEGIN IMMEDIATE")
        with pytest.raises(LedgerBusyError):
            record(store, [entry("s1", 2, heartbeat(2))])
        _release(stranger)
        record(store, [entry("s1", 2, heartbeat(2))])


def test_a_question_that_waits_for_a_stranger_is_told_who_it_is(
    tmp_path: Path, hasty: None, caplog: pytest.LogCaptureFixture
) -> None:
    with open_root(tmp_path) as store:
        location = store.location
    stranger = _stranger(tmp_path / "ledger.db", "PRAGMA locking_mode = EXCLUSIVE; ")
    with closing(sqlite3.connect(tmp_path / "ledger.db")):
        threading.Thread(target=_release_once_told, args=(stranger, caplog)).start()
        with open_reader(location) as reader:
            assert reader.rows("SELECT sequence FROM ledger_head") == [{"sequence": 0}]
    assert f"is held by process {stranger.pid} ({PROGRAM}); waiting" in caplog.text


def test_a_writer_of_ours_that_is_stuck_in_its_turn_is_told(
    tmp_path: Path, hasty: None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "WAIT_SECONDS", 1.0)
    program = "import fcntl, sys; handle = open(sys.argv[1], 'a'); fcntl.flock(handle, fcntl.LOCK_EX)\n"
    program += "print('held', flush=True); sys.stdin.readline()"
    with open_root(tmp_path) as store:
        stuck = subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "ledger.db.lock")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert stuck.stdout is not None
        assert stuck.stdout.readline() == "held\n"
        record(store, [entry("s1", 1, started("s1"))])
        _release(stuck)
    assert f"ledger.db is held by process {stuck.pid} ({PROGRAM}); waiting" in caplog.text


@pytest.mark.parametrize(
    "line",
    [
        "1: -> POSIX  ADVISORY  WRITE 7 00:00:{inode} 120 120",
        "1: POSIX  ADVISORY  READ 7 00:00:{inode} 120 120",
        "1: OFDLCK ADVISORY  WRITE -1 00:00:{inode} 0 EOF",
        "1: POSIX  ADVISORY  WRITE {own} 00:00:{inode} 120 120",
        "1: POSIX  ADVISORY  WRITE 7 00:00:1 0 EOF",
        "no line of that table",
    ],
)
def test_whoever_waits_reads_or_is_ourselves_holds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    file = tmp_path / "ledger.db"
    file.touch()
    table = tmp_path / "locks"
    table.write_text(line.format(inode=file.stat().st_ino, own=os.getpid()) + "\n")
    monkeypatch.setattr(holders, "LOCKS", table)
    assert holders.holders_of(str(file)) == "another process, which the system does not name"


def test_many_holders_are_counted_and_a_system_that_says_nothing_is_told_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ledger.db"
    file.touch()
    table = tmp_path / "locks"
    line = "1: FLOCK  ADVISORY  WRITE {pid} 08:01:{inode} 0 EOF\n"
    nobody = 2**22 + 1
    table.write_text("".join(line.format(pid=nobody + n, inode=file.stat().st_ino) for n in range(5)))
    monkeypatch.setattr(holders, "LOCKS", table)
    assert (
        holders.holders_of(str(file))
        == " and ".join(f"process {nobody + n}" for n in range(3)) + " and 2 more"
    )
    table.unlink()
    assert holders.holders_of(str(file)) == "another process, which the system does not name"


def test_on_a_server_whoever_waits_is_told_who_holds_the_turn(
    postgres_url: str, hasty: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    location = locate(None, postgres_url)
    with open_store(location) as store:
        Recorder(store).record(birth("a"))
        with psycopg.connect(plain(postgres_url), application_name="stranger") as client:
            pid = client.info.backend_pid
            client.execute("SELECT 1 FROM ledger_head FOR UPDATE")

            def let_go() -> None:
                until(lambda: bool(caplog.records), "whoever waits is told")
                client.rollback()

            releasing = threading.Thread(target=let_go)
            releasing.start()
            Recorder(store).record(birth("b"))
            releasing.join()
    told = f"is held by server process {pid} (user quantlab, stranger, from 127.0.0.1, idle in transaction"
    assert told in caplog.text
    assert "p@ss" not in caplog.text
