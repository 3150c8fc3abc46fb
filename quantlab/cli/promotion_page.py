"""Readiness for a broker, as JSON, a table or CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quantlab.cli import output
from quantlab.store.vocabulary import OURS, SUMMARY

if TYPE_CHECKING:
    from collections.abc import Callable

_ASSESSED = ("broker_promotion_ready", "broker_promotion_reasons", "broker_promotion_blockers")


def as_table(found: dict[str, Any]) -> str:
    """Return candidates and blocked sessions for people."""
    head = f"{found['promotion_ready_count']} ready, {found['promotion_blocked_count']} blocked"
    rows = [*found["ready_candidates"], *found["blocked_sessions"]]
    if not rows:
        return head
    table = output.Table(["session_id", "ready", "blockers"])
    for row in rows:
        ready = row["broker_promotion_ready"]
        table.add(
            [row["session_id"], "yes" if ready else "no", " ".join(row["broker_promotion_blockers"])],
            {1: "green" if ready else "yellow"},
        )
    return f"{head}\n{table.text(output.terminal_width() if output.is_terminal() else None)}"


def as_csv(found: dict[str, Any]) -> str:
    """Return the candidates, then the blocked sessions, a row each."""
    rows = [*found["ready_candidates"], *found["blocked_sessions"]]
    return output.as_csv((*SUMMARY, *OURS, *_ASSESSED), rows)


FORMATS: dict[str, Callable[[dict[str, Any]], str]] = {
    "json": output.as_json,
    "table": as_table,
    "csv": as_csv,
}
