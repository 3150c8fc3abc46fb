"""Moving averages, extremes, RSI and ATR on whole arrays, one value a bar, NaN while they warm up.

Every value depends on its own and earlier bars alone, to the last bit: the same operations in the same
order make a bar's value whatever follows it, and only elementwise IEEE arithmetic is used, so that two
machines agree. The work goes in pieces that fit the processor's cache.

Wilder's averages (J. W. Wilder, "New Concepts in Technical Trading Systems", 1978) are seeded with the
simple mean of the first `window` values, as TA-Lib does.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_STEPS = 90
"""Bars that a lane of `_Wilder` covers."""

_PIECE = _STEPS * 230
"""Bars worked on at once: 160 KiB of floats."""


def sma(values: Floats, window: int) -> Floats:
    """Return the simple mean of the last `window` values.

    Args:
        values: One value a bar, shape (n,).
        window: Bars in the mean, at least 1.

    Returns:
        Shape (n,); the first `window - 1` entries are NaN.
    """
    sums = rolling_sum(values, window)
    return np.divide(sums, window, out=sums)


def rolling_sum(values: Floats, window: int) -> Floats:
    """Return the sum of the last `window` values.

    Of equal values it is exactly `window * value` as floats have it (for windows with at most two binary
    digits set, such as 20), where their mean may differ from them in its last bit: comparisons are better
    made with sums.

    Args:
        values: One value a bar, shape (n,).
        window: Bars in the sum, at least 1.

    Returns:
        Shape (n,); the first `window - 1` entries are NaN.
    """
    sums = np.full(len(values), np.nan)
    for start in range(window - 1, len(values), _PIECE):
        stop = min(start + _PIECE, len(values))
        sums[start:stop] = _window_sums(values[start - window + 1 : stop], window)
    return sums


def ema(values: Floats, window: int) -> Floats:
    """Return the exponential mean, e' = e + (x - e) x 2 / (window + 1), seeded as Wilder's averages are.

    Args:
        values: One value a bar, shape (n,).
        window: Values in the seed, at least 1; the mean's memory is 2 / (window + 1).

    Returns:
        Shape (n,); the first `window - 1` entries are NaN.
    """
    bars = len(values)
    means = np.full(bars, np.nan)
    if bars < window:
        return means
    seed = np.add.accumulate(values[np.newaxis, :window], axis=1)[:, -1] / window
    means[window - 1] = seed[0]
    average = _Wilder(seed, (window + 1) / 2)
    for start in range(window, bars, _PIECE):
        stop = min(start + _PIECE, bars)
        means[start:stop] = average.extend(values[np.newaxis, start:stop]).reshape(-1)[: stop - start]
    return means


def rolling_extreme(larger: Callable[[Floats, Floats], Floats], values: Floats, window: int) -> Floats:
    """Return the largest (`np.maximum`) or smallest (`np.minimum`) of the last `window` values.

    Args:
        larger: Which of two values is wanted.
        values: One value a bar, shape (n,).
        window: Bars looked at, at least 1.

    Returns:
        Shape (n,); the first `window - 1` entries are NaN, as is every window that holds one.
    """
    extremes = np.full(len(values), np.nan)
    if len(values) < window:
        return extremes
    doubled, width = values, 1
    while 2 * width <= window:
        doubled = larger(doubled[width:], doubled[:-width])
        width *= 2
    # Two windows of that width, laid over each other, cover the one asked for.
    count = len(values) - window + 1
    extremes[window - 1 :] = larger(doubled[:count], doubled[window - width :])
    return extremes


def rsi(close: Floats, window: int = 14) -> Floats:
    """Return Wilder's relative strength index, 0 to 100.

    RSI = 100 x G / (G + L), G and L being Wilder's averages of the rises and of the falls; 0 where nothing
    has moved at all, as in TA-Lib.

    Args:
        close: Closes, shape (n,).
        window: Changes in the averages' seed and divisor of their memory, at least 1.

    Returns:
        Shape (n,); the first `window` entries are NaN.
    """
    return _averaged(_rises_and_falls, _strength, (close,), window)


def atr(high: Floats, low: Floats, close: Floats, window: int = 14) -> Floats:
    """Return Wilder's average true range, in the prices' unit.

    The true range of a bar is the largest of high - low, |high - previous close| and |low - previous close|.

    Args:
        high: Highest prices, shape (n,); so are low and close.
        low: Lowest prices.
        close: Closes.
        window: True ranges in the seed and divisor of the average's memory, at least 1.

    Returns:
        Shape (n,); the first `window` entries are NaN.
    """
    return _averaged(_true_range, lambda averages: averages[0], (high, low, close), window)


def _averaged(
    measure: Callable[..., Floats],
    indicator: Callable[[Floats], Floats],
    inputs: tuple[Floats, ...],
    window: int,
) -> Floats:
    """Take `measure` of each bar and its predecessor, average it Wilder's way, and read the indicator off."""
    bars = len(inputs[0])
    values = np.full(bars, np.nan)
    if bars <= window:
        return values
    seed = np.add.accumulate(measure(*(each[: window + 1] for each in inputs)), axis=1)[:, -1] / window
    values[window] = indicator(seed[:, np.newaxis])[0]
    average, first, last_lane = _Wilder(seed, window), window + 1, bars
    kept = _kept.get()
    if kept is not None:
        begun = kept.get((measure, window))
        if begun is not None and begun.begins(inputs):
            first = len(begun.values)
            values[:first] = begun.values
            average.last = begun.last.copy()
        last_lane = bars - (bars - first) % _STEPS
    for start in range(first, last_lane, _PIECE):
        stop = min(start + _PIECE, last_lane)
        measured = measure(*(each[start - 1 : stop] for each in inputs))
        values[start:stop] = indicator(average.extend(measured)).reshape(-1)[: stop - start]
    if kept is not None and last_lane > first:
        known = tuple(each[:last_lane].copy() for each in inputs)
        kept[measure, window] = _Begun(known, values[:last_lane].copy(), average.last.copy())
    if last_lane < bars:
        measured = measure(*(each[last_lane - 1 :] for each in inputs))
        values[last_lane:] = indicator(average.extend(measured)).reshape(-1)[: bars - last_lane]
    return values


