"""Event to rows: keep `paper_sessions` in step with the ledger, and make it anew from the first event on."""

from __future__ import annotations

from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import sqlalchemy as sa

from quantlab.domain import lifecycle
from quantlab.domain.columns import differing
from quantlab.domain.events import BIRTHS, Recorded, superseded
from quantlab.domain.session import COLUMNS, NAMES, Session
from quantlab.ledger import log
from quantlab.ledger.schema import paper_sessions, session_counts, session_trials
from quantlab.ledger.statements import Insert, Statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from quantlab.base.values import Cells
    from quantlab.domain.events import Event

    Watch = Callable[[Iterator[Cells]], Iterable[Cells]]

_columns = [paper_sessions.c[name] for name in NAMES]
_by_id = Statement(sa.select(*_columns).where(paper_sessions.c.session_id == sa.bindparam("session_id")))
_FLAGS = [one.name for one in COLUMNS if one.type == "flag"]
_insert = Insert(paper_sessions, NAMES)
_values = attrgetter(*NAMES)
_all_rows = sa.select(*_columns).order_by(paper_sessions.c.session_id)
_counted = sa.select(session_counts.c.status, session_counts.c.ready, session_counts.c.sessions)
_counts = sa.select(paper_sessions.c.status, paper_sessions.c.promotion_ready, sa.func.count()).group_by(
    paper_sessions.c.status, paper_sessions.c.promotion_ready
)
_known_trials = sa.select(*session_trials.columns)
_trials = (
    sa.select(*(paper_sessions.c[one.name] for one in session_trials.columns))
    .where(sa.and_(*(paper_sessions.c[one.name].is_not(None) for one in session_trials.columns)))
    .distinct()
)
UNFOLDABLE = (LookupError, TypeError, ValueError, msgspec.MsgspecError)
"""What a fold raises at events that no session can have."""
_BATCH = 1_000
_SESSION, _TYPE, _PAYLOAD = (log.COLUMNS.index(name) for name in ("session_id", "type", "payload"))


class RowDifference(NamedTuple):
    """Where the stored projection is not what the events make."""

    session_id: str
    column: str
    stored: object
    expected: object


def read_row(connection: sa.Connection, session_id: str) -> Session | None:
    """Return a session as its row stands, or None where the ledger knows no such session."""
    rows = _by_id.run(connection, {"session_id": session_id})
    return _session(rows[0]) if rows else None


def _session(row: Cells) -> Session:
    values = dict(zip(NAMES, row, strict=True))
    for name in _FLAGS:
        if values[name] is not None:
            values[name] = bool(values[name])  # SQLite's own driver knows numbers only
    return Session(**values)


def project(connection: sa.Connection, session: Session | None, recorded: Recorded) -> Session:
    """Bring a session's row up to an event, in the transaction that appended it.

    Args:
        connection: Holds the write transaction.
        session: As its row has it before the event; None before its first.
        recorded: The event. What it says is read off its stored payload, as a rebuild will read it.

    Returns:
        The session as it is now.
    """
    if recorded.type in BIRTHS:
        born = lifecycle.apply(None, recorded, recorded.event)
        _insert_rows(connection, [born])
        return born
    if session is None:
        raise LookupError(f"Session {recorded.session_id} has no row to bring up to {recorded.type!r}.")
    changed = lifecycle.apply(session, recorded, recorded.event)
    values = differing(session, changed)
    _update(tuple(values)).run(connection, {"of_session": recorded.session_id, **values})
    return changed


def project_births(connection: sa.Connection, born: Sequence[tuple[Recorded, Event]]) -> None:
    """Make the rows of sessions that begin, in the transaction that appended their first events.

    Args:
        connection: Holds the write transaction.
        born: Where each first event stands, and what it says (already at hand, so not decoded again).
    """
    _insert_rows(connection, [lifecycle.apply(None, recorded, event) for recorded, event in born])


def _insert_rows(connection: sa.Connection, sessions: Sequence[Session]) -> None:
    _insert.run(connection, [_values(session) for session in sessions])


