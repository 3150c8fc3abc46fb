from __future__ import annotations

import importlib
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from support.engine_markets import FREE, given_signals, market, walk

from quantlab.domain.config import RunConfig
from quantlab.trading.fills import RoundTrips
from quantlab.trading.metrics import (
    best_result,
    buy_and_hold,
    drawdowns,
    figures,
    longest_losing_streak,
    max_drawdown,
    summary,
)
from quantlab.trading.returns import (
    bar_returns,
    cagr,
    returns_by_month,
    sharpe_interval,
    sharpe_simple,
    sortino,
)
from quantlab.trading.simulation import simulate

if TYPE_CHECKING:
    from quantlab.trading.market import Prices
    from quantlab.trading.results import Figures

NAN = float("nan")


@pytest.fixture(scope="module")
def empyrical() -> Any:
    """Load what figures are compared with: that takes seconds, so only who compares waits for it."""
    return importlib.import_module("empyrical")


def figures_of(seed: int) -> tuple[Figures, pd.Series]:
    prices, config = walk(700, seed), RunConfig()
    simulation = simulate(prices, config)
    return figures(simulation, prices, config), pd.Series(bar_returns(simulation.equity, config.initial_cash))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_figures_are_empyricals(empyrical: Any, seed: int) -> None:
    found, returns = figures_of(seed)
    expected = {
        "total_return": empyrical.cum_returns_final(returns),
        "cagr": empyrical.annual_return(returns, annualization=365),
        "volatility": empyrical.annual_volatility(returns, annualization=365),
        "sharpe_simple": empyrical.sharpe_ratio(returns, annualization=365),
        "sortino": empyrical.sortino_ratio(returns, annualization=365),
        "calmar": empyrical.calmar_ratio(returns, annualization=365),
        "max_drawdown": empyrical.max_drawdown(returns),
    }
    assert {name: getattr(found, name) for name in expected} == pytest.approx(expected, rel=1e-9)


def test_a_trade_is_a_closed_round_trip() -> None:
    prices = market([10.0, 10.0, 20.0, 20.0, 20.0, 10.0, 10.0])
    simulation = simulate(prices, FREE, given_signals([0, 3], [2]))
    found = figures(simulation, prices, FREE)
    assert (found.fills, found.trades, found.win_rate, found.open_position) == (3, 1, 1.0, True)
    assert (found.realised_profit, found.unrealised_profit) == (1000.0, -1000.0)
    assert (found.avg_holding_bars, found.avg_holding_days) == (2.0, 2.0)


def test_round_trips_are_net_of_costs() -> None:
    config = RunConfig(fee=0.01, slippage_bps=100.0)
    (trip,) = RoundTrips(simulate(market([10.0] * 5), config, given_signals([0], [1])).fills)
    assert trip.profit_fraction == pytest.approx(0.99 * 0.99 / (1.01 * 1.01) - 1)
    assert trip.profit == pytest.approx(1000 * trip.profit_fraction)
    assert trip.bars_held == 1


def test_a_break_even_trade_is_no_win() -> None:
    prices = market([10.0] * 5)
    assert figures(simulate(prices, FREE, given_signals([0], [1])), prices, FREE).win_rate == 0.0


def test_costs_are_told_apart() -> None:
    config, prices = RunConfig(fee=0.01, slippage_bps=100.0), market([10.0] * 5)
    found = figures(simulate(prices, config, given_signals([0], [1])), prices, config)
    units = 1000 / (10.1 * 1.01)
    assert found.fees_paid == pytest.approx(units * (10.1 + 9.9) * 0.01)
    assert found.slippage_paid == pytest.approx(units * 0.2)


def test_without_trades_what_needs_them_is_undefined() -> None:
    prices = market([10.0] * 5)
    found = figures(simulate(prices, FREE, given_signals()), prices, FREE)
    undefined = {each.name for each in fields(found) if getattr(found, each.name) is None}
    assert undefined == {
        "sharpe_simple",
        "sortino",
        "calmar",
        "win_rate",
        "profit_factor",
        "expectancy_net",
        "avg_holding_days",
        "avg_holding_bars",
        "sharpe_low",
        "sharpe_high",
        "buy_and_hold_sharpe",
        "best_trade",
        "worst_trade",
        "avg_trade",
        "max_participation",
    }


