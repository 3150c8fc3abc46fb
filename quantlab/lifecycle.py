"""The lifecycle of a session: what each event makes of it. Pure; the same fold serves live and rebuild.

A session's state is a plain row, the columns of `paper_sessions`; `changes` says which columns an event sets.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from quantlab import events
from quantlab.errors import ConflictError, SessionEndedError

if TYPE_CHECKING:
    from quantlab.events import (
        Aborted,
        Adopted,
        Amended,
        Event,
        Failed,
        Found,
        Heartbeat,
        Proved,
        Recorded,
        Started,
        Succeeded,
        Vanished,
    )

Row = dict[str, Any]


class Status(StrEnum):
    """The statuses that QuantLab itself gives; an adopted folder may say another."""

    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    ABORTED = "aborted"


REASONS = {
    Status.RUNNING: "active",
    Status.SUCCESS: "completed",
    Status.FAILED: "exception",
    Status.ABORTED: "operator_abort",
}


def require_legal(row: Row | None, session_id: str, kind: str) -> None:
    """Refuse an event that the session's state does not allow.

    Raises:
        SessionEndedError: the session has ended and the event is no annotation.
        ConflictError: a birth where the session exists, or anything else where it does not.
    """
    if (row is None) != (kind in events.BIRTHS):
        raise ConflictError(
            f"Session {session_id} {'does not exist' if row is None else 'exists already'}; "
            f"'{kind}' can't be recorded for it."
        )
    if row is not None and row["ended"] and kind not in events.ANNOTATIONS:
        raise SessionEndedError(
            f"Session {session_id} has ended ({row['status']}: {row['message'] or row['status_reason']}); "
            f"'{kind}' was not recorded and nothing was changed."
        )


def changes(row: Row, recorded: Recorded, event: Event) -> Row:
    """Return the columns that the event sets on the row of its session.

    Args:
        row: The session's row so far; empty for its first event.
        recorded: Where the event stands.
        event: What it says.
    """
    updates: Row = _by_type[recorded.type](row, recorded.occurred_at, event)
    updates["last_version"] = recorded.session_version
    updates["last_sequence"] = recorded.sequence
    return updates


def superseded(kind: str, payload: str, next_kind: str) -> bool:
    """Tell whether a session's next event overwrites every column that this one sets.

    A fold may pass over such an event: a heartbeat before another one leaves no trace, unless it told of
    the prices.
    """
    return kind == "heartbeat" == next_kind and not tells_prices(payload)


def tells_prices(payload: str) -> bool:
    """Tell whether a heartbeat's payload may hold facts of the prices, without decoding it: most hold none."""
    return '"data":' in payload


def _started(_row: Row, at: str, event: Started) -> Row:
    config = event.config
    return {
        "mode": "paper",
        "command": "paper",
        "status": Status.RUNNING.value,
        "status_reason": REASONS[Status.RUNNING],
        "terminal": False,
        "ended": False,
        "origin": "session",
        "created_at": at,
        "started_at": at,
        "updated_at": at,
        "activity_at": at,
        "request_id": event.request_id,
        "path": event.folder,
        "ticker": config.get("ticker"),
        "start_date": config.get("start"),
        "end_date": config.get("end"),
        "interval": config.get("interval"),
        "price_source": config.get("prices"),
        "config_hash": event.config_hash,
        "config_path": event.config_path,
        "git_commit": event.git_commit,
        "python_version": event.python_version,
        "python_executable": event.python_executable,
        "host": event.host,
        "pid": event.pid,
        "process": event.process,
        "root": event.root,
        "stage": "started",
        "bars_done": 0,
        "report_present": False,
        "amendments": 0,
        "lifecycle_amended": False,
    }


