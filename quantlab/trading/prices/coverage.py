"""Refuse half a range: sources may send less than was asked for without a word."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quantlab.base.errors import DataError
from quantlab.base.remedies import Setting
from quantlab.trading.calendars import calendar_of
from quantlab.trading.intervals import FINER, bar_ends, bar_length, day_text, is_intraday

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quantlab.trading.market import Prices
    from quantlab.trading.prices.asked import AskedBars

MARGIN_DAYS = {"every_day": 2, "weekdays": 10}
"""Days that may be missing at either end of the range: the longest closures of exchanges are ten days
(Golden Week with its weekends)."""
SHORT_MARGIN_DAYS = 4
"""The same on a weekday calendar for short ranges (a long weekend); a tenth of the range lies between the
two."""
_COARSER = 1.25
_FEWEST_DISTANCES = 4
"""Fewer distances than these tell no longer interval: Friday, Monday, Thursday may be an honest three days."""
_REGULAR_SHARE, _REGULAR = 0.5, 0.1
"""Share of the distances above which, this close to the median (a month has 28 to 31 days), they are a rhythm.
Bars that are missing here and there leave distances of all sizes, of which that of the interval is the most
frequent."""

_DAY = np.timedelta64(1, "D").astype("m8[ns]")


def check_coverage(prices: Prices, asked: AskedBars) -> None:
    """Hold the bars against the range asked for, its end being no later than now.

    Raises:
        DataError: there are no bars, they leave out more than the margin at an end, or they are those of a
            shorter or longer interval; the message names the flags that would fit.
    """
    if not len(prices):
        raise _nothing(asked)
    check_spacing(prices, ticker=asked.ticker, interval=asked.interval)
    margin = _margin(prices, asked)
    last_end = bar_ends(prices.times[-1:], asked.interval)[0]
    late = bool(prices.times[0] - asked.start > margin)
    early = bool(min(asked.end, asked.now) - last_end > margin)
    if late or early:
        first, last = day_text(prices.times[0]), day_text(prices.times[-1])
        fitting = [Setting("start", first)] * late + [Setting("end", _first_day_after(last_end))] * early
        raise DataError(
            f"{asked.ticker}: only a part of the range came: asked {asked.range_text}, "
            f"received bars from {first} to {last}. Ask for what there is (",
            *fitting[:1],
            *(part for one in fitting[1:] for part in (" ", one)),
            ") or use another source of prices.",
        )


def check_begun(asked: AskedBars) -> None:
    """Refuse a range that lies in the future before anybody is asked for it.

    Raises:
        DataError: the range begins no earlier than now.
    """
    if asked.start >= asked.now:
        raise DataError(
            f"{asked.ticker}: {asked.range_text} lies in the future, so it has no bars yet; choose a ",
            Setting("start"),
            f" before {day_text(asked.now)}.",
        )


def _first_day_after(end: np.datetime64) -> str:
    """Return the earliest --end, which is exclusive, that leaves a bar in which ends at that time."""
    return day_text(end + _DAY - np.timedelta64(1, "ns"))


def _nothing(asked: AskedBars) -> DataError:
    return DataError(
        f"{asked.ticker}: no closed {asked.interval} bars in {asked.range_text}; check ",
        *(Setting("ticker"), ", ", Setting("start"), ", ", Setting("end"), " and ", Setting("interval")),
        ", or use another source of prices.",
    )


def check_spacing(prices: Prices, *, ticker: str, interval: str) -> None:
    """Refuse bars of another interval than was asked for.

    Raises:
        DataError: they follow each other faster, or in a rhythm that is slower.
    """
    if len(prices) <= 1:
        return
    distances = np.diff(prices.times).astype(np.int64)
    usual = float(np.median(distances))
    if usual < FINER * float(_shortest(interval).astype(np.int64)) or _is_coarser(distances, interval):
        raise DataError(
            f"{ticker}: bars follow each other every {usual / 1e9:,.0f} s, but ",
            Setting("interval"),
            f" is {interval}; give the interval that the bars have",
            *_such_as(usual / 6e10),
            ".",
        )


def _such_as(minutes: float) -> tuple[object, ...]:
    """Name the interval of that length, where it is a whole number of minutes, hours or days."""
    for length, unit in ((1_440, "d"), (60, "h"), (1, "m")):
        if minutes >= length and minutes % length == 0:
            return ", such as ", Setting("interval", f"{minutes / length:.0f}{unit}")
    return ()


def _is_coarser(distances: NDArray[np.int64], interval: str) -> bool:
    """Tell whether the bars keep a rhythm that is slower than the interval's."""
    usual = np.median(distances)
    if len(distances) < _FEWEST_DISTANCES or usual < _COARSER * float(bar_length(interval).astype(np.int64)):
        return False
    return bool(np.mean(np.abs(distances - usual) <= _REGULAR * usual) > _REGULAR_SHARE)


def _shortest(interval: str) -> np.timedelta64:
    """Return the least distance of two bars in good order: a trading week has five days, February 28."""
    days = {"5d": 5, "1mo": 28, "3mo": 89}.get(interval)
    return bar_length(interval) if days is None else days * _DAY


def _margin(prices: Prices, asked: AskedBars) -> np.timedelta64:
    longest = MARGIN_DAYS[calendar_of(prices, asked.interval, asked.ticker)]
    asked_days = int((asked.end - asked.start) // _DAY)
    days = min(longest, max(SHORT_MARGIN_DAYS, asked_days // 10))
    margin = days * _DAY
    if not is_intraday(asked.interval) and bar_length(asked.interval) > _DAY:
        margin = max(margin, longest * _DAY) + bar_length(asked.interval)
    result: np.timedelta64 = margin
    return result
