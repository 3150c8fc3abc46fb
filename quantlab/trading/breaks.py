"""Breaks in the price level and frozen bars: series that no market made.

A split that was not applied, a switch of the unit, one bar times a hundred: between the close of one bar and the
open of the next the price is suddenly another, and the bars around it go on as before. Crashes do not look like
that: they trade through the prices in between, and what is around them is wild too. So a jump is held against the
series' own jumps and against the bars beside it; and where the source tells of a split at that very ratio, nothing
needs to be guessed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from quantlab.trading.intervals import is_intraday, time_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from quantlab.trading.market import Prices
    from quantlab.trading.prices.asked import Split

    Place = int | np.integer[Any]

LEAST_JUMP = float(np.log(1.8))
"""Smallest jump (of a logarithm) that can be a break without the source's word: a split 2:1 and a move of a tenth
against it. Crashes of indices (1987: 0.23) are far below."""
USUAL_JUMPS, USUAL_MOVES = 20.0, 40.0
"""How many times the usual jump from close to open, and the usual move from close to close, a break is at least."""
_USUAL_SHARE = 0.8
"""Share of the bars whose jumps count as usual: broken bars may be up to a fifth."""
BESIDE = 5
"""Bars on each side that are looked at, and how much larger than their jumps and moves a break is."""
_JUMPS_BESIDE, _MOVES_BESIDE = 3.0, 1.2
_SAME_FACTOR = 0.1
_OWN_WAY = 5
"""Other jumps of more than half the size, each by another factor, from which on they are the market's own way."""
_NEWS_VOLUME, _NEWS_FALL = 6.0, float(np.log(12))
"""A real collapse overnight is told by volume that is many times that of the bars before and after it."""
_SPLIT_TOLERANCE = 0.25
_CERTAIN_JUMP = 0.15
"""Smallest split whose mark in the prices is looked for."""
_PLAIN_RATIO, _UNIT_TOLERANCE = 0.03, 0.1

FROZEN_BARS = 10
"""Equal bars in a row from which prices count as frozen; intraday they also fill a day."""
_QUIET_SHARE, _QUIETER = 0.1, 3.0
"""Share of the other bars that repeat theirs from which on a market is a quiet one, whose own longest run counts."""
SHOWN = 5


class Break(NamedTuple):
    """A jump of the price level: its bar, the factor that prices changed by there, and whether the source says so."""

    bar: int
    factor: float
    split: float | None
    back: bool


def price_breaks(prices: Prices, *, interval: str, splits: Sequence[Split] = ()) -> list[Break]:
    """Find breaks in the price level, in time order.

    Args:
        prices: The bars.
        interval: Length of a bar.
        splits: Splits that the source tells of.
    """
    if len(prices) < 2:  # noqa: PLR2004 - a jump takes two bars
        return []
    jumps, moves = (
        _log_ratios(prices.open[1:], prices.close[:-1]),
        _log_ratios(prices.close[1:], prices.close[:-1]),
    )
    told = _told_by_splits(prices, jumps, splits, interval)
    found = sorted({*_beyond_own_history(prices, jumps, moves), *told})
    breaks: list[Break] = []
    for at in found:
        size = float(jumps[at] if abs(jumps[at]) >= abs(moves[at]) or at in told else moves[at])
        last = breaks[-1] if breaks else None
        if (
            last is not None
            and at + 1 - last.bar == 1
            and abs(size + np.log(last.factor)) <= _SPLIT_TOLERANCE * abs(size)
        ):
            breaks[-1] = last._replace(back=True)
            continue
        breaks.append(Break(at + 1, float(np.exp(size)), told.get(at), back=False))
    return breaks


