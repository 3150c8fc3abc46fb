from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from engine_speed import pandas_loop
from support.engine_markets import FREE, given_signals, market, walk

from quantlab.base.errors import DataError
from quantlab.domain.config import RunConfig
from quantlab.trading.engine import EngineState
from quantlab.trading.fills import Fills
from quantlab.trading.orders import slippage_fractions
from quantlab.trading.results import Order
from quantlab.trading.simulation import Replay, simulate

NAN = float("nan")


def config_of(**values: Any) -> RunConfig:
    return msgspec.structs.replace(FREE, **values)


def test_a_decision_fills_at_the_next_open() -> None:
    prices = market([10.0, 11.0, 12.0], opens=[9.0, 8.0, 7.0])
    (fill,) = simulate(prices, FREE, given_signals(enter=[0])).fills
    assert (fill.signal_bar, fill.bar, fill.price, fill.quantity) == (0, 1, 8.0, 125.0)


def test_a_decision_fills_at_its_own_close_when_asked_to() -> None:
    prices = market([10.0, 11.0, 12.0], opens=[9.0, 8.0, 7.0])
    (fill,) = simulate(prices, config_of(fill="close"), given_signals(enter=[0])).fills
    assert (fill.signal_bar, fill.bar, fill.price, fill.quantity) == (0, 0, 10.0, 100.0)


def test_slippage_goes_against_us_on_both_sides() -> None:
    buy, sell = simulate(market([10.0] * 4), config_of(slippage_bps=100.0), given_signals([0], [1])).fills
    assert (buy.price, sell.price) == pytest.approx((10.1, 9.9))


def test_the_fee_is_a_fraction_of_notional_on_both_sides() -> None:
    buy, sell = simulate(market([10.0] * 4), config_of(fee=0.01), given_signals([0], [1])).fills
    assert buy.quantity == pytest.approx(1000 / 10.1)
    assert (buy.fee, sell.fee) == pytest.approx((1000 / 101, 1000 / 101))
    assert sell.cash_after == pytest.approx(1000 / 1.01 * 0.99)


def test_a_buy_leaves_exactly_no_cash() -> None:
    fills = simulate(walk(2000), RunConfig()).fills
    assert {fill.cash_after for fill in fills if fill.side == "buy"} == {0.0}


def test_a_sell_leaves_exactly_no_units() -> None:
    fills = simulate(walk(2000), RunConfig()).fills
    assert {fill.position_after for fill in fills if fill.side == "sell"} == {0.0}


def test_a_fill_tells_the_reason_of_its_decision() -> None:
    fills = simulate(market([10.0] * 4), FREE, given_signals([0], [1])).fills
    assert [fill.reason for fill in fills] == ["in", "out"]


def test_a_signal_on_the_last_bar_stays_pending() -> None:
    simulation = simulate(market([10.0, 11.0, 12.0]), config_of(slippage_bps=5.0), given_signals([2]))
    assert simulation.pending == Order(side="buy", signal_bar=2, reason="in", slippage=5e-4)
    assert not simulation.fills


def test_a_pending_sell_says_so() -> None:
    simulation = simulate(market([10.0] * 60), FREE, given_signals([0], [59]))
    assert simulation.pending is not None
    assert (simulation.pending.side, simulation.pending.reason) == ("sell", "out")


@pytest.mark.parametrize("bad", [NAN, float("inf"), float("-inf"), 0.0, -5.0])
def test_an_order_waits_for_a_usable_open(bad: float) -> None:
    prices = market([10.0] * 5, opens=[10.0, bad, bad, 8.0, 10.0])
    simulation = simulate(prices, FREE, given_signals([0]))
    assert [(fill.bar, fill.price) for fill in simulation.fills] == [(3, 8.0)]
    assert simulation.skipped_fills == 2


def test_an_order_that_waits_to_the_end_stays_pending_and_its_waits_count() -> None:
    prices = market([10.0] * 100, opens=[10.0] * 90 + [NAN] * 10)
    simulation = simulate(prices, FREE, given_signals([89]))
    assert simulation.pending is not None
    assert simulation.skipped_fills == 10


def test_no_decision_is_taken_while_an_order_waits() -> None:
    prices = market([10.0] * 6, opens=[10.0, NAN, NAN, 10.0, 10.0, 10.0])
    simulation = simulate(prices, FREE, given_signals([0], [1, 2]))
    assert [fill.bar for fill in simulation.fills] == [3]


def test_the_position_is_marked_at_the_last_good_close() -> None:
    simulation = simulate(market([10.0, 11.0, NAN, 12.0], opens=[10.0] * 4), FREE, given_signals([0]))
    assert simulation.mark.tolist() == [10.0, 11.0, 11.0, 12.0]
    assert simulation.equity.tolist() == [1000.0, 1100.0, 1100.0, 1200.0]


