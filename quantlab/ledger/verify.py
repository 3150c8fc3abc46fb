"""What must hold of a ledger's stored rows: the chain, each session's lifecycle, the guards. Reads, never mends."""

from __future__ import annotations

import hashlib
import sqlite3
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from quantlab.domain.events import ANNOTATIONS, BIRTHS, ENDS, GENESIS_HASH, TYPES
from quantlab.ledger import installed
from quantlab.ledger.log import COLUMNS, Head, stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from quantlab.base.values import Cells
    from quantlab.ledger.postgres.definitions import Made

STEP = 20_000
"""Events between two calls of a progress function."""

_SEQUENCE, _SESSION, _VERSION, _TYPE = (
    COLUMNS.index(name) for name in ("sequence", "session_id", "session_version", "type")
)
_PAYLOAD = COLUMNS.index("payload")
# The text that an event's hash is of, joined where the row is: one value crosses into Python, not eight.
_HASHED = " || '\n' || ".join(("previous_hash", *COLUMNS[: _PAYLOAD + 1]))


class Fault(msgspec.Struct, frozen=True):
    """Something that does not hold.

    Attributes:
        check: The check that found it.
        what: What is wrong, a sentence for people.
        sequence: The first bad sequence, where there is one.
    """

    check: str
    what: str
    sequence: int | None = None


class Chain(msgspec.Struct, frozen=True):
    """How far the chain of hashes holds.

    Attributes:
        head: The last event that holds.
        fault: Why the next one doesn't; None where there is no next one.
    """

    head: Head
    fault: Fault | None


def check_chain(connection: sa.Connection, progress: Callable[[int], None] = lambda _count: None) -> Chain:
    """Hash every event as it is stored, in order, up to the first that doesn't follow from the one before it."""
    last = Head(0, GENESIS_HASH)
    try:
        for row in stream(connection, _chain_query(connection)):
            fault = _link_fault(last, row)
            if fault is not None:
                return Chain(last, fault)
            last = Head(row[0], row[2])
            if last.sequence % STEP == 0:
                progress(last.sequence)
    except (sqlite3.DatabaseError, sa.exc.DBAPIError) as error:
        return Chain(last, _fault(last.sequence + 1, f"can't be read ({error})"))
    return Chain(last, None)


def check_head(chain: Chain, head: Head) -> Fault | None:
    """Compare the head's row with the last event; a tail that was cut off shows here."""
    if chain.fault is not None or chain.head == head:
        return None
    if head.sequence > chain.head.sequence:
        what = (
            f"the head is at {head.sequence}, but the events end at {chain.head.sequence}: a tail is missing"
        )
    else:
        what = f"the head says {head.sequence}:{head.hash}, the last event {chain.head.sequence}:{chain.head.hash}"
    return Fault("head", what, min(head.sequence, chain.head.sequence) + 1)


class Lifecycles:
    """Watches events go by, session by session, and keeps the first one that its session could not have had."""

    def __init__(self, progress: Callable[[int], None] = lambda _count: None) -> None:
        self.events = 0
        self.sessions = 0
        self.fault: Fault | None = None
        self._progress = progress

    def watch(self, rows: Iterator[Cells]) -> Iterator[Cells]:
        """Hand the rows on, checked; they come by session and version."""
        session_id, version, ended = None, 0, False
        for row in rows:
            if row[_SESSION] != session_id:
                session_id, version, ended = row[_SESSION], 0, False
                self.sessions += 1
            version += 1
            wrong = _lifecycle_fault(row, version, ended=ended)
            if wrong is not None and (self.fault is None or row[_SEQUENCE] < (self.fault.sequence or 0)):
                self.fault = Fault("sessions", f"sequence {row[_SEQUENCE]}: {wrong}", row[_SEQUENCE])
            ended = ended or _ends(row)
            self.events += 1
            if self.events % STEP == 0:
                self._progress(self.events)
            yield row


def check_guards(connection: sa.Connection, made: Made | None) -> list[Fault]:
    """Name every definition that is missing, altered or none of ours: tables, indexes, triggers, views, functions.

    Args:
        connection: Holds the snapshot.
        made: What `installed.made` returned.
    """
    return [Fault("guards", what) for what in installed.faults(connection, made)]


def check_integrity(connection: sa.Connection) -> list[Fault]:
    """Ask SQLite whether its pages and indexes are sound; a server sees to its own."""
    if connection.dialect.name != "sqlite":
        return []
    try:
        answers = [str(row[0]) for row in stream(connection, "PRAGMA integrity_check(10)")]
    except sqlite3.DatabaseError as error:
        answers = [str(error)]
    return [] if answers == ["ok"] else [Fault("integrity", " ".join(answer.split())) for answer in answers]


def _chain_query(connection: sa.Connection) -> str:
    hashed = f"CAST({_HASHED} AS BLOB)" if connection.dialect.name == "sqlite" else _HASHED
    return f"SELECT sequence, previous_hash, hash, {hashed} FROM events ORDER BY sequence"


def _link_fault(last: Head, row: Cells) -> Fault | None:
    sequence, previous, digest, hashed = row
    if sequence != last.sequence + 1:
        missing = (
            f"{last.sequence + 1} to {sequence - 1}" if sequence > last.sequence + 2 else f"{sequence - 1}"
        )
        return Fault("chain", f"sequence {last.sequence + 1}: missing (gap: {missing})", last.sequence + 1)
    if previous != last.hash:
        return _fault(sequence, "its previous_hash is not the hash of the event before it")
    text = hashed.encode() if isinstance(hashed, str) else hashed
    if text is None or hashlib.sha256(text).hexdigest() != digest:
        return _fault(sequence, "its hash is not that of what it says: it was changed")
    return None


def _fault(sequence: int, what: str) -> Fault:
    return Fault("chain", f"sequence {sequence}: {what}", sequence)


def _lifecycle_fault(row: Cells, version: int, *, ended: bool) -> str | None:
    kind, session_id = row[_TYPE], row[_SESSION]
    if row[_VERSION] != version:
        return f"session {session_id} has version {row[_VERSION]} where {version} was expected"
    if kind not in TYPES:
        return f"unknown event type {kind!r}"
    if (kind in BIRTHS) != (version == 1):
        return f"{kind!r} at version {version} of session {session_id}"
    if ended and kind not in ANNOTATIONS:
        return f"{kind!r} after the end of session {session_id}"
    return None


def _ends(row: Cells) -> bool:
    if row[_TYPE] == "adopted":
        try:
            return bool(msgspec.json.decode(row[_PAYLOAD]).get("terminal"))
        except (msgspec.MsgspecError, AttributeError, TypeError):
            return False
    return row[_TYPE] in ENDS
