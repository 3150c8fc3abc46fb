"""What was asked of a source of prices, and what it gave: the shapes that all sources share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from quantlab.base.clock import iso
from quantlab.trading.intervals import bar_ends, day_text
from quantlab.trading.prices.quoting import PATH_LENGTH, plain
from quantlab.trading.prices.reading import DEFAULT_READING, Reading, reading_of

__all__ = [
    "PATH_LENGTH",
    "AskedBars",
    "Received",
    "Split",
    "asked_by",
    "closed_only",
    "noted",
    "plain",
    "select",
    "within",
]

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    from quantlab.domain.config import RunConfig
    from quantlab.trading.market import Origin, Prices

_FIRST_DAY, _LAST_DAY = "1678-01-01", "2262-01-01"


@dataclass(frozen=True, kw_only=True)
class Split:
    """A split as a source tells it.

    Attributes:
        time: Opening time of the first bar after it, datetime64[ns], UTC.
        ratio: Units that one unit became: 4.0 of a split 4:1, 0.1 of a reverse split 1:10.
    """

    time: np.datetime64
    ratio: float


@dataclass(frozen=True, kw_only=True)
class AskedBars:
    """The bars that a configuration asks for.

    Attributes:
        start: First time, inclusive, datetime64[ns], UTC; so is end, exclusive.
        now: The present; bars that close after it are unfinished.
        retrieved_at: The present as metadata tell it, ISO 8601 UTC.
        reading: How a file is to be read, as the user said.
    """

    ticker: str
    interval: str
    start: np.datetime64
    end: np.datetime64
    now: np.datetime64
    retrieved_at: str
    reading: Reading = DEFAULT_READING

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
        source_time: The source's own clock when it answered; None where it tells none.
        splits: Splits that the source tells of, in time order; its prices may or may not be adjusted for them.
        understood: What a file was taken for, for people; empty for other sources.
    """

    prices: Prices
    dropped: tuple[str, ...] = ()
    repeated_bars: int = 0
    unfinished_bar_dropped: bool = False
    source_time: np.datetime64 | None = None
    splits: tuple[Split, ...] = ()
    understood: str = ""


def asked_by(config: RunConfig, now: datetime) -> AskedBars:
    """Read the request off a configuration; days that datetime64[ns] cannot hold are cut off."""
    return AskedBars(
        ticker=config.ticker,
        interval=config.interval,
        start=_nanoseconds(config.start),
        end=_nanoseconds(config.end),
        now=np.datetime64(iso(now)[:26], "ns"),
        retrieved_at=iso(now),
        reading=reading_of(config),
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


def within(prices: Prices, asked: AskedBars) -> Prices:
    """Keep the bars that open in [start, end)."""
    return select(prices, (prices.times >= asked.start) & (prices.times < asked.end))


def from_start(prices: Prices, asked: AskedBars) -> Prices:
    """Leave out the bars of a warm-up, which open before the range."""
    return select(prices, prices.times >= asked.start)


def closed_only(received: Received, asked: AskedBars, ends: NDArray[np.datetime64] | None = None) -> Received:
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
