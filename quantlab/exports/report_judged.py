"""What was judged, and how: the strategy's rule, where it came from, the verdict on promoting it, and why it traded."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from quantlab.base.text import markdown_cell
from quantlab.domain.promotion import IN_ORDER
from quantlab.exports import markdown as md
from quantlab.trading.reasons import Why, most_first

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quantlab.base.values import JsonObject
    from quantlab.exports.report import ReportHeader
    from quantlab.trading.results import Outcome

_TODAY = (
    "This is how it stood at the session's end. A proof, an edit or what else the ledger came to know since may say "
    "otherwise: 'quantlab paper-sessions promotion' says how it stands today."
)


def at_its_end(
    header: ReportHeader, reasons: Mapping[str, int] | None, verdict: JsonObject | None
) -> ReportHeader:
    """Return a header that also tells what was recorded at the end; what an earlier version did not record is left out.

    Args:
        header: What the report says of the session or run so far.
        reasons: How many bars had each reason.
        verdict: What promotion said: `ready`, `blockers`, `cautions`, `searched_configurations`.
    """
    # An event keeps its keys in the order of the alphabet.
    ordered = None if reasons is None else most_first(reasons)
    return replace(header, reasons=ordered, verdict=() if verdict is None else _sentences(verdict))


def judged(header: ReportHeader) -> list[str]:
    """Return rule, parameters, lineage and verdict, a paragraph each; those that nobody told are left out."""
    params = ", ".join(
        f"{markdown_cell(name)} = {md.setting(value)}" for name, value in header.params.items()
    )
    parts = [f"**Rule.** {markdown_cell(header.rule)}"] if header.rule else []
    parts += [f"**Parameters.** {params}"] if params else []
    lineage = header.lineage[:1].upper() + header.lineage[1:]
    parts += [f"**Lineage.** {markdown_cell(lineage)}."] if lineage else []
    verdict = [f"- {markdown_cell(line)}" for line in header.verdict]
    return parts + (["\n".join(["**Promotion.**", "", *verdict])] if verdict else [])


def reasons_section(outcome: Outcome, header: ReportHeader) -> str:
    """Return how many bars brought a trade and how many none, and why; nothing is told of what was not counted."""
    reasons = header.reasons or {}
    sides = [fill.side for fill in outcome.simulation.fills]
    held = int(np.count_nonzero(outcome.simulation.quantity > 0.0))
    total = md.plural(sum(reasons.values()), "bar")
    summary = (
        f"Of {total} the strategy bought on {sides.count('buy'):,}, sold on {sides.count('sell'):,}, and held units at "
        f"the close of {held:,}. {_held_back(reasons)}"
    )
    rows = [(markdown_cell(reason), f"{bars:,}") for reason, bars in reasons.items()]
    parts = ["## Why it traded, and why not", summary, md.table(("Reason", "Bars"), rows, numbers=(1,))]
    if header.mode == "paper":
        parts.append("Every bar has one reason; 'quantlab paper-sessions why' tells it of each.")
    return "\n\n".join(parts)


def _held_back(reasons: Mapping[str, int]) -> str:
    """Name what most often kept the strategy from an order."""
    others = {reason: bars for reason, bars in reasons.items() if reason != Why.ORDERED}
    if not others:
        return "It ordered on every bar."
    most = max(others, key=lambda reason: others[reason])
    return f"What held it back most often: {markdown_cell(most)}, on {md.plural(others[most], 'bar')}."


def _sentences(verdict: JsonObject) -> tuple[str, ...]:
    blockers, cautions = ", ".join(verdict["blockers"]), ", ".join(verdict["cautions"])
    tried = verdict["searched_configurations"]
    counted = f" Other rules that were tried on these bars: {tried:,}." if tried else ""
    return (
        f"The record is in order. {IN_ORDER}" if verdict["ready"] else f"Blocked: {blockers}.",
        f"Cautions: {cautions}.{counted}" if cautions else "No cautions.",
        _TODAY,
    )
