"""THE FLOW: an event is appended and projected in one transaction; files follow the commit."""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING

import sqlalchemy as sa

from quantlab import ledger, lifecycle, projections
from quantlab.errors import ConflictError
from quantlab.events import BIRTHS, ENDS, NAMES
from quantlab.store.schema import paper_sessions, pending_files
from quantlab.store.statements import Statement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from quantlab.events import Recorded
    from quantlab.ledger import Entry
    from quantlab.lifecycle import Row
    from quantlab.store.engine import Store

_among = sa.select(paper_sessions.c.session_id).where(
    paper_sessions.c.session_id.in_(sa.bindparam("session_ids", expanding=True))
)
_is_pending = Statement(
    sa.select(pending_files.c.session_id).where(pending_files.c.session_id == sa.bindparam("session_id"))
)
_mark = Statement(sa.insert(pending_files))
_unmark = Statement(sa.delete(pending_files).where(pending_files.c.session_id == sa.bindparam("of_session")))


class Recorder:
    """Appends events to one ledger and keeps its projection in step.

    It remembers the row of the session that it recorded last, so that a session's next event need not read it again.
    Where that row has become old (an operator aborted the session), the database's guards refuse the event, and the
    recorder looks again.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._last: Row | None = None

    def record(self, entry: Entry) -> tuple[Recorded, Row]:
        """Append one event; returns it in its place, and the session's row after it.

        The same entry recorded twice is recorded once; so a server that went away in the middle is asked again, for
        as long as the store's patience lasts.

        Raises:
            SessionEndedError: the session has ended; nothing was changed.
            ConflictError: another event took that place in the session.
            LedgerError: the ledger can't be written; nothing was changed.
        """
        last, self._last = self._last, None
        try:
            recorded, row = self._record_next(last, entry)
        except ConflictError:
            if last is None:
                raise
            recorded, row = self._record_next(None, entry)
        self._last = row
        return recorded, dict(row)

    def _record_next(self, last: Row | None, entry: Entry) -> tuple[Recorded, Row]:
        if last is not None and last["session_id"] == entry.session_id:
            return self.store.transact(lambda connection: _append(connection, last, entry))
        return self.store.transact(lambda connection: _look_and_append(connection, entry))

    def record_many(self, entries: Sequence[Entry]) -> list[Recorded]:
        """Append events in one transaction, all or none; those that are recorded already stay as they are.

        Returns:
            The events in their places, in the order of the entries.

        Raises:
            SessionEndedError: a session has ended; nothing was changed.
            ConflictError: another event took a place in its session.
            LedgerError: the ledger can't be written; nothing was changed.
        """
        self._last = None
        return self.store.transact(lambda connection: _append_many(connection, entries))

    def record_births(self, entries: Sequence[Entry]) -> list[str]:
        """Append the first events of many sessions in one transaction (adoption).

        Returns:
            The sessions that were recorded, by an attempt whose answer was lost too; those that the ledger knew
            already are left as they are.
        """
        return self.store.transact(lambda connection: _append_births(connection, entries))

    def record_annotations(self, entries: Sequence[Entry]) -> list[Entry]:
        """Append annotations of many sessions in one transaction; a session's own in the order of their versions.

        Returns:
            The entries that were recorded, by an attempt whose answer was lost too; those whose session has moved on
            since they were made are left out.
        """
        self._last = None
        return self.store.transact(lambda connection: _append_annotations(connection, entries))

    def files_written(self, session_id: str) -> None:
        """Note that the session's files show its end, so that no later command has to heal them."""
        self.store.transact(lambda connection: _unmark.run(connection, {"of_session": session_id}))


def _look_and_append(connection: sa.Connection, entry: Entry) -> tuple[Recorded, Row]:
    row = projections.read_row(connection, entry.session_id)
    if row is not None and row["last_version"] + 1 != entry.session_version:
        return _again(connection, row, entry), row
    return _append(connection, row, entry)


def _append(connection: sa.Connection, row: Row | None, entry: Entry) -> tuple[Recorded, Row]:
    kind = NAMES[type(entry.event)]
    lifecycle.require_legal(row, entry.session_id, kind)
    (recorded,) = ledger.append(connection, [entry])
    row = projections.project(connection, row, recorded)
    if kind in BIRTHS or kind in ENDS:
        _mark_pending(connection, recorded.session_id)
    return recorded, row


