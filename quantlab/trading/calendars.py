"""On which days a market trades, and how many bars its day and its year have, read off the bars.

One definition for all: for gaps and margins at the ends (`quality`, `prices.coverage`) and for yearly figures
(`periods_per_year`). Days are UTC days.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from quantlab.trading.intervals import bar_length, dates_of, days, is_intraday, minutes

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
_DAY_MINUTES = 24 * 60
_FEWEST_WEEKS = 1
"""Weeks of each kind that a change takes to be seen: days against the rule must be a tenth of them at most."""
DAYS_A_YEAR = {EVERY_DAY: 365.0, WEEKDAYS: 252.0}
_MINUTES_A_DAY = {EVERY_DAY: 24 * 60, WEEKDAYS: 390}
_MINUTES_A_WEEK = 7 * 24 * 60
_BARS = {"1mo": 12.0, "3mo": 4.0}
_WEEKS = 52.0


def calendar_of(prices: Prices, interval: str, ticker: str) -> str:
    """Tell `every_day` from `weekdays`.

    A market trades every day whose bars open on at least half of the Saturdays that they span. Saturdays alone:
    Monday's first bar opens on Sunday in UTC wherever the market lies east of Greenwich or opens in the evening
    before. Half of them: exchanges hold a special session on a weekend now and then. Bars of weeks and months open
    on one day of the week or the month, which tells nothing; they count as `weekdays`, which is lenient. Those of some
    days go round the week, and a tenth of them on Saturdays tells a market that trades every day.

    Where no Saturday is spanned, intraday bars round the clock are those of an every-day market if some open on
    a Sunday before noon (currencies and futures begin on Sunday evening), or if the ticker is spelled like a pair
    of crypto and currency (ETH-USD).
    """
    if opens_on_saturdays(prices) or _goes_round_the_week(prices, interval):
        return EVERY_DAY
    if not _is_open_question(prices, interval):
        return WEEKDAYS
    return EVERY_DAY if _opens_on_sunday_mornings(prices) or is_pair(ticker) else WEEKDAYS


def is_guess(prices: Prices, interval: str, ticker: str) -> bool:
    """Tell whether neither bars nor ticker say if the market trades on weekends, so that `weekdays` is a guess."""
    return (
        _is_open_question(prices, interval)
        and calendar_of(prices, interval, ticker) == WEEKDAYS
        and not begins_on_sunday_evening(ticker)
    )


def is_pair(ticker: str) -> bool:
    """Tell whether a ticker is spelled like a pair of crypto and currency, such as ETH-USD."""
    return _PAIR.fullmatch(ticker.upper()) is not None


def is_currency(ticker: str) -> bool:
    """Tell whether a ticker is spelled like one of currencies, such as EURUSD=X."""
    return ticker.upper().endswith("=X")


def begins_on_sunday_evening(ticker: str) -> bool:
    """Tell whether a ticker is spelled like currencies or futures, whose weekend ends on Sunday evening."""
    return ticker.upper().endswith(_FREE_WEEKENDS)


def spans_no_saturday(prices: Prices) -> bool:
    """Tell whether the bars begin and end in one week, so that they can't tell if the market trades on weekends."""
    return _saturdays_spanned(days(prices.times[[0, -1]])) == 0


def opens_on_saturdays(prices: Prices) -> bool:
    """Tell whether bars open on at least half of the Saturdays that they span."""
    dates, _counts = dates_of(prices.times)
    spanned = _saturdays_spanned(dates)
    return spanned > 0 and 2 * int(np.is_busday(dates, weekmask="Sat").sum()) >= spanned


def _goes_round_the_week(prices: Prices, interval: str) -> bool:
    length = minutes(interval)
    if length <= _DAY_MINUTES or length % (7 * _DAY_MINUTES) == 0 or interval in ("1mo", "3mo"):
        return False
    return int(np.is_busday(days(prices.times), weekmask="Sat").sum()) > _RARE * len(prices)


def _saturdays_spanned(dates: NDArray[np.datetime64]) -> int:
    return int(np.busday_count(dates[0], dates[-1] + 1, weekmask="Sat"))


def _is_open_question(prices: Prices, interval: str) -> bool:
    if not is_intraday(interval) or not spans_no_saturday(prices):
        return False
    return bool(bars_a_day(prices, interval) * bar_length(interval) >= ROUND_THE_CLOCK)


def _opens_on_sunday_mornings(prices: Prices) -> bool:
    dates = days(prices.times)
    sundays = np.is_busday(dates, weekmask="Sun")
    return bool((prices.times[sundays] - dates[sundays] < _NOON).any())


