"""Bars from a file of the user's, and what the file tells of itself: its ticker and its range.

`bars` reads whatever people have; here the rows come into time order, the range is cut out, and it is said in one
line what was understood.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from quantlab.base.errors import DataError
from quantlab.base.remedies import Setting
from quantlab.trading.intervals import bar_ends, day_text, is_intraday, time_text
from quantlab.trading.market import Origin, Prices
from quantlab.trading.prices import bars as reader
from quantlab.trading.prices.asked import (
    PATH_LENGTH,
    AskedBars,
    Received,
    Split,
    closed_only,
    noted,
    plain,
    select,
    within,
)
from quantlab.trading.prices.rows import SeveralSymbolsError
from quantlab.trading.quality import ROUNDING

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quantlab.trading.prices.bars import FileBars
    from quantlab.trading.prices.reading import Reading

_PACKED = frozenset({".gz", ".zip", ".bz2", ".xz"})
_NO_SYMBOL = re.compile(r"[^A-Za-z0-9.\-=^_]+")
_LONGEST_TICKER = 32
_DAY = np.timedelta64(1, "D").astype("m8[ns]")


class NothingInRangeError(DataError):
    """A file of other times than those asked for.

    Attributes:
        last: Opening time of its last bar.
    """

    def __init__(self, name: str, asked: AskedBars, first: str, last: str) -> None:
        super().__init__(
            f"{name} has no bars in {asked.range_text}: it runs from {first} to {last}. Choose ",
            Setting("start"),
            " and ",
            Setting("end"),
            " within that.",
        )
        self.last = last


@dataclass(frozen=True, kw_only=True)
class Looked:
    """What a file tells of itself.

    Attributes:
        ticker: Its one symbol, else its name without ending in capitals; None where neither makes a ticker.
        start: Day of its first bar, ISO date; end is the day after its last one has closed. None of a file that
            can't be read.
        bars: Its bars; None where it can't be read, and `error` says why.
        taken: Flags that were taken from it, for people.
    """

    ticker: str | None
    start: str | None
    end: str | None
    bars: FileBars | None
    error: DataError | None = None
    taken: str = ""


def preview(source: str, reading: Reading, *, interval: str, ticker: str | None) -> Looked:
    """Read a file to see what it tells of itself.

    Raises:
        SeveralSymbolsError: it holds several symbols, and no ticker says which one is meant.
    """
    try:
        bars = _read(source, reading, interval=interval, ticker=ticker)
    except SeveralSymbolsError:
        raise
    except DataError as error:
        return Looked(ticker=_of_name(source), start=None, end=None, bars=None, error=error)
    symbol = bars.symbol or (str(bars.symbols[0]) if bars.symbols is not None else "")
    last_end = bar_ends(bars.times.max()[None], interval)[0]
    return Looked(
        ticker=as_ticker(symbol) or _of_name(source),
        start=day_text(bars.times.min()),
        end=day_text(last_end + _DAY - np.timedelta64(1, "ns")),
        bars=bars,
    )


def as_ticker(symbol: str) -> str | None:
    """Return a symbol as tickers are spelled: BTC/USDT becomes BTC-USDT; None where nothing is left."""
    spelled = _NO_SYMBOL.sub("-", symbol.strip()).strip("-")[:_LONGEST_TICKER].strip("-").upper()
    return spelled if any(map(str.isalnum, spelled)) and symbol.strip().lower() != "nan" else None


def _of_name(source: str) -> str | None:
    path = Path(source)
    if path.suffix.lower() in _PACKED:
        path = path.with_suffix("")
    return as_ticker(path.stem)


def fetch(source: str, asked: AskedBars, looked: Looked | None = None) -> Received:
    """Return the bars asked for.

    Args:
        source: The file's path.
        asked: Which bars, and how the file is to be read.
        looked: What a look at the file gave, so that it need not be read twice.

    Raises:
        DataError: the file is missing, no table of bars, or holds impossible prices; the message names the
            file and, where there is one, the row (line of a CSV file, row from 1 of a Parquet file) and column.
    """
    name = plain(source, PATH_LENGTH)
    if looked is not None and looked.error is not None:
        raise looked.error
    if looked is not None and looked.bars is not None:
        bars = looked.bars
    else:
        bars = _read(source, asked.reading, interval=asked.interval, ticker=asked.ticker)
    received = _in_order(bars, name, asked)
    if not len(received.prices):
        raise DataError(f"{name} holds no bars; expected one row a bar below the header.")
    understood = _understood(bars, received.prices)
    chosen = _in_range(received, name, asked)
    if len(chosen.prices) < len(received.prices):
        understood = f"{understood}, {len(chosen.prices):,} of them in {asked.range_text}"
    if looked is not None and looked.taken:
        understood = f"{understood}; {looked.taken} taken from it"
    return replace(chosen, understood=understood)


def _read(source: str, reading: Reading, *, interval: str, ticker: str | None) -> FileBars:
    bars = reader.read(source, reading, dated=not is_intraday(interval), ticker=ticker)
    if bars.symbols is None:
        return bars
    there = list(dict.fromkeys(bars.symbols.tolist()))
    if len(there) == 1:
        return bars
    chosen = [
        one for one in there if ticker is not None and (as_ticker(one) == ticker.upper() or one == ticker)
    ]
    if len(chosen) != 1:
        raise SeveralSymbolsError(plain(source, PATH_LENGTH), there)
    keep = bars.symbols == chosen[0]
    return replace(
        bars,
        times=bars.times[keep],
        values=bars.values[:, keep],
        symbols=bars.symbols[keep],
        splits=None if bars.splits is None else bars.splits[keep],
    )


def _understood(bars: FileBars, prices: Prices) -> str:
    first, last = day_text(prices.times[0]), day_text(prices.times[-1])
    count = f"{len(prices):,} bar{'s' if len(prices) != 1 else ''}"
    source, *others = bars.form
    return ", ".join([f"read as {source}", *others, f"{count} {first} to {last}"])


def _in_order(bars: FileBars, name: str, asked: AskedBars) -> Received:
    """Sort the bars by time and keep one of each that is repeated."""
    times, values, splits = bars.times, bars.values, bars.splits
    unsorted = bool((times[1:] < times[:-1]).any())
    if unsorted:
        order = np.argsort(times, kind="stable")
        times, values, splits = times[order], values[:, order], None if splits is None else splits[order]
    again = np.zeros(len(times), dtype=bool)
    again[1:] = times[1:] == times[:-1]
    twice = np.flatnonzero(again)
    differs = ~np.isclose(values[:, twice], values[:, twice - 1], rtol=0, atol=0, equal_nan=True).all(axis=0)
    if differs.any():
        moment = time_text(times[twice[differs][0]])
        raise DataError(f"{name} has two different bars at {moment}; keep the right one.")
    origin = Origin(
        source="file", detail=plain(Path(name).name), adjusted=bars.adjusted, retrieved_at=asked.retrieved_at
    )
    names = ("open", "high", "low", "close", "volume")
    prices = Prices(times=times, origin=origin, **dict(zip(names, values, strict=True)))
    prices = noted(select(prices, ~again), *bars.notes)
    if unsorted:
        prices = noted(prices, "The file's rows were not in time order; they were sorted.")
    return Received(
        prices=prices,
        repeated_bars=int(again.sum()),
        dropped=tuple(map(time_text, np.sort(bars.empty))),
        splits=_splits(times, splits),
    )


def _splits(times: NDArray[np.datetime64], ratios: NDArray[np.float64] | None) -> tuple[Split, ...]:
    if ratios is None:
        return ()
    return tuple(Split(time=times[at], ratio=float(ratios[at])) for at in np.flatnonzero(ratios != 1.0))


def _in_range(received: Received, name: str, asked: AskedBars) -> Received:
    prices = within(received.prices, asked)
    if not len(prices):
        first, last = (time_text(received.prices.times[at]) for at in (0, -1))
        raise NothingInRangeError(name, asked, first, last)
    wrong = np.flatnonzero(prices.high < prices.low * (1 - ROUNDING))
    if len(wrong):
        raise DataError(
            f"{name}: the bar at {time_text(prices.times[wrong[0]])} has its high below its low "
            f"({len(wrong)} such bars); correct the file, or name its columns with ",
            Setting("columns"),
            ".",
        )
    first, last = time_text(asked.start), time_text(asked.end)
    dropped = tuple(moment for moment in received.dropped if first <= moment < last)
    return closed_only(replace(received, prices=prices, dropped=dropped), asked)