def _rises_and_falls(close: Floats) -> Floats:
    both = np.empty((2, len(close) - 1))
    change = close[1:] - close[:-1]
    np.maximum(change, 0.0, out=both[0])
    np.subtract(both[0], change, out=both[1])
    return both


def _strength(averages: Floats) -> Floats:
    rises, falls = averages
    moves = rises + falls
    moves[moves == 0.0] = 1.0  # nothing moved: 0 / 1 is the 0 that is wanted
    strength: Floats = rises / moves * 100.0
    return strength


def _true_range(high: Floats, low: Floats, close: Floats) -> Floats:
    before = close[:-1]
    reach = np.maximum(np.abs(high[1:] - before), np.abs(low[1:] - before))
    return np.maximum(reach, high[1:] - low[1:])[np.newaxis]


def _window_sums(values: Floats, window: int) -> Floats:
    """Return the sums of all `window` neighbours, shape (n - window + 1,).

    Sums of 1, 2, 4, 8 ... neighbours are doubled and joined as the window's binary digits say. Unlike a
    running sum this forgets a large value as soon as it leaves the window.
    """
    doubled, width = values, 1
    sums, covered = np.empty(0), 0
    while True:
        if window & width:
            sums = sums[width:] + doubled[: len(doubled) - covered] if covered else doubled
            covered += width
        if covered == window:
            return sums
        doubled = doubled[width:] + doubled[:-width]
        width *= 2


@dataclass(frozen=True)
class _Begun:
    """What Wilder's averages came to on the beginning of a series, up to the end of a lane.

    Attributes:
        inputs: The beginning.
        values: The indicator there.
        last: The averages after it.
    """

    inputs: tuple[Floats, ...]
    values: Floats
    last: list[float]

    def begins(self, inputs: tuple[Floats, ...]) -> bool:
        """Tell whether a series begins with these very numbers."""
        bars = len(self.values)
        return len(inputs[0]) >= bars and all(
            np.array_equal(known, each[:bars]) for known, each in zip(self.inputs, inputs, strict=True)
        )


Kept = dict[tuple["Callable[..., Floats]", int], _Begun]
"""What `growing` keeps, by what is averaged and the window."""
_kept: ContextVar[Kept | None] = ContextVar("kept", default=None)


@contextmanager
def growing(kept: Kept) -> Iterator[None]:
    """Take over, meanwhile, what Wilder's averages came to on the beginning of a series that has grown since.

    The values are the same to the last bit: the work is cut where it is cut anyway, and goes on there.

    Args:
        kept: What was computed so far; it is brought up.
    """
    token = _kept.set(kept)
    try:
        yield
    finally:
        _kept.reset(token)


class _Wilder:
    """Wilder's average, y' = y + (x - y) / window, over series in parallel, piece after piece.

    A recursion is slow in numpy; so each piece is cut into lanes of `_STEPS` bars that advance side by side
    as if they began at zero, and what each lane inherits, fading by its powers, is added afterwards.
    """

    def __init__(self, seed: Floats, window: float) -> None:
        self.last: list[float] = seed.tolist()
        self._window = window
        self._keep = (window - 1) / window
        self._fading = np.multiply.accumulate(np.full(_STEPS, self._keep))

    def extend(self, inputs: Floats) -> Floats:
        """Return the averages after each further value, shape (series, lanes, `_STEPS`).

        Every call but the last must bring a multiple of `_STEPS` bars; the last one's are padded.
        """
        series, bars = inputs.shape
        lanes = -(-bars // _STEPS)
        padded = np.zeros((series, lanes * _STEPS))
        np.divide(inputs, self._window, out=padded[:, :bars])
        steps = np.ascontiguousarray(padded.reshape(series * lanes, _STEPS).T)
        faded = np.empty(series * lanes)
        for before, after in pairwise(steps):
            np.multiply(before, self._keep, out=faded)
            np.add(after, faded, out=after)
        steps += self._fading[:, np.newaxis] * self._inherited(steps[-1].reshape(series, lanes)).reshape(-1)
        averages: Floats = steps.reshape(_STEPS, series, lanes).transpose(1, 2, 0)
        return averages

    def _inherited(self, gained: Floats) -> Floats:
        """Return each lane's starting average, and keep the last lane's final one."""
        inherited = np.empty_like(gained)
        fading = float(self._fading[-1])
        for row, lane_gains in enumerate(gained.tolist()):
            averages = list(
                accumulate(lane_gains, lambda last, gain: last * fading + gain, initial=self.last[row])
            )
            inherited[row] = averages[:-1]
            self.last[row] = averages[-1]
        return inherited