def bars_a_day(prices: Prices, interval: str) -> int:
    """Return how many intraday bars a usual trading day has: the median of the days between the first and last.

    Those two may be cut off by the range or the present. Where no other day is there, the longer of them counts,
    and at least `SHORTEST_DAY`.
    """
    dates, counts = dates_of(prices.times)
    trading = np.is_busday(dates, weekmask=week_of(prices))
    trading[[0, -1]] = False
    if trading.any():
        return int(np.quantile(counts[trading], 0.5, method="higher"))
    return max(int(counts.max()), int(-(-SHORTEST_DAY // bar_length(interval))))


def week_of(prices: Prices) -> str:
    """Return the trading week as numpy's weekmask: Sunday to Thursday where Fridays hardly ever trade."""
    dates, _counts = dates_of(prices.times)
    weekdays = (dates.astype(np.int64) + 3) % 7  # Monday is 0; day 0 of the epoch was a Thursday
    sundays, fridays = int((weekdays == _SUNDAY).sum()), int((weekdays == _FRIDAY).sum())
    return _SUN_TO_THU if sundays and fridays < _RARE * sundays else _MON_TO_FRI


class Weeks(NamedTuple):
    """The trading weeks of a market, as numpy's weekmasks: one, or another from a day on."""

    first: str
    second: str
    change: np.datetime64 | None

    def days_in(self, begin: NDArray[np.datetime64], end: NDArray[np.datetime64]) -> NDArray[np.int64]:
        """Count the trading days in [begin, end), pair by pair (datetime64[D])."""
        if self.change is None:
            return np.busday_count(begin, end, weekmask=self.first)
        begin_before, end_before = np.minimum(begin, self.change), np.minimum(end, self.change)
        begin_after, end_after = np.maximum(begin, self.change), np.maximum(end, self.change)
        return np.busday_count(begin_before, end_before, weekmask=self.first) + np.busday_count(
            begin_after, end_after, weekmask=self.second
        )


def weeks_of(prices: Prices) -> Weeks:
    """Return the trading week, and its change where it changes inside the range (Tel Aviv on 2026-01-05).

    A market that traded on Sundays and not on Fridays until a day, and the other way round from it on, changed
    its week; a special session now and then does not.
    """
    dates, _counts = dates_of(prices.times)
    sundays, fridays = (dates[np.is_busday(dates, weekmask=one)] for one in ("Sun", "Fri"))
    for first, second, early, late in (
        (_SUN_TO_THU, _MON_TO_FRI, sundays, fridays),
        (_MON_TO_FRI, _SUN_TO_THU, fridays, sundays),
    ):
        if not len(early) or not len(late) or dates[0] >= late[-1]:
            continue
        # The day after which the fewest trading days are against the rule.
        options = early + 1
        against = np.searchsorted(late, options) + (len(early) - np.searchsorted(early, options))
        best = int(np.argmin(against))
        before, after = (
            np.searchsorted(early, options[best]),
            len(late) - np.searchsorted(late, options[best]),
        )
        if against[best] <= _RARE * min(before, after) and min(before, after) >= _FEWEST_WEEKS:
            return Weeks(first, second, options[best])
    return Weeks(week_of(prices), "", None)


def periods_per_year(prices: Prices, interval: str, ticker: str) -> float:
    """Return how many bars of this interval make a year.

    A market that trades every day has 365 days a year, another 252; both are usual. `1wk`, `1mo` and `3mo` bars
    come 52, 12 and 4 times a year on either, and `5d` bars, which are trading weeks, as often as `1wk` bars; a file's
    `2wk` bars come 26 times, its `2d` bars half as often as days. Intraday
    bars fill 24 hours of a market that trades every day; where weekends are free, a day has as many bars as these
    bars' usual day: 7 hours of New York, 9 of London, 24 of currencies.

    Args:
        prices: The bars; they tell the calendar and the length of a trading day.
        interval: Length of a bar, in Yahoo's spelling.
        ticker: The market, whose spelling tells what the bars may leave open.
    """
    calendar = calendar_of(prices, interval, ticker)
    if is_intraday(interval) and calendar == WEEKDAYS:
        return DAYS_A_YEAR[calendar] * bars_a_day(prices, interval)
    return _nominal(calendar, interval)


def periods_as_first_released(prices: Prices, interval: str) -> float:
    """Return what 0.1.0 took as a year, for sessions whose metadata do not tell: 390 minutes on every weekday."""
    calendar = EVERY_DAY if opens_on_saturdays(prices) else WEEKDAYS
    return DAYS_A_YEAR[calendar] / 5.0 if interval == "5d" else _nominal(calendar, interval)


def _nominal(calendar: str, interval: str) -> float:
    if interval in _BARS:
        return _BARS[interval]
    year, length = DAYS_A_YEAR[calendar], minutes(interval)
    if is_intraday(interval):
        return year * -(-_MINUTES_A_DAY[calendar] // length)
    weeks, rest = divmod(length, _MINUTES_A_WEEK)
    return year * 24 * 60 / length if rest else _WEEKS / weeks


def span_days(prices: Prices) -> int:
    """Return how many calendar days the bars span, first and last included."""
    first, last = days(prices.times[[0, -1]]).astype(int)
    return int(last - first) + 1
