"""The lifecycle of a session: what its events make of it, and which may come next. Pure; the one fold."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from quantlab.base.errors import ConflictError, SessionEndedError
from quantlab.domain.columns import replace
from quantlab.domain.events import ANNOTATIONS, BIRTHS, Kind
from quantlab.domain.events.event import long_before
from quantlab.domain.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterable

    from quantlab.domain.events import Event, Recorded


class Status(StrEnum):
    """The statuses that QuantLab itself gives; an adopted folder may say another."""

    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    ABORTED = "aborted"


def require_legal(session: Session | None, session_id: str, name: str) -> None:
    """Refuse an event that the session's state does not allow.

    Raises:
        SessionEndedError: the session has ended and the event is no annotation.
        ConflictError: a birth where the session exists, or anything else where it does not.
    """
    if (session is None) != (name in BIRTHS):
        raise ConflictError(
            f"Session {session_id} {'does not exist' if session is None else 'exists already'}; "
            f"'{name}' can't be recorded for it."
        )
    if session is not None and session.ended and name not in ANNOTATIONS:
        raise SessionEndedError(
            f"Session {session_id} has ended ({session.status}: {session.message or session.status_reason}); "
            f"'{name}' was not recorded and nothing was changed."
        )


def apply(session: Session | None, recorded: Recorded, event: Event) -> Session:
    """Return what an event makes of its session.

    Args:
        session: As it was before; None before its first event.
        recorded: Where the event stands.
        event: What it says.
    """
    if session is None:
        placed = Session(
            session_id=recorded.session_id,
            last_version=recorded.session_version,
            last_sequence=recorded.sequence,
        )
    else:
        placed = replace(session, last_version=recorded.session_version, last_sequence=recorded.sequence)
    applied = event.apply(placed, recorded.occurred_at)
    # Of heartbeats a fold sees but the last (`superseded`), so what they tell of the clock is told at the end.
    is_early = event.kind is Kind.ANNOTATION and session is not None and session.updated_at is not None
    if is_early and long_before(recorded.occurred_at, str(placed.updated_at)):
        return replace(applied, doubtful_clock=True)
    return applied


def fold(of_session: Iterable[Recorded]) -> Session:
    """Return the session that its events make, in their order.

    Raises:
        LookupError: there are none, or one is of no known type.
    """
    session: Session | None = None
    for recorded in of_session:
        session = apply(session, recorded, recorded.event)
    if session is None:
        raise LookupError("There is no session without an event.")
    return session