def _append_many(connection: sa.Connection, entries: Sequence[Entry]) -> list[Recorded]:
    rows = {of: projections.read_row(connection, of) for of in dict.fromkeys(e.session_id for e in entries)}
    reached = {of: 0 if row is None else row["last_version"] for of, row in rows.items()}
    held = [entry for entry in entries if entry.session_version <= reached[entry.session_id]]
    if not held:
        return _append_new(connection, rows, entries)
    in_place = {_place(entry): _again(connection, rows[entry.session_id] or {}, entry) for entry in held}
    new = [entry for entry in entries if _place(entry) not in in_place]
    in_place |= {_place(recorded): recorded for recorded in _append_new(connection, rows, new)}
    return [in_place[_place(entry)] for entry in entries]


def _append_new(
    connection: sa.Connection, rows: Mapping[str, Row | None], entries: Sequence[Entry]
) -> list[Recorded]:
    for session_id, first in {entry.session_id: entry for entry in reversed(entries)}.items():
        # From here on the guards see to legality; what can be told in words is the state before the run.
        lifecycle.require_legal(rows[session_id], session_id, NAMES[type(first.event)])
    appended = ledger.append(connection, entries)
    projections.project_many(connection, rows, appended)
    for recorded in appended:
        if recorded.type in BIRTHS or recorded.type in ENDS:
            _mark_pending(connection, recorded.session_id)
    return appended


def _place(one: Entry | Recorded) -> tuple[str, int]:
    return one.session_id, one.session_version


def _append_births(connection: sa.Connection, entries: Sequence[Entry]) -> list[str]:
    known = _known(connection, [entry.session_id for entry in entries])
    new = [entry for entry in entries if entry.session_id not in known]
    if new:
        recorded = ledger.append(connection, new)
        born = [(one, entry.event) for one, entry in zip(recorded, new, strict=True)]
        projections.project_births(connection, born)
    return [
        entry.session_id for entry in entries if entry.session_id not in known or _is_there(connection, entry)
    ]


def _append_annotations(connection: sa.Connection, entries: Sequence[Entry]) -> list[Entry]:
    rows: dict[str, Row | None] = {}
    are_next = [_is_next(connection, rows, entry) for entry in entries]
    taken = list(compress(entries, are_next))
    if taken:
        for recorded in ledger.append(connection, taken):
            row = projections.read_row(connection, recorded.session_id)
            projections.project(connection, row, recorded)
    return [
        entry
        for entry, is_next in zip(entries, are_next, strict=True)
        if is_next or _is_there(connection, entry)
    ]


def _is_there(connection: sa.Connection, entry: Entry) -> bool:
    """Tell whether this very entry holds its place: an attempt before this one recorded it, and its answer was lost."""
    try:
        ledger.already_recorded(connection, entry)
    except ConflictError:
        return False
    return True


def _again(connection: sa.Connection, row: Row, entry: Entry) -> Recorded:
    try:
        return ledger.already_recorded(connection, entry)
    except ConflictError:
        # Where the session has ended, that is what its process has to hear.
        lifecycle.require_legal(row, entry.session_id, NAMES[type(entry.event)])
        raise


def _known(connection: sa.Connection, session_ids: Sequence[str]) -> set[str]:
    return set(connection.execute(_among, {"session_ids": session_ids}).scalars())


def _is_next(connection: sa.Connection, rows: dict[str, Row | None], entry: Entry) -> bool:
    """Tell whether an annotation takes its session's next version, counting those before it in the same batch."""
    session_id = entry.session_id
    if session_id not in rows:
        rows[session_id] = projections.read_row(connection, session_id)
    row = rows[session_id]
    lifecycle.require_legal(row, session_id, NAMES[type(entry.event)])
    if row is None or row["last_version"] + 1 != entry.session_version:
        return False
    row["last_version"] += 1
    return True


def _mark_pending(connection: sa.Connection, session_id: str) -> None:
    session = {"session_id": session_id}
    if not _is_pending.run(connection, session):
        _mark.run(connection, session)
