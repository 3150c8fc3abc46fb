"""Clear the alerts of sessions in the operator's name: an event `resolved` for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantlab.base.errors import ConfigError, ConflictError
from quantlab.base.remedies import Setting
from quantlab.domain.events import OPERATOR, Resolved
from quantlab.ledger import projection
from quantlab.ledger.location import no_session
from quantlab.ledger.log import Entry
from quantlab.ledger.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from quantlab.ledger.store import Store


def resolve(store: Store, session_ids: Sequence[str], reason: str, *, now: datetime) -> list[str]:
    """Record that the alerts of sessions need nobody any more; what happens to one afterwards is a new alert.

    Args:
        store: The ledger.
        session_ids: Which ones.
        reason: The operator's own words.
        now: The time of the call.

    Returns:
        The sessions for which it was recorded.

    Raises:
        ConfigError: the reason is empty, or there is no such session; nothing was recorded for any.
        ConflictError: a session has moved on meanwhile; it was recorded for the others.
    """
    if not reason.strip():
        raise ConfigError(
            "The reason is empty; expected ", Setting("reason", "TEXT"), ", which the ledger keeps."
        )
    with store.read() as connection:
        known = {one: projection.read_row(connection, one) for one in dict.fromkeys(session_ids)}
    entries = []
    for session_id, session in known.items():
        if session is None:
            raise no_session(store.location, session_id)
        entries.append(
            Entry(
                session_id=session_id,
                session_version=session.last_version + 1,
                event=Resolved(reason=reason.strip()),
                occurred_at=now,
                actor=OPERATOR,
            )
        )
    recorded = [entry.session_id for entry in Recorder(store).record_annotations(entries)]
    moved_on = sorted(known.keys() - set(recorded))
    if moved_on:
        raise ConflictError(
            f"{', '.join(moved_on)} moved on meanwhile: somebody is at work there. It was recorded for "
            f"{len(recorded)} other{'' if len(recorded) == 1 else 's'}; look again and repeat it."
        )
    return recorded
