"""Event to rows: keep `paper_sessions` in step with the ledger, and make it anew from the first event on."""

from __future__ import annotations

from functools import lru_cache
from itertools import groupby, pairwise
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from quantlab import lifecycle
from quantlab.events import BIRTHS, Recorded
from quantlab.ledger import BY_SESSION, COLUMNS, stream
from quantlab.store.schema import PROJECTED, paper_sessions, session_counts
from quantlab.store.statements import Insert, Statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from quantlab.events import Event
    from quantlab.lifecycle import Row

    Watch = Callable[[Iterator[Sequence[Any]]], Iterable[Sequence[Any]]]

_by_id = Statement(
    sa.select(*[paper_sessions.c[name] for name in PROJECTED]).where(
        paper_sessions.c.session_id == sa.bindparam("session_id")
    )
)
_BOOLEANS = [name for name in PROJECTED if isinstance(paper_sessions.c[name].type, sa.Boolean)]
_insert = Insert(paper_sessions, PROJECTED)
_all_rows = sa.select(*[paper_sessions.c[name] for name in PROJECTED]).order_by(paper_sessions.c.session_id)
_counted = sa.select(session_counts.c.status, session_counts.c.ready, session_counts.c.sessions)
_counts = sa.select(paper_sessions.c.status, paper_sessions.c.promotion_ready, sa.func.count()).group_by(
    paper_sessions.c.status, paper_sessions.c.promotion_ready
)
_EMPTY: Row = dict.fromkeys(PROJECTED)
_BATCH = 1_000
_SESSION, _TYPE, _PAYLOAD = COLUMNS.index("session_id"), COLUMNS.index("type"), COLUMNS.index("payload")


class Difference(NamedTuple):
    """Where the stored projection is not what the events make."""

    session_id: str
    column: str
    stored: Any
    expected: Any


def read_row(connection: sa.Connection, session_id: str) -> Row | None:
    """Return a session's row as it stands, or None where the ledger knows no such session."""
    rows = _by_id.run(connection, {"session_id": session_id})
    if not rows:
        return None
    row = dict(zip(PROJECTED, rows[0], strict=True))
    for name in _BOOLEANS:
        row[name] = None if row[name] is None else bool(row[name])  # SQLite's own driver knows numbers only
    return row


def project(connection: sa.Connection, row: Row | None, recorded: Recorded) -> Row:
    """Bring a session's row up to an event, in the transaction that appended it.

    Returns:
        The row as it is now.
    """
    event = recorded.event
    if recorded.type in BIRTHS:
        return project_births(connection, [(recorded, event)])[0]
    if row is None:
        raise LookupError(f"Session {recorded.session_id} has no row to bring up to {recorded.type!r}.")
    updates = lifecycle.changes(row, recorded, event)
    _update(tuple(updates)).run(connection, {"of_session": recorded.session_id, **updates})
    return {**row, **updates}


def project_many(connection: sa.Connection, rows: Mapping[str, Row | None], run: Sequence[Recorded]) -> None:
    """Bring sessions' rows up to a run of events, in the transaction that appended them; each row is written once.

    Args:
        connection: Holds the write transaction.
        rows: The sessions' rows before the run, by session id; None or absent before a session's birth.
        run: The events, in the ledger's order.
    """
    now: dict[str, Row] = {session_id: dict(row) for session_id, row in rows.items() if row is not None}
    born: set[str] = set()
    changed: dict[str, Row] = {}
    for recorded in _lasting_of(run):
        session_id = recorded.session_id
        if recorded.type in BIRTHS:
            born.add(session_id)
            now[session_id] = {**_EMPTY, "session_id": session_id}
        updates = lifecycle.changes(now[session_id], recorded, recorded.event)
        now[session_id].update(updates)
        changed.setdefault(session_id, {"of_session": session_id}).update(updates)
    _insert_rows(connection, [now[session_id] for session_id in changed if session_id in born])
    _write_changes(connection, [row for session_id, row in changed.items() if session_id not in born])


def _lasting_of(run: Sequence[Recorded]) -> list[Recorded]:
    """Return the events of a run but for those that the next one supersedes."""
    lasting = [
        one
        for one, following in pairwise(run)
        if one.session_id != following.session_id
        or not lifecycle.superseded(one.type, one.payload, following.type)
    ]
    return [*lasting, *run[-1:]]


def _write_changes(connection: sa.Connection, changed: list[Row]) -> None:
    # Sessions whose events set the same columns share a statement; sorted, so that equal columns are neighbours.
    for columns, alike in groupby(sorted(changed, key=tuple), tuple):
        _update(columns[1:]).run_each(connection, list(alike))


