"""Entries, processes, plain clients and what must hold, for the tests that run on SQLite and PostgreSQL alike."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import sqlalchemy as sa

from quantlab.domain.events import GENESIS_HASH, Event, Failed, Heartbeat, Recorded, Started
from quantlab.domain.events.event import event_hash
from quantlab.ledger import projection
from quantlab.ledger.log import Entry
from quantlab.ledger.schema import events
from support.postgres_server import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from quantlab.ledger.location import Location
    from quantlab.ledger.recorder import Recorder
    from quantlab.ledger.store import Store

REPOSITORY = Path(__file__).resolve().parents[2]
T0 = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
WRITER = """
import sys
from datetime import timedelta
from pathlib import Path
from support.both_engines import T0, birth, beat
from quantlab.ledger.recorder import Recorder
from quantlab.ledger.store import open_store
from quantlab.ledger.location import locate

root, name, beats, url = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.stdin.read().strip()
with open_store(locate(root, url or None)) as store:
    recorder = Recorder(store)
    recorder.record(birth(name))
    for version in range(2, 2 + beats):
        recorder.record(beat(name, version))
"""


def birth(session_id: str, **changed: Any) -> Entry:
    """Return a session's first event."""
    facts: dict[str, Any] = {
        "config": {"ticker": "ETH-USD", "prices": "file"},
        "config_hash": "c" * 64,
        "folder": session_id,
        "root": "/srv/paper",
        "host": "first-host",
        "pid": 7,
        "process": None,
        "request_id": None,
        "git_commit": None,
        "code_version": "0",
        "python_version": "3.11",
        "python_executable": "python",
        "packages": {},
        "reproduce": "quantlab run",
    }
    return entry(session_id, 1, Started(**facts | changed))


def beat(session_id: str, version: int) -> Entry:
    """Return a heartbeat in its place."""
    return entry(session_id, version, Heartbeat(stage="simulating", bars_done=version, bars_expected=900))


def end(session_id: str, version: int) -> Entry:
    """Return a session's end, in its place."""
    return entry(session_id, version, Failed(error_type="DataError", message="no prices", exit_code=3))


def entry(session_id: str, version: int, event: Event) -> Entry:
    """Return an event in its place, a second after the one before it."""
    at = T0 + timedelta(seconds=version)
    return Entry(session_id=session_id, session_version=version, event=event, occurred_at=at)


def start_writer(location: Location, name: str, beats: int) -> subprocess.Popen[str]:
    """Start a process that records a session's birth and its heartbeats; the URL travels by stdin."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", WRITER, str(location.root), name, str(beats)],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'tests'}"},
    )
    assert process.stdin is not None
    process.stdin.write(location.url or "")
    process.stdin.close()
    process.stdin = None
    return process


def plain_client(location: Location, sql: str) -> list[tuple[Any, ...]]:
    """Run one statement as any other client would, and commit it."""
    if location.file is not None:
        with closing(sqlite3.connect(location.file)) as connection, connection:
            return connection.execute(sql).fetchall()
    with psycopg.connect(plain(location.url or "")) as server:
        cursor = server.execute(sql.encode())
        return cursor.fetchall() if cursor.description else []


def events_of(store: Store) -> list[Recorded]:
    """Return every event of a ledger, in their order."""
    with store.read() as connection:
        return events_since(connection, 0)


def events_since(connection: sa.Connection, sequence: int) -> list[Recorded]:
    """Return the events beyond a sequence, in their order."""
    asked = sa.select(*events.columns).where(events.c.sequence > sequence).order_by(events.c.sequence)
    return [Recorded(*row) for row in connection.execute(asked)]


def record_all(recorder: Recorder, entries: Iterable[Entry]) -> list[Recorded]:
    """Record entries one after the other; returns them in their places."""
    return [recorder.record(one)[0] for one in entries]


def assert_one_chain(store: Store) -> None:
    """Every event follows from the one before it, without a gap."""
    previous = GENESIS_HASH
    for place, one in enumerate(events_of(store), start=1):
        fields = (one.sequence, one.session_id, one.session_version, one.type, one.schema_version)
        digest = event_hash(previous, (*fields, one.occurred_at, one.actor, one.payload))
        assert (one.sequence, one.previous_hash, one.hash) == (place, previous, digest)
        previous = digest


def assert_projection_equals_rebuild(store: Store) -> None:
    """Every row is what its events make."""
    with store.read() as connection:
        assert list(projection.differences(connection)) == []
