"""How many bars make a year, as the data's own calendar says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from quantlab.trading.market import Prices

EVERY_DAY = 365.0
TRADING_DAYS = 252.0
_MINUTES = {"1m": 1, "2m": 2, "5m": 5, "15m": 15, "30m": 30, "60m": 60, "90m": 90, "1h": 60}
_DAY_MINUTES = {EVERY_DAY: 24 * 60, TRADING_DAYS: 390}
"""Trading minutes a day: round the clock, or the 6.5 hours of a United States exchange."""

_BARS = {"1wk": 52.0, "1mo": 12.0, "3mo": 4.0}


def periods_per_year(prices: Prices, interval: str) -> float:
    """Return how many bars of this interval make a year.

    A market that trades every day (bars on weekends) has 365 days a year, another 252; both are usual. `1wk`,
    `1mo` and `3mo` bars come 52, 12 and 4 times a year on either. `5d` divides the days by 5. Intraday bars
    fill 24 hours a day, or 6.5 hours (390 minutes) where weekends are free; a last, shorter bar counts.

    Args:
        prices: The bars; their days tell the calendar.
        interval: Length of a bar, in Yahoo's spelling.
    """
    if interval in _BARS:
        return _BARS[interval]
    days = EVERY_DAY if trades_every_day(prices) else TRADING_DAYS
    if interval in _MINUTES:
        return days * -(-_DAY_MINUTES[days] // _MINUTES[interval])
    return days / 5.0 if interval == "5d" else days


def trades_every_day(prices: Prices) -> bool:
    """Tell whether bars open on at least half of the Saturdays that they span, in UTC.

    Saturdays alone: Monday's first bar opens on Sunday in UTC wherever the market lies east of Greenwich or
    opens in the evening before. Half of them: exchanges hold a special session on a Saturday now and then.
    """
    days = np.unique(prices.times.astype("datetime64[D]"))
    spanned = int(np.busday_count(days[0], days[-1] + 1, weekmask="Sat"))
    return spanned > 0 and 2 * int(np.is_busday(days, weekmask="Sat").sum()) >= spanned


def span_days(prices: Prices) -> int:
    """Return how many calendar days the bars span, first and last included."""
    days = prices.times.astype("datetime64[D]")
    return int((days[-1] - days[0]).astype(np.int64)) + 1