def test_one_bar_has_no_variation() -> None:
    prices = market([10.0])
    found = figures(simulate(prices, FREE, given_signals([0])), prices, FREE)
    assert (found.volatility, found.sharpe_simple, found.sortino, found.cagr) == (None, None, None, 0.0)


def test_one_loss_is_no_distribution() -> None:
    assert sortino(np.array([-0.5]), 365.0) is None


def test_equal_returns_have_no_sharpe_ratio() -> None:
    prices = market(
        [10.0 * 1.1**bar for bar in range(40)], opens=[10.0 * 1.1 ** (bar - 1) for bar in range(40)]
    )
    simulation = simulate(prices, FREE, given_signals([0]))
    later = replace(simulation, equity=simulation.equity[2:])
    config = msgspec.structs.replace(FREE, initial_cash=float(simulation.equity[1]))
    assert figures(later, market(prices.close[2:]), config).sharpe_simple is None


def rounded_market() -> Prices:
    """Return a market that is bought and sold at prices whose exchanges lose a last digit, and never falls between."""
    return market([14 - bar * 0.1 for bar in range(40)] + [10.5] * 20 + [11.55] * 40)


def test_without_costs_rounding_is_no_fall() -> None:
    prices = rounded_market()
    simulation = simulate(prices, FREE, given_signals([45, 47, 49, 51], [46, 48, 50, 52]))
    found = figures(simulation, prices, FREE)
    assert (simulation.equity < 1000.0).any()
    assert (found.max_drawdown, found.calmar, found.sortino) == (0.0, None, None)
    assert drawdowns(simulation.equity, 1000.0) == ()


def test_without_costs_rounding_is_no_return() -> None:
    prices = rounded_market()
    found = figures(simulate(prices, FREE, given_signals([45, 47], [46, 48])), prices, FREE)
    assert (found.total_return, found.cagr, found.volatility, found.sharpe_simple) == (0.0, 0.0, 0.0, None)


def test_without_costs_rounding_is_neither_a_win_nor_a_loss() -> None:
    prices = market([0.3, 0.1 + 0.2, 0.3, 0.3, 0.1 + 0.2, 0.1 + 0.2])
    simulation = simulate(prices, FREE, given_signals([0, 2, 4], [1, 3]))
    found = figures(simulation, prices, FREE)
    prices_paid = [fill.price for fill in simulation.fills]
    assert prices_paid == [0.3, 0.1 + 0.2, 0.3, 0.3, 0.1 + 0.2]
    assert (found.win_rate, found.profit_factor, found.realised_profit) == (0.0, None, 0.0)


def test_without_costs_rounding_is_no_profit_of_an_open_position() -> None:
    prices = market([0.1 + 0.2, 0.1 + 0.2, 0.3])
    assert figures(simulate(prices, FREE, given_signals([0])), prices, FREE).unrealised_profit == 0.0


@pytest.mark.parametrize("fall", [1e-9, 1e-11])
def test_a_fall_beyond_rounding_is_a_fall(fall: float) -> None:
    equity = np.array([100.0, 100.0 * (1 - fall), 100.0])
    assert max_drawdown(equity, 100.0) == pytest.approx(-fall, rel=1e-3)
    assert len(drawdowns(equity, 100.0)) == 1
    assert sortino(bar_returns(equity, 100.0), 365.0) is not None


def test_growth_beyond_all_floats_is_undefined() -> None:
    assert cagr(1.0, 1e300, 1, 365.0) is None


def test_a_recorded_year_goes_before_what_the_prices_tell() -> None:
    prices = market([10.0] * 365)
    simulation = simulate(prices, FREE, given_signals([10], [100]))
    assert figures(simulation, prices, FREE, 730.0).turnover == pytest.approx(4.0)


def test_a_full_round_trip_a_year_turns_over_twice() -> None:
    prices = market([10.0] * 365)
    found = figures(simulate(prices, FREE, given_signals([10], [100])), prices, FREE)
    assert found.turnover == pytest.approx(2.0)


def test_exposure_is_the_share_of_bars_with_a_position() -> None:
    prices = market([10.0] * 10)
    assert figures(simulate(prices, FREE, given_signals([1], [4])), prices, FREE).exposure == 0.3


