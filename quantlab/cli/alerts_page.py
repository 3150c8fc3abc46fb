"""The alerts of a root, as JSON, a table or CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quantlab.cli import output

if TYPE_CHECKING:
    from collections.abc import Callable

_COLUMNS = ("alert_code", "severity", "session_id", "status", "activity_at", "age_minutes", "error_type")
_MORE = ("message", "path", "stage", "bars_done", "bars_expected", "process_alive")


def as_table(found: dict[str, Any]) -> str:
    """Return the alerts for people, under one line that sums them up."""
    status = found["alert_status"]
    count = len(found["alerts"])
    head = output.coloured(f"{status}: {count} alert{'' if count == 1 else 's'}", output.SEVERITIES[status])
    if not found["alerts"]:
        return head
    table = output.Table(["session_id", "alert", "min", "message"])
    for alert in found["alerts"]:
        table.add(
            [
                alert["session_id"],
                alert["alert_code"].removeprefix("PAPER_SESSION_"),
                "?" if alert["age_minutes"] is None else str(alert["age_minutes"]),
                f"{alert['error_type']}: {alert['message']}" if alert["error_type"] else alert["message"],
            ],
            {1: output.SEVERITIES[alert["severity"]]},
        )
    return f"{head}\n{table.text(output.terminal_width() if output.is_terminal() else None)}"


def as_csv(found: dict[str, Any]) -> str:
    """Return a row an alert."""
    return output.as_csv((*_COLUMNS, *_MORE), found["alerts"])


FORMATS: dict[str, Callable[[dict[str, Any]], str]] = {
    "json": output.as_json,
    "table": as_table,
    "csv": as_csv,
}
