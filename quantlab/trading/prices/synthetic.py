"""Made-up prices, seeded by the ticker: for drills, tests and machines without a network.

A ticker's price is one curve over all time: its logarithm is a sum of smoothed random lattices ("value
noise"), one for each time scale from seconds to years, each with the spread that a random walk would have
gained over that time. The slow ones make the trends that a strategy meets, the fast ones the noise around
them. Every bar of every interval samples that curve, so a bar depends on ticker and time alone, whatever
range was asked for.

Tickers with a "-" (ETH-USD) trade every day around the clock; all others on weekdays from 13:30 to 20:00 UTC.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, cast

import numpy as np

from quantlab.errors import DataError
from quantlab.trading.intervals import bar_ends, days, is_intraday, step
from quantlab.trading.market import Origin, Prices
from quantlab.trading.prices.asked import Asked, Received, closed_only

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_BARS = 10_000_000
"""More bars than this are refused before any memory is taken."""

_DAILY_VOLATILITY = {"every_day": 0.030, "weekdays": 0.016}
_FINEST_SCALE = 7_500_000_000  # 7.5 s in ns: below the shortest bar
_SCALES = 25  # doubling from there to about four years
_SAMPLES = 5  # points of the curve seen within a bar, both ends included
_DECIMALS = 4  # hides the last-bit differences that exp has between machines
_CHUNK = 65_536
_DAY_NS = 86_400 * 10**9
_OPENS, _CLOSES = np.timedelta64(13 * 60 + 30, "m"), np.timedelta64(20, "h")
_MONDAY = np.datetime64("1970-01-05", "D")


def fetch(asked: Asked) -> Received:
    """Make the bars asked for that have closed by now.

    Raises:
        DataError: the range holds more than `MAX_BARS` bars.
    """
    market = "every_day" if "-" in asked.ticker else "weekdays"
    end = min(asked.end, asked.now)
    if end > asked.start and int((end - asked.start) // step(asked.interval)) > MAX_BARS:
        raise DataError(
            f"Synthetic prices: {asked.range_text} at {asked.interval} is more than {MAX_BARS:,} bars; "
            "ask for a shorter range or a longer --interval."
        )
    times = _opening_times(asked, market)
    opens, closes = _sessions(times, asked.interval, market)
    received = Received(prices=_bars(asked, times, opens, closes, market))
    return closed_only(received, asked, closes)


def _opening_times(asked: Asked, market: str) -> NDArray[np.datetime64]:
    """List the times of the bars in [start, end), unfinished ones included."""
    end = max(min(asked.end, asked.now), asked.start)
    if not is_intraday(asked.interval):
        return _calendar_times(asked, end, market)
    length = step(asked.interval)
    if market == "every_day":
        first = asked.start.astype(np.int64) // length.astype(np.int64) * length.astype(np.int64)
        grid = cast("NDArray[np.datetime64]", np.arange(np.datetime64(int(first), "ns"), end, length))
        return grid[grid >= asked.start]
    dates = _dates(asked.start, end)
    offsets = np.arange(_OPENS.astype("m8[ns]"), _CLOSES.astype("m8[ns]"), length)
    trading = dates[np.is_busday(dates)].astype("M8[ns]")
    times = cast("NDArray[np.datetime64]", (trading[:, None] + offsets[None, :]).ravel())
    return times[(times >= asked.start) & (times < end)]


def _calendar_times(asked: Asked, end: np.datetime64, market: str) -> NDArray[np.datetime64]:
    dates = _dates(asked.start, end)
    if asked.interval == "1d":
        dates = dates if market == "every_day" else dates[np.is_busday(dates)]
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
    times: NDArray[np.datetime64], interval: str, market: str
) -> tuple[NDArray[np.datetime64], NDArray[np.datetime64]]:
    """Return when trading in each bar begins and ends."""
    ends = bar_ends(times, interval)
    if market == "every_day":
        return times, ends
    if is_intraday(interval):
        return times, np.minimum(ends, days(times).astype("M8[ns]") + _CLOSES)
    first = np.busday_offset(days(times), 0, roll="forward")
    last = np.busday_offset(days(ends), -1, roll="forward")
    return _at(first, _OPENS), _at(last, _CLOSES)


def _at(dates: NDArray[np.datetime64], clock: np.timedelta64) -> NDArray[np.datetime64]:
    return cast("NDArray[np.datetime64]", dates.astype("M8[ns]") + clock)


def _bars(
    asked: Asked,
    times: NDArray[np.datetime64],
    opens: NDArray[np.datetime64],
    closes: NDArray[np.datetime64],
    market: str,
) -> Prices:
    seed = _seed(asked.ticker)
    begin, length = opens.astype(np.int64), (closes - opens).astype(np.int64)
    samples = np.empty((_SAMPLES, len(times)))
    for index in range(_SAMPLES):
        moments = begin + length * index // (_SAMPLES - 1)
        for chunk in range(0, len(times), _CHUNK):
            part = slice(chunk, chunk + _CHUNK)
            samples[index, part] = _price(moments[part], seed, _DAILY_VOLATILITY[market])
    swing = samples.max(axis=0) / samples.min(axis=0) - 1
    volume = _volume(times.astype(np.int64), length, swing, seed)
    return Prices(
        times=times,
        open=samples[0],
        high=samples.max(axis=0),
        low=samples.min(axis=0),
        close=samples[-1],
        volume=volume,
        origin=Origin(
            source="synthetic",
            detail=f"value noise, seed {seed:#018x} from the ticker, {market}",
            adjusted=None,
            retrieved_at=asked.retrieved_at,
            notes=("Prices are synthetic: made up by the program, not from any market.",),
        ),
    )


def _seed(ticker: str) -> int:
    return int.from_bytes(hashlib.sha256(ticker.upper().encode()).digest()[:8], "big")


def _price(moments: NDArray[np.int64], seed: int, volatility: float) -> NDArray[np.float64]:
    """Evaluate the curve of a ticker at times in nanoseconds since 1970."""
    logarithm = np.full(len(moments), np.log(50.0 + seed % 1951))
    for number in range(_SCALES):
        scale = _FINEST_SCALE << number
        spread = volatility * np.sqrt(scale / _DAY_NS)
        logarithm += spread * _noise(moments, scale, _mix(seed, number))
    price: NDArray[np.float64] = np.round(np.exp(logarithm), _DECIMALS)
    return price


def _noise(moments: NDArray[np.int64], scale: int, seed: int) -> NDArray[np.float64]:
    """Interpolate smoothly between random values in [-1, 1), one for each multiple of `scale`."""
    cell = moments // scale
    place = (moments - cell * scale) / scale
    weight = place * place * (3.0 - 2.0 * place)
    low, high = _uniform(cell, seed), _uniform(cell + 1, seed)
    noise: NDArray[np.float64] = low + (high - low) * weight
    return noise


def _uniform(counter: NDArray[np.int64], seed: int) -> NDArray[np.float64]:
    """Hash counters to [-1, 1) (the finaliser of SplitMix64: Steele, Lea and Flood, OOPSLA 2014)."""
    bits = counter.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1.0


def _mix(seed: int, number: int) -> int:
    digest = hashlib.sha256(f"{seed}/{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big")


def _volume(
    moments: NDArray[np.int64], length: NDArray[np.int64], swing: NDArray[np.float64], seed: int
) -> NDArray[np.float64]:
    """Make whole, positive volumes: longer bars and wider swings trade more."""
    usual = 1_000_000.0 * length / _DAY_NS
    mood = 1.0 + 0.5 * _uniform(moments // _FINEST_SCALE, _mix(seed, _SCALES))
    volume: NDArray[np.float64] = np.floor(usual * mood * (1.0 + 20.0 * swing)) + 1.0
    return volume
