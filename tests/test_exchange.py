"""A writer whose ledger is exchanged beneath it stops and says so, before anything is called a success."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from support.flow_program import environment
from support.ledger_history import entry, heartbeat, open_root, record, started, stored

from quantlab.base.errors import LedgerExchangedError
from quantlab.ledger.sqlite.exchange import Beneath, _read_beneath

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def another_ledger(tmp_path: Path) -> bytes:
    """Return the bytes of a ledger of another root, with more events in it."""
    root = tmp_path / "another"
    root.mkdir()
    with open_root(root) as store:
        record(
            store,
            [entry("other", 1, started("other")), *(entry("other", n, heartbeat(n)) for n in range(2, 40))],
        )
    return (root / "ledger.db").read_bytes()


def checkpoint(file: Path) -> None:
    with closing(sqlite3.connect(file)) as client:
        client.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def delete_log(file: Path) -> None:
    file.with_name("ledger.db-wal").unlink()


def truncate_log(file: Path) -> None:
    os.truncate(file.with_name("ledger.db-wal"), 0)


def copy_over(file: Path, data: bytes) -> None:
    """As `cp another.db ledger.db` does: the same file, another content."""
    with file.open("r+b") as handle:
        handle.truncate(0)
        handle.write(data)


@pytest.mark.parametrize("exchange", [delete_log, truncate_log])
def test_a_log_that_is_taken_away_is_missed_by_the_next_event(
    tmp_path: Path, exchange: Callable[[Path], None]
) -> None:
    store = open_root(tmp_path)
    record(store, [entry("s1", 1, started("s1")), entry("s1", 2, heartbeat(2))])
    exchange(tmp_path / "ledger.db")
    with pytest.raises(LedgerExchangedError, match="Put it back, or bring a backup back"):
        record(store, [entry("s1", 3, heartbeat(3))])
    store.close()


@pytest.mark.parametrize("exchange", [delete_log, truncate_log])
def test_a_log_that_is_taken_away_after_the_last_event_is_missed_at_the_end(
    tmp_path: Path, exchange: Callable[[Path], None]
) -> None:
    with pytest.raises(LedgerExchangedError), open_root(tmp_path) as store:
        record(store, [entry("s1", 1, started("s1")), entry("s1", 2, heartbeat(2))])
        exchange(tmp_path / "ledger.db")


def test_another_ledger_copied_over_in_place_is_noticed(tmp_path: Path) -> None:
    data = another_ledger(tmp_path)
    store = open_root(tmp_path)
    record(store, [entry("s1", 1, started("s1"))])
    checkpoint(tmp_path / "ledger.db")
    copy_over(tmp_path / "ledger.db", data)
    with pytest.raises(LedgerExchangedError):
        record(store, [entry("s1", 2, heartbeat(2))])
    store.close()


def test_another_ledger_copied_under_a_log_that_holds_every_page_is_noticed(tmp_path: Path) -> None:
    data = another_ledger(tmp_path)
    store = open_root(tmp_path)
    record(store, [entry("s1", 1, started("s1"))])
    for version in range(2, 60):
        record(store, [entry("s1", version, heartbeat(version))])
    copy_over(tmp_path / "ledger.db", data)
    assert stored(tmp_path / "ledger.db", "SELECT count(*) FROM events") == [(59,)]
    with pytest.raises(LedgerExchangedError, match="was overwritten by another ledger while it was open"):
        record(store, [entry("s1", 60, heartbeat(60))])
    store.close()


def test_an_earlier_state_copied_under_the_log_is_noticed_at_the_end(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    with open_root(tmp_path) as store:
        record(store, [entry("s1", 1, started("s1"))])
    earlier = file.read_bytes()
    with open_root(tmp_path) as store:
        record(store, [entry("s1", 2, heartbeat(2))])
    with (
        pytest.raises(LedgerExchangedError, match="overwritten by an earlier state of itself"),
        open_root(tmp_path) as store,
    ):
        record(store, [entry("s1", 3, heartbeat(3))])
        copy_over(file, earlier)


@pytest.mark.parametrize("data", [b"", b"no database" * 1_000])
def test_a_ledger_overwritten_by_something_else_is_noticed(tmp_path: Path, data: bytes) -> None:
    store = open_root(tmp_path)
    record(store, [entry("s1", 1, started("s1"))])
    copy_over(tmp_path / "ledger.db", data)
    with pytest.raises(LedgerExchangedError, match="can no longer be read from its file"):
        record(store, [entry("s1", 2, heartbeat(2))])
    store.close()


def test_a_page_read_half_while_it_was_written_back_is_no_exchange(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []

    def half_at_first(file: str) -> Beneath | None:
        reads.append(file)
        return None if len(reads) == 2 else _read_beneath(file)

    monkeypatch.setattr("quantlab.ledger.sqlite.exchange._read_beneath", half_at_first)
    with open_root(tmp_path) as store:
        record(store, [entry("s1", 1, started("s1"))])
        checkpoint(tmp_path / "ledger.db")
        record(store, [entry("s1", 2, heartbeat(2))])
    assert len(reads) > 2


def test_an_earlier_state_copied_over_in_place_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    with open_root(tmp_path) as store:
        record(store, [entry("s1", 1, started("s1"))])
    earlier = file.read_bytes()
    with pytest.raises(LedgerExchangedError), open_root(tmp_path) as store:
        record(store, [entry("s1", 2, heartbeat(2)), entry("s1", 3, heartbeat(3))])
        checkpoint(file)
        copy_over(file, earlier)


def test_a_checkpoint_of_somebody_else_s_is_no_exchange(tmp_path: Path) -> None:
    with open_root(tmp_path) as store:
        for version in range(1, 8):
            event = started("s1") if version == 1 else heartbeat(version)
            record(store, [entry("s1", version, event)])
            checkpoint(tmp_path / "ledger.db")
    assert stored(tmp_path / "ledger.db", "SELECT count(*) FROM events") == [(7,)]


def test_events_of_others_in_between_are_no_exchange(tmp_path: Path) -> None:
    with open_root(tmp_path) as store, open_root(tmp_path) as another:
        record(store, [entry("s1", 1, started("s1"))])
        record(another, [entry("s2", 1, started("s2")), entry("s2", 2, heartbeat(2))])
        record(store, [entry("s1", 2, heartbeat(2))])
        record(another, [entry("s2", 3, heartbeat(3))])
    assert stored(tmp_path / "ledger.db", "SELECT count(*) FROM events") == [(5,)]


def test_a_tail_cut_off_by_somebody_with_sqlite_is_noticed(tmp_path: Path) -> None:
    store = open_root(tmp_path)
    record(store, [entry("s1", 1, started("s1")), entry("s1", 2, heartbeat(2))])
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as client, client:
        for name in ("events_guard_delete", "ledger_head_guard_update"):
            client.execute(f"DROP TRIGGER {name}")
        client.execute(
            "UPDATE ledger_head SET (sequence, hash) = (SELECT 1, hash FROM events WHERE sequence = 1)"
        )
        client.execute("DELETE FROM events WHERE sequence = 2")
    with pytest.raises(LedgerExchangedError, match="no longer holds the event at sequence 2"):
        record(store, [entry("s2", 1, started("s2"))])
    store.close()


def _wait_for_heartbeats(root: Path, session: subprocess.Popen[str]) -> Path:
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and session.poll() is None:
        for status in root.glob("*/session_status.json"):
            if (root / "ledger.db-wal").exists() and _bars(root) > 3:
                return status.parent
        time.sleep(0.05)
    raise AssertionError("the session never came to its bars")


def _bars(root: Path) -> int:
    with closing(sqlite3.connect(root / "ledger.db", timeout=30)) as client:
        ((bars,),) = client.execute("SELECT COALESCE(MAX(bars_done), 0) FROM paper_sessions")
        return int(bars)


@pytest.mark.parametrize("exchange", ["log deleted", "log truncated", "copied over"])
def test_a_session_whose_ledger_is_exchanged_exits_1_and_never_says_succeeded(
    tmp_path: Path, exchange: str
) -> None:
    data = another_ledger(tmp_path)
    words = ["--prices", "synthetic", "--start", "2023-01-01", "--end", "2023-06-01", "--paper"]
    words += ["--pace", "0.05", "--heartbeat-seconds", "0.05"]
    signals = tmp_path / "signals.jsonl"
    session = subprocess.Popen(
        [sys.executable, "-m", "quantlab", *words, "--signal-file", str(signals)],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    root = tmp_path / "outputs" / "paper_sessions"
    try:
        _wait_for_heartbeats(root, session)
        if exchange == "log deleted":
            delete_log(root / "ledger.db")
        elif exchange == "log truncated":
            truncate_log(root / "ledger.db")
        else:
            copy_over(root / "ledger.db", data)
        out, err = session.communicate(timeout=200)
    finally:
        session.kill()
        session.communicate()
    assert (session.returncode, out) == (1, ""), err
    assert err.splitlines()[-1].startswith("ERROR: The ledger ")
    assert "Traceback" not in err
    events = [json.loads(line)["event"] for line in signals.read_text().splitlines()]
    assert events == ["SESSION_STARTED", "SESSION_FAILED"]
    shutil.rmtree(root)
