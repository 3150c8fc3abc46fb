"""The report's sections about what was traded: trades and drawdowns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quantlab.base.text import markdown_cell
from quantlab.exports import markdown as md

if TYPE_CHECKING:
    from quantlab.trading.results import Drawdown, Outcome, RoundTrip

SHOWN_AT_EACH_END = 10
_DAY = np.timedelta64(1, "D")


def worst_drawdown(outcome: Outcome) -> str:
    """Return when the deepest drawdown was, and whether it was recovered."""
    if not outcome.drawdowns:
        return "of the peak; equity never fell"
    worst = outcome.drawdowns[0]
    return (
        f"of the peak: {_when(outcome, worst.peak_bar)} to {_when(outcome, worst.trough_bar)}, "
        f"{_recovery(outcome, worst)}"
    )


def _recovery(outcome: Outcome, drawdown: Drawdown) -> str:
    if drawdown.recovered_bar is None:
        return "not recovered"
    return f"recovered {_when(outcome, drawdown.recovered_bar)}"


def trades_section(outcome: Outcome) -> str:
    """Return the round trips, the first and last ones where there are many, and what is still open."""
    trips = outcome.round_trips
    parts = ["## Trades"]
    if trips:
        parts += _trips_table(outcome)
    else:
        parts.append("No trade was closed.")
    parts += _still_open(outcome)
    return "\n\n".join(parts)


def _trips_table(outcome: Outcome) -> list[str]:
    trips = list(enumerate(outcome.round_trips, start=1))
    left_out = len(trips) - 2 * SHOWN_AT_EACH_END
    shown, note = trips, "trades.csv has every fill."
    if left_out > 0:
        shown = trips[:SHOWN_AT_EACH_END] + trips[-SHOWN_AT_EACH_END:]
        note = (
            f"The first and the last {SHOWN_AT_EACH_END} of {md.plural(len(trips), 'trade')}; "
            f"{left_out:,} between them {'is' if left_out == 1 else 'are'} left out here. "
            "trades.csv has every fill."
        )
    columns = ("#", "Bought", "at", "Sold", "at", "Units", "Profit", "Return", "Bars", "Sold because")
    rows = [_trip_row(outcome, place, trip) for place, trip in shown]
    return [md.table(columns, rows, numbers=(0, 2, 4, 5, 6, 7, 8)), note]


def _trip_row(outcome: Outcome, place: int, trip: RoundTrip) -> tuple[str, ...]:
    return (
        f"{place}",
        _when(outcome, trip.entry.bar),
        md.amount(trip.entry.price),
        _when(outcome, trip.exit.bar),
        md.amount(trip.exit.price),
        f"{trip.entry.quantity:,.6g}",
        md.amount(trip.profit, signed=True),
        md.percent(trip.profit_fraction, signed=True),
        f"{trip.bars_held:,}",
        markdown_cell(trip.exit.reason),
    )


def _still_open(outcome: Outcome) -> list[str]:
    simulation, lines = outcome.simulation, []
    if outcome.figures.open_position and simulation.fills:
        entry = simulation.fills[-1]
        lines.append(
            f"Open at the end: {simulation.quantity[-1]:,.6g} units bought {_when(outcome, entry.bar)} at "
            f"{md.amount(entry.price)}, marked at {md.amount(float(simulation.mark[-1]))}; unrealised profit "
            f"{md.amount(outcome.figures.unrealised_profit, signed=True)}. It counts as no trade."
        )
    if simulation.pending is not None:
        lines.append(
            f"Pending: a {simulation.pending.side} decided {_when(outcome, simulation.pending.signal_bar)} "
            f"({markdown_cell(simulation.pending.reason)}), with no bar after it to fill on."
        )
    if simulation.skipped_fills:
        lines.append(f"Fills waited on {md.plural(simulation.skipped_fills, 'bar')} without a usable price.")
    return lines


def drawdowns_section(outcome: Outcome) -> str:
    """Return the worst falls of equity, deepest first."""
    if not outcome.drawdowns:
        return "## Worst drawdowns\n\nEquity never fell below an earlier peak."
    columns = ("Depth", "Peak", "Trough", "Recovered", "Days to trough", "Days under water")
    rows = [_drawdown_row(outcome, drawdown) for drawdown in outcome.drawdowns]
    return f"## Worst drawdowns\n\n{md.table(columns, rows, numbers=(0, 4, 5))}"


def _drawdown_row(outcome: Outcome, drawdown: Drawdown) -> tuple[str, ...]:
    recovered, last = drawdown.recovered_bar, len(outcome.prices) - 1
    under_water = _days(outcome, drawdown.peak_bar, last if recovered is None else recovered)
    return (
        md.percent(drawdown.depth),
        _when(outcome, drawdown.peak_bar),
        _when(outcome, drawdown.trough_bar),
        "not by the end" if recovered is None else _when(outcome, recovered),
        _days(outcome, drawdown.peak_bar, drawdown.trough_bar),
        under_water if recovered is not None else f"{under_water} so far",
    )


def _days(outcome: Outcome, first: int, last: int) -> str:
    return f"{(outcome.prices.times[last] - outcome.prices.times[first]) / _DAY:,.4g}"


def _when(outcome: Outcome, bar: int) -> str:
    """Return the bar's day, with the time where a day has many bars or the bar opens after midnight UTC."""
    time = outcome.prices.times[bar]
    within_day = outcome.config.interval[-1] in "mh"
    if within_day or time != time.astype("datetime64[D]"):
        return str(np.datetime_as_string(time, unit="m")).replace("T", " ") + " UTC"
    return str(np.datetime_as_string(time, unit="D"))
