"""Is a session that is about to be called ready on the disk as the ledger has it? Read only; `reconcile` records."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from quantlab.base.errors import LedgerError
from quantlab.base.process import this_host
from quantlab.base.remedies import INDEX
from quantlab.domain import lifecycle
from quantlab.domain.columns import replace
from quantlab.folders.comparing import Known, State
from quantlab.folders.places import look
from quantlab.ledger.trust import recorded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from quantlab.base.values import JsonObject
    from quantlab.ledger.reader import Reader


def require_as_recorded(reader: Reader, sessions: Iterable[JsonObject]) -> None:
    """Refuse to name sessions whose folder is gone, or whose files would make another row of them.

    Files that the ledger can make anew may be behind. What lies on another host is that host's to look at.

    Args:
        reader: The ledger.
        sessions: Rows of `session_promotion` as they are shown.

    Raises:
        LedgerError: one is not as the ledger has it.
    """
    for session in sessions:
        if not (reader.location.is_the_roots_own or session["host"] == this_host()):
            continue
        change = _change(reader, session)
        if change is not None:
            root = Path(session["path"]).parent
            raise LedgerError(
                f"Session {session['session_id']} is not on the disk as the ledger has it: {change}. Run ",
                INDEX.of(root, *reader.location.option(root)),
                ", which records what is there, and ask again.",
            )


def _change(reader: Reader, session: JsonObject) -> str | None:
    folder = session["path"]
    if not os.path.isdir(folder):  # noqa: PTH112 - a path as rows have it
        return "its folder is gone"
    events = recorded(reader, session["session_id"])
    row, known = lifecycle.fold(events), Known(events)
    for name in known.names():
        seen = look(folder, name, os.path.dirname(folder))  # noqa: PTH120 - the same
        if known.state(name, seen) in (State.CURRENT, State.BEHIND):
            continue
        after = known.amend(name, seen).apply(row, "")
        if replace(after, amendments=row.amendments, resolved_at=row.resolved_at) != row:
            return f"{name} was {'removed' if seen.missing else 'edited'}"
    return None
