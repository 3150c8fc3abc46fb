"""Whether a source tells the same prices as before, rounded as it may, or all of them by another factor."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Values = tuple[float, ...]
"""Open, high, low, close and volume."""

SAME = 1e-6
"""Relative difference up to which two prices are one: sources round, and send what is rounded differently at times."""
SAME_VOLUME = 1e-3
_ROUNDED = 1.0
"""Units by which a volume that is told in whole units may differ: after a reverse split it was rounded anew."""
_STEADY_VOLUME = 0.02
"""Relative difference up to which the volumes of bars changed by one factor, rounded as they may be."""
_FEWEST = 2
"""Bars that must have changed by one factor before it is taken for an adjustment, unless no more are known."""
_SHARE = 0.75
"""Share of the bars, from the oldest on, that an adjustment explains; the others were corrected as well."""
_MOST_DECIMALS = 8
"""Digits behind the point up to which a source rounds; more are what is left of its own arithmetic."""
_SPLITS = 20
"""Largest number in the ratio of a split that is told exactly: 2 for 1, 3 for 2, 1 for 20."""


class Pair(NamedTuple):
    """A bar as its source told it before, and as it tells it now.

    Attributes:
        was: Before.
        now: Now.
        grain: What rounding may have moved the earlier prices by: they were reckoned from rounded ones; else 0.
    """

    was: Values
    now: Values
    grain: float = 0.0


class Adjustment(NamedTuple):
    """A factor by which a source tells the older bars otherwise.

    Attributes:
        bars: How many bars, from the oldest on, it reaches.
        price: Old price over new price.
        volume: Old volume over new volume.
    """

    bars: int
    price: float
    volume: float

    def applied(self, values: Values) -> Values:
        """Return what a bar's values become by it."""
        *prices, volume = values
        return (*(one / self.price for one in prices), volume / self.volume)


def half_step(told: Iterable[Values]) -> float:
    """Return half of the last digit to which prices are rounded; 0 where they are not."""
    decimals = max(
        (-int(Decimal(repr(one)).as_tuple().exponent) for values in told for one in values[:4]), default=0
    )
    return 0.0 if decimals > _MOST_DECIMALS else 0.5 * 10.0 ** -max(0, decimals)


def is_same(pair: Pair, half: float) -> bool:
    """Tell whether a bar is told as before."""
    rounded = pair.grain + half if pair.grain else 0.0
    return _agree(pair.was, pair.now, rounded) and _same_volume(pair.was[4], pair.now[4])


def find_adjustment(pairs: Sequence[Pair], half: float) -> Adjustment | None:
    """Find the factor by which all bars, from the oldest on, are told otherwise; a few may have been corrected as well.

    Args:
        pairs: The bars that both know, in time order.
        half: What today's prices may be rounded by.
    """
    changed = [not is_same(pair, half) for pair in pairs]
    ratios = np.array([_ratio(pair.was[3], pair.now[3]) for pair in pairs])
    if not changed or not changed[0]:
        return None
    for price in dict.fromkeys((ratios[0], float(np.median(ratios[changed])))):
        scaled = [_is_scaled(pair, price, half) for pair in pairs]
        bars = len(pairs) if all(changed) and sum(scaled) >= _SHARE * len(pairs) else _last(scaled)
        members = [pair for pair, is_one in zip(pairs[:bars], scaled[:bars], strict=True) if is_one]
        is_whole = all(changed[:bars]) and len(members) >= _SHARE * bars
        if is_whole and len(members) >= min(_FEWEST, len(pairs)):
            return Adjustment(bars, _price_factor(members, half), _volume_factor(members))
    return None


def _last(scaled: Sequence[bool]) -> int:
    return max((place + 1 for place, is_one in enumerate(scaled) if is_one), default=0)


def _is_scaled(pair: Pair, price: float, half: float) -> bool:
    # The factor itself stands on rounded prices, hence twice what each of them may be off by.
    rounded = 2.0 * (max(pair.grain, half) + half * price)
    if abs(price - 1.0) <= SAME + rounded / max(abs(pair.was[3]), SAME):
        return False
    return _agree(pair.was, tuple(one * price for one in pair.now), rounded)


def _price_factor(members: Sequence[Pair], half: float) -> float:
    """Return the factor: of rounded prices the median, or the ratio of a split that rounding hides."""
    if not half:
        return _ratio(members[0].was[3], members[0].now[3])
    ratios = [_ratio(a, b) for pair in members for a, b in zip(pair.was[:4], pair.now[:4], strict=True)]
    factor = float(np.median(ratios))
    off = SAME + half / float(np.median([pair.now[3] for pair in members]))
    for below in range(1, _SPLITS + 1):
        above = round(factor * below)
        if above != below and 0 < above <= _SPLITS and abs(above / below - factor) <= off * factor:
            return above / below
    return factor


def _volume_factor(members: Sequence[Pair]) -> float:
    """Return the factor of the volumes; 1 where they did not change by one."""
    factors = [
        _ratio(pair.was[4], pair.now[4]) if np.isfinite(pair.was[4] + pair.now[4]) else 1.0
        for pair in members
    ]
    factor = float(np.median(factors))
    steady = all(abs(one / factor - 1.0) <= _STEADY_VOLUME for one in factors) if factor else False
    return factor if steady else 1.0


def _agree(was: Values, now: Values, rounded: float) -> bool:
    return all(a == b or abs(a - b) <= SAME * abs(a) + rounded for a, b in zip(was[:4], now[:4], strict=True))


def _same_volume(was: float, now: float) -> bool:
    if np.isnan(was) or np.isnan(now):
        return True
    rounded = _ROUNDED if now == round(now) and now else 0.0
    return abs(was - now) <= max(SAME_VOLUME * abs(was), rounded)


def _ratio(was: float, now: float) -> float:
    return was / now if now else 1.0
