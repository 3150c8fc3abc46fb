"""The ledger: append events in one gapless, hash-chained order, and read them back.

The caller holds the write transaction (`Store.write`) and projects in the same one; the database's own guards refuse
whatever slips past the checks here.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from itertools import starmap
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from quantlab.base.clock import iso
from quantlab.base.errors import ConflictError, LedgerDamagedError
from quantlab.base.remedies import RESTORE
from quantlab.domain.events import SCHEMA_VERSION, SESSION, Event, Recorded, encode
from quantlab.domain.events.event import event_hash
from quantlab.ledger.schema import events, ledger_head
from quantlab.ledger.statements import Insert, Statement

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from quantlab.base.values import Cells

COLUMNS = tuple(column.name for column in events.columns)

BY_SEQUENCE = f"SELECT {', '.join(COLUMNS)} FROM events ORDER BY sequence"
BY_SESSION = f"SELECT {', '.join(COLUMNS)} FROM events ORDER BY session_id, session_version"

_head = Statement(sa.select(ledger_head.c.sequence, ledger_head.c.hash))
_insert = Insert(events, COLUMNS)
_of_session = Statement(
    sa.select(*events.columns)
    .where(events.c.session_id == sa.bindparam("session_id"))
    .order_by(events.c.session_version)
)
_at_version = sa.select(*events.columns).where(
    events.c.session_id == sa.bindparam("session_id"),
    events.c.session_version == sa.bindparam("session_version"),
)


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An event that asks for a place in the ledger.

    Attributes:
        session_version: The place in its session that it expects to take, from 1.
        occurred_at: When it happened; aware.
    """

    session_id: str
    session_version: int
    event: Event
    occurred_at: datetime
    actor: str = SESSION


_Chained = tuple[int, str, int, str, int, str, str, str, str, str]
"""A row of `events`: the values of `COLUMNS`."""


class Head(msgspec.Struct, frozen=True):
    """The last sequence of a ledger and its hash; sequence 0 where it holds nothing."""

    sequence: int
    hash: str


def append(connection: sa.Connection, entries: Sequence[Entry]) -> list[Recorded]:
    """Append events in their order and move the head (the database does, with each insert).

    Raises:
        LedgerDamagedError: there is no head.
        sqlalchemy.exc.DBAPIError, sqlite3.Error: a guard refused; the transaction has to be rolled back.
    """
    rows = _chain(read_head(connection), entries)
    _insert.run(connection, rows)
    return [Recorded(*row) for row in rows]


def read_head(connection: sa.Connection) -> Head:
    """Return the head.

    Raises:
        LedgerDamagedError: there is none.
    """
    rows = _head.run(connection)
    if not rows:
        raise LedgerDamagedError(
            "The ledger's head is missing; nothing was changed. ", RESTORE, " brings a backup back."
        )
    sequence, digest = rows[0]
    return Head(sequence, digest)


def already_recorded(connection: sa.Connection, entry: Entry) -> Recorded:
    """Return the event that holds the entry's place, if it says the same.

    A kill may come after the commit and before the answer: asking again is then no error.

    Raises:
        ConflictError: another event holds that place.
    """
    at = {"session_id": entry.session_id, "session_version": entry.session_version}
    row = connection.execute(_at_version, at).one_or_none()
    held = None if row is None else Recorded(*row)
    if held is None or not _says_the_same(held, entry):
        raise ConflictError(
            f"Session {entry.session_id} has moved on: version {entry.session_version} is "
            f"{'ahead of it' if held is None else f'taken by {held.type!r} ({held.actor})'}; nothing was recorded."
        )
    return held


def read_events(connection: sa.Connection, session_id: str) -> list[Recorded]:
    """Return all events of a session, in their order."""
    return list(stream_session(connection, session_id))


def stream_session(connection: sa.Connection, session_id: str) -> Iterator[Recorded]:
    """Yield all events of a session, in their order and in flat memory."""
    return starmap(Recorded, _of_session.stream(connection, {"session_id": session_id}))


def stream(connection: sa.Connection, query: str, batch: int = 5_000) -> Iterator[Cells]:
    """Yield a query's rows in flat memory, with as little between them and the caller as the driver allows.

    Args:
        connection: Holds the snapshot.
        query: SQL without parameters that both engines read, such as `BY_SEQUENCE`.
        batch: Rows that a server sends at once.
    """
    driver = connection.connection.driver_connection
    if isinstance(driver, sqlite3.Connection):
        return iter(driver.execute(query))
    return _from_server(connection, query, batch)


def _from_server(connection: sa.Connection, query: str, batch: int) -> Iterator[Cells]:
    # An option of this statement alone: the connection's own would make a server refuse its next executemany.
    options = {"yield_per": batch}
    with connection.exec_driver_sql(query.replace("%", "%%"), execution_options=options) as rows:
        yield from (tuple(row) for row in rows)


def _chain(head: Head, entries: Sequence[Entry]) -> list[_Chained]:
    """Return the entries as rows of `events`, each chained to the one before it."""
    rows = []
    sequence, previous = head.sequence, head.hash
    for entry in entries:
        sequence += 1
        fields = (
            sequence,
            entry.session_id,
            entry.session_version,
            entry.event.name,
            SCHEMA_VERSION,
            _stored_time(entry.occurred_at),
            entry.actor,
            encode(entry.event),
        )
        digest = event_hash(previous, fields)
        rows.append((*fields, previous, digest))
        previous = digest
    return rows


def _stored_time(moment: datetime) -> str:
    """Return what `iso` does, as msgspec writes it: that takes a third of the time, and every event has one."""
    if moment.tzinfo is not UTC:
        return iso(moment)
    text = msgspec.to_builtins(moment)[:-1]  # without its Z
    return f"{text}+00:00" if moment.microsecond else f"{text}.000000+00:00"


def _says_the_same(held: Recorded, entry: Entry) -> bool:
    return (held.type, held.occurred_at, held.actor, held.payload) == (
        entry.event.name,
        iso(entry.occurred_at),
        entry.actor,
        encode(entry.event),
    )
