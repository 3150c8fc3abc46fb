from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest
from msgspec.structs import replace
from support.engine_markets import FREE, given_signals, market

from quantlab.base.errors import DataError
from quantlab.domain.config import RunConfig
from quantlab.trading.digest import result_digest
from quantlab.trading.metrics import figures
from quantlab.trading.outcome import evaluate
from quantlab.trading.results import DataQuality, Outcome
from quantlab.trading.simulation import simulate

if TYPE_CHECKING:
    from quantlab.trading.market import Prices
    from quantlab.trading.tape import Decider

QUALITY = DataQuality(
    bars=8,
    first_bar="2023-01-02T00:00:00+00:00",
    last_bar="2023-01-09T00:00:00+00:00",
    calendar="every_day",
    missing_bars=0,
    gaps=(),
    zero_volume_bars=0,
    unfinished_bar_dropped=False,
    dropped_bars=0,
    repeated_bars=0,
    doubts=(),
    warnings=("From the data.",),
)
PRICES = market([10.0, 10.0, 12.0, 9.0, 9.0, 11.0, 10.0, 10.0])


def outcome_of(strategy: Decider, prices: Prices = PRICES) -> Outcome:
    return evaluate(FREE, prices, QUALITY, simulate(prices, FREE, strategy), "ab" * 32)


def test_an_outcome_is_read_off_one_simulation() -> None:
    outcome = outcome_of(given_signals([0, 4], [2]))
    assert outcome.figures == figures(outcome.simulation, PRICES, FREE)
    assert outcome.result_digest == result_digest(outcome.simulation)
    assert outcome.figures.trades == len(outcome.round_trips) == 1
    assert outcome.figures.max_drawdown == outcome.drawdowns[0].depth
    assert outcome.buy_and_hold.tolist() == (PRICES.close * 100).tolist()
    assert outcome.data_hash == "ab" * 32


def test_the_recorded_year_is_used_and_else_the_first_releases() -> None:
    hours = market([10.0, 11.0] * 60, start="2023-01-02T00", step="h")
    config, simulation = replace(FREE, interval="1h"), simulate(hours, FREE, given_signals([0]))
    recorded = dataclasses.replace(QUALITY, periods_per_year=6048.0)
    years = [
        evaluate(config, hours, quality, simulation, "").figures.periods_per_year
        for quality in (recorded, QUALITY)
    ]
    assert years == [6048.0, 252.0 * 7]


def test_a_closed_session_has_the_warnings_of_its_data_alone() -> None:
    assert outcome_of(given_signals([0], [2])).warnings == ("From the data.",)


def test_an_open_position_is_told() -> None:
    (warning,) = outcome_of(given_signals([0])).warnings[1:]
    assert warning.startswith("A position of 100 units, bought on 2023-01-03, is still open")


def test_a_pending_order_is_told() -> None:
    (warning,) = outcome_of(given_signals([7])).warnings[1:]
    assert warning.startswith("A buy order decided on 2023-01-09 still waits")


def test_ruin_is_told() -> None:
    config = RunConfig(fee=0.999)
    simulation = simulate(PRICES, config, given_signals([0, 2, 4], [1, 3, 5]))
    outcome = evaluate(config, PRICES, QUALITY, simulation, "ab" * 32)
    (warning,) = outcome.warnings[1:]
    assert warning == (
        "The sale on 2023-01-08 left less than a billionth of the initial cash: nothing was bought any more."
    )


def test_buying_and_holding_beyond_all_reason_is_refused() -> None:
    with pytest.raises(DataError, match="small to compute with"):
        outcome_of(given_signals(), market([1e-200] * 4 + [1e90] * 4))


def test_waits_are_told() -> None:
    prices = market([10.0] * 6, opens=[10.0, np.nan, 10.0, 10.0, 10.0, 10.0])
    (warning,) = outcome_of(given_signals([0], [3]), prices).warnings[1:]
    assert "waited on 1 bar(s)" in warning


@pytest.mark.parametrize("step", ["h"])
def test_intraday_warnings_tell_the_time(step: str) -> None:
    prices = market([10.0] * 6, start="2023-01-02T09", step=step)
    assert "2023-01-02 10:00" in outcome_of(given_signals([0]), prices).warnings[1]


WARM = 3


def warmed_up() -> Outcome:
    config = replace(FREE, warmup=WARM)
    simulation = simulate(PRICES, config, given_signals([0, 4], [6]))
    return evaluate(config, PRICES, QUALITY, simulation, "ab" * 32)


def test_figures_count_from_the_first_bar_after_the_warm_up() -> None:
    outcome = warmed_up()
    assert (outcome.figures.bars, outcome.figures.days, len(outcome.simulation.equity)) == (5, 5, 5)
    assert outcome.prices.times[0] == PRICES.times[WARM]
    assert outcome.figures.exposure == 2 / 5
    assert outcome.buy_and_hold[-1] == pytest.approx(1000 * 10.0 / 12.0)


def test_a_fill_after_a_warm_up_keeps_its_time() -> None:
    outcome = warmed_up()
    (buy, _sell) = outcome.simulation.fills
    assert (buy.signal_bar, buy.bar) == (4 - WARM, 5 - WARM)
    assert outcome.prices.times[buy.bar] == PRICES.times[5]


def test_the_digest_is_over_the_warm_up_too() -> None:
    outcome = warmed_up()
    whole = simulate(PRICES, replace(FREE, warmup=WARM), given_signals([0, 4], [6]))
    assert outcome.result_digest == result_digest(whole) != result_digest(outcome.simulation)
    assert len(outcome.tape) == len(PRICES)


def test_an_order_that_waits_after_a_warm_up_is_told_with_its_day() -> None:
    config = replace(FREE, warmup=WARM)
    simulation = simulate(PRICES, config, given_signals([7]))
    outcome = evaluate(config, PRICES, QUALITY, simulation, "")
    assert outcome.simulation.pending is not None
    assert outcome.simulation.pending.signal_bar == 7 - WARM
    assert "decided on 2023-01-09" in outcome.warnings[-1]


def test_a_warm_up_that_leaves_no_bar_is_refused() -> None:
    config = replace(FREE, warmup=8)
    with pytest.raises(DataError, match="All of the 8 bars are warm-up"):
        evaluate(config, PRICES, QUALITY, simulate(PRICES, config, given_signals()), "")


def test_orders_that_were_not_placed_are_told() -> None:
    config = replace(FREE, min_notional=5000.0)
    simulation = simulate(PRICES, config, given_signals([1]))
    assert "1 order(s) were not placed" in evaluate(config, PRICES, QUALITY, simulation, "").warnings[-1]
