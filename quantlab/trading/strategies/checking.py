"""Whether a strategy knows the future, or something else than the bars: asked again, with fewer and with other bars.

1. Asked twice with the same bars, it must answer the same.
2. Asked with the first bars alone (20 cuts, half of them ending on a bar that it signals on, the others drawn from a
   seed), it must answer what it answered for them within the whole history, the last bar included.
3. Asked with noise in place of what follows a bar, once far higher and busier, once far lower and quieter, it must
   answer the same up to that bar: the last one and another one that it enters on, the last one that it leaves on, and
   a quiet one. So a signal that the future only forbids is found, which no prefix that ends on a signal shows.

The cuts go to code that was loaded anew, shortest first: what is kept from an earlier answer shows. Answers must agree
to the last bit in what is traded, and to a part in 1e9 in the values that the rule tells of itself.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from quantlab.base.errors import StrategyError
from quantlab.trading.strategies.base import Bars, at_most
from quantlab.trading.strategies.decisions import told_bar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from quantlab.trading.market import Array
    from quantlab.trading.strategies.decisions import Decisions
    from quantlab.trading.strategies.parameters import Value

    Ask = Callable[[Bars], Decisions]

CUTS = 20
MOST_SECONDS = 2.0
"""Where the whole check would take longer, fewer cuts are made."""
FEWEST_CUTS = 4
MOST_FUTURES, FEWEST_FUTURES = 8, 2
_HIGHER = 8.0
SHORTEST = 50
"""Bars of the shortest prefix, where a tenth of the history is more; shorter ones are for rules that say so."""
VALUES_AGREE = 1e-9
"""Fraction by which values may differ: running sums of other lengths may round in other ways."""


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What a check came to, where nothing was found.

    Attributes:
        decisions: The answer to the whole history.
        cuts: How many times it was asked with fewer bars.
        futures: How many times with another future.
        signals: Bars on which it enters or leaves.
        thinned: Why there were fewer cuts than usual; None where there were not.
    """

    decisions: Decisions
    cuts: int
    futures: int
    signals: int
    thinned: str | None = None