def test_before_any_good_close_equity_is_the_cash() -> None:
    simulation = simulate(market([NAN, -1.0, 12.0], opens=[10.0] * 3), FREE, given_signals([0, 1]))
    assert simulation.equity.tolist() == [1000.0, 1000.0, 1000.0]
    assert not simulation.fills


def test_a_signal_on_an_unusable_close_is_not_taken() -> None:
    simulation = simulate(market([10.0, NAN, 12.0, 13.0], opens=[10.0] * 4), FREE, given_signals([1]))
    assert not simulation.fills


def test_a_fill_in_a_bar_without_a_close_is_valued_at_the_mark() -> None:
    (fill,) = simulate(market([10.0, NAN, 12.0], opens=[10.0] * 3), FREE, given_signals([0])).fills
    assert (fill.close, fill.equity_after) == (10.0, 1000.0)


def test_without_rest_the_fill_bars_own_close_may_decide() -> None:
    fills = simulate(market([10.0] * 6), FREE, given_signals(range(6), range(6))).fills
    assert [fill.bar for fill in fills] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("fill", ["next_open", "close"])
def test_rest_lets_whole_bars_pass_between_fills(fill: str) -> None:
    config = config_of(cooldown_days=2, fill=fill)
    fills = simulate(market([10.0] * 100), config, given_signals(range(100), range(100))).fills
    assert set(np.diff([each.bar for each in fills]).tolist()) == {3}


def test_signals_during_the_rest_are_forgotten() -> None:
    fills = simulate(market([10.0] * 12), config_of(cooldown_days=4), given_signals([0], [2, 9])).fills
    assert [(each.signal_bar, each.bar) for each in fills] == [(0, 1), (9, 10)]


def test_atr_slippage_is_that_of_the_decision_bar() -> None:
    prices = walk(200, volatility=0.05)
    config = config_of(slippage_mode="atr", k_atr=0.02)
    (fill,) = simulate(prices, config, given_signals([50])).fills
    assert fill.slippage == slippage_fractions(prices, config)[50]


def test_atr_slippage_stays_between_2_and_30_bps() -> None:
    prices = walk(500, volatility=0.05)
    low, high = (
        slippage_fractions(prices, config_of(slippage_mode="atr", k_atr=factor)) for factor in (0.0, 1.0)
    )
    assert set(low[14:].tolist()) == {2e-4}
    assert set(high[14:].tolist()) == {30e-4}


def test_atr_slippage_is_the_most_before_the_atr_is_known() -> None:
    fractions = slippage_fractions(walk(50), config_of(slippage_mode="atr", k_atr=0.0))
    assert fractions[:14].tolist() == [30e-4] * 14


def test_unusable_prices_do_not_spoil_the_atr() -> None:
    prices = walk(100)
    high, close = prices.high.copy(), prices.close.copy()
    high[20], close[:3], close[30] = NAN, NAN, -1.0
    found = slippage_fractions(replace(prices, high=high, close=close), config_of(slippage_mode="atr"))
    assert found[17:].max() < 30e-4


def test_a_market_without_a_usable_close_has_the_most_slippage() -> None:
    found = slippage_fractions(market([NAN] * 30), config_of(slippage_mode="atr"))
    assert set(found.tolist()) == {30e-4}


def test_equity_beyond_all_floats_is_a_data_error() -> None:
    prices = market([1e-300, 1e-300, 1e300, 1e300])
    with pytest.raises(DataError, match="leaves the range from 1e-250 to 1e"):
        simulate(prices, config_of(initial_cash=1e9), given_signals([0]))


def test_equity_too_small_to_compute_with_is_refused() -> None:
    prices = market([1e200, 1e200, 1e-200, 1e-200])
    with pytest.raises(DataError, match="leaves the range from 1e-250 to 1e"):
        simulate(prices, FREE, given_signals([0]))


def test_advancing_gives_the_fills_of_those_bars() -> None:
    replay = Replay(market([10.0] * 80), FREE, strategy=given_signals([0, 50], [40]))
    assert [fill.bar for fill in replay.advance(42)] == [1, 41]
    assert [fill.bar for fill in replay.advance(900)] == [51]
    assert replay.bars_done == 80


def test_going_backwards_does_nothing() -> None:
    replay = Replay(market([10.0] * 30), FREE, strategy=given_signals([0]))
    replay.advance(20)
    assert replay.advance(5) == ()
    assert replay.bars_done == 20


RUINOUS = config_of(fee=0.999)
OFTEN = given_signals(range(0, 200, 4), range(2, 200, 4))