def test_buy_and_hold_begins_at_the_first_usable_open() -> None:
    held = buy_and_hold(market([10.0, 12.0, NAN, 18.0], opens=[NAN, 10.0, 1.0, 1.0]), 1000.0)
    assert held.tolist() == [1000.0, 1200.0, 1200.0, 1800.0]


def test_buy_and_hold_is_worth_its_price_until_a_close_is_usable() -> None:
    assert buy_and_hold(market([NAN, 12.0], opens=[10.0, 10.0]), 1000.0).tolist() == [1000.0, 1200.0]


def test_nothing_can_be_held_without_a_usable_open() -> None:
    prices = market([10.0, 11.0], opens=[NAN, 0.0])
    assert buy_and_hold(prices, 1000.0).tolist() == [1000.0, 1000.0]
    assert figures(simulate(prices, FREE, given_signals()), prices, FREE).buy_and_hold_return is None


def test_drawdowns_come_deepest_first_with_their_dates() -> None:
    equity = np.array([100.0, 120.0, 108.0, 120.0, 60.0, 90.0, 130.0, 120.0])
    found = [(each.peak_bar, each.trough_bar, each.recovered_bar) for each in drawdowns(equity, 100.0)]
    assert found == [(3, 4, 6), (1, 2, 3), (6, 7, None)]
    assert [each.depth for each in drawdowns(equity, 100.0)] == pytest.approx([-0.5, -0.1, -1 / 13])


def test_at_most_five_drawdowns_are_told() -> None:
    assert len(drawdowns(np.array([100.0, 90.0] * 9), 100.0)) == 5


def test_a_fall_from_the_initial_cash_counts() -> None:
    (fall,) = drawdowns(np.array([90.0, 80.0, 100.0]), 100.0)
    assert (fall.peak_bar, fall.trough_bar, fall.recovered_bar) == (0, 1, 2)
    assert max_drawdown(np.array([90.0, 80.0]), 100.0) == fall.depth


def test_the_summary_is_the_contracts() -> None:
    found, _ = figures_of(1)
    assert list(summary(found)) == ["total_return", "sharpe_simple", "max_drawdown", "trades", "win_rate"]


def test_the_best_result_has_every_figure_under_its_name() -> None:
    found, _ = figures_of(1)
    best = best_result(found)
    assert vars(found).items() <= best.items()
    assert (best["trade_trades"], best["win_rate_trades"]) == (found.trades, found.win_rate)


def test_the_best_result_has_no_figures_of_trades_without_trades() -> None:
    prices = market([10.0] * 5)
    best = best_result(figures(simulate(prices, FREE, given_signals()), prices, FREE))
    assert not {"trade_trades", "win_rate_trades"} & set(best)
    assert best["days"] == 5


def beyond_floats() -> Figures:
    """Return the figures of 1,000 that became 1e223 in one bar: squares and powers of that leave all floats."""
    prices = market([1e-110] * 3 + [1e110] * 3)
    return figures(simulate(prices, FREE, given_signals([0])), prices, FREE)


@pytest.mark.parametrize("name", ["volatility", "sharpe_simple", "cagr"])
def test_a_figure_beyond_all_floats_is_undefined(name: str) -> None:
    assert getattr(beyond_floats(), name) is None


def test_figures_beside_one_beyond_all_floats_stand() -> None:
    found = beyond_floats()
    assert found.total_return == pytest.approx(1e220)
    assert (found.max_drawdown, found.sortino, found.calmar) == (0.0, None, None)


def test_every_figure_of_the_best_result_is_the_figures_own() -> None:
    assert best_result(beyond_floats())["volatility"] is None


def interval_of(returns: list[float]) -> tuple[float, float]:
    low, high = sharpe_interval(np.array(returns), 1.0)
    assert low is not None
    assert high is not None
    return low, high


def test_sharpes_interval_of_normal_returns_is_that_of_the_normal_theory() -> None:
    returns = np.random.default_rng(5).normal(0.02, 0.1, 200_000)
    ratio = sharpe_simple(returns, 1.0)
    low, high = interval_of(returns.tolist())
    assert ratio is not None
    assert (low + high) / 2 == pytest.approx(ratio)
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt((1 + ratio**2 / 2) / 200_000), rel=0.01)