def _log_ratios(later: NDArray[np.float64], earlier: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.log(later) - np.log(earlier)


def _beyond_own_history(prices: Prices, jumps: NDArray[np.float64], moves: NDArray[np.float64]) -> list[int]:
    """Return the jumps that neither the whole series nor the bars beside them explain, by the bar before."""
    sizes, usual = np.abs(jumps), _usual(jumps)
    candidates = np.flatnonzero(sizes >= max(LEAST_JUMP, USUAL_JUMPS * usual))
    found = [
        int(at)
        for at in candidates
        if _stands_out(at, jumps, moves)
        and not _is_own_way(at, jumps, candidates)
        and not _is_news(at, prices, jumps)
    ]
    # Where opens are made up of the close before, a break shows inside its bar.
    large = np.flatnonzero(
        (np.abs(moves) >= max(LEAST_JUMP, USUAL_MOVES * _usual(moves))) & (sizes < LEAST_JUMP)
    )
    known = {near for at in found for near in (at - 1, at, at + 1)}
    return found + [int(at) for at in large if at not in known and _stands_out(at, moves, moves)]


def _usual(values: NDArray[np.float64]) -> float:
    return float(np.quantile(np.abs(values), _USUAL_SHARE))


def _stands_out(at: Place, jumps: NDArray[np.float64], moves: NDArray[np.float64]) -> bool:
    """Tell whether a jump is far larger than those of the bars beside it, its own way back aside."""
    first, last = max(at - BESIDE, 0), at + BESIDE + 1
    near_jumps, near_moves = np.abs(jumps[first:last]), np.abs(moves[first:last])
    size, own = abs(jumps[at]), at - first
    near_jumps = np.delete(near_jumps, own)
    near_jumps = near_jumps[np.abs(near_jumps - size) > _SPLIT_TOLERANCE * size]
    near_moves = np.delete(near_moves, [one for one in (own - 1, own, own + 1) if 0 <= one < len(near_moves)])
    near_moves = near_moves[np.abs(near_moves - size) > _SPLIT_TOLERANCE * size]
    quiet: bool = size >= _JUMPS_BESIDE * near_jumps.max(
        initial=0.0
    ) and size >= _MOVES_BESIDE * near_moves.max(initial=0.0)
    return quiet


def _is_own_way(at: Place, jumps: NDArray[np.float64], candidates: NDArray[np.int64]) -> bool:
    """Tell whether the series jumps like that again and again, each time by another factor."""
    size = abs(jumps[at])
    others = np.abs(jumps[candidates])
    different = others[(others > size / 2) & (np.abs(others - size) > _SAME_FACTOR * size)]
    return len(different) >= _OWN_WAY


def _is_news(at: Place, prices: Prices, jumps: NDArray[np.float64]) -> bool:
    """Tell a fall that was traded: by no plain ratio, and with far more volume than the bars before and after."""
    if not -_NEWS_FALL <= jumps[at] < 0 or _near_ratio(float(np.exp(-jumps[at]))):
        return False
    bar, window = at + 1, 20
    before, after = prices.volume[max(bar - window, 0) : bar], prices.volume[bar + 2 : bar + 2 + window]
    if not len(before) or not len(after) or not np.isfinite(prices.volume[bar]):
        return False
    usual = (
        max(float(np.nanmedian(before)), float(np.nanmedian(after)))
        if np.isfinite(before).any() and np.isfinite(after).any()
        else np.inf
    )
    return bool(prices.volume[bar] >= _NEWS_VOLUME * usual > 0)


def _told_by_splits(
    prices: Prices, jumps: NDArray[np.float64], splits: Sequence[Split], interval: str
) -> dict[int, float]:
    """Return the jumps that a split of the source explains, and its ratio, by the bar before."""
    found: dict[int, float] = {}
    usual = _usual(jumps)
    reach = np.timedelta64(36 if is_intraday(interval) else 0, "h")
    for split in splits:
        expected = -float(np.log(split.ratio))
        if abs(expected) < max(_CERTAIN_JUMP, 3 * usual):
            continue
        centre = int(np.searchsorted(prices.times, split.time)) - 1
        first = int(np.searchsorted(prices.times, split.time - reach)) - 3
        last = int(np.searchsorted(prices.times, split.time + reach)) + 2
        near = [
            at
            for at in range(max(first, 0), min(last, len(jumps)))
            if abs(jumps[at] - expected) <= _SPLIT_TOLERANCE * abs(expected)
        ]
        if near:
            found[min(near, key=lambda at: (abs(jumps[at] - expected) > _PLAIN_RATIO, abs(at - centre)))] = (
                split.ratio
            )
    return found


def describe_breaks(prices: Prices, breaks: Sequence[Break]) -> str:
    """Name each break's bar and factor, in one sentence."""
    shown = "; ".join(_described(prices, one) for one in breaks[:SHOWN])
    more = f"; and {len(breaks) - SHOWN} more" if len(breaks) > SHOWN else ""
    return f"The price level breaks: {shown}{more}. Correct the prices, or choose a range without it."


def _described(prices: Prices, one: Break) -> str:
    what = f"at {time_text(prices.times[one.bar])} by a factor of {one.factor:.4g}"
    if one.back:
        return f"{what} for one bar"
    if one.split is not None:
        return f"{what}, a split of {_ratio(one.split)} by the source's own word, not applied"
    ratio = _near_ratio(1 / one.factor)
    return (
        f"{what}, like a split of {ratio} or another unit"
        if ratio
        else f"{what}, beyond what this series' own history allows"
    )


def _ratio(value: float) -> str:
    return f"{value:g}:1" if value >= 1 else f"1:{1 / value:g}"


def _near_ratio(value: float) -> str:
    size = max(value, 1 / value)
    near = next(
        (power for power in (100, 1_000, 10_000) if abs(np.log(size / power)) <= _UNIT_TOLERANCE), round(size)
    )
    if near < 2 or (near < 100 and abs(np.log(size / near)) > _PLAIN_RATIO):  # noqa: PLR2004 - 1:1 is no split
        return ""
    return f"{near}:1" if value >= 1 else f"1:{near}"


def frozen_run(prices: Prices, *, interval: str) -> tuple[int, int]:
    """Return first bar and length of the longest run of equal bars that no market explains; a length of 0 is none."""
    same = np.ones(max(len(prices) - 1, 0), dtype=bool)
    for column in (prices.open, prices.high, prices.low, prices.close):
        same &= column[1:] == column[:-1]
    edges = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]]).astype(np.int8)))
    starts, lengths = edges[0::2], np.diff(edges)[0::2] + 1
    if not len(starts):
        return 0, 0
    longest = int(np.argmax(lengths))
    first, length = int(starts[longest]), int(lengths[longest])
    fewest = FROZEN_BARS
    if is_intraday(interval):
        span = prices.times[first + length - 1] - prices.times[first]
        fewest = FROZEN_BARS if span >= np.timedelta64(23, "h") else len(prices) + 1
    others = np.delete(lengths, longest)
    quiet_share = float((others - 1).sum()) / max(len(prices) - length, 1)
    if quiet_share >= _QUIET_SHARE:
        fewest = max(fewest, int(_QUIETER * others.max()))
    return (first, length) if length >= fewest else (0, 0)
