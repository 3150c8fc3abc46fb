"""What holds for every market and setting: held to thousands of generated ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.engine_markets import assert_identical, cases, ruled, scaled, walk

from quantlab.domain.config import RunConfig
from quantlab.trading.engine import EngineState, step
from quantlab.trading.market import usable
from quantlab.trading.metrics import figures
from quantlab.trading.simulation import Replay, simulate
from quantlab.trading.tape import Tape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from support.engine_markets import Case

    from quantlab.trading.results import Fill, Simulation

pytestmark = pytest.mark.slow

many = settings(max_examples=300, deadline=None)
some = settings(max_examples=150, deadline=None)
any_cases = st.one_of(cases(), cases(settings=ruled))
"""Markets with free and with a broker's rules for orders."""


@given(any_cases)
@many
def test_equity_is_cash_plus_quantity_at_the_mark(case: Case) -> None:
    simulation = simulate(*case)
    assert np.array_equal(simulation.equity, simulation.cash + simulation.quantity * simulation.mark)


@given(any_cases)
@many
def test_cash_changes_by_the_signed_notional_and_the_fee_alone(case: Case) -> None:
    simulation = simulate(*case)
    expected = np.zeros(len(case[0]))
    for fill in simulation.fills:
        notional = fill.price * fill.quantity
        expected[fill.bar] = (-notional if fill.side == "buy" else notional) - fill.fee
    changes = np.diff(simulation.cash, prepend=case[1].initial_cash)
    assert changes == pytest.approx(expected, rel=1e-12, abs=1e-12 * float(simulation.cash.max()))


@given(any_cases)
@many
def test_quantity_changes_by_fills_alone(case: Case) -> None:
    simulation = simulate(*case)
    expected = np.zeros(len(case[0]))
    for fill in simulation.fills:
        expected[fill.bar] = fill.quantity if fill.side == "buy" else -fill.quantity
    assert np.array_equal(np.diff(simulation.quantity, prepend=0.0), expected)


@given(cases())
@many
def test_nothing_is_ever_owed(case: Case) -> None:
    simulation = simulate(*case)
    assert simulation.quantity.min() >= 0
    assert simulation.cash.min() >= 0
    if getattr(case[2], "size", None) is None:  # buys that put in a part leave the rest of the cash
        assert np.all((simulation.quantity == 0) | (simulation.cash == 0))


@given(cases(settings=ruled))
@many
def test_nothing_is_ever_owed_under_a_brokers_rules(case: Case) -> None:
    simulation = simulate(*case)
    assert simulation.quantity.min() >= 0
    assert simulation.cash.min() >= 0


@given(cases(settings=ruled))
@many
def test_every_fill_is_one_that_a_broker_takes(case: Case) -> None:
    prices, config, strategy = case
    for fill in simulate(prices, config, strategy).fills:
        assert fill.quantity * fill.price >= config.min_notional * (1 - 1e-9)
        assert fill.fee >= config.min_fee
        assert _is_multiple(fill.quantity, config.lot_size)
        assert _is_multiple(fill.price, config.tick_size)


@given(cases(settings=ruled))
@many
def test_a_tick_never_betters_a_price(case: Case) -> None:
    prices, config, strategy = case
    raw = prices.open if config.fill == "next_open" else prices.close
    for fill in simulate(prices, config, strategy).fills:
        sign = 1 if fill.side == "buy" else -1
        worse = sign * (fill.price - raw[fill.bar] * (1 + sign * fill.slippage))
        assert -1e-9 * fill.price <= worse <= config.tick_size * (1 + 1e-9) or config.tick_size == worse == 0


@given(cases(settings=ruled))
@many
def test_a_warm_up_trades_nothing(case: Case) -> None:
    prices, config, strategy = case
    assert all(fill.signal_bar >= config.warmup for fill in simulate(prices, config, strategy).fills)


@given(any_cases)
@many
def test_final_equity_is_initial_plus_realised_plus_unrealised(case: Case) -> None:
    prices, config, strategy = case
    result = figures(simulate(prices, config, strategy), prices, config)
    total = result.initial_cash + result.realised_profit + result.unrealised_profit
    largest = max(result.initial_cash, result.final_equity, abs(result.realised_profit))
    assert result.final_equity == pytest.approx(total, rel=1e-9, abs=1e-9 * largest)


@given(cases())
@many
def test_fills_happen_on_usable_prices_and_lose_the_slippage_alone(case: Case) -> None:
    prices, config, strategy = case
    raw = prices.open if config.fill == "next_open" else prices.close
    for fill in simulate(prices, config, strategy).fills:
        assert usable(raw[fill.bar : fill.bar + 1]).all()
        sign = 1 if fill.side == "buy" else -1
        assert fill.price == raw[fill.bar] * (1 + sign * fill.slippage)


@given(any_cases)
@many
def test_no_fill_comes_before_its_decision(case: Case) -> None:
    prices, config, strategy = case
    for fill in simulate(prices, config, strategy).fills:
        assert fill.bar == fill.signal_bar if config.fill == "close" else fill.bar > fill.signal_bar


@given(any_cases)
@many
def test_buys_and_sells_alternate_with_the_rest_between_them(case: Case) -> None:
    prices, config, strategy = case
    fills = simulate(prices, config, strategy).fills
    assert [fill.side for fill in fills] == (["buy", "sell"] * len(fills))[: len(fills)]
    assert all(gap > config.cooldown_days for gap in np.diff([fill.bar for fill in fills]))


