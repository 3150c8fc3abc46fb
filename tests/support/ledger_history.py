"""Histories for tests of the ledger: entries of whole sessions, recorded through the real flow."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from quantlab.domain import events
from quantlab.ledger.location import LEDGER_FILE, Location
from quantlab.ledger.log import Entry
from quantlab.ledger.recorder import Recorder
from quantlab.ledger.store import Store, open_store

if TYPE_CHECKING:
    from collections.abc import Iterable

CHECKOUT = Path(__file__).resolve().parents[2]
BEGINNING = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def started(session_id: str = "s1", *, ticker: str = "ETH-USD") -> events.Started:
    return events.Started(
        config={
            "ticker": ticker,
            "start": "2023-01-01",
            "end": "2024-01-01",
            "interval": "1d",
            "prices": "file",
        },
        config_hash="c" * 64,
        folder=session_id,
        root="/somewhere",
        host="host",
        pid=4242,
        process="boot:1",
        request_id=None,
        git_commit=None,
        code_version="0.1.0",
        python_version="3.11.7",
        python_executable="/usr/bin/python3",
        packages={"numpy": "2.0.0"},
        reproduce="quantlab run",
    )


def heartbeat(done: int = 1, *, data: dict[str, object] | None = None) -> events.Heartbeat:
    return events.Heartbeat(stage="simulating", bars_done=done, bars_expected=100, data=data)


def succeeded() -> events.Succeeded:
    summary = {"total_return": 0.1, "sharpe_simple": 1.5, "max_drawdown": -0.2, "trades": 3, "win_rate": 0.5}
    return events.Succeeded(
        summary=summary,
        best_result=summary,
        figures={"final_equity": 1100.25},
        result_digest="d" * 64,
        bars=100,
        artifacts=[],
        warnings=[],
    )


def failed() -> events.Failed:
    return events.Failed(error_type="DataError", message="no prices", exit_code=3)


def aborted() -> events.Aborted:
    return events.Aborted(message="SIGTERM", signal="SIGTERM")


def adopted(session_id: str = "a1", *, terminal: bool = True, **fields: object) -> events.Adopted:
    return events.Adopted(
        folder=session_id, terminal=terminal, fields=fields, documents={}, digests={}, unreadable=[]
    )


def entry(
    session_id: str,
    version: int,
    event: events.Event,
    *,
    actor: str = events.SESSION,
    at: datetime | None = None,
) -> Entry:
    return Entry(
        session_id=session_id,
        session_version=version,
        event=event,
        occurred_at=at or BEGINNING + timedelta(seconds=version),
        actor=actor,
    )


def history(session_id: str, *then: events.Event) -> list[Entry]:
    """The entries of a session that starts and goes on as told."""
    return [entry(session_id, place, event) for place, event in enumerate((started(session_id), *then), 1)]


def record(store: Store, entries: Iterable[Entry]) -> None:
    recorder = Recorder(store)
    for one in entries:
        recorder.record(one)


def open_root(root: Path) -> Store:
    return open_store(Location(root=root, file=root / LEDGER_FILE))


def fill(root: Path) -> Path:
    """A root whose ledger holds ten events of three sessions, in turns; returns its file."""
    one = history("s1", heartbeat(1, data={"source": "file", "hash": "h"}), heartbeat(2), succeeded())
    two = history("s2", heartbeat(1), failed())
    three = history("s3", heartbeat(1), heartbeat(5))
    in_turns = [one[0], two[0], one[1], three[0], two[1], one[2], three[1], two[2], one[3], three[2]]
    with open_root(root) as store:
        record(store, in_turns)
    return root / LEDGER_FILE


def stored(file: Path, query: str) -> list[tuple[object, ...]]:
    """What a plain client reads."""
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(query).fetchall()


def forge(file: Path, *statements: str) -> None:
    """Change a ledger as somebody would who drops the guards on events and head first."""
    with closing(sqlite3.connect(file)) as connection:
        names = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN ('events', 'ledger_head')"
        ).fetchall()
        for name, _text in names:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
        for _name, text in names:
            connection.execute(text)
        connection.commit()