def project_births(connection: sa.Connection, born: Sequence[tuple[Recorded, Event]]) -> list[Row]:
    """Make the rows of sessions that begin, in the transaction that appended their first events.

    Args:
        connection: Holds the write transaction.
        born: Where each first event stands, and what it says (already at hand, so not decoded again).

    Returns:
        The rows, in the same order.
    """
    rows = [
        {**_EMPTY, "session_id": recorded.session_id, **lifecycle.changes({}, recorded, event)}
        for recorded, event in born
    ]
    _insert_rows(connection, rows)
    return rows


def _insert_rows(connection: sa.Connection, rows: Sequence[Row]) -> None:
    _insert.run(connection, [[row[name] for name in PROJECTED] for row in rows])


def rebuild(connection: sa.Connection, progress: Callable[[int], None] | None = None) -> int:
    """Drop the projection and make it anew from the events, in the caller's transaction.

    Args:
        connection: Holds the write transaction.
        progress: Called with the number of sessions made so far, after each batch.

    Returns:
        The number of sessions.
    """
    connection.execute(sa.delete(paper_sessions))
    connection.execute(sa.delete(session_counts))
    made = 0
    for batch in _batches(fold_all(connection)):
        _insert_rows(connection, batch)
        made += len(batch)
        if progress is not None:
            progress(made)
    return made


def fold_all(connection: sa.Connection, watch: Watch | None = None) -> Iterator[Row]:
    """Yield every session's row as its events make it, by session id, in flat memory.

    Args:
        connection: Holds the snapshot.
        watch: Sees every stored event on the way, session by session, and hands it on.
    """
    rows = stream(connection, BY_SESSION)
    recorded = (Recorded(*row) for row in _lasting(rows if watch is None else watch(rows)))
    for _session_id, of_session in groupby(recorded, attrgetter("session_id")):
        yield fold(of_session)


def differences(connection: sa.Connection, watch: Watch | None = None) -> Iterator[Difference]:
    """Compare the stored projection with the fold of the events, row by row and then the counts; flat memory.

    Raises:
        Exception: whatever a fold of events that no session can have raises.
    """
    folded = fold_all(connection, watch)
    rows = connection.execute(_all_rows, execution_options={"yield_per": 1_000}).mappings()
    stored = (dict(row) for row in rows)
    for expected, held in _paired(folded, stored):
        yield from _compared(expected, held)
    yield from _miscounted(connection)


def _paired(expected: Iterator[Row], stored: Iterator[Row]) -> Iterator[tuple[Row | None, Row | None]]:
    """Match two streams of rows, both by session id; None stands where one of them lacks the session."""
    left, right = next(expected, None), next(stored, None)
    while left is not None or right is not None:
        left_first = right is None or (left is not None and left["session_id"] <= right["session_id"])
        right_first = left is None or (right is not None and right["session_id"] <= left["session_id"])
        yield (left if left_first else None), (right if right_first else None)
        left = next(expected, None) if left_first else left
        right = next(stored, None) if right_first else right


def _compared(expected: Row | None, stored: Row | None) -> Iterator[Difference]:
    if expected is None or stored is None:
        session_id = (expected or stored or {})["session_id"]
        yield Difference(session_id, "session_id", stored and session_id, expected and session_id)
        return
    for column in PROJECTED:
        if stored[column] != expected[column]:
            yield Difference(expected["session_id"], column, stored[column], expected[column])


def _miscounted(connection: sa.Connection) -> Iterator[Difference]:
    counted = {(status, ready): n for status, ready, n in connection.execute(_counted)}
    actual = {(status, ready): n for status, ready, n in connection.execute(_counts)}
    for status, ready in sorted(counted.keys() | actual.keys()):
        stored, expected = counted.get((status, ready)), actual.get((status, ready))
        if stored != expected:
            yield Difference(f"session_counts {status!r}, ready {ready}", "sessions", stored, expected)


def fold(of_session: Iterable[Recorded]) -> Row:
    """Return the row that a session's events make, in their order."""
    row: Row = dict(_EMPTY)
    state: Row = {}
    for recorded in of_session:
        if recorded.type in BIRTHS:
            row["session_id"] = recorded.session_id
        row.update(lifecycle.changes(state, recorded, recorded.event))
        state = row
    return row


@lru_cache(maxsize=64)
def _update(columns: tuple[str, ...]) -> Statement:
    return Statement(
        sa.update(paper_sessions)
        .where(paper_sessions.c.session_id == sa.bindparam("of_session"))
        .values({name: sa.bindparam(name) for name in columns})
    )


def _lasting(rows: Iterable[Sequence[Any]]) -> Iterator[Sequence[Any]]:
    """Leave out the events that the next one of their session supersedes: most heartbeats, so most events."""
    held: Sequence[Any] | None = None
    for row in rows:
        if held is not None and not (
            held[_SESSION] == row[_SESSION] and lifecycle.superseded(held[_TYPE], held[_PAYLOAD], row[_TYPE])
        ):
            yield held
        held = row
    if held is not None:
        yield held


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
