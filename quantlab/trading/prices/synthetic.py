"""Made-up prices, seeded by the ticker: for drills, tests and machines without a network.

A ticker's price is one curve over all time, evaluated wherever it is asked for: every bar of every interval samples
it, so a bar depends on ticker and time alone, whatever range was asked for. Generator 2 is a random walk of the
ticker's asset class (`random_walk`); generator 1 (`value_noise`) is that of sessions recorded by 0.1.0.

Crypto (ETH-USD) trades every day around the clock, currencies (EURUSD=X) on weekdays around the clock, all others on
weekdays from 13:30 to 20:00 UTC. Generator 1 takes every ticker with a "-" for crypto and knows no currencies.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

import numpy as np

from quantlab.base.errors import DataError
from quantlab.base.remedies import Setting
from quantlab.trading.intervals import bar_ends, bar_length, days, is_intraday
from quantlab.trading.market import Origin, Prices, all_usable
from quantlab.trading.prices import random_walk, value_noise
from quantlab.trading.prices.asked import AskedBars, Received, closed_only
from quantlab.trading.prices.hashing import mix, seed_of, uniform

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

MAX_BARS = 10_000_000
"""More bars than this are refused before any memory is taken."""

_SAMPLES = 5  # points of the curve seen within a bar, both ends included
_CHUNK = 2_048  # bars at once: what they need stays in a processor's cache
_DAY_NS = 86_400 * 10**9
_PICKED = 32  # bars at which prices are held against the curve
_MOVES = 0.01  # by how much the curve has to move there for that to say anything
_ROUNDED = 1e-4  # what rounding explains
_MONDAY = np.datetime64("1970-01-05", "D")
_FIRST_DETAIL, _DETAIL = "value noise", "synthetic/2"
_MOOD_SCALE, _MOOD = 7_500_000_000, 25


@dataclass(frozen=True)
class _Market:
    """Where a ticker trades: its curve, calendar and hours, and how all that is described."""

    curve: Callable[[NDArray[np.int64]], NDArray[np.float64]]
    calendar: str
    opens: np.timedelta64
    closes: np.timedelta64
    detail: str


def generator_of(detail: str) -> int:
    """Return which generator made bars whose origin has this detail."""
    return 1 if detail.startswith(_FIRST_DETAIL) else 2


def _market_of(ticker: str, generator: int) -> _Market:
    seed = seed_of(ticker)
    if generator == 1:
        calendar = "every_day" if "-" in ticker else "weekdays"
        return _Market(
            partial(value_noise.price, seed=seed, volatility=value_noise.VOLATILITY[calendar]),
            calendar,
            *_hours(13 * 60 + 30, 20 * 60),
            f"{_FIRST_DETAIL}, seed {seed:#018x} from the ticker, {calendar}",
        )
    asset = random_walk.class_of(ticker)
    return _Market(
        partial(random_walk.price, seed=seed, asset=asset),
        asset.calendar,
        *_hours(*asset.session),
        f"{_DETAIL}, {asset.name}, seed {seed:#018x} from the ticker, {asset.calendar}",
    )


def _hours(opens: int, closes: int) -> tuple[np.timedelta64, np.timedelta64]:
    return np.timedelta64(opens, "m"), np.timedelta64(closes, "m")


def fetch(asked: AskedBars, generator: int = 2) -> Received:
    """Make the bars asked for that have closed by now.

    Args:
        asked: Which bars.
        generator: Which curve: 2, or 1 for that of 0.1.0.

    Raises:
        DataError: the range holds more than `MAX_BARS` bars.
    """
    market = _market_of(asked.ticker, generator)
    end = min(asked.end, asked.now)
    # In days: nanoseconds hold no more than 292 years.
    days_asked = int((end.astype("M8[D]") - asked.start.astype("M8[D]")).astype(int))
    if days_asked * (_DAY_NS / float(bar_length(asked.interval).astype(int))) > MAX_BARS:
        raise DataError(
            f"Synthetic prices: {asked.range_text} at {asked.interval} is more than {MAX_BARS:,} bars; "
            "ask for a shorter range or a longer ",
            Setting("interval"),
            ".",
        )
    times = _opening_times(asked, market)
    opens, closes = _sessions(times, asked.interval, market)
    received = Received(prices=_bars(asked, times, opens, closes, market))
    return closed_only(received, asked, closes)


def resembles(prices: Prices, ticker: str, interval: str) -> bool:
    """Tell whether bars follow the curve that a ticker has here, whoever wrote them down and by what factor.

    Args:
        prices: The bars; at least one.
        ticker: The market that they are said to be of.
        interval: Length of a bar.
    """
    picked = np.unique(np.linspace(0, len(prices) - 1, num=_PICKED).astype(np.int64))
    return any(_follow(prices, picked, interval, _market_of(ticker, generator)) for generator in (2, 1))


def _follow(prices: Prices, picked: NDArray[np.int64], interval: str, market: _Market) -> bool:
    opens, closes = _sessions(prices.times[picked], interval, market)
    curve = np.log(market.curve(np.concatenate((opens, closes)).astype(np.int64)))
    told = np.concatenate((prices.open[picked], prices.close[picked]))
    if np.ptp(curve) < _MOVES or not all_usable(told):
        return False
    return bool(np.ptp(np.log(told) - curve) < _ROUNDED)


def _opening_times(asked: AskedBars, market: _Market) -> NDArray[np.datetime64]:
    """List the times of the bars in [start, end), unfinished ones included."""
    end = max(min(asked.end, asked.now), asked.start)
    if not is_intraday(asked.interval):
        return _calendar_times(asked, end, market)
    length = bar_length(asked.interval)
    if market.calendar == "every_day":
        first = asked.start.astype(np.int64) // length.astype(np.int64) * length.astype(np.int64)
        grid = cast("NDArray[np.datetime64]", np.arange(np.datetime64(int(first), "ns"), end, length))
        return grid[grid >= asked.start]
    dates = _dates(asked.start, end)
    offsets = np.arange(market.opens.astype("m8[ns]"), market.closes.astype("m8[ns]"), length)
    trading = dates[np.is_busday(dates)].astype("M8[ns]")
    times = cast("NDArray[np.datetime64]", (trading[:, None] + offsets[None, :]).ravel())
    return times[(times >= asked.start) & (times < end)]


def _calendar_times(asked: AskedBars, end: np.datetime64, market: _Market) -> NDArray[np.datetime64]:
    dates = _dates(asked.start, end)
    if asked.interval == "1d":
        dates = dates if market.calendar == "every_day" else dates[np.is_busday(dates)]
    elif asked.interval in ("5d", "1wk"):
        dates = dates[(dates - _MONDAY).astype(np.int64) % 7 == 0]
    else:
        months = 3 if asked.interval == "3mo" else 1
        number = dates.astype("M8[M]").astype(np.int64)
        dates = dates[(dates == dates.astype("M8[M]")) & (number % months == 0)]
    return dates.astype("M8[ns]")


def _dates(start: np.datetime64, end: np.datetime64) -> NDArray[np.datetime64]:
    last = (end - np.timedelta64(1, "ns")).astype("M8[D]") + 1
    return np.arange(start.astype("M8[D]"), max(last, start.astype("M8[D]")))


def _sessions(
    times: NDArray[np.datetime64], interval: str, market: _Market
) -> tuple[NDArray[np.datetime64], NDArray[np.datetime64]]:
    """Return when trading in each bar begins and ends."""
    ends = bar_ends(times, interval)
    if market.calendar == "every_day":
        return times, ends
    if is_intraday(interval):
        return times, np.minimum(ends, days(times).astype("M8[ns]") + market.closes)
    first = np.busday_offset(days(times), 0, roll="forward")
    last = np.busday_offset(days(ends), -1, roll="forward")
    return _at(first, market.opens), _at(last, market.closes)


def _at(dates: NDArray[np.datetime64], clock: np.timedelta64) -> NDArray[np.datetime64]:
    return cast("NDArray[np.datetime64]", dates.astype("M8[ns]") + clock)


def _bars(
    asked: AskedBars,
    times: NDArray[np.datetime64],
    opens: NDArray[np.datetime64],
    closes: NDArray[np.datetime64],
    market: _Market,
) -> Prices:
    begin, length = opens.astype(np.int64), (closes - opens).astype(np.int64)
    samples = np.empty((_SAMPLES, len(times)))
    quarters = np.arange(_SAMPLES)[:, None]
    for chunk in range(0, len(times), _CHUNK):
        part = slice(chunk, chunk + _CHUNK)
        moments = begin[part] + length[part] * quarters // (_SAMPLES - 1)
        samples[:, part] = market.curve(moments.ravel()).reshape(moments.shape)
    swing = samples.max(axis=0) / samples.min(axis=0) - 1
    volume = _volume(times.astype(np.int64), length, swing, seed_of(asked.ticker))
    return Prices(
        times=times,
        open=samples[0],
        high=samples.max(axis=0),
        low=samples.min(axis=0),
        close=samples[-1],
        volume=volume,
        origin=Origin(
            source="synthetic",
            detail=market.detail,
            adjusted=None,
            retrieved_at=asked.retrieved_at,
            notes=("Prices are synthetic: made up by the program, not from any market.",),
        ),
    )


def _volume(
    moments: NDArray[np.int64], length: NDArray[np.int64], swing: NDArray[np.float64], seed: int
) -> NDArray[np.float64]:
    """Make whole, positive volumes: longer bars and wider swings trade more."""
    usual = 1_000_000.0 * length / _DAY_NS
    mood = 1.0 + 0.5 * uniform(moments // _MOOD_SCALE, mix(seed, _MOOD))
    volume: NDArray[np.float64] = np.floor(usual * mood * (1.0 + 20.0 * swing)) + 1.0
    return volume
