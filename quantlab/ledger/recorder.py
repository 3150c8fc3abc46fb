"""THE FLOW: an event is appended and projected in one transaction; files follow the commit."""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING

import sqlalchemy as sa

from quantlab.base.errors import ConflictError
from quantlab.domain import lifecycle
from quantlab.domain.events import BIRTHS, ENDS
from quantlab.ledger import log, projection
from quantlab.ledger.schema import paper_sessions, pending_files
from quantlab.ledger.statements import Statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quantlab.domain.events import Recorded
    from quantlab.domain.session import Session
    from quantlab.ledger.log import Entry
    from quantlab.ledger.store import Store

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

    It remembers the session that it recorded last, so that a session's next event need not read its row again.
    Where that has become old (an operator aborted the session), the database's guards refuse the event, and the
    recorder looks again.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._last: Session | None = None

    def record(self, entry: Entry) -> tuple[Recorded, Session]:
        """Append one event; returns it in its place, and the session after it.

        The same entry recorded twice is recorded once; so a server that went away in the middle is asked again, for
        as long as the store's patience lasts.

        Raises:
            SessionEndedError: the session has ended; nothing was changed.
            ConflictError: another event took that place in the session.
            LedgerError: the ledger can't be written; nothing was changed.
        """
        last, self._last = self._last, None
        try:
            recorded, session = self._record_next(last, entry)
        except ConflictError:
            if last is None:
                raise
            recorded, session = self._record_next(None, entry)
        self._last = session
        return recorded, session

    def _record_next(self, last: Session | None, entry: Entry) -> tuple[Recorded, Session]:
        if last is not None and last.session_id == entry.session_id:
            return self.store.transact(lambda connection: _append(connection, last, entry))
        return self.store.transact(lambda connection: _look_and_append(connection, entry))

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


def _look_and_append(connection: sa.Connection, entry: Entry) -> tuple[Recorded, Session]:
    session = projection.read_row(connection, entry.session_id)
    if session is not None and session.last_version + 1 != entry.session_version:
        return _again(connection, session, entry), session
    return _append(connection, session, entry)


def _append(connection: sa.Connection, session: Session | None, entry: Entry) -> tuple[Recorded, Session]:
    lifecycle.require_legal(session, entry.session_id, entry.event.name)
    (recorded,) = log.append(connection, [entry])
    session = projection.project(connection, session, recorded)
    if recorded.type in BIRTHS or recorded.type in ENDS:
        _mark_pending(connection, recorded.session_id)
    return recorded, session


def _append_births(connection: sa.Connection, entries: Sequence[Entry]) -> list[str]:
    known = _known(connection, [entry.session_id for entry in entries])
    new = [entry for entry in entries if entry.session_id not in known]
    if new:
        recorded = log.append(connection, new)
        born = [(one, entry.event) for one, entry in zip(recorded, new, strict=True)]
        projection.project_births(connection, born)
    return [
        entry.session_id for entry in entries if entry.session_id not in known or _is_there(connection, entry)
    ]


def _append_annotations(connection: sa.Connection, entries: Sequence[Entry]) -> list[Entry]:
    versions: dict[str, int] = {}
    are_next = [_is_next(connection, versions, entry) for entry in entries]
    taken = list(compress(entries, are_next))
    if taken:
        for recorded in log.append(connection, taken):
            session = projection.read_row(connection, recorded.session_id)
            projection.project(connection, session, recorded)
    return [
        entry
        for entry, is_next in zip(entries, are_next, strict=True)
        if is_next or _is_there(connection, entry)
    ]


def _is_there(connection: sa.Connection, entry: Entry) -> bool:
    """Tell whether this very entry holds its place: an attempt before this one recorded it, and its answer was lost."""
    try:
        log.already_recorded(connection, entry)
    except ConflictError:
        return False
    return True


def _again(connection: sa.Connection, session: Session, entry: Entry) -> Recorded:
    try:
        return log.already_recorded(connection, entry)
    except ConflictError:
        # Where the session has ended, that is what its process has to hear.
        lifecycle.require_legal(session, entry.session_id, entry.event.name)
        raise


def _known(connection: sa.Connection, session_ids: Sequence[str]) -> set[str]:
    return set(connection.execute(_among, {"session_ids": session_ids}).scalars())


def _is_next(connection: sa.Connection, versions: dict[str, int], entry: Entry) -> bool:
    """Tell whether an annotation takes its session's next version, counting those before it in the same batch."""
    session_id = entry.session_id
    if session_id not in versions:
        session = projection.read_row(connection, session_id)
        lifecycle.require_legal(session, session_id, entry.event.name)
        versions[session_id] = 0 if session is None else session.last_version
    if versions[session_id] + 1 != entry.session_version:
        return False
    versions[session_id] += 1
    return True


def _mark_pending(connection: sa.Connection, session_id: str) -> None:
    session = {"session_id": session_id}
    if not _is_pending.run(connection, session):
        _mark.run(connection, session)
