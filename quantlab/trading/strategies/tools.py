"""Indicators for strategies, on anything that is one number a bar: numpy arrays, pandas series, lists.

Every value depends on its own and earlier bars alone. Leading NaN, such as another indicator's warm-up, are passed
over; where values are missing later on, so is what is computed from them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quantlab.trading import indicators
from quantlab.trading.rounding import ROUNDING

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


def sma(values: ArrayLike, window: int) -> Floats:
    """Return the simple mean of the last `window` values, shape (n,); NaN while there are fewer.

    Raises:
        ValueError: the window is no whole number above 0; so do all functions here that take one.
    """
    _require_window(window)
    return indicators.sma(_floats(values), window)


def ema(values: ArrayLike, window: int) -> Floats:
    """Return the exponential mean, e' = e + (x - e) x 2 / (window + 1), shape (n,).

    It begins with the simple mean of the first `window` values, as in TA-Lib; before it stands NaN.
    """
    _require_window(window)
    return _after_warm_up(lambda known: indicators.ema(known, window), _floats(values))


def rsi(close: ArrayLike, window: int = 14) -> Floats:
    """Return Wilder's relative strength index, 0 to 100, shape (n,); the first `window` entries are NaN."""
    _require_window(window)
    return _after_warm_up(lambda known: indicators.rsi(known, window), _floats(close))


def atr(high: ArrayLike, low: ArrayLike, close: ArrayLike, window: int = 14) -> Floats:
    """Return Wilder's average true range in the prices' unit, shape (n,); the first `window` entries are NaN."""
    _require_window(window)
    return _after_warm_up(
        lambda *known: indicators.atr(known[0], known[1], known[2], window),
        _floats(high),
        _floats(low),
        _floats(close),
    )


def highest(values: ArrayLike, window: int) -> Floats:
    """Return the largest of the last `window` values, the bar's own included, shape (n,); NaN before."""
    _require_window(window)
    return indicators.rolling_extreme(np.maximum, _floats(values), window)


def lowest(values: ArrayLike, window: int) -> Floats:
    """Return the smallest of the last `window` values, the bar's own included, shape (n,); NaN before."""
    _require_window(window)
    return indicators.rolling_extreme(np.minimum, _floats(values), window)


def crossed_above(line: ArrayLike, other: ArrayLike) -> NDArray[np.bool_]:
    """Tell on which bars a line is above another while it was not on the bar before, booleans of shape (n,).

    Both must be known on both bars, so the first known bar crosses nothing. What lies on the other line but for
    rounding (a part in 1e12) lies on it: the unit of the prices decides no crossing.

    Args:
        line: One number a bar, or one number for all.
        other: Likewise.
    """
    first, second = np.broadcast_arrays(*np.atleast_1d(_floats(line), _floats(other)))
    with np.errstate(invalid="ignore", over="ignore"):
        gap = first - second
        rounding = np.abs(first)
        rounding *= ROUNDING
        crossed = np.zeros(len(gap), np.bool_)
        # A comparison with NaN is False: what is unknown is neither above nor not above.
        np.greater(gap[1:], rounding[1:], out=crossed[1:])
        crossed[1:] &= gap[:-1] <= rounding[:-1]
    return crossed


def _floats(values: ArrayLike) -> Floats:
    return np.asarray(values, np.float64)


def _require_window(window: int) -> None:
    if isinstance(window, bool) or not isinstance(window, int | np.integer) or window < 1:
        raise ValueError(f"the window is {window!r}; expected a whole number of bars, 1 or more")


def _after_warm_up(indicator: Callable[..., Floats], *inputs: Floats) -> Floats:
    """Begin where every input is known: a recursion that has met NaN never forgets it."""
    if all(len(each) and np.isfinite(each[0]) for each in inputs):
        return indicator(*inputs)
    known = np.all([np.isfinite(each) for each in inputs], axis=0)
    first = int(np.argmax(known)) if known.any() else len(known)
    values = np.full(len(known), np.nan)
    if first < len(known):
        values[first:] = indicator(*(each[first:] for each in inputs))
    return values
