from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import talib
from support.engine_markets import BAD_PRICES, market, walk

from quantlab.base.errors import ConfigError, DataError, StrategyError
from quantlab.domain.config import RunConfig
from quantlab.trading import indicators
from quantlab.trading.indicators import rsi
from quantlab.trading.market import all_usable
from quantlab.trading.strategies.base import Bars, Signals
from quantlab.trading.strategies.strategy import Strategy, built_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from quantlab.trading.market import Prices

CONFIG = RunConfig()
MIN_BARS = built_in().min_history
signals = built_in().signals


@pytest.mark.parametrize("seed", range(5))
def test_signals_are_those_of_talibs_mean_and_rsi(seed: int) -> None:
    prices = walk(2000, seed)
    found = signals(prices, CONFIG)
    mean, strength = talib.SMA(prices.close, 20), talib.RSI(prices.close, 14)
    for bar in range(20, 2000):
        before, now = prices.close[bar - 1] - mean[bar - 1], prices.close[bar] - mean[bar]
        assert found.enter[bar] == (before <= 0 < now and strength[bar] < CONFIG.rsi_buy_max)
        assert found.leave[bar] == ((before >= 0 > now) or strength[bar] > CONFIG.rsi_sell_min)


def test_nothing_is_entered_before_the_mean_has_a_predecessor() -> None:
    found = signals(market([100.0] * 19 + [50.0] + [200.0] * 100), RunConfig(rsi_buy_max=100.0))
    assert np.flatnonzero(found.enter).tolist() == [20]


def test_crossing_up_with_a_high_rsi_buys_nothing() -> None:
    prices = _down_then_up()
    assert signals(prices, RunConfig(rsi_buy_max=100.0)).enter.any()
    assert not signals(prices, RunConfig(rsi_buy_max=10.0)).enter.any()


def test_reasons_tell_a_crossing_from_a_high_rsi() -> None:
    found = signals(_down_then_up(), CONFIG)
    reasons = [found.reasons[code] for code in found.leave_reason[found.leave]]
    assert set(reasons) == {"rsi_high"}
    fallen = signals(market(300 - _down_then_up().close), CONFIG)
    assert "cross_down" in [fallen.reasons[code] for code in fallen.leave_reason[fallen.leave]]


def test_a_flat_market_crosses_nothing() -> None:
    prices = market([0.7] * 50 + [0.1] * 50 + [0.7] * 100)
    found = signals(prices, RunConfig(rsi_buy_max=100.0, rsi_sell_min=100.0))
    assert np.flatnonzero(found.enter).tolist() == [100]
    assert np.flatnonzero(found.leave).tolist() == [50]


def in_cents(seed: int, bars: int = 600) -> list[int]:
    """Return closes of some 3 dollars in whole cents, which often lie on their mean exactly."""
    random = np.random.default_rng(seed)
    cents = np.rint(300 * np.exp(np.cumsum(random.normal(0, 0.01, bars))))
    return [int(each) for each in cents]


def exact_sides(cents: Sequence[int]) -> list[int]:
    """Return on which side of their mean closes lie, in whole numbers."""
    sums = [sum(cents[bar - 19 : bar + 1]) for bar in range(19, len(cents))]
    return [0] * 19 + [int(np.sign(20 * cents[bar] - sums[bar - 19])) for bar in range(19, len(cents))]


@pytest.mark.parametrize("seed", [0, 1, 3, 4, 7])
def test_closes_cross_their_mean_as_in_whole_numbers(seed: int) -> None:
    cents = in_cents(seed)
    sides = exact_sides(cents)
    found = signals(market(np.array(cents) / 100), RunConfig(rsi_buy_max=100.0, rsi_sell_min=100.0))
    up = [bar for bar in range(20, len(sides)) if sides[bar] > 0 >= sides[bar - 1]]
    down = [bar for bar in range(20, len(sides)) if sides[bar] < 0 <= sides[bar - 1]]
    assert 0 in sides[20:]
    assert np.flatnonzero(found.enter).tolist() == up
    assert np.flatnonzero(found.leave).tolist() == down


@pytest.mark.parametrize("unit", [0.01, 0.1, 1 / 3, 1.0, 7.0, 1e9])
@pytest.mark.parametrize("seed", range(3))
def test_the_unit_of_the_prices_decides_no_signal(seed: int, unit: float) -> None:
    cents = np.array(in_cents(seed), float)
    found, expected = (
        signals(market(closes), RunConfig(rsi_buy_max=50.0)) for closes in (cents * unit, cents)
    )
    assert np.array_equal(found.enter, expected.enter)
    assert np.array_equal(found.leave, expected.leave)


def test_a_fraction_of_a_cent_above_the_mean_is_above_it() -> None:
    closes = [10.0] * 99 + [10.0 + 1e-6]
    assert np.flatnonzero(signals(market(closes), RunConfig(rsi_buy_max=100.0)).leave).tolist() == [99]