def check(
    fresh: Callable[[], Ask],
    bars: Bars,
    *,
    name: str,
    least: int,
    seed: int = 1,
    seconds: float = MOST_SECONDS,
) -> Checked:
    """Hold a strategy to its bars.

    Args:
        fresh: Gives the strategy anew, nothing kept of earlier answers.
        bars: The history.
        name: What it is called.
        least: Fewest bars that it can be asked with.
        seed: Where the other half of the cuts lies, and the noise.
        seconds: How long it may take before it is thinned.

    Raises:
        StrategyError: an answer changed; it names the first bar, what was answered there, and both values.
    """
    first = fresh()
    whole = first(bars)
    began = time.perf_counter()
    repeated = first(bars)
    taken = time.perf_counter() - began  # not the first answer's time, which may have imported packages
    _require_same(whole, repeated, bars, name, _AGAIN, changed=_CHANGING)
    wanted = _affordable(taken, seconds)
    random = np.random.default_rng(seed)
    cuts = _cuts(whole, len(bars), max(least, min(len(bars) // 10, SHORTEST), 2), wanted, random)
    again = fresh()
    for cut in cuts:  # shortest first: an answer that was kept would be too short for the next question
        answer = _on_fewer(again, bars, cut)
        _require_same(whole, answer, bars, name, f"the first {cut} bars alone")
    if cuts:
        _require_same(whole, again(bars), bars, name, _AGAIN, changed=_CHANGING)
        _require_same(whole, again(at_most(bars, cuts[0])), bars, name, _AGAIN, changed=_CHANGING)
    futures = _futures(whole, cuts, random, few=wanted < CUTS)
    for cut, level in futures:
        answer = again(_other_future(bars, cut, level, random))
        _require_same(whole, answer, bars, name, f"other prices after bar {cut - 1}", until=cut)
    return Checked(
        decisions=whole,
        cuts=len(cuts),
        futures=len(futures),
        signals=int(np.count_nonzero(whole.enter | whole.leave)),
        thinned=None
        if wanted == CUTS
        else f"one answer took {taken:.1f} s, so it was asked with {len(cuts)} cuts instead of {CUTS}",
    )


_AGAIN = "the same bars again"
_LOOKING = (
    "it looks ahead, or at how many bars there are. Use nothing of later bars: no shift(-1), no centred windows, "
    "no mean or extreme of all bars."
)
_CHANGING = (
    "it answers differently when it is asked again. Keep nothing between calls, and draw nothing at random."
)


def _affordable(taken: float, seconds: float) -> int:
    """Return how many cuts there is time for: a prefix takes about 0.6 of a whole answer, and five more are whole.

    As many as usual are made where there is time for all the other futures, too.
    """
    if taken * (0.6 * CUTS + 5 + MOST_FUTURES - FEWEST_FUTURES) <= seconds:
        return CUTS
    return max(FEWEST_CUTS, min(CUTS, int((seconds / taken - 5) / 0.6)))


def _on_fewer(ask: Ask, bars: Bars, cut: int) -> Decisions:
    try:
        return ask(at_most(bars, cut))
    except StrategyError as error:
        raise StrategyError(
            f"{error} It answered on all {len(bars)}; where it needs more bars than {cut}, say so beside the function: "
            f"min_bars = {cut + 1}, say."
        ) from error


def _cuts(whole: Decisions, bars: int, least: int, wanted: int, random: np.random.Generator) -> list[int]:
    """Return lengths of prefixes, in order: half end on a bar with a signal, as far as there are such bars."""
    every = np.arange(least, bars)
    mine = _signalled(whole, every, wanted // 2, random)
    others = np.setdiff1d(every, mine)
    rest = random.choice(others, min(wanted - len(mine), len(others)), replace=False)
    return sorted({*mine.tolist(), *rest.tolist()})


def _signalled(
    whole: Decisions, every: NDArray[np.int64], wanted: int, random: np.random.Generator
) -> NDArray[np.int64]:
    """Return lengths that end on a signal: of the rarer kind, where a signal begins, and others where these are few.

    A leak that adds few signals would hide among those of a rule that leaves on most bars, and among long runs.
    """
    enters, leaves = (every[column[every - 1]] for column in (whole.enter, whole.leave))
    begins = [each & ~np.append(False, each[:-1]) for each in (whole.enter, whole.leave)]
    begun = every[(begins[0] | begins[1])[every - 1]]
    picked = every[:0]
    for until, of in (
        (wanted // 2, min(enters, leaves, key=len)),
        (wanted, begun),
        (wanted, np.union1d(enters, leaves)),
    ):
        left = np.setdiff1d(of, picked)
        more = random.choice(left, min(until - len(picked), len(left)), replace=False)
        picked = np.append(picked, more)
    return picked


def _futures(
    whole: Decisions, cuts: list[int], random: np.random.Generator, *, few: bool
) -> list[tuple[int, float]]:
    """Return after how many bars the future is another one, and how high: both ways, so that one of them forbids."""
    if not cuts:
        return []
    every = np.arange(cuts[0], len(whole))
    enters, leaves = whole.enter[every - 1], whole.leave[every - 1]
    quiet = every[~(enters | leaves)]
    picked = [one for of in (every[enters], quiet) if len(of) for one in random.choice(of, 1).tolist()]
    last = [int(of[-1]) for of in (every[enters], every[leaves]) if len(of)]
    if few:
        return [((picked or last)[0], _HIGHER), ((picked or last)[-1], 1 / _HIGHER)]
    return [(cut, level) for cut in dict.fromkeys([*last, *picked]) for level in (_HIGHER, 1 / _HIGHER)]


def _other_future(bars: Bars, cut: int, level: float, random: np.random.Generator) -> Bars:
    """Return the bars with noise in place of those from `cut` on, `level` times as high and as busy.

    So far off, it moves every mean, deviation and extreme that is taken over all bars.
    """
    moves = np.exp(np.cumsum(random.normal(0, 0.03, len(bars) - cut)))
    close = bars.close[cut - 1] * level * moves
    opened = np.concatenate([bars.close[cut - 1 : cut] * level, close[:-1]])
    wide = 1 + np.abs(random.normal(0, 0.01, (2, len(close))))

    def then(known: Array, other: Array) -> Array:
        return np.concatenate([known[:cut], other])

    return Bars(
        time=bars.time,
        open=then(bars.open, opened),
        high=then(bars.high, np.maximum(opened, close) * wide[0]),
        low=then(bars.low, np.minimum(opened, close) / wide[1]),
        close=then(bars.close, close),
        volume=then(bars.volume, bars.volume[cut:] * level * np.exp(random.normal(0, 0.5, len(close)))),
    )


def _require_same(
    whole: Decisions,
    other: Decisions,
    bars: Bars,
    name: str,
    given: str,
    *,
    until: int | None = None,
    changed: str = _LOOKING,
) -> None:
    """Compare an answer with the first of the whole one.

    Raises:
        StrategyError: they differ.
    """
    count = len(other) if until is None else until
    found = _first_difference(whole, other, count)
    if found is not None:
        bar, what, then, now = found
        raise StrategyError(
            f"Strategy {name}: on {told_bar(bars, bar)} {what} is {then} with all {len(bars)} bars and {now} with "
            f"{given}: {changed}"
        )


def _first_difference(
    whole: Decisions, other: Decisions, count: int
) -> tuple[int, str, object, object] | None:
    found = [
        (bar, what, _shown(first[bar]), _shown(second[bar]))
        for what, first, second, differs in _compared(whole, other, count)
        if (bar := int(np.argmax(differs))) or differs[:1].any()
    ]
    named = set(whole.values) ^ set(other.values)
    if named and not found:
        then, now = ("told" if min(named) in each.values else "not told" for each in (whole, other))
        return count - 1, f"values[{min(named)!r}]", then, now
    return min(found, key=lambda each: each[0], default=None)


def _compared(
    whole: Decisions, other: Decisions, count: int
) -> list[tuple[str, Array, Array, NDArray[np.bool_]]]:
    columns: list[tuple[str, Array, Array, NDArray[np.bool_]]] = []
    for what in ("enter", "leave"):
        first, second = getattr(whole, what)[:count], getattr(other, what)[:count]
        columns.append((what, first, second, first != second))
        both = first & second
        why = [_reasons(each, f"{what}_reason", count, both) for each in (whole, other)]
        columns.append((f"{what}_reason", *why, why[0] != why[1]))
    sizes = [np.ones(count) if each.size is None else each.size[:count] for each in (whole, other)]
    entered = whole.enter[:count] & other.enter[:count]
    columns.append(("size", *sizes, entered & (sizes[0] != sizes[1])))
    for name in whole.values.keys() & other.values.keys():
        first, second = whole.values[name][:count], other.values[name][:count]
        columns.append((f"values[{name!r}]", first, second, ~_agree(first, second)))
    return columns


def _reasons(decisions: Decisions, what: str, count: int, wanted: NDArray[np.bool_]) -> Array:
    """Return reasons as texts where they count: places in two answers' lists need not be the same."""
    codes = np.array([*decisions.reasons, ""], object)
    places = np.where(wanted, getattr(decisions, what)[:count].astype(np.intp), len(codes) - 1)
    texts: Array = codes[places]
    return texts


def _agree(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.bool_]:
    scale = np.maximum(np.abs(first), np.abs(second))
    largest = float(np.max(scale[np.isfinite(scale)], initial=0.0))
    with np.errstate(invalid="ignore", over="ignore"):
        close = np.abs(first - second) <= VALUES_AGREE * scale + VALUES_AGREE / 1000 * largest
    agree: NDArray[np.bool_] = close | (first == second) | (np.isnan(first) & np.isnan(second))
    return agree


def _shown(value: object) -> object:
    return f"{value:.10g}" if isinstance(value, float | np.floating) else value


def question_of(
    decide: Callable[[Bars, Mapping[str, Value]], Decisions], parameters: Mapping[str, Value]
) -> Ask:
    """Return a strategy's question for its parameters; each time it is given arrays of its own."""

    def ask(bars: Bars) -> Decisions:
        own = Bars(**{name: getattr(bars, name).copy() for name in Bars.__dataclass_fields__})
        return decide(own, parameters)

    return ask
