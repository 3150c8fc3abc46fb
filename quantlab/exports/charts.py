"""Pictures of a session, for a person who has ten seconds: equity with drawdown, and price with fills.

Importing this module costs as much as matplotlib does, so only what draws imports it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quantlab.exports import drawing
from quantlab.exports.drawing import BLUE, GREY, INK, ORANGE, RED
from quantlab.trading.indicators import sma

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from quantlab.trading.results import Fill, Outcome

MEAN_WINDOW = 20
MOST_RINGS = 100


def equity_png(outcome: Outcome, *, title: str) -> bytes:
    """Draw equity against buy-and-hold, fills marked, with the drawdown beneath.

    Args:
        outcome: What to draw.
        title: One line above the picture.

    Returns:
        A PNG of 1000 x 640 pixels; equal outcomes and titles give equal bytes.
    """
    figure, (upper, lower) = drawing.canvas(heights=(2.6, 1))
    times, equity = drawing.as_dates(outcome.prices.times), outcome.simulation.equity
    fills, figures = outcome.simulation.fills, outcome.figures
    held, gained = (
        _named("Buy and hold", figures.buy_and_hold_return),
        _named("Strategy", figures.total_return),
    )
    drawing.line(upper, times, outcome.buy_and_hold, color=ORANGE, linestyle=(0, (4, 1.5)), label=held)
    drawing.line(upper, times, equity, color=BLUE, linewidth=1.7, label=gained)
    drawing.draw_fills(upper, times, fills, [float(equity[fill.bar]) for fill in fills])
    drawing.scale(upper, "Equity", (equity, outcome.buy_and_hold))
    _draw_drawdown(lower, times, outcome)
    return drawing.png(figure, title=title, synthetic=_is_synthetic(outcome))


def price_png(outcome: Outcome, *, title: str) -> bytes:
    """Draw the close and its 20-bar mean, the bars of decision, the fills, and when units were held.

    Args:
        outcome: What to draw.
        title: One line above the picture.

    Returns:
        A PNG of 1000 x 640 pixels; equal outcomes and titles give equal bytes.
    """
    figure, (axes,) = drawing.canvas(heights=(1,))
    times, close = drawing.as_dates(outcome.prices.times), outcome.prices.close
    fills = outcome.simulation.fills
    drawing.shade(axes, _held_spans(times, fills), label="Units held")
    drawing.line(axes, times, close, color=INK, linewidth=1.1, label="Close")
    mean = sma(close, MEAN_WINDOW)
    drawing.line(axes, times, mean, color=ORANGE, linewidth=1.4, label=f"{MEAN_WINDOW}-bar mean")
    _ring_decisions(axes, times, outcome)
    drawing.draw_fills(axes, times, fills, [fill.price for fill in fills])
    drawing.scale(axes, "Price", (close,))
    return drawing.png(figure, title=title, synthetic=_is_synthetic(outcome))


def drawdown_of(equity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return at each bar the fraction below the highest equity so far, 0 at a peak and negative below."""
    drawdown: NDArray[np.float64] = equity / np.fmax.accumulate(equity) - 1
    return drawdown


def _draw_drawdown(axes: Axes, times: NDArray[np.float64], outcome: Outcome) -> None:
    own, market = drawdown_of(outcome.simulation.equity), drawdown_of(outcome.buy_and_hold)
    drawing.area(axes, times, own, color=BLUE)
    drawing.line(axes, times, market, color=ORANGE, linewidth=0.8)
    drawing.percent_scale(axes, "Drawdown")
    if outcome.drawdowns:
        worst = outcome.drawdowns[0]
        label = f"worst {100 * worst.depth:.1f} %"
        drawing.point_out(
            axes, float(times[worst.trough_bar]), float(own[worst.trough_bar]), label, color=RED
        )


def _ring_decisions(axes: Axes, times: NDArray[np.float64], outcome: Outcome) -> None:
    """Ring the bars of decision, unless there are so many that rings would hide the fills."""
    bars = [fill.signal_bar for fill in outcome.simulation.fills]
    if outcome.simulation.pending is not None:
        bars.append(outcome.simulation.pending.signal_bar)
    if len(bars) > MOST_RINGS:
        return
    drawing.draw_markers(
        axes, times[bars], outcome.prices.close[bars], marker="o", color=GREY, label="Decision", hollow=True
    )


def _held_spans(times: NDArray[np.float64], fills: Sequence[Fill]) -> list[tuple[float, float]]:
    """Return (start, length), in days, of each time during which units were held."""
    ends = [float(times[fill.bar]) for fill in fills] + [float(times[-1])]
    return [
        (ends[place], ends[place + 1] - ends[place]) for place, fill in enumerate(fills) if fill.side == "buy"
    ]


def _named(name: str, fraction: float | None) -> str:
    return name if fraction is None else f"{name} ({100 * fraction:+,.1f} %)"


def _is_synthetic(outcome: Outcome) -> bool:
    return outcome.prices.origin.source == "synthetic"
