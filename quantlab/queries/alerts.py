"""What needs a person? Contract 7.

*Stale* means running, and no event since the cutoff. It is computed, never stored. A time that lies in the future by
more than a few minutes is not believed, so that a wrong clock does not hide a dead session.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from quantlab.clock import iso
from quantlab.queries.rows import (
    absolute_path,
    ids,
    root_dir,
    status_counts,
    unknown_status_sessions,
    unreadable_files,
)
from quantlab.store.views import alerts_asked
from quantlab.store.vocabulary import DOUBTFUL_MINUTES, NEWEST, newest

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from quantlab.store.reader import Reader

RUNNING = "SELECT session_id FROM paper_sessions WHERE status = 'running' ORDER BY session_id"
LATEST_SUCCESS = f"""\
SELECT * FROM ({newest("session_id, activity_at", "paper_sessions", "status = 'success'", "1")}) AS succeeded
ORDER BY {NEWEST} LIMIT 1"""
EXIT_CODES = {"ok": 0, "warning": 1, "critical": 2}
"""What a monitoring plugin exits with, by `alert_status`."""

_FIELDS = (
    "alert_code",
    "severity",
    "session_id",
    "status",
    "activity_at",
    "age_minutes",
    "error_type",
    "message",
    "path",
)
_STALE_FIELDS = ("stage", "bars_done", "bars_expected")


def alerts(
    reader: Reader,
    *,
    now: datetime,
    stale_after: timedelta,
    is_alive: Callable[[str | None, int | None, str | None], bool | None],
) -> dict[str, Any]:
    """Return contract 7's object.

    Args:
        reader: The ledger.
        now: The time of the question; aware.
        stale_after: How long a running session may go without an event; whole minutes.
        is_alive: Tells from host, pid and start mark whether a process lives; None where it can't be told.

    Returns:
        The contract's fields; then `unreadable_files` and `unknown_status_sessions`. A stale alert also has `stage`,
        `bars_done`, `bars_expected` and `process_alive` (true, false or null); one of a ledger that roots share has
        `host` and `root`.
    """
    found = [
        _alert(row, reader, is_alive) for row in reader.rows(alerts_sql(reader), **times(now, stale_after))
    ]
    success = reader.row(LATEST_SUCCESS) or {}
    latest = max(found, key=_activity, default=None) or {}
    counts = status_counts(reader)
    return {
        "root_dir": root_dir(reader.location),
        "generated_at": iso(now),
        "stale_after_minutes": int(stale_after.total_seconds()) // 60,
        "total_sessions": sum(counts.values()),
        "status_counts": counts,
        "running_sessions": ids(reader.rows(RUNNING)),
        "alert_status": _worst(found),
        "has_alerts": bool(found),
        "alert_counts": dict(sorted(Counter(alert["severity"] for alert in found).items())),
        "latest_success_session_id": success.get("session_id"),
        "latest_success_at": success.get("activity_at"),
        "latest_alert_session_id": latest.get("session_id"),
        "latest_alert_code": latest.get("alert_code"),
        "latest_alert_at": latest.get("activity_at"),
        "alerts": found,
        "unreadable_files": unreadable_files(reader),
        "unknown_status_sessions": unknown_status_sessions(reader),
    }


def alerts_sql(reader: Reader) -> str:
    """Return the text of the view `session_alerts` with its times to be bound, by session id."""
    return f"{alerts_asked(sqlite=reader.is_sqlite)}\nORDER BY session_id"


def times(now: datetime, stale_after: timedelta) -> dict[str, str]:
    """Return the times that `alerts_sql` asks for."""
    return {
        "now": iso(now),
        "soon": iso(now + timedelta(minutes=DOUBTFUL_MINUTES)),
        "cutoff": iso(now - stale_after),
    }


def _alert(
    row: dict[str, Any],
    reader: Reader,
    is_alive: Callable[[str | None, int | None, str | None], bool | None],
) -> dict[str, Any]:
    row["path"] = absolute_path(row, reader.location)
    alert = {name: row[name] for name in _FIELDS}
    if not reader.location.is_the_roots_own:
        alert |= {"host": row["host"], "root": row["root"]}
    if row["status"] == "running":
        alert |= {name: row[name] for name in _STALE_FIELDS}
        alert["process_alive"] = is_alive(row["host"], row["pid"], row["process"])
    return alert


def _activity(alert: dict[str, Any]) -> tuple[str, str]:
    return alert["activity_at"] or "", alert["session_id"]


def _worst(found: list[dict[str, Any]]) -> str:
    if any(alert["severity"] == "critical" for alert in found):
        return "critical"
    return "warning" if found else "ok"
