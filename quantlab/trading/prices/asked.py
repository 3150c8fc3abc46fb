"""What was asked of a source of prices, and what it gave: the shapes that all sources share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from quantlab.clock import iso
from quantlab.trading.intervals import bar_ends, day_text

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    from quantlab.config import RunConfig
    from quantlab.trading.market import Origin, Prices

_FIRST_DAY, _LAST_DAY = "1678-01-01", "2262-01-01"
_QUOTE_LENGTH = 160
PATH_LENGTH = 4_096
"""Longest path that is quoted whole: one that is cut short can't be copied and looked for."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The bars that a configuration asks for.

    Attributes:
        start: First time, inclusive, datetime64[ns], UTC; so is end, exclusive.
        now: The present; bars that close after it are unfinished.
        retrieved_at: The present as metadata tell it, ISO 8601 UTC.
    """

    ticker: str
    interval: str
    start: np.datetime64
    end: np.datetime64
    now: np.datetime64
    retrieved_at: str

    @property
    def range_text(self) -> str:
        """Name the range as its flags do."""
        return f"{day_text(self.start)} to {day_text(self.end)}"


@dataclass(frozen=True, kw_only=True)
class Received:
    """Bars in time order, as a source gave them, and what was done to get there.

    Attributes:
        dropped: Opening times, ISO 8601 UTC, of the bars that came without any price.
        repeated_bars: Bars that came twice, of which one was kept.
        unfinished_bar_dropped: Whether bars that had not closed were left out.
    """

    prices: Prices
    dropped: tuple[str, ...] = ()
    repeated_bars: int = 0
    unfinished_bar_dropped: bool = False


def asked_by(config: RunConfig, now: datetime) -> Asked:
    """Read the request off a configuration; days that datetime64[ns] cannot hold are cut off."""
    return Asked(
        ticker=config.ticker,
        interval=config.interval,
        start=_nanoseconds(config.start),
        end=_nanoseconds(config.end),
        now=np.datetime64(iso(now)[:26], "ns"),
        retrieved_at=iso(now),
    )


def _nanoseconds(day: str) -> np.datetime64:
    return np.datetime64(min(max(day, _FIRST_DAY), _LAST_DAY), "ns")


def select(prices: Prices, keep: NDArray[np.bool_]) -> Prices:
    """Return the bars that a mask (one entry a bar) keeps."""
    if keep.all():
        return prices
    return replace(
        prices,
        times=prices.times[keep],
        open=prices.open[keep],
        high=prices.high[keep],
        low=prices.low[keep],
        close=prices.close[keep],
        volume=prices.volume[keep],
    )


def noted(prices: Prices, *notes: str) -> Prices:
    """Return the prices with further notes in their origin."""
    origin: Origin = replace(prices.origin, notes=(*prices.origin.notes, *notes))
    return replace(prices, origin=origin)


def within(prices: Prices, asked: Asked) -> Prices:
    """Keep the bars that open in [start, end)."""
    return select(prices, (prices.times >= asked.start) & (prices.times < asked.end))


def closed_only(received: Received, asked: Asked, ends: NDArray[np.datetime64] | None = None) -> Received:
    """Leave out the bars that have not closed yet, and say so.

    Args:
        received: The bars.
        asked: Holds the present and the interval.
        ends: When each bar closes, where the source knows better than the interval tells.
    """
    if ends is None:
        ends = bar_ends(received.prices.times, asked.interval)
    closed = ends <= asked.now
    if closed.all():
        return received
    count = int((~closed).sum())
    note = f"{count} bar{'s' if count > 1 else ''} that had not closed by {asked.retrieved_at} left out."
    return replace(received, prices=noted(select(received.prices, closed), note), unfinished_bar_dropped=True)


def plain(text: object, limit: int = _QUOTE_LENGTH) -> str:
    """Make text from outside fit for a one-line message: printable, single-spaced, short."""
    printable = "".join(c if c.isprintable() else " " for c in str(text)[: 20 * limit])
    line = " ".join(printable.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
