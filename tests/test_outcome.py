from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest
from engine_markets import FREE, given_signals, market
from msgspec.structs import replace

from quantlab.config import RunConfig
from quantlab.errors import DataError
from quantlab.trading.digest import result_digest
from quantlab.trading.metrics import figures
from quantlab.trading.outcome import evaluate
from quantlab.trading.results import DataQuality, Outcome
from quantlab.trading.simulation import simulate

if TYPE_CHECKING:
    from quantlab.trading.market import Prices
    from quantlab.trading.strategy import Strategy

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


def outcome_of(strategy: Strategy, prices: Prices = PRICES) -> Outcome:
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
