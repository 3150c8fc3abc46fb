"""Prices beside an adjusted close: all four by its factor, so that no split shows as a fall."""

from __future__ import annotations

import numpy as np

SPLIT_STEP = 1.2
"""Change of the factor from one bar to the next that a split makes and a dividend hardly."""


def factors(close: np.ndarray, adjusted: np.ndarray) -> np.ndarray:
    """Return adjusted close over close, 1 where either is unknown."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = adjusted / close
    known: np.ndarray = np.where(np.isfinite(found) & (found > 0), found, 1.0)
    return known


def adjusted_prices(prices: np.ndarray, factor: np.ndarray, adjusted: np.ndarray) -> np.ndarray:
    """Return open, high, low and close (rows of a 4 x n array) times the factor; close is the adjusted one itself."""
    result: np.ndarray = prices * factor
    changed = factor != 1.0
    result[3, changed] = adjusted[changed]
    # high and low enclose open and close as they did, whatever rounding does.
    for row, bound in ((1, np.maximum), (2, np.minimum)):
        enclosed = bound(result[0], result[3])
        held = bound(prices[row], bound(prices[0], prices[3])) == prices[row]
        result[row, held] = bound(result[row], enclosed)[held]
    return result


def split_ratios(factor: np.ndarray) -> np.ndarray:
    """Return units that one became at each bar, by the steps of the factor; 1 where there was no split.

    A factor that rises from 0.25 to 1 says that a unit became four on that bar.
    """
    ratios = np.ones(len(factor))
    if len(factor) > 1:
        steps = factor[1:] / factor[:-1]
        split = (steps >= SPLIT_STEP) | (steps <= 1 / SPLIT_STEP)
        ratios[1:][split] = steps[split]
    return ratios
