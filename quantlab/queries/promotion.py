"""Which sessions may go on towards a broker, and what blocks the others? Contract 8."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quantlab.clock import iso
from quantlab.queries.rows import assessed, root_dir
from quantlab.store.vocabulary import NEWEST, newest

if TYPE_CHECKING:
    from datetime import datetime

    from quantlab.store.reader import Reader

READY = f"""\
SELECT * FROM ({newest("*", "session_promotion", "broker_promotion_ready = 1", ":most")}) AS ready
ORDER BY {NEWEST} LIMIT :most"""
BLOCKED = f"""\
SELECT * FROM session_promotion WHERE broker_promotion_ready = 0 AND status <> 'running'
UNION ALL SELECT * FROM session_promotion WHERE status = 'running'
ORDER BY {NEWEST}"""
COUNTS = "SELECT ready, CAST(SUM(sessions) AS BIGINT) AS sessions FROM session_counts GROUP BY ready"
CRITERIA: dict[str, Any] = {
    "required_status": "success",
    "required_terminal": True,
    "required_mode": "paper",
    "required_report_present": True,
    "required_report_contract_type": "quantlab.paper.result",
    "required_no_error_type": True,
    "required_market_prices": True,
    "required_closed_trades": True,
    "required_unamended": True,
    "required_readable_files": True,
    "required_undoubted_data": True,
    "required_folder_present": True,
}


def promotion(reader: Reader, *, now: datetime, max_candidates: int = 2) -> dict[str, Any]:
    """Return contract 8's object.

    Args:
        reader: The ledger.
        now: The time of the question; aware.
        max_candidates: How many ready sessions to name, latest first; at least 1.
    """
    ready = [assessed(row, reader.location) for row in reader.rows(READY, most=max_candidates)]
    blocked = [assessed(row, reader.location) for row in reader.rows(BLOCKED)]
    counts = {row["ready"]: row["sessions"] for row in reader.rows(COUNTS)}
    latest_ready = ready[0] if ready else {}
    latest_blocked = blocked[0] if blocked else {}
    return {
        "root_dir": root_dir(reader.location),
        "generated_at": iso(now),
        "max_candidates": max_candidates,
        "total_sessions": sum(counts.values()),
        "promotion_ready_count": counts.get(1, 0),
        "promotion_blocked_count": counts.get(0, 0),
        "ready_candidates": ready,
        "blocked_sessions": blocked,
        "criteria": CRITERIA,
        "latest_ready_session_id": latest_ready.get("session_id"),
        "latest_ready_at": latest_ready.get("activity_at"),
        "latest_blocked_session_id": latest_blocked.get("session_id"),
        "latest_blocked_at": latest_blocked.get("activity_at"),
        "latest_blocked_reason": ", ".join(latest_blocked.get("broker_promotion_blockers", ())) or None,
    }