def test_sharpes_interval_holds_the_true_ratio_in_ninety_five_of_a_hundred_skewed_histories() -> None:
    random = np.random.default_rng(9)
    within = 0
    for _ in range(1000):
        # A gamma distribution of shape 4: mean 4, standard deviation 2, skewness 1.
        low, high = interval_of((random.gamma(4.0, 1.0, 500) - 3.6).tolist())
        within += low <= 0.4 / 2.0 <= high
    assert 930 <= within <= 970


def test_sharpes_interval_grows_with_the_root_of_the_year() -> None:
    returns = np.array([0.01, -0.02, 0.03, 0.0])
    assert sharpe_interval(returns, 4.0) == pytest.approx([2 * end for end in interval_of(returns.tolist())])


def test_returns_that_never_vary_have_no_interval() -> None:
    assert sharpe_interval(np.zeros(10), 365.0) == (None, None)


def test_best_worst_and_average_trade_are_fractions_of_the_cash_put_in() -> None:
    prices = market([10.0, 10.0, 11.0, 11.0, 11.0, 8.8, 8.8])
    found = figures(simulate(prices, FREE, given_signals([0, 3], [2, 5])), prices, FREE)
    assert (found.best_trade, found.worst_trade) == pytest.approx((0.1, -0.2))
    assert found.avg_trade == pytest.approx(-0.05)


def test_the_longest_losing_streak_counts_trades_in_a_row() -> None:
    assert longest_losing_streak(np.array([-1.0, -1.0, 2.0, -1.0, -1.0, -1.0, 0.0, -1.0])) == 3
    assert longest_losing_streak(np.array([])) == 0


def test_the_gross_return_adds_costs_back() -> None:
    config, prices = RunConfig(fee=0.01, slippage_bps=100.0), market([10.0] * 5)
    found = figures(simulate(prices, config, given_signals([0], [1])), prices, config)
    assert found.gross_return == pytest.approx(0.0)
    assert found.total_return < -0.03


@pytest.mark.slow
def test_buy_and_hold_has_the_figures_of_its_own_equity(empyrical: Any) -> None:
    prices, config = walk(700), RunConfig()
    found = figures(simulate(prices, config), prices, config)
    returns = pd.Series(bar_returns(buy_and_hold(prices, 1000.0), 1000.0))
    assert found.buy_and_hold_max_drawdown == pytest.approx(empyrical.max_drawdown(returns))
    assert found.buy_and_hold_volatility == pytest.approx(
        empyrical.annual_volatility(returns, annualization=365)
    )
    assert found.buy_and_hold_sharpe == pytest.approx(empyrical.sharpe_ratio(returns, annualization=365))


def test_the_largest_participation_is_of_the_fills_whose_volume_is_known() -> None:
    prices = replace(market([10.0] * 6), volume=np.array([1.0, 1000.0, 0.0, NAN, 500.0, 1.0]))
    done = simulate(prices, FREE, given_signals([0, 2], [1, 3]))
    assert figures(done, prices, FREE).max_participation == pytest.approx(100 / 500)


def test_where_no_volume_is_known_no_participation_is() -> None:
    prices = replace(market([10.0] * 4), volume=np.full(4, NAN))
    assert figures(simulate(prices, FREE, given_signals([0])), prices, FREE).max_participation is None


def test_what_lots_leave_over_is_no_profit() -> None:
    prices, config = market([300.0] * 3), msgspec.structs.replace(FREE, lot_size=1.0)
    found = figures(simulate(prices, config, given_signals([0])), prices, config)
    assert (found.unrealised_profit, found.total_return) == (0.0, 0.0)


def test_months_compound_to_their_year_and_to_the_whole() -> None:
    prices = walk(700)
    equity = simulate(prices, RunConfig()).equity
    years = returns_by_month(prices.times, equity, 1000.0)
    assert [year.year for year in years] == [2023, 2024]
    assert [value is None for value in years[1].months] == [False] * 12
    grown = np.prod([1 + year.whole for year in years])
    assert grown == pytest.approx(equity[-1] / 1000.0)
    assert np.prod([1 + value for value in years[0].months if value is not None]) == pytest.approx(
        1 + years[0].whole
    )


def test_months_without_bars_are_none() -> None:
    prices = market([10.0] * 20, start="2023-11-15")
    (year,) = returns_by_month(prices.times, np.full(20, 1000.0), 1000.0)
    assert [month for month, value in enumerate(year.months, start=1) if value is not None] == [11, 12]
