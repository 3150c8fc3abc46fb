"""A finished simulation, evaluated once: metrics, report, charts and tables are all read off the outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quantlab.trading.digest import result_digest
from quantlab.trading.drawdowns import drawdowns
from quantlab.trading.execution import least_cash
from quantlab.trading.metrics import buy_and_hold, figures
from quantlab.trading.periods import periods_as_first_released
from quantlab.trading.results import Outcome
from quantlab.trading.round_trips import open_entry, round_trips
from quantlab.trading.simulation import require_computable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quantlab.config import RunConfig
    from quantlab.trading.market import Prices
    from quantlab.trading.results import DataQuality, Simulation


def evaluate(
    config: RunConfig, prices: Prices, quality: DataQuality, simulation: Simulation, data_hash: str
) -> Outcome:
    """Return everything that this simulation tells.

    Args:
        config: The configuration that it ran with.
        prices: The bars that it ran on, at least one.
        quality: What is known of these bars.
        simulation: What the engine left.
        data_hash: SHA-256, in hex, of the prices as they are kept.

    Raises:
        DataError: buying and holding can't be computed with, because prices are beyond all reason.
    """
    held = buy_and_hold(prices, config.initial_cash)
    require_computable(held)
    trips = round_trips(simulation.fills)
    year = quality.periods_per_year or periods_as_first_released(prices, config.interval)
    return Outcome(
        config=config,
        prices=prices,
        quality=quality,
        simulation=simulation,
        round_trips=trips,
        drawdowns=drawdowns(simulation.equity, config.initial_cash),
        figures=figures(simulation, prices, config, trips, year),
        buy_and_hold=held,
        data_hash=data_hash,
        result_digest=result_digest(simulation),
        warnings=(*quality.warnings, *_warnings(simulation, prices, config)),
    )


def _warnings(simulation: Simulation, prices: Prices, config: RunConfig) -> Iterator[str]:
    entry, pending = open_entry(simulation.fills), simulation.pending
    if entry is None and simulation.cash[-1] < least_cash(config):
        yield (
            f"The sale on {_day(prices, simulation.fills[-1].bar)} left less than a billionth of the initial cash: "
            "nothing was bought any more."
        )
    if entry is not None:
        yield (
            f"A position of {entry.quantity:.8g} units, bought on {_day(prices, entry.bar)}, is still open: "
            "it is valued at the last usable close and counts neither as a trade nor as a win."
        )
    if pending is not None:
        yield (
            f"A {pending.side} order decided on {_day(prices, pending.signal_bar)} still waits for a bar to "
            "fill in; it is in no figure."
        )
    if simulation.skipped_fills:
        yield (
            f"An order waited on {simulation.skipped_fills} bar(s) whose price could not be traded at "
            "(missing, infinite, zero or negative)."
        )


def _day(prices: Prices, bar: int) -> str:
    if np.any(prices.times != prices.times.astype("datetime64[D]")):
        return str(np.datetime_as_string(prices.times[bar], unit="m")).replace("T", " ")
    return str(np.datetime_as_string(prices.times[bar], unit="D"))
