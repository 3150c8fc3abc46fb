"""How many bars make a year, as the data's own calendar says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantlab.trading.calendars import EVERY_DAY, WEEKDAYS, bars_a_day, calendar_of, opens_on_saturdays
from quantlab.trading.intervals import days, is_intraday, step

if TYPE_CHECKING:
    from quantlab.trading.market import Prices

DAYS_A_YEAR = {EVERY_DAY: 365.0, WEEKDAYS: 252.0}
_MINUTES_A_DAY = {EVERY_DAY: 24 * 60, WEEKDAYS: 390}
_NANOSECONDS = 60 * 10**9
_BARS = {"5d": 52.0, "1wk": 52.0, "1mo": 12.0, "3mo": 4.0}


def periods_per_year(prices: Prices, interval: str, ticker: str) -> float:
    """Return how many bars of this interval make a year.

    A market that trades every day has 365 days a year, another 252; both are usual. `1wk`, `1mo` and `3mo` bars
    come 52, 12 and 4 times a year on either, and `5d` bars, which are trading weeks, as often as `1wk` bars. Intraday
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
    year = DAYS_A_YEAR[calendar]
    if is_intraday(interval):
        minutes = int(step(interval).astype(int)) // _NANOSECONDS
        return year * -(-_MINUTES_A_DAY[calendar] // minutes)
    return year


def span_days(prices: Prices) -> int:
    """Return how many calendar days the bars span, first and last included."""
    first, last = days(prices.times[[0, -1]]).astype(int)
    return int(last - first) + 1