def test_after_ruin_nothing_is_bought() -> None:
    simulation = simulate(market([10.0] * 200), RUINOUS, OFTEN)
    assert [fill.bar for fill in simulation.fills] == [1, 3, 5, 7, 9, 11]
    assert 0 < simulation.cash[-1] < 1e-9 * RUINOUS.initial_cash
    assert (simulation.quantity[-1], simulation.pending) == (0.0, None)


def test_nobody_is_ruined_by_a_fall_while_holding() -> None:
    prices = market([10.0, 10.0, 1e-12, 10.0, 10.0, 10.0])
    assert len(simulate(prices, FREE, given_signals([0, 4], [3])).fills) == 3


def test_an_order_after_ruin_is_not_left_waiting() -> None:
    prices = market([10.0] * 200)
    replay = Replay(prices, RUINOUS, strategy=OFTEN)
    replay.advance(197)
    assert replay.state.order is None
    assert simulate(prices, RUINOUS, given_signals([0, 4, 8, 199], [2, 6, 10])).pending is None


def test_ruin_holds_in_later_pieces() -> None:
    replay = Replay(market([10.0] * 200), RUINOUS, strategy=OFTEN)
    replay.advance(100)
    assert replay.advance(200) == ()
    assert len(replay.result().fills) == 6


def test_waits_after_ruin_are_not_counted() -> None:
    opens = np.full(200, 10.0)
    opens[101] = NAN
    simulation = simulate(
        market([10.0] * 200, opens=opens), RUINOUS, given_signals([0, 4, 8, 100], [2, 6, 10])
    )
    assert simulation.skipped_fills == 0


def test_the_least_cash_is_a_billionth_of_the_initial_cash() -> None:
    prices = market([1.0, 1.0, 2e-9, 2e-9, 1.0, 1.0, 0.4, 0.4, 0.4, 0.4])
    fills = simulate(prices, FREE, given_signals([0, 3, 7], [2, 5])).fills
    assert [fill.side for fill in fills] == ["buy", "sell", "buy", "sell", "buy"]
    lower = market([1.0, 1.0, 9e-10, 9e-10, 1.0, 1.0])
    assert len(simulate(lower, FREE, given_signals([0, 3], [2])).fills) == 2


def test_state_survives_json_to_the_last_bit() -> None:
    state = EngineState(
        bars_done=7,
        cash=0.1 + 0.2,
        quantity=1 / 3,
        order=Order(side="sell", signal_bar=6, reason="out", slippage=1e-17),
        rest_until=9,
        mark=5e-324,
        skipped_fills=1,
    )
    assert EngineState.from_json(json.loads(json.dumps(state.to_json()))) == state


@pytest.mark.parametrize("change", [{"cash": "much"}, {"order": {"side": "hold"}}])
def test_a_damaged_state_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="engine state"):
        EngineState.from_json(EngineState.initial(FREE).to_json() | change)


@pytest.mark.parametrize(
    "change", [{"bars_done": 31}, {"quantity": 1.0}], ids=["beyond the bars", "a position without its fill"]
)
def test_a_state_of_something_else_is_refused(change: dict[str, Any]) -> None:
    state = replace(EngineState.initial(FREE), **change)
    with pytest.raises(DataError, match="does not belong"):
        Replay(market([10.0] * 30), FREE, strategy=given_signals(), state=state)


def test_fills_after_the_state_are_refused() -> None:
    prices, strategy = market([10.0] * 30), given_signals([20], [22])
    fills = simulate(prices, FREE, strategy).fills
    with pytest.raises(DataError, match="2 earlier fills"):
        Replay(prices, FREE, strategy=strategy, state=EngineState.initial(FREE), fills=fills)


def test_fills_are_a_sequence_of_records() -> None:
    fills = simulate(market([10.0] * 80), FREE, given_signals(range(0, 80, 4), range(2, 80, 4))).fills
    rows = list(fills)
    assert [fills[0], fills[-1], fills[2:4]] == [rows[0], rows[-1], rows[2:4]]
    assert (len(fills), fills == tuple(rows), hash(fills)) == (len(rows), True, hash(tuple(rows)))


@pytest.mark.parametrize("index", [2, -3])
def test_fills_end_where_they_end(index: int) -> None:
    with pytest.raises(IndexError):
        simulate(market([10.0] * 5), FREE, given_signals([0], [1])).fills[index]


def test_fills_differ_from_other_things() -> None:
    fills = Fills.of([])
    assert fills != 0
    assert repr(fills) == "Fills([])"
    assert fills != simulate(market([10.0] * 5), FREE, given_signals([0])).fills


def test_the_benchmarks_pandas_loop_trades_the_same() -> None:
    prices = walk(600)
    assert pandas_loop(prices) == pytest.approx(simulate(prices, RunConfig()).equity.tolist(), rel=1e-9)