@given(cases(), st.sampled_from([1e-6, 0.001, 0.2]))
@some
def test_a_higher_fee_never_raises_equity(case: Case, more: float) -> None:
    prices, config, strategy = case
    dearer = simulate(prices, msgspec.structs.replace(config, fee=config.fee + more), strategy)
    cheaper = simulate(prices, config, strategy)
    shared = _bars_of_the_same_trades(dearer, cheaper, config)
    assert np.all(dearer.equity[:shared] <= cheaper.equity[:shared] * (1 + 1e-12))


@given(cases(), st.sampled_from([0.01, 1.0, 400.0]))
@some
def test_more_slippage_never_raises_equity(case: Case, more: float) -> None:
    prices, config, strategy = case
    wider = msgspec.structs.replace(
        config, slippage_bps=config.slippage_bps + more, k_atr=config.k_atr + more
    )
    dearer, cheaper = simulate(prices, wider, strategy), simulate(prices, config, strategy)
    shared = _bars_of_the_same_trades(dearer, cheaper, config)
    assert np.all(dearer.equity[:shared] <= cheaper.equity[:shared] * (1 + 1e-12))


@given(any_cases)
@many
def test_nothing_is_bought_with_less_than_a_billionth_of_the_initial_cash(case: Case) -> None:
    simulation = simulate(*case)
    least = case[1].initial_cash * 1e-9
    cash = [case[1].initial_cash, *(fill.cash_after for fill in simulation.fills)]
    bought = [before for before, fill in zip(cash, simulation.fills, strict=False) if fill.side == "buy"]
    assert all(before >= least for before in bought)
    assert simulation.pending is None or simulation.pending.side == "sell" or simulation.cash[-1] >= least


@given(any_cases)
@many
def test_every_figure_is_a_finite_number_or_none(case: Case) -> None:
    prices, config, strategy = case
    found = figures(simulate(prices, config, strategy), prices, config)
    assert [name for name, value in vars(found).items() if value is not None and not np.isfinite(value)] == []


@given(cases(), st.sampled_from([2.0**-20, 0.5, 1024.0]))
@some
def test_prices_in_another_unit_leave_equity_as_it_is(case: Case, factor: float) -> None:
    prices, config, strategy = case
    other = simulate(scaled(prices, factor), config, strategy)
    assert np.array_equal(simulate(prices, config, strategy).equity, other.equity)


@given(cases(), st.sampled_from([0.001, 3.0, 1e6]))
@some
def test_cash_in_another_unit_leaves_returns_as_they_are(case: Case, factor: float) -> None:
    prices, config, strategy = case
    richer = msgspec.structs.replace(config, initial_cash=config.initial_cash * factor)
    expected = simulate(prices, config, strategy).equity * factor
    assert simulate(prices, richer, strategy).equity == pytest.approx(expected, rel=1e-12)


@given(any_cases)
@many
def test_all_at_once_is_step_by_step_to_the_last_bit(case: Case) -> None:
    prices, config, strategy = case
    tape, state = Tape.of(prices, config, strategy), EngineState.initial(config)
    fills: list[Fill] = []
    states = []
    for bar in range(len(prices)):
        state, fill = step(state, tape.bar(bar), config)
        fills += [] if fill is None else [fill]
        states.append(state)
    whole = Replay(prices, config, strategy=strategy)
    simulation = whole.result()
    assert whole.state == state
    assert simulation.fills == tuple(fills)
    assert simulation.cash.tolist() == [each.cash for each in states]
    assert simulation.quantity.tolist() == [each.quantity for each in states]
    assert simulation.mark.tolist() == [each.mark for each in states]


@given(any_cases, st.lists(st.integers(0, 90), max_size=6))
@many
def test_any_pieces_give_the_same_bits(case: Case, stops: list[int]) -> None:
    prices, config, strategy = case
    replay = Replay(prices, config, strategy=strategy)
    fills = [fill for stop in stops for fill in replay.advance(stop)]
    simulation = replay.result()
    assert fills == [fill for fill in simulation.fills if fill.bar < max(stops, default=0)]
    assert_identical(simulation, simulate(prices, config, strategy))


@given(any_cases, st.integers(0, 80))
@many
def test_resuming_from_a_stored_state_gives_the_same_bits(case: Case, stop: int) -> None:
    prices, config, strategy = case
    first = Replay(prices, config, strategy=strategy)
    fills = first.advance(stop)
    stored = json.loads(json.dumps(first.state.to_json()))
    second = Replay(prices, config, strategy=strategy, state=EngineState.from_json(stored), fills=fills)
    assert_identical(second.result(), simulate(prices, config, strategy))


def test_bar_by_bar_is_all_at_once_for_the_strategy_of_sessions() -> None:
    prices, config = walk(3000), RunConfig()
    replay = Replay(prices, config)
    fills = [fill for bar in range(len(prices)) for fill in replay.advance(bar + 1)]
    assert len(fills) > 100
    assert_identical(replay.result(), simulate(prices, config))


def _bars_of_the_same_trades(dearer: Simulation, cheaper: Simulation, config: RunConfig) -> int:
    """Return how many bars share their trades: all, unless the dearer costs ruin, after which nothing is bought."""
    ruinous, others = _bars(dearer.fills), _bars(cheaper.fills)
    assert ruinous == others[: len(ruinous)]
    if len(ruinous) == len(others):
        return len(dearer.equity)
    assert dearer.cash[-1] < config.initial_cash * 1e-9
    return others[len(ruinous)]


def _bars(fills: Sequence[Fill]) -> list[int]:
    return [fill.bar for fill in fills]


def _is_multiple(value: float, step: float) -> bool:
    return step == 0 or abs(value / step - round(value / step)) <= 1e-9 * max(value / step, 1.0)
