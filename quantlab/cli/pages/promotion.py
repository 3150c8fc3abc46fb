"""Readiness for a broker, as JSON, a table or CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantlab.cli import output
from quantlab.cli.pages.judged import percent, sharpe
from quantlab.domain.promotion import IN_ORDER

if TYPE_CHECKING:
    from collections.abc import Callable

    from quantlab.ledger.reader import Row
    from quantlab.queries.promotion import Promotion

_ASSESSED = (
    "searched_configurations",
    "broker_promotion_ready",
    "broker_promotion_reasons",
    "broker_promotion_blockers",
    "cautions",
)
_COLUMNS = ("session_id", "in order", "return", "hold", "drawdown", "trades")


def as_table(found: Promotion) -> str:
    """Return candidates and blocked sessions for people: what came of each, what blocks it, and the cautions."""
    head = f"{found['promotion_ready_count']} in order, {found['promotion_blocked_count']} blocked"
    rows = [*found["ready_candidates"], *found["blocked_sessions"]]
    left_out = found["promotion_ready_count"] - len(found["ready_candidates"])
    if left_out > 0:
        head += f"; {left_out} ready left out (--max-candidates {found['promotion_ready_count']} shows them)"
    head = f"{head}\n{IN_ORDER}"
    if not rows:
        return head
    width = output.terminal_width() if output.is_terminal() else None
    table = output.Table(list(_COLUMNS))
    for row in rows:
        ready = row["broker_promotion_ready"]
        cells = [
            percent(row["total_return"]),
            percent(row["buy_and_hold_return"]),
            percent(row["max_drawdown"]),
            "n/a" if row["trades"] is None else str(row["trades"]),
        ]
        in_order = "yes" if ready else "no"
        table.add([row["session_id"], in_order, *cells], {1: "green" if ready else "yellow"})
    headings, *lines = table.text(width).splitlines()
    told = [piece for line, row in zip(lines, rows, strict=True) for piece in (line, *_beneath(row, width))]
    return "\n".join([head, headings, *told])


def _beneath(row: Row, width: int | None) -> list[str]:
    """Return what is said of a session beneath its line: nothing of it is cut, on a terminal it is wrapped."""
    said = {"blocked by": " ".join(row["broker_promotion_blockers"])}
    if row["total_return"] is not None:
        said |= {"sharpe": sharpe(row), "cautions": " ".join(row["cautions"])}
    lines = [f"  {name}: {text}" for name, text in said.items() if text]
    if width is None:
        return lines
    import textwrap  # costs more than most answers

    return [piece for line in lines for piece in textwrap.wrap(line, width, subsequent_indent="    ")]


def as_csv(found: Promotion) -> str:
    """Return the candidates, then the blocked sessions, a row each."""
    from quantlab.domain.session import NAMES  # loads what the other formats do without

    rows = [*found["ready_candidates"], *found["blocked_sessions"]]
    return output.as_csv((*NAMES, *_ASSESSED), rows)


FORMATS: dict[str, Callable[[Promotion], str]] = {
    "json": output.as_json,
    "table": as_table,
    "csv": as_csv,
}