def _heartbeat(_row: Row, at: str, event: Heartbeat) -> Row:
    updates: Row = {
        "updated_at": at,
        "activity_at": at,
        "stage": event.stage,
        "bars_done": event.bars_done,
        "bars_expected": event.bars_expected,
    }
    if event.data is not None:
        updates["price_source"] = event.data.get("source")
        updates["data_hash"] = event.data.get("hash")
        updates["data_doubts"] = " ".join(event.data.get("doubts", ())) or None
    return updates


def _succeeded(row: Row, at: str, event: Succeeded) -> Row:
    summary = event.summary
    return _end(row, at, Status.SUCCESS) | {
        "stage": "succeeded",
        "bars_done": event.bars,
        "bars_expected": event.bars,
        "report_present": True,
        "report_contract_type": "quantlab.paper.result",
        "total_return": summary.get("total_return"),
        "sharpe_simple": summary.get("sharpe_simple"),
        "max_drawdown": summary.get("max_drawdown"),
        "trades": summary.get("trades"),
        "win_rate": summary.get("win_rate"),
        "final_equity": event.figures.get("final_equity"),
        "result_digest": event.result_digest,
    }


def _failed(row: Row, at: str, event: Failed) -> Row:
    return _end(row, at, Status.FAILED) | {"error_type": event.error_type, "message": event.message}


def _aborted(row: Row, at: str, event: Aborted) -> Row:
    return _end(row, at, Status.ABORTED) | {"error_type": event.error_type, "message": event.message}


def _end(row: Row, at: str, status: Status) -> Row:
    return {
        "status": status.value,
        "status_reason": REASONS[status],
        "terminal": True,
        "ended": True,
        "updated_at": at,
        "activity_at": at,
        "finished_at": at,
        "duration_seconds": seconds_between(row.get("started_at"), at),
    }


def _adopted(_row: Row, _at: str, event: Adopted) -> Row:
    told = _told(event.fields)
    return {
        "status": "unknown",
        "report_present": False,
        "origin": "adopted",
        "path": event.folder,
        "terminal": event.terminal,
        "ended": event.terminal,
        "amendments": 0,
        "lifecycle_amended": False,
        "unreadable": "\n".join(event.unreadable) or None,
        **told,
        "activity_at": told.get("updated_at") or told.get("created_at"),
    }


def _amended(row: Row, _at: str, event: Amended) -> Row:
    told = _told(event.fields)
    if "updated_at" in told or "created_at" in told:
        after = {**row, **told}
        told["activity_at"] = after["updated_at"] or after["created_at"]
    return {
        **told,
        "amendments": row["amendments"] + 1,
        "lifecycle_amended": row["lifecycle_amended"] or event.lifecycle,
    }


def _told(fields: Row) -> Row:
    """Return what a folder says of itself, less what only the ledger can say."""
    return {name: value for name, value in fields.items() if name not in _LEDGERS_OWN}


_LEDGERS_OWN = frozenset(
    ("session_id", "origin", "ended", "amendments", "lifecycle_amended", "last_version", "last_sequence")
)


def _vanished(_row: Row, at: str, _event: Vanished) -> Row:
    return {"vanished_at": at, "report_present": False}


def _found(row: Row, _at: str, event: Found) -> Row:
    return {
        "vanished_at": None,
        "path": event.folder,
        "root": row["root"] if event.root is None else event.root,
        "host": row["host"] if event.host is None else event.host,
        "report_present": row["report_contract_type"] is not None,
    }


def _proved(_row: Row, at: str, event: Proved) -> Row:
    return {"proved_at": at, "proved_outcome": event.outcome}


_by_type: dict[str, Any] = {
    "started": _started,
    "heartbeat": _heartbeat,
    "succeeded": _succeeded,
    "failed": _failed,
    "aborted": _aborted,
    "adopted": _adopted,
    "amended": _amended,
    "vanished": _vanished,
    "found": _found,
    "proved": _proved,
}


def seconds_between(earlier: str | None, later: str) -> float | None:
    """Return the seconds from one stored time to another, never below zero (a clock may be set back)."""
    if earlier is None:
        return None
    return max(0.0, (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds())
