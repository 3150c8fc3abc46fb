"""Refuse half a range: sources may send less than was asked for without a word."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quantlab.errors import DataError
from quantlab.trading.calendars import calendar_of
from quantlab.trading.intervals import bar_ends, day_text, is_intraday, step

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quantlab.trading.market import Prices
    from quantlab.trading.prices.asked import Asked

MARGIN_DAYS = {"every_day": 2, "weekdays": 10}
"""Days that may be missing at either end of the range: the longest closures of exchanges are ten days
(Golden Week with its weekends)."""
SHORT_MARGIN_DAYS = 4
"""The same on a weekday calendar for short ranges (a long weekend); a tenth of the range lies between the
two."""
_FINER, _COARSER = 0.9, 1.25
_FEWEST_DISTANCES = 4
"""Fewer distances than these tell no longer interval: Friday, Monday, Thursday may be an honest three days."""
_REGULAR_SHARE, _REGULAR = 0.5, 0.1
"""Share of the distances above which, this close to the median (a month has 28 to 31 days), they are a rhythm.
Bars that are missing here and there leave distances of all sizes, of which that of the interval is the most
frequent."""

_DAY = np.timedelta64(1, "D").astype("m8[ns]")


def check_coverage(prices: Prices, asked: Asked) -> None:
    """Hold the bars against the range asked for, its end being no later than now.

    Raises:
        DataError: there are no bars, they leave out more than the margin at an end, or they are those of a
            shorter or longer interval; the message names the flags that would fit.
    """
    if not len(prices):
        raise DataError(_nothing(asked))
    _check_spacing(prices, asked)
    margin = _margin(prices, asked)
    last_end = bar_ends(prices.times[-1:], asked.interval)[0]
    late = bool(prices.times[0] - asked.start > margin)
    early = bool(min(asked.end, asked.now) - last_end > margin)
    if late or early:
        first, last = day_text(prices.times[0]), day_text(prices.times[-1])
        flags = [f"--start {first}"] * late + [f"--end {_first_day_after(last_end)}"] * early
        raise DataError(
            f"{asked.ticker}: only a part of the range came: asked {asked.range_text}, "
            f"received bars from {first} to {last}. Ask for what there is ({' '.join(flags)}) "
            "or use another source of prices."
        )


def check_begun(asked: Asked) -> None:
    """Refuse a range that lies in the future before anybody is asked for it.

    Raises:
        DataError: the range begins no earlier than now.
    """
    if asked.start >= asked.now:
        raise DataError(
            f"{asked.ticker}: {asked.range_text} lies in the future, so it has no bars yet; "
            f"choose a --start before {day_text(asked.now)}."
        )


def _first_day_after(end: np.datetime64) -> str:
    """Return the earliest --end, which is exclusive, that leaves a bar in which ends at that time."""
    return day_text(end + _DAY - np.timedelta64(1, "ns"))


def _nothing(asked: Asked) -> str:
    return (
        f"{asked.ticker}: no closed {asked.interval} bars in {asked.range_text}; "
        "check --ticker, --start, --end and --interval, or use another source of prices."
    )


def _check_spacing(prices: Prices, asked: Asked) -> None:
    if len(prices) == 1:
        return
    distances = np.diff(prices.times).astype(np.int64)
    usual = float(np.median(distances))
    if usual < _FINER * float(_shortest(asked.interval).astype(np.int64)) or _is_coarser(distances, asked):
        raise DataError(
            f"{asked.ticker}: bars follow each other every {usual / 1e9:,.0f} s, but --interval is "
            f"{asked.interval}; give the interval that the bars have."
        )


def _is_coarser(distances: NDArray[np.int64], asked: Asked) -> bool:
    """Tell whether the bars keep a rhythm that is slower than the interval's."""
    usual = np.median(distances)
    if len(distances) < _FEWEST_DISTANCES or usual < _COARSER * float(step(asked.interval).astype(np.int64)):
        return False
    return bool(np.mean(np.abs(distances - usual) <= _REGULAR * usual) > _REGULAR_SHARE)


def _shortest(interval: str) -> np.timedelta64:
    """Return the least distance of two bars in good order: a trading week has five days, February 28."""
    days = {"5d": 5, "1mo": 28, "3mo": 89}.get(interval)
    return step(interval) if days is None else days * _DAY


def _margin(prices: Prices, asked: Asked) -> np.timedelta64:
    longest = MARGIN_DAYS[calendar_of(prices, asked.interval, asked.ticker)]
    asked_days = int((asked.end - asked.start) // _DAY)
    days = min(longest, max(SHORT_MARGIN_DAYS, asked_days // 10))
    margin = days * _DAY
    if not is_intraday(asked.interval) and step(asked.interval) > _DAY:
        margin = max(margin, longest * _DAY) + step(asked.interval)
    result: np.timedelta64 = margin
    return result
