"""Falls of equity from its peaks, with their dates and recoveries.

The drawdown of bar t is V_t / max(V_0 ... V_t) - 1: 0 at a peak, negative under water.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quantlab.trading.results import Drawdown
from quantlab.trading.rounding import change

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

WORST = 5


def underwater(equity: Floats, initial_cash: float) -> Floats:
    """Return the drawdown of every bar, shape (n,), as a fraction of the highest equity so far; rounding is none."""
    return change(equity, np.maximum(np.maximum.accumulate(equity), initial_cash))


def max_drawdown(equity: Floats, initial_cash: float) -> float:
    """Return the deepest drawdown, a fraction from -1 to 0."""
    return float(underwater(equity, initial_cash).min())


def drawdowns(equity: Floats, initial_cash: float, worst: int = WORST) -> tuple[Drawdown, ...]:
    """Return the worst falls, deepest first, at most `worst`.

    A fall from the initial cash itself, before any bar's equity reached it, has its peak at bar 0.

    Args:
        equity: Equity at the close of every bar, shape (n,).
        initial_cash: Equity before the first bar.
        worst: How many at most.
    """
    depths = underwater(equity, initial_cash)
    edges = np.diff(np.concatenate([[False], depths < 0.0, [False]]).astype(np.int8))
    starts, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    found = [
        _drawdown(depths, start, stop) for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)
    ]
    return tuple(sorted(found, key=lambda fall: (fall.depth, fall.peak_bar))[:worst])


def _drawdown(depths: Floats, start: int, stop: int) -> Drawdown:
    trough = start + int(np.argmin(depths[start:stop]))
    return Drawdown(
        depth=float(depths[trough]),
        peak_bar=max(start - 1, 0),
        trough_bar=trough,
        recovered_bar=stop if stop < len(depths) else None,
    )