def rebuild(connection: sa.Connection, progress: Callable[[int], None] | None = None) -> int:
    """Drop the projection's rows and make them anew from the events, in the caller's transaction.

    Args:
        connection: Holds the write transaction.
        progress: Called with the number of sessions made so far, after each batch.

    Returns:
        The number of sessions.
    """
    connection.execute(sa.delete(paper_sessions))
    connection.execute(sa.delete(session_counts))
    connection.execute(sa.delete(session_trials))
    made = 0
    for batch in _batches(fold_all(connection)):
        _insert_rows(connection, batch)
        made += len(batch)
        if progress is not None:
            progress(made)
    return made


def fold_all(connection: sa.Connection, watch: Watch | None = None) -> Iterator[Session]:
    """Yield every session as its events make it, by session id, in flat memory.

    Args:
        connection: Holds the snapshot.
        watch: Sees every stored event on the way, session by session, and hands it on.
    """
    rows = log.stream(connection, log.BY_SESSION)
    recorded = (Recorded(*row) for row in _lasting(rows if watch is None else watch(rows)))
    for _session_id, of_session in groupby(recorded, attrgetter("session_id")):
        yield lifecycle.fold(of_session)


def differences(connection: sa.Connection, watch: Watch | None = None) -> Iterator[RowDifference]:
    """Compare the stored projection with the fold of the events, row by row and then the counts; flat memory.

    Raises:
        Exception: whatever a fold of events that no session can have raises.
    """
    rows = connection.execute(_all_rows, execution_options={"yield_per": 1_000})
    for expected, stored in _paired(fold_all(connection, watch), (_session(row) for row in rows)):
        yield from _compared(expected, stored)
    yield from _miscounted(connection)


def _paired(
    expected: Iterator[Session], stored: Iterator[Session]
) -> Iterator[tuple[Session | None, Session | None]]:
    """Match two streams of sessions, both by id; None stands where one of them lacks the session."""
    left, right = next(expected, None), next(stored, None)
    while left is not None or right is not None:
        left_first = right is None or (left is not None and left.session_id <= right.session_id)
        right_first = left is None or (right is not None and right.session_id <= left.session_id)
        yield (left if left_first else None), (right if right_first else None)
        left = next(expected, None) if left_first else left
        right = next(stored, None) if right_first else right


def _compared(expected: Session | None, stored: Session | None) -> Iterator[RowDifference]:
    if expected is not None and stored is not None:
        for column, value in differing(stored, expected).items():
            held = getattr(stored, column)
            if held != value:
                yield RowDifference(expected.session_id, column, held, value)
    elif expected is not None:
        yield RowDifference(expected.session_id, "session_id", None, expected.session_id)
    elif stored is not None:
        yield RowDifference(stored.session_id, "session_id", stored.session_id, None)


def _miscounted(connection: sa.Connection) -> Iterator[RowDifference]:
    counted = {(status, ready): n for status, ready, n in connection.execute(_counted)}
    actual = {(status, ready): n for status, ready, n in connection.execute(_counts)}
    for status, ready in sorted(counted.keys() | actual.keys()):
        stored, expected = counted.get((status, ready)), actual.get((status, ready))
        if stored != expected:
            yield RowDifference(f"session_counts {status!r}, ready {ready}", "sessions", stored, expected)
    yield from _untold_trials(connection)


def _untold_trials(connection: sa.Connection) -> Iterator[RowDifference]:
    known = {tuple(row) for row in connection.execute(_known_trials)}
    made = {tuple(row) for row in connection.execute(_trials)}
    for trial in sorted(known ^ made):
        yield RowDifference(
            f"session_trials {' '.join(trial)}",
            "rules_hash",
            trial[-1] if trial in known else None,
            trial[-1],
        )


@lru_cache(maxsize=256)
def _update(columns: tuple[str, ...]) -> Statement:
    return Statement(
        sa.update(paper_sessions)
        .where(paper_sessions.c.session_id == sa.bindparam("of_session"))
        .values({name: sa.bindparam(name) for name in columns})
    )


def _lasting(rows: Iterable[Cells]) -> Iterator[Cells]:
    """Leave out the events that the next one of their session supersedes: most heartbeats, so most events."""
    held: Cells | None = None
    for row in rows:
        if held is not None and not (
            held[_SESSION] == row[_SESSION] and superseded(held[_TYPE], held[_PAYLOAD], row[_TYPE])
        ):
            yield held
        held = row
    if held is not None:
        yield held


def _batches(sessions: Iterator[Session]) -> Iterator[list[Session]]:
    batch: list[Session] = []
    for session in sessions:
        batch.append(session)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
