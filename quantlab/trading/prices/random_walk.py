"""The synthetic prices of today (synthetic/2): a random walk with the drift and the volatility of its asset class.

The logarithm of a price is drift plus a Brownian motion by midpoint displacement (P. Lévy's construction): on every
time scale from seconds to years the middle of a cell is moved away from the straight line between its ends, by a
random amount with the spread that a random walk has there. So it can be evaluated anywhere, a bar's return tells
nothing about the next one's, and calm and wild months follow each other.

Beyond a season a walk is pulled back: longer cells move no further than a season's. Within two years practically every
ticker stays between a third and three times where it began.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from quantlab.trading.calendars import is_currency, is_pair
from quantlab.trading.prices.hashing import mix, smooth_noise, uniform

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class AssetClass:
    """How the prices of a kind of asset move.

    Attributes:
        name: `crypto`, `equity` or `currency`.
        calendar: `every_day` or `weekdays`.
        drift: Growth of the logarithm a year.
        volatility: Standard deviation of the logarithm's change in a year of trading, on scales below a season.
        season: Years beyond which nothing moves further.
        prices: Least and most of what a ticker's price wanders around in 2020.
        decimals: Those that prices are quoted in; rounding also hides what exp differs by between machines.
        session: When a weekday's trading begins and ends, in minutes after midnight UTC.
    """

    name: str
    calendar: str
    drift: float
    volatility: float
    season: float
    prices: tuple[float, float]
    decimals: int
    session: tuple[int, int] = (0, 24 * 60)


CRYPTO = AssetClass(
    name="crypto",
    calendar="every_day",
    drift=0.12,
    volatility=0.50,
    season=0.25,
    prices=(10.0, 4_000.0),
    decimals=4,
)
EQUITY = AssetClass(
    name="equity",
    calendar="weekdays",
    drift=0.07,
    volatility=0.25,
    season=0.6,
    prices=(15.0, 600.0),
    decimals=4,
    session=(13 * 60 + 30, 20 * 60),
)
CURRENCY = AssetClass(
    name="currency",
    calendar="weekdays",
    drift=0.0,
    volatility=0.08,
    season=0.6,
    prices=(0.6, 1.6),
    decimals=6,
)

_FINEST_SCALE = 7_500_000_000  # 7.5 s in ns: below the shortest bar
_SCALES = 25  # doubling from there to about four years
_YEAR_NS = 365.25 * 86_400 * 1e9
_ORIGIN_NS, _DRIFTING_YEARS = 1_577_836_800 * 10**9, 15.0  # drift counts from 2020, 15 years to both sides
_CALM_SCALE, _CALM = _FINEST_SCALE << 18, 0.5  # moods of about three weeks, by which spreads vary up to e^0.5
_EDITION = 30  # of many equal worlds the one in which ETH-USD, which everybody sees first, had usual years
_UNIT = np.sqrt(3.0)  # of a uniform number on [-1, 1) to one of standard deviation 1


def class_of(ticker: str) -> AssetClass:
    """Tell a ticker's kind by its spelling: ETH-USD is crypto, EURUSD=X a currency, anything else a share."""
    if is_pair(ticker):
        return CRYPTO
    return CURRENCY if is_currency(ticker) else EQUITY


def price(moments: NDArray[np.int64], seed: int, asset: AssetClass) -> NDArray[np.float64]:
    """Evaluate the curve of a ticker at times in nanoseconds since 1970."""
    seed = mix(seed, _EDITION - 1_000)
    least, most = asset.prices
    level = np.log(least) + (np.log(most) - np.log(least)) * (seed % 4_001) / 4_000
    years = np.clip((moments - _ORIGIN_NS) / _YEAR_NS, -_DRIFTING_YEARS, _DRIFTING_YEARS)
    logarithm = level + asset.drift * years
    for number in range(_SCALES):
        scale = _FINEST_SCALE << number
        logarithm += _spread(scale, asset) * _displaced(moments, scale, mix(seed, number), seed)
    top = _FINEST_SCALE << _SCALES
    logarithm += _spread(top, asset) * _UNIT * _straight(moments, top, mix(seed, _SCALES))
    rounded: NDArray[np.float64] = np.round(np.exp(logarithm), asset.decimals)
    return rounded


def _spread(scale: int, asset: AssetClass) -> float:
    """Return the standard deviation by which the middle of a cell leaves the line between its ends."""
    return asset.volatility * float(np.sqrt(min(scale / _YEAR_NS, asset.season))) / 2.0


def _displaced(moments: NDArray[np.int64], scale: int, own: int, seed: int) -> NDArray[np.float64]:
    """Return the displacement of each moment: that of its cell's middle, less towards the cell's ends."""
    cell = moments // scale
    place = (moments - cell * scale) / scale
    moved = _UNIT * uniform(cell, own) * (1.0 - np.abs(2.0 * place - 1.0))
    if scale < _CALM_SCALE:
        # One mood a cell, so that the curve stays whole where two cells meet.
        moved *= np.exp(_CALM * smooth_noise(cell * scale, _CALM_SCALE, mix(seed, -1)))
    result: NDArray[np.float64] = moved
    return result


def _straight(moments: NDArray[np.int64], scale: int, seed: int) -> NDArray[np.float64]:
    cell = moments // scale
    place = (moments - cell * scale) / scale
    low, high = uniform(cell, seed), uniform(cell + 1, seed)
    line: NDArray[np.float64] = low + (high - low) * place
    return line
