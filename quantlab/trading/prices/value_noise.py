"""The first synthetic prices (0.1.0), kept so that sessions on them can be run again.

The logarithm of a price is a sum of smoothed random lattices ("value noise"), one for each time scale from seconds to
years, each with the spread that a random walk would have gained over that time. Smooth as they are, they trend for
months, and nothing holds them: two years may well take 90 % of the price.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quantlab.trading.prices.hashing import mix, smooth_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

VOLATILITY = {"every_day": 0.030, "weekdays": 0.016}
"""Spread of a day, by calendar."""
_FINEST_SCALE = 7_500_000_000  # 7.5 s in ns: below the shortest bar
_SCALES = 25  # doubling from there to about four years
_DECIMALS = 4  # hides the last-bit differences that exp has between machines
_DAY_NS = 86_400 * 10**9


def price(moments: NDArray[np.int64], seed: int, volatility: float) -> NDArray[np.float64]:
    """Evaluate the curve of a ticker at times in nanoseconds since 1970."""
    logarithm = np.full(len(moments), np.log(50.0 + seed % 1951))
    for number in range(_SCALES):
        scale = _FINEST_SCALE << number
        spread = volatility * np.sqrt(scale / _DAY_NS)
        logarithm += spread * smooth_noise(moments, scale, mix(seed, number))
    rounded: NDArray[np.float64] = np.round(np.exp(logarithm), _DECIMALS)
    return rounded
