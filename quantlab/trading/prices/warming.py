"""The bars before the range asked for, on which a strategy warms up: how far back to ask, and which to keep."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from quantlab.base.errors import DataError
from quantlab.base.remedies import Setting
from quantlab.trading.calendars import SHORTEST_DAY, is_pair
from quantlab.trading.intervals import bar_length, day_text, is_intraday, time_text
from quantlab.trading.prices.asked import select

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quantlab.trading.prices.asked import AskedBars, Received

_DAY = np.timedelta64(1, "D").astype("m8[ns]")
_DAYS_A_TRADING_DAY = 365 / 250
_ROOMS = ((1, 4), (2, 14), (8, 90))
"""How far back is asked, one after another until it is enough: times the days that so many bars usually take, and days
to spare. A long weekend, the longest holidays, a market that was closed for months."""
_EARLIEST = np.datetime64("1678-01-01", "D")


def widened(asked: AskedBars, warmup: int) -> Iterator[AskedBars]:
    """Yield the range with room for so many bars before it; then, for whom that was not enough, with more."""
    length = float(bar_length(asked.interval) / _DAY)
    every_day = is_pair(asked.ticker)
    if is_intraday(asked.interval) and not every_day:
        length *= float(_DAY / SHORTEST_DAY)
    days = warmup * length * (1.0 if every_day or bar_length(asked.interval) > _DAY else _DAYS_A_TRADING_DAY)
    for times, margin in _ROOMS:
        room = int(np.ceil(days * times)) + margin
        # In days: nanoseconds hold no more than 292 years.
        start = max(asked.start.astype("M8[D]") - room, _EARLIEST)
        yield replace(asked, start=start.astype("M8[ns]"))


def bars_before(received: Received, asked: AskedBars) -> int:
    """Return how many bars came that open before the range asked for."""
    return int((received.prices.times < asked.start).sum())


def cut(received: Received, asked: AskedBars, warmup: int) -> Received:
    """Keep just the last `warmup` bars before the range, and the range.

    Raises:
        DataError: fewer came.
    """
    there = bars_before(received, asked)
    if there < warmup:
        raise DataError(
            f"{asked.ticker}: ",
            Setting("warmup", warmup),
            f" needs {warmup} bars before ",
            Setting("start", day_text(asked.start)),
            f"; {there} are there. Choose a later ",
            Setting("start"),
            " or a smaller ",
            Setting("warmup"),
            ".",
        )
    prices = select(received.prices, np.arange(len(received.prices)) >= there - warmup)
    first = time_text(prices.times[0])
    return replace(received, prices=prices, dropped=tuple(time for time in received.dropped if time >= first))
