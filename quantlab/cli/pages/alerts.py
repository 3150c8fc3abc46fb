"""The alerts of a root, as JSON, a table or CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantlab.cli import output

if TYPE_CHECKING:
    from collections.abc import Callable

    from quantlab.queries.alerts import Alert, Alerts

_COLUMNS = ("alert_code", "severity", "session_id", "status", "activity_at", "age_minutes", "error_type")
_MORE = ("message", "path", "stage", "bars_done", "bars_expected", "process_alive", "cleared_by")


def as_table(found: Alerts) -> str:
    """Return the alerts for people, under one line that sums them up."""
    status = found["alert_status"]
    count = sum(found["alert_counts"].values())
    head = output.coloured(f"{status}: {count} alert{'' if count == 1 else 's'}", output.SEVERITIES[status])
    counts = (("resolved", found["resolved_alerts"]), ("superseded", found["superseded_alerts"]))
    cleared = [f"{number} {how}" for how, number in counts if number]
    head += f" ({', '.join(cleared)})" if cleared else ""
    if not found["alerts"]:
        return head
    table = output.Table(["session_id", "alert", "age", "message"])
    for alert in found["alerts"]:
        table.add(
            [
                alert["session_id"] or "",
                alert["alert_code"].removeprefix("PAPER_SESSION_") + _how_cleared(alert),
                output.minutes_in_words(alert["age_minutes"]),
                f"{alert['error_type']}: {alert['message']}" if alert["error_type"] else alert["message"],
            ],
            {1: output.SEVERITIES[alert["severity"]]},
        )
    return f"{head}\n{table.text(output.terminal_width() if output.is_terminal() else None)}"


def _how_cleared(alert: Alert) -> str:
    return f" ({alert['cleared_by']})" if alert["cleared_by"] else ""


def as_csv(found: Alerts) -> str:
    """Return a row an alert."""
    return output.as_csv((*_COLUMNS, *_MORE), found["alerts"])


FORMATS: dict[str, Callable[[Alerts], str]] = {
    "json": output.as_json,
    "table": as_table,
    "csv": as_csv,
}
