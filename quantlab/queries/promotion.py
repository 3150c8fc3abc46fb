"""Which sessions may go on towards a broker, and what blocks the others? Contract 8.

Ready means that the record is in order, never that the strategy is good.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, TypedDict

from quantlab.base.clock import iso
from quantlab.domain.names import METADATA, REPORT, RUN_REPORT, STATUS, TRADES
from quantlab.domain.promotion import CRITERIA
from quantlab.domain.vocabulary import DOUBTFUL_MINUTES, newest, newest_first
from quantlab.ledger.trust import require_trusted
from quantlab.queries.edits import amended
from quantlab.queries.rows import assessed, ids, root_dir

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from quantlab.domain.requirements import Requirement
    from quantlab.ledger.reader import Reader, Row


COUNTS = "SELECT ready, CAST(SUM(sessions) AS BIGINT) AS sessions FROM session_counts GROUP BY ready"
SUMMARY = ("total_return", "sharpe_simple", "max_drawdown", "trades", "win_rate")
PATHS = {
    "session_metadata_path": METADATA,
    "session_status_path": STATUS,
    "report_path": REPORT,
    "run_report_path": RUN_REPORT,
    "trades_path": TRADES,
    "artifacts_dir": "artifacts",
}
"""Fields of a session, and the file or folder in its own that each one names."""


class Promotion(TypedDict):
    """Contract 8's object; a session in it is a row of `session_promotion` with what `PATHS` names."""

    root_dir: str
    generated_at: str
    max_candidates: int
    total_sessions: int
    promotion_ready_count: int
    promotion_blocked_count: int
    ready_candidates: list[Row]
    blocked_sessions: list[Row]
    criteria: Mapping[str, object]
    latest_ready_session_id: str | None
    latest_ready_at: str | None
    latest_blocked_session_id: str | None
    latest_blocked_at: str | None
    latest_blocked_reason: str | None


def promotion(
    reader: Reader, *, now: datetime, max_candidates: int = 2, require: Sequence[Requirement] = ()
) -> Promotion:
    """Return contract 8's object.

    Args:
        reader: The ledger.
        now: The time of the question; aware.
        max_candidates: How many ready sessions to name, latest first; at least 1.
        require: What is demanded of a session beside contract 8.

    Raises:
        LedgerDamagedError: the ledger is not what this program made of its events.
    """
    soon = iso(now + timedelta(minutes=DOUBTFUL_MINUTES))
    found = reader.rows(latest_ready_sql(require), most=max_candidates, soon=soon)
    require_trusted(reader, ids(found))
    ready = [_told(row, reader) for row in found]
    blocked = [_told(row, reader) for row in reader.rows(_blocked(require), soon=soon)]
    counts = {row["ready"]: row["sessions"] for row in reader.rows(COUNTS)}
    total = sum(counts.values())
    latest_ready = ready[0] if ready else {}
    latest_blocked = blocked[0] if blocked else {}
    return {
        "root_dir": root_dir(reader.location),
        "generated_at": iso(now),
        "max_candidates": max_candidates,
        "total_sessions": total,
        "promotion_ready_count": total - len(blocked),
        "promotion_blocked_count": len(blocked),
        "ready_candidates": ready,
        "blocked_sessions": blocked,
        "criteria": CRITERIA | ({"required": [one.expression for one in require]} if require else {}),
        "latest_ready_session_id": latest_ready.get("session_id"),
        "latest_ready_at": latest_ready.get("activity_at"),
        "latest_blocked_session_id": latest_blocked.get("session_id"),
        "latest_blocked_at": latest_blocked.get("activity_at"),
        "latest_blocked_reason": ", ".join(latest_blocked.get("broker_promotion_blockers", ())) or None,
    }


def latest_ready_sql(require: Sequence[Requirement] = ()) -> str:
    """Return SQL for the latest `:most` ready sessions that meet the demands, as of the time `:soon`."""
    meets = "".join(f" AND {one.holds}" for one in require)
    found = newest("*", "session_promotion", f"broker_promotion_ready = 1{meets}", ":most", ":soon")
    return f"SELECT * FROM ({found}) AS ready ORDER BY {newest_first(':soon')} LIMIT :most"


def _blocked(require: Sequence[Requirement]) -> str:
    """Return SQL for the blocked sessions, each with the demands that it does not meet in `unmet`."""
    words = " || ".join(f"CASE WHEN {one.holds} THEN '' ELSE ' {one.blocker}' END" for one in require) or "''"
    session = f"SELECT session_promotion.*, {words} AS unmet FROM session_promotion WHERE"
    found = [
        f"{session} broker_promotion_ready = 0 AND status <> 'running'",
        f"{session} status = 'running'",
    ]
    if require:
        meets = " AND ".join(one.holds for one in require)
        found.append(f"{session} broker_promotion_ready = 1 AND CASE WHEN {meets} THEN 0 ELSE 1 END = 1")
    return f"SELECT * FROM ({' UNION ALL '.join(found)}) AS blocked ORDER BY {newest_first(':soon')}"


def _told(row: Row, reader: Reader) -> Row:
    unmet = dict.fromkeys(row.pop("unmet", "").split())
    told = assessed(row, reader)
    if unmet:
        told["broker_promotion_ready"] = False
        told["broker_promotion_blockers"] += unmet
    told["amended"] = amended(reader, told)
    told["summary"] = {name: told[name] for name in SUMMARY}
    return told | {name: os.path.join(told["path"], file) for name, file in PATHS.items()}  # noqa: PTH118 - text
