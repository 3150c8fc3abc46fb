"""From yfinance's frame to bars: times, missing prices, impossible prices, the unfinished bar."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from quantlab.base.errors import DataError
from quantlab.base.remedies import Setting
from quantlab.trading.intervals import is_intraday, time_text
from quantlab.trading.market import Origin, Prices
from quantlab.trading.prices.asked import Received, closed_only, noted, plain, select
from quantlab.trading.prices.limits import (
    EMPTY_SHARE,
    EXPECTED_PRICE,
    EXPECTED_VOLUME,
    possible_prices,
    possible_volumes,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quantlab.trading.prices.asked import AskedBars
    from quantlab.trading.prices.yahoo_raw import Examined

_COLUMNS = ("Open", "High", "Low", "Close", "Volume")
_EVENING = np.timedelta64(2, "h").astype("m8[ns]")
_DAYS = {"1d": 1, "5d": 7, "1wk": 7}
_MONTHS = {"1mo": 1, "3mo": 3}


def to_received(frame: pd.DataFrame, zone: str, asked: AskedBars, examined: Examined) -> Received:
    """Read the bars off yfinance's frame, whose index is in the exchange's time.

    Daily and longer bars get their exchange's date at midnight UTC, so that a Monday in Tokyo stays a Monday;
    a daily bar has closed when its date is over at the exchange.

    Raises:
        DataError: a price or a volume is impossible, or a price is missing; the message names the first such bar.
    """
    index = pd.DatetimeIndex(frame.index)
    local = index.tz_localize(None).to_numpy().astype("M8[ns]")
    moments = index.tz_convert("UTC").tz_localize(None).to_numpy().astype("M8[ns]")
    if not is_intraday(asked.interval):
        local = _at_its_day(local)
    times = moments if is_intraday(asked.interval) else local.astype("M8[D]").astype("M8[ns]")
    values = {column.lower(): frame[column].to_numpy(dtype=np.float64) for column in _COLUMNS}
    prices = Prices(times=times, origin=_origin(zone, asked, examined), **values)
    asked_for = (local >= asked.start) & (local < asked.end)
    ends = _ends(index, asked.interval)[asked_for]
    chosen = Received(
        prices=select(prices, asked_for), repeated_bars=examined.repeated_bars, splits=examined.splits
    )
    received = closed_only(chosen, asked, ends)
    return _checked(received, asked)


def _at_its_day(local: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
    """Move what is stamped at ten or eleven in the evening before to its day, as yfinance does with days alone."""
    midnight = (local + _EVENING).astype("M8[D]").astype("M8[ns]")
    on_the_hour = local.astype("M8[h]") == local
    evening = on_the_hour & (midnight > local) & (midnight - local <= _EVENING)
    return np.where(evening, midnight, local)


def _origin(zone: str, asked: AskedBars, examined: Examined) -> Origin:
    unadjusted = "" if examined.adjusted else ", adjusted for splits alone"
    expected = examined.adjusted or is_intraday(asked.interval)
    return Origin(
        source="yahoo",
        detail=f"exchange time zone {plain(zone, 40)}{unadjusted}",
        adjusted=examined.adjusted,
        retrieved_at=asked.retrieved_at,
        notes=() if expected else ("Yahoo sent no adjusted closes: dividends show as falls of the price.",),
    )


def _ends(index: pd.DatetimeIndex, interval: str) -> NDArray[np.datetime64]:
    if is_intraday(interval):
        minutes = pd.Timedelta(interval.replace("m", "min"))
        ends = index + minutes
    else:
        # The exchange's days, those of 23 and 25 hours included, and those that begin at one o'clock or twice.
        days = index.tz_localize(None).normalize()
        after = days + pd.DateOffset(days=_DAYS.get(interval, 0), months=_MONTHS.get(interval, 0))
        first = np.ones(len(after), dtype=bool)
        ends = after.tz_localize(index.tz, nonexistent="shift_forward", ambiguous=first)
    return ends.tz_convert("UTC").tz_localize(None).to_numpy().astype("M8[ns]")


def _checked(received: Received, asked: AskedBars) -> Received:
    prices = received.prices
    quotes = np.vstack([prices.open, prices.high, prices.low, prices.close])
    empty = np.isnan(quotes).all(axis=0) & ~(prices.volume > 0)
    unusable = ~np.asarray(possible_prices(quotes).all(axis=0))
    if empty.sum() <= EMPTY_SHARE * len(prices):
        unusable &= ~empty
    if unusable.any():
        raise _unusable_price(prices, unusable, asked)
    impossible = ~possible_volumes(prices.volume)
    if impossible.any():
        raise _unusable_volume(prices, impossible, asked)
    kept = select(prices, ~empty)
    if len(kept) and not (kept.volume > 0).any():
        kept = noted(_without_volume(kept), "Yahoo tells no volume for this ticker.")
    dropped = tuple(time_text(moment) for moment in prices.times[empty])
    return replace(received, prices=kept, dropped=dropped)


def _without_volume(prices: Prices) -> Prices:
    return replace(prices, volume=np.full(len(prices), np.nan))


def _unusable_price(prices: Prices, unusable: NDArray[np.bool_], asked: AskedBars) -> DataError:
    at = int(np.flatnonzero(unusable)[0])
    shown = ", ".join(
        f"{name} {float(getattr(prices, name)[at])!r}" for name in ("open", "high", "low", "close")
    )
    return DataError(
        f"Yahoo sent an unusable price for {asked.ticker} at {time_text(prices.times[at])}: {shown} "
        f"({int(unusable.sum())} such bars); expected {EXPECTED_PRICE}. "
        "Choose a range without it, or use ",
        Setting("prices", "FILE"),
        " with corrected prices.",
    )


def _unusable_volume(prices: Prices, impossible: NDArray[np.bool_], asked: AskedBars) -> DataError:
    at = int(np.flatnonzero(impossible)[0])
    return DataError(
        f"Yahoo sent an unusable volume for {asked.ticker} at {time_text(prices.times[at])}: "
        f"{float(prices.volume[at])!r} ({int(impossible.sum())} such bars); expected {EXPECTED_VOLUME}. "
        "Choose a range without it, or use ",
        Setting("prices", "FILE"),
        " with corrected volumes.",
    )
