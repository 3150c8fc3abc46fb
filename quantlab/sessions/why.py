"""Why each bar of a session brought a trade or none, whichever way it came by its bars."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from quantlab.domain.events import Recorded
from quantlab.folders.kept import kept_by
from quantlab.ledger.location import no_session
from quantlab.queries.rows import absolute_path
from quantlab.runner.why import Reasoned, reasons_of
from quantlab.trading.reasons import reason_of

if TYPE_CHECKING:
    from quantlab.base.values import JsonObject
    from quantlab.ledger.reader import Reader

_SESSION = "SELECT kind, path, root FROM paper_sessions WHERE session_id = :session_id"
_BARS = """\
SELECT bar, opened_at, close, rule_values, wanted, did, why FROM session_bars
WHERE session_id = :session_id ORDER BY bar"""
_EVENTS = """\
SELECT sequence, session_id, session_version, type, schema_version, occurred_at, actor, payload, previous_hash, hash
FROM events WHERE session_id = :session_id ORDER BY session_version"""


def reasons(
    reader: Reader, folder: Path | None, session_id: str, *, run_kept_code: bool = False
) -> list[Reasoned]:
    """Return every bar of a session with its reason, in time order.

    Of a forward session they are those that its events tell, whether or not it has ended; a replay is run again from
    what it kept.

    Args:
        reader: The ledger.
        folder: The session's; None where only a shared ledger was named, which then says where it is.
        session_id: Which one.
        run_kept_code: Also run a strategy's code that came from another machine.

    Raises:
        ConfigError: there is no such session, or its code is another machine's.
        QuantlabError: the replay did not succeed, so that it kept nothing to be run again.
        DataError, StrategyError: what it kept can't be run again.
    """
    found = reader.row(_SESSION, session_id=session_id)
    if found is None:
        raise no_session(reader.location, session_id)
    if found["kind"] == "forward":
        return [_told(row) for row in reader.rows(_BARS, session_id=session_id)]
    kept = kept_by([Recorded(**row) for row in reader.rows(_EVENTS, session_id=session_id)], session_id)
    kept.require_own_code(session_id, run_kept_code=run_kept_code)
    folder = Path(absolute_path(found, reader.location)) if folder is None else folder
    return reasons_of(folder, kept.config, kept.data, kept.strategy)


def _told(row: JsonObject) -> Reasoned:
    reason, until = reason_of(row["why"])
    values = row["rule_values"]
    return Reasoned(
        row["bar"],
        row["opened_at"],
        row["close"],
        json.loads(values) if isinstance(values, str) else values or {},
        row["wanted"],
        row["did"],
        reason,
        until,
    )
