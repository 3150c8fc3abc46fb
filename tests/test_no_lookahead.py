"""Strategies and engine know nothing of later bars; the checker that says so catches those that do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.engine_markets import cases, prefix, walk

from quantlab.domain.config import RunConfig
from quantlab.trading.simulation import simulate
from quantlab.trading.strategies.base import Bars, Signals
from quantlab.trading.strategies.strategy import Strategy, built_in

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from support.engine_markets import Case

    from quantlab.trading.market import Prices

pytestmark = pytest.mark.slow

CONFIG = RunConfig()
BUILT_IN = built_in()
MIN_BARS = BUILT_IN.min_history
PLAIN = RunConfig(strategy="plain", strategy_params={}, strategy_digest="0" * 64)
"""What a strategy without parameters is asked with."""


def hindsight(strategy: Strategy, prices: Prices, config: RunConfig) -> int | None:
    """Return the first length at which signals on a prefix are not the prefix of the signals, or None."""
    whole = strategy.signals(prices, config)
    for bars in range(max(strategy.min_bars, strategy.min_history), len(prices)):
        part = strategy.signals(prefix(prices, bars), config)
        same = all(
            np.array_equal(getattr(part, name), getattr(whole, name)[:bars]) for name in ("enter", "leave")
        )
        reasons = all(
            np.array_equal(
                getattr(part, f"{name}_reason")[wanted], getattr(whole, f"{name}_reason")[:bars][wanted]
            )
            for name, wanted in (("enter", part.enter), ("leave", part.leave))
        )
        if not (same and reasons):
            return bars
    return None


@pytest.mark.parametrize("seed", range(3))
def test_the_built_in_strategy_has_no_hindsight(seed: int) -> None:
    assert hindsight(BUILT_IN, walk(400, seed), CONFIG) is None


@given(st.integers(0, 2**32), st.integers(MIN_BARS, 250))
@settings(max_examples=60, deadline=None)
def test_a_changed_future_changes_no_signal_before_it(seed: int, bars: int) -> None:
    prices = walk(260, seed)
    other = prices.close.copy()
    other[bars:] *= np.random.default_rng(seed).uniform(0.1, 10)
    changed = walk(260, seed + 1)
    for name in ("open", "high", "low"):
        getattr(changed, name)[:bars] = getattr(prices, name)[:bars]
    changed.close[:] = other
    first, second = BUILT_IN.signals(prices, CONFIG), BUILT_IN.signals(changed, CONFIG)
    assert np.array_equal(first.enter[:bars], second.enter[:bars])
    assert np.array_equal(first.leave[:bars], second.leave[:bars])


def test_a_strategy_that_sees_the_next_close_is_caught() -> None:
    def decide(bars: Bars) -> Signals:
        rises = np.diff(bars.close, append=bars.close[-1]) > 0
        return _signals(rises, ~rises)

    assert hindsight(Strategy(name="next close", min_bars=2, decide=decide), walk(300), PLAIN) is not None


def test_our_own_strategy_moved_by_one_bar_is_caught() -> None:
    def decide(bars: Bars) -> Signals:
        honest = BUILT_IN.asked(bars, CONFIG.rule_parameters())
        return _signals(np.append(honest.enter[1:], False), np.append(honest.leave[1:], False))

    leaking = Strategy(name="a bar early", min_history=MIN_BARS, decide=decide)
    assert hindsight(leaking, walk(400), PLAIN) is not None


def test_a_strategy_that_knows_the_highest_price_is_caught() -> None:
    def decide(bars: Bars) -> Signals:
        return _signals(bars.close < bars.close.mean(), bars.close == bars.close.max())

    assert hindsight(Strategy(name="normalised", min_bars=2, decide=decide), walk(300), PLAIN) is not None


def test_a_strategy_whose_reasons_change_afterwards_is_caught() -> None:
    def decide(bars: Bars) -> Signals:
        always = np.ones(len(bars), np.bool_)
        codes = np.full(len(bars), len(bars) % 2, np.uint8)
        return Signals(
            enter=always, leave=always, enter_reason=codes, leave_reason=codes, reasons=("even", "odd")
        )

    assert hindsight(Strategy(name="fickle", min_bars=2, decide=decide), walk(300), PLAIN) is not None


@given(cases(), st.integers(1, 80))
@settings(max_examples=300, deadline=None)
def test_the_engine_on_a_prefix_is_the_prefix_of_the_engine(case: Case, cut: int) -> None:
    _assert_prefix_stable(case, min(cut, len(case[0])))


@pytest.mark.parametrize("mode", ["fixed", "atr"])
@pytest.mark.parametrize("fill", ["next_open", "close"])
def test_session_results_on_a_prefix_are_the_prefix_of_the_results(mode: str, fill: str) -> None:
    config = msgspec.convert(
        {"slippage_mode": mode, "fill": fill, "cooldown_days": 3, "k_atr": 0.1}, RunConfig
    )
    for cut in range(MIN_BARS, 300, 13):
        _assert_prefix_stable((walk(300), config, BUILT_IN), cut)


def _assert_prefix_stable(case: Case, cut: int) -> None:
    prices, config, strategy = case
    whole, part = simulate(prices, config, strategy), simulate(prefix(prices, cut), config, strategy)
    assert part.fills == [fill for fill in whole.fills if fill.bar < cut]
    assert np.array_equal(part.equity, whole.equity[:cut])


def _signals(enter: NDArray[np.bool_], leave: NDArray[np.bool_]) -> Signals:
    codes = np.zeros(len(enter), np.uint8)
    return Signals(enter=enter, leave=leave, enter_reason=codes, leave_reason=codes, reasons=("signal",))
