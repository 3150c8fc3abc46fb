"""What needs a person? Contract 7.

*Stale* means running, and no event since the cutoff. It is computed, never stored. A time that lies in the future by
more than a few minutes is not believed, so that a wrong clock does not hide a dead session. An alert is cleared by an
operator who resolved it, or, of a session that failed or was aborted, by a later success of the same request or
configuration.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NotRequired, TypedDict

from quantlab.base.clock import iso
from quantlab.domain.vocabulary import DOUBTFUL_MINUTES, newest, newest_first
from quantlab.ledger.sql import alerts as texts
from quantlab.queries.following import standing_of
from quantlab.queries.rows import (
    UnknownStatus,
    Unreadable,
    absolute_path,
    ids,
    root_dir,
    status_counts,
    unknown_status_sessions,
    unreadable_files,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from quantlab.ledger.reader import Reader, Row

RUNNING = "SELECT session_id FROM paper_sessions WHERE status = 'running' ORDER BY session_id"
LATEST_SUCCESS = f"""\
SELECT * FROM ({newest("session_id, activity_at", "paper_sessions", "status = 'success'", "1", ":soon")}) AS succeeded
ORDER BY {newest_first(":soon")} LIMIT 1"""
EXIT_CODES = {"ok": 0, "warning": 1, "critical": 2}
"""What a monitoring plugin exits with, by `alert_status`."""

BELIEVED_SUCCESS = """\
SELECT session_id, activity_at FROM paper_sessions
WHERE status = 'success' AND activity_at <= :soon{of_ticker}
ORDER BY activity_at DESC, session_id DESC LIMIT 1"""
MISSING, STALE = "PAPER_SESSION_MISSING", "PAPER_SESSION_STALE"
RESOLVED, SUPERSEDED = "resolved", "superseded"


class Alert(TypedDict):
    """Why a session, or the want of one, needs a person."""

    alert_code: str
    severity: str
    session_id: str | None
    status: str | None
    activity_at: str | None
    age_minutes: int | None
    error_type: str | None
    message: str
    path: str | None
    cleared_by: str | None
    host: NotRequired[str | None]
    root: NotRequired[str | None]
    stage: NotRequired[str | None]
    bars_done: NotRequired[int | None]
    bars_expected: NotRequired[int | None]
    watermark: NotRequired[str | None]
    next_due: NotRequired[str | None]
    equity: NotRequired[float | None]
    process_alive: NotRequired[bool | None]


class Alerts(TypedDict):
    """Contract 7's object, then ours."""

    root_dir: str
    generated_at: str
    stale_after_minutes: int
    total_sessions: int
    status_counts: dict[str, int]
    running_sessions: list[str]
    alert_status: str
    has_alerts: bool
    alert_counts: dict[str, int]
    latest_success_session_id: str | None
    latest_success_at: str | None
    latest_alert_session_id: str | None
    latest_alert_code: str | None
    latest_alert_at: str | None
    alerts: list[Alert]
    resolved_alerts: int
    superseded_alerts: int
    unreadable_files: list[Unreadable]
    unknown_status_sessions: list[UnknownStatus]
    new_alerts: NotRequired[int]


@dataclass(frozen=True, kw_only=True)
class Expected:
    """That sessions succeed at least so often.

    Attributes:
        every: The longest time without a success.
        said: The same, as the operator said it.
        ticker: Sessions of this ticker alone; None for any.
    """

    every: timedelta
    said: str
    ticker: str | None = None