@pytest.mark.parametrize("order", ["forward", "backward", "sorted"])
@pytest.mark.parametrize("seed", [0, 4, 7])
def test_the_order_of_summation_decides_no_cross(
    seed: int, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices = market(np.array(in_cents(seed)) / 100)
    expected = signals(prices, CONFIG)

    def summed(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
        neighbours = np.lib.stride_tricks.sliding_window_view(values, window)
        arranged = {"forward": neighbours, "backward": neighbours[:, ::-1], "sorted": np.sort(neighbours, 1)}
        sums = np.cumsum(arranged[order], axis=1)[:, -1]
        return np.concatenate([np.full(window - 1, np.nan), sums])

    monkeypatch.setattr(indicators, "rolling_sum", summed)
    found = signals(prices, CONFIG)
    assert np.array_equal(found.enter, expected.enter)
    assert np.array_equal(found.leave, expected.leave)


@pytest.mark.parametrize("unit", [0.01, 0.1, 1 / 3, 1.0])
def test_an_rsi_on_its_limit_is_not_above_it(unit: float) -> None:
    # Rises of 18 and falls of 12 up to the first RSI, which so is 60.
    changes = [0, 3, -1, -2, 5, -3, 2, 1, -4, 3, 1, -2, 0, 3, 0, *[0] * 100]
    closes = (300.0 + np.cumsum(changes)) * unit
    assert rsi(closes)[14] == pytest.approx(60.0, abs=1e-9)
    assert not signals(market(closes), RunConfig(rsi_sell_min=60.0)).leave[14]


@pytest.mark.parametrize("bad", BAD_PRICES)
def test_an_unusable_close_signals_nothing_and_spoils_nothing(bad: float) -> None:
    prices = walk(400, seed=2)
    close = prices.close.copy()
    close[::7] = bad
    found = signals(replace(prices, close=close), CONFIG)
    assert not (found.enter | found.leave)[::7].any()
    assert found.enter[350:].any()


def test_unusable_closes_count_as_the_last_good_one() -> None:
    prices = walk(400, seed=2)
    holes, carried = prices.close.copy(), prices.close.copy()
    holes[200], carried[200] = np.nan, carried[199]
    found, expected = (signals(replace(prices, close=close), CONFIG) for close in (holes, carried))
    assert np.array_equal(np.delete(found.enter, 200), np.delete(expected.enter, 200))
    assert np.array_equal(np.delete(found.leave, 200), np.delete(expected.leave, 200))


def test_warming_up_begins_at_the_first_usable_close() -> None:
    prices = walk(300, seed=4)
    late = np.concatenate([[np.nan] * 10, prices.close])
    found, expected = signals(market(late), CONFIG), signals(prices, CONFIG)
    assert np.array_equal(found.enter[10:], expected.enter)
    assert np.array_equal(found.leave_reason[10:], expected.leave_reason)


def test_a_market_without_a_usable_close_signals_nothing() -> None:
    found = signals(market([float("nan")] * 120), CONFIG)
    assert not (found.enter | found.leave).any()


def test_too_few_bars_are_counted_in_the_error() -> None:
    with pytest.raises(DataError) as error:
        signals(walk(99), CONFIG)
    assert "99 bars" in str(error.value)
    assert str(MIN_BARS) in str(error.value)


def test_the_fewest_bars_are_enough() -> None:
    assert len(signals(walk(MIN_BARS), CONFIG).enter) == MIN_BARS


def test_a_strategy_that_raises_is_named_with_its_cause() -> None:
    def decide(bars: Bars) -> Signals:
        raise ZeroDivisionError("one\nline")

    with pytest.raises(StrategyError) as error:
        Strategy(name="broken", decide=decide).decisions(walk(3), {})
    assert "broken" in str(error.value)
    assert "ZeroDivisionError: one line" in str(error.value)
    assert isinstance(error.value.__cause__, ZeroDivisionError)


def test_a_known_error_passes_unchanged() -> None:
    def decide(bars: Bars) -> Signals:
        raise ConfigError("known")

    with pytest.raises(ConfigError, match="known"):
        Strategy(name="strict", decide=decide).decisions(walk(3), {})


@pytest.mark.parametrize(
    "enter", [np.zeros(2, np.bool_), np.zeros(3, np.float64)], ids=["a bar short", "no booleans"]
)
def test_a_strategy_must_answer_one_boolean_a_bar(enter: NDArray[np.bool_]) -> None:
    def decide(bars: Bars) -> Signals:
        return Signals(enter=enter, leave=np.zeros(3, np.bool_))

    with pytest.raises(StrategyError, match=r"enter (has the shape|holds)"):
        Strategy(name="short", decide=decide).decisions(walk(3), {})


def test_no_prices_are_all_usable() -> None:
    assert all_usable(np.array([]))


def _down_then_up() -> Prices:
    return market(np.concatenate([np.linspace(200, 100, 80), np.linspace(101, 200, 60)]))
