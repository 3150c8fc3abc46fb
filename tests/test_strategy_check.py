"""The check of a strategy: what knows the future, or something else than the bars, is refused; what is sound passes."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from support.engine_markets import walk
from support.strategy_cases import LEAKS, SOUND, UNSOUND, next_close, pandas_macd, volumes

from quantlab import Bars, Signals
from quantlab.base.errors import StrategyError
from quantlab.trading.strategies.checking import CUTS, Checked, check, question_of
from quantlab.trading.strategies.strategy import Strategy, View, built_in

if TYPE_CHECKING:
    from support.strategy_cases import Decide

HISTORIES = range(5)


def checked(decide: Decide, seed: int = 1, bars: int = 500, seconds: float = 60.0) -> Checked:
    prices = replace(walk(bars, seed), volume=volumes(bars, seed))
    strategy = Strategy(name=decide.__name__, decide=decide)
    return check(
        lambda: question_of(strategy.asked, {}),
        View.of(prices).bars,
        name=strategy.name,
        least=0,
        seed=seed,
        seconds=seconds,
    )


@pytest.mark.parametrize("decide", [*LEAKS, *UNSOUND], ids=lambda decide: decide.__name__)
@pytest.mark.parametrize("seed", HISTORIES)
def test_what_is_no_function_of_the_bars_so_far_is_refused(decide: Decide, seed: int) -> None:
    with pytest.raises(
        StrategyError, match=r"on bar \d+ \(20\d\d-\d\d-\d\d\) .* is .* with all .* and .* with "
    ):
        checked(decide, seed)


@pytest.mark.parametrize("decide", SOUND, ids=lambda decide: decide.__name__)
@pytest.mark.parametrize("seed", HISTORIES)
def test_a_sound_strategy_passes(decide: Decide, seed: int) -> None:
    assert checked(decide, seed).cuts == CUTS


def test_the_built_in_passes() -> None:
    strategy, prices = built_in(), walk(500)
    ask = question_of(strategy.asked, {"rsi_buy_max": 60.0, "rsi_sell_min": 75.0})
    assert check(lambda: ask, View.of(prices).bars, name=strategy.name, least=20).signals > 10


def test_the_error_names_bar_signal_and_both_values() -> None:
    with pytest.raises(StrategyError) as error:
        checked(next_close)
    assert "Strategy next_close: on bar " in str(error.value)
    assert "enter is True with all 500 bars and False with the first" in str(error.value)


def test_an_answer_that_is_kept_is_not_asked_for() -> None:
    kept: list[Signals] = []

    def decide(bars: Bars) -> Signals:
        if not kept:
            kept.append(next_close(bars))
        return Signals(
            enter=np.asarray(kept[0].enter)[: len(bars)], leave=np.asarray(kept[0].leave)[: len(bars)]
        )

    def fresh() -> object:
        kept.clear()
        return question_of(Strategy(name="kept", decide=decide).asked, {})

    with pytest.raises(StrategyError):
        check(fresh, View.of(walk(500)).bars, name="kept", least=0)  # type: ignore[arg-type]


def test_a_slow_strategy_is_asked_less_often_and_it_is_told() -> None:
    found = checked(pandas_macd, seconds=0.001)
    assert found.cuts == 4
    assert found.thinned is not None
    assert "4 cuts instead of 20" in found.thinned


def test_what_the_first_answer_imports_costs_no_cuts() -> None:
    loaded: list[bool] = []

    def decide(bars: Bars) -> Signals:
        if not loaded:
            time.sleep(0.5)
            loaded.append(True)
        return pandas_macd(bars)

    assert checked(decide, seconds=10.0).cuts == CUTS


def test_a_strategy_may_write_into_its_bars() -> None:
    def decide(bars: Bars) -> Signals:
        bars.close[:] = bars.close * 2
        return Signals(enter=bars.close > 200, leave=bars.close < 100)

    assert checked(decide).cuts == CUTS


def test_a_rule_that_needs_more_bars_is_told_to_say_so() -> None:
    def decide(bars: Bars) -> Signals:
        if len(bars) < 400:
            raise ValueError("too few")
        return Signals(enter=bars.close > 100, leave=bars.close < 100)

    with pytest.raises(StrategyError, match="min_bars = "):
        checked(decide)


@pytest.mark.parametrize("bars", [1, 2, 3, 20])
def test_short_histories_can_be_checked(bars: int) -> None:
    def decide(bars: Bars) -> Signals:
        return Signals(enter=bars.close > 100, leave=bars.close < 100)

    assert checked(decide, bars=bars).cuts <= bars
