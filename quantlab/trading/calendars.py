"""On which days a market trades, and how many bars its day has, read off the bars.

One definition for all: for gaps and margins at the ends (`quality`, `prices.coverage`) and for yearly figures
(`periods`). Days are UTC days.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from quantlab.trading.intervals import days, is_intraday, step

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quantlab.trading.market import Prices

EVERY_DAY, WEEKDAYS = "every_day", "weekdays"
ROUND_THE_CLOCK = np.timedelta64(20, "h")
"""Trading time a day from which a market counts as open round the clock: exchanges have 4 to 9 hours (16 with the
hours before and after), futures 23, currencies and crypto 24."""
SHORTEST_DAY = np.timedelta64(390, "m")
"""Trading day (6.5 hours, a United States exchange's) that is taken at least where no whole day is there to tell."""

_PAIR = re.compile(
    r"[A-Z0-9]+-[A-Z]{3,5}"
)  # Yahoo's spelling of crypto: ETH-USD, but neither BRK-B nor VOLV-B.ST
_FREE_WEEKENDS = ("=X", "=F")  # currencies and futures
_NOON = np.timedelta64(12, "h")
_SUNDAY, _FRIDAY = 6, 4
_MON_TO_FRI, _SUN_TO_THU = "1111100", "1111001"
_RARE = 0.1


def calendar_of(prices: Prices, interval: str, ticker: str) -> str:
    """Tell `every_day` from `weekdays`.

    A market trades every day whose bars open on at least half of the Saturdays that they span. Saturdays alone:
    Monday's first bar opens on Sunday in UTC wherever the market lies east of Greenwich or opens in the evening
    before. Half of them: exchanges hold a special session on a weekend now and then. Bars longer than a day open
    on one day of the week or the month, which tells nothing; they count as `weekdays`, which is lenient.

    Where no Saturday is spanned, intraday bars round the clock are those of an every-day market if some open on
    a Sunday before noon (currencies and futures begin on Sunday evening), or if the ticker is spelled like a pair
    of crypto and currency (ETH-USD).
    """
    if opens_on_saturdays(prices):
        return EVERY_DAY
    if not _is_open_question(prices, interval):
        return WEEKDAYS
    return EVERY_DAY if _opens_on_sunday_mornings(prices) or _PAIR.fullmatch(ticker.upper()) else WEEKDAYS


def is_guess(prices: Prices, interval: str, ticker: str) -> bool:
    """Tell whether neither bars nor ticker say if the market trades on weekends, so that `weekdays` is a guess."""
    return (
        _is_open_question(prices, interval)
        and calendar_of(prices, interval, ticker) == WEEKDAYS
        and not ticker.upper().endswith(_FREE_WEEKENDS)
    )


def opens_on_saturdays(prices: Prices) -> bool:
    """Tell whether bars open on at least half of the Saturdays that they span."""
    dates = np.unique(days(prices.times))
    spanned = _saturdays_spanned(dates)
    return spanned > 0 and 2 * int(np.is_busday(dates, weekmask="Sat").sum()) >= spanned


def _saturdays_spanned(dates: NDArray[np.datetime64]) -> int:
    return int(np.busday_count(dates[0], dates[-1] + 1, weekmask="Sat"))


def _is_open_question(prices: Prices, interval: str) -> bool:
    if not is_intraday(interval) or _saturdays_spanned(days(prices.times[[0, -1]])):
        return False
    return bool(bars_a_day(prices, interval) * step(interval) >= ROUND_THE_CLOCK)


def _opens_on_sunday_mornings(prices: Prices) -> bool:
    dates = days(prices.times)
    sundays = np.is_busday(dates, weekmask="Sun")
    return bool((prices.times[sundays] - dates[sundays] < _NOON).any())


def bars_a_day(prices: Prices, interval: str) -> int:
    """Return how many intraday bars a usual trading day has: the median of the days between the first and last.

    Those two may be cut off by the range or the present. Where no other day is there, the longer of them counts,
    and at least `SHORTEST_DAY`.
    """
    dates, counts = np.unique(days(prices.times), return_counts=True)
    trading = np.is_busday(dates, weekmask=week_of(prices))
    trading[[0, -1]] = False
    if trading.any():
        return int(np.quantile(counts[trading], 0.5, method="higher"))
    return max(int(counts.max()), int(-(-SHORTEST_DAY // step(interval))))


def week_of(prices: Prices) -> str:
    """Return the trading week as numpy's weekmask: Sunday to Thursday where Fridays hardly ever trade."""
    dates = np.unique(days(prices.times))
    weekdays = (dates.astype(np.int64) + 3) % 7  # Monday is 0; day 0 of the epoch was a Thursday
    sundays, fridays = int((weekdays == _SUNDAY).sum()), int((weekdays == _FRIDAY).sum())
    return _SUN_TO_THU if sundays and fridays < _RARE * sundays else _MON_TO_FRI