def alerts(
    reader: Reader,
    *,
    now: datetime,
    stale_after: timedelta,
    is_alive: Callable[[str | None, int | None, str | None], bool | None],
    since: str | None = None,
    with_cleared: bool = False,
    expected: Expected | None = None,
) -> Alerts:
    """Return contract 7's object.

    Args:
        reader: The ledger.
        now: The time of the question; aware.
        stale_after: How long a running session may go without an event; whole minutes.
        is_alive: Tells from host, pid and start mark whether a process lives; None where it can't be told.
        since: Leave out alerts of sessions whose last event was before this stored time.
        with_cleared: List what was resolved or superseded too; the status goes by the others all the same.
        expected: How often a session has to succeed.

    Returns:
        The contract's fields; then `unreadable_files` and `unknown_status_sessions`. A stale alert also has `stage`,
        `bars_done`, `bars_expected` and `process_alive` (true, false or null), and of a session that follows the market
        `watermark`, `next_due` and `equity`. One of a ledger that roots share has `host` and `root`.
    """
    rows = [
        row
        for row in reader.rows(alerts_sql(reader), **times(now, stale_after))
        if since is None or (row["activity_at"] or "") >= since
    ]
    cleared = Counter(row["cleared_by"] for row in rows)
    missing = [] if expected is None else _missing(reader, expected, now)
    stale = [row["session_id"] for row in rows if row["alert_code"] == STALE]
    followed = standing_of(reader, stale)
    rows = [row | followed.get(row["session_id"], {}) for row in rows]
    standing = [_alert(row, reader, is_alive) for row in rows if row["cleared_by"] is None] + missing
    found = [_alert(row, reader, is_alive) for row in rows] + missing if with_cleared else standing
    success = reader.row(LATEST_SUCCESS, soon=times(now, stale_after)["soon"]) or {}
    latest = max(standing, key=_activity, default=None)
    counts = status_counts(reader)
    return {
        "root_dir": root_dir(reader.location),
        "generated_at": iso(now),
        "stale_after_minutes": int(stale_after.total_seconds()) // 60,
        "total_sessions": sum(counts.values()),
        "status_counts": counts,
        "running_sessions": ids(reader.rows(RUNNING)),
        "alert_status": _worst(standing),
        "has_alerts": bool(standing),
        "alert_counts": dict(sorted(Counter(alert["severity"] for alert in standing).items())),
        "latest_success_session_id": success.get("session_id"),
        "latest_success_at": success.get("activity_at"),
        "latest_alert_session_id": None if latest is None else latest["session_id"],
        "latest_alert_code": None if latest is None else latest["alert_code"],
        "latest_alert_at": None if latest is None else latest["activity_at"],
        "alerts": found,
        "resolved_alerts": cleared[RESOLVED],
        "superseded_alerts": cleared[SUPERSEDED],
        "unreadable_files": unreadable_files(reader),
        "unknown_status_sessions": unknown_status_sessions(reader),
    }


def _missing(reader: Reader, expected: Expected, now: datetime) -> list[Alert]:
    """Return the alert that nothing succeeded for too long, of no session; none where something did."""
    soon = iso(now + timedelta(minutes=DOUBTFUL_MINUTES))
    told = {} if expected.ticker is None else {"ticker": expected.ticker}
    sql = BELIEVED_SUCCESS.format(of_ticker=" AND ticker = :ticker" if told else "")
    last = reader.row(sql, soon=soon, **told)
    at = None if last is None else datetime.fromisoformat(last["activity_at"])
    if at is not None and now - at <= expected.every:
        return []
    what = f"session of {expected.ticker}" if expected.ticker else "session"
    ever = "none ever did" if last is None else f"the last was {last['session_id']}"
    return [
        {
            "alert_code": MISSING,
            "severity": "critical",
            "session_id": None,
            "status": None,
            "activity_at": None if last is None else last["activity_at"],
            "age_minutes": None if at is None else max(0, int((now - at).total_seconds()) // 60),
            "error_type": None,
            "message": f"No {what} has succeeded within {expected.said}; {ever}.",
            "path": None,
            "cleared_by": None,
        }
    ]


def alerts_sql(reader: Reader) -> str:
    """Return the text of the view `session_alerts_all` with its times to be bound, by session id."""
    return f"{texts.asked(sqlite=reader.is_sqlite)}\nORDER BY session_id, alert_code"


def times(now: datetime, stale_after: timedelta) -> dict[str, str]:
    """Return the times that `alerts_sql` asks for."""
    return {
        "now": iso(now),
        "soon": iso(now + timedelta(minutes=DOUBTFUL_MINUTES)),
        "cutoff": iso(now - stale_after),
    }


def _alert(
    row: Row,
    reader: Reader,
    is_alive: Callable[[str | None, int | None, str | None], bool | None],
) -> Alert:
    alert: Alert = {
        "alert_code": row["alert_code"],
        "severity": row["severity"],
        "session_id": row["session_id"],
        "status": row["status"],
        "activity_at": row["activity_at"],
        "age_minutes": row["age_minutes"],
        "error_type": row["error_type"],
        "message": row["message"],
        "path": absolute_path(row, reader.location),
        "cleared_by": row["cleared_by"],
    }
    if not reader.location.is_the_roots_own:
        alert |= {"host": row["host"], "root": row["root"]}
    if row["alert_code"] == STALE:
        alert |= {
            "stage": row["stage"],
            "bars_done": row["bars_done"],
            "bars_expected": row["bars_expected"],
        }
        if "watermark" in row:  # it follows the market
            alert |= {
                "watermark": row["watermark"],
                "next_due": row["next_due"],
                "equity": row["equity"],
            }
        alert["process_alive"] = is_alive(row["host"], row["pid"], row["process"])
    return alert


def _activity(alert: Alert) -> tuple[str, str]:
    return alert["activity_at"] or "", alert["session_id"] or ""


def _worst(found: list[Alert]) -> str:
    if any(alert["severity"] == "critical" for alert in found):
        return "critical"
    return "warning" if found else "ok"
