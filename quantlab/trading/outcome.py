"""A finished simulation, evaluated once: metrics, report, charts and tables are all read off the outcome."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from quantlab.base.errors import DataError
from quantlab.base.remedies import Setting
from quantlab.trading.calendars import periods_as_first_released
from quantlab.trading.digest import result_digest
from quantlab.trading.fills import COLUMNS, Fills, RoundTrips, open_entry
from quantlab.trading.metrics import buy_and_hold, figures
from quantlab.trading.orders import least_cash
from quantlab.trading.prices.asked import select
from quantlab.trading.results import Outcome
from quantlab.trading.returns import drawdowns
from quantlab.trading.simulation import require_computable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quantlab.domain.config import RunConfig
    from quantlab.trading.market import Prices
    from quantlab.trading.results import DataQuality, Simulation


def evaluate(
    config: RunConfig, prices: Prices, quality: DataQuality, simulation: Simulation, data_hash: str
) -> Outcome:
    """Return everything that this simulation tells.

    Args:
        config: The configuration that it ran with.
        prices: The bars that it ran on, those of the warm-up first.
        quality: What is known of these bars.
        simulation: What the engine left.
        data_hash: SHA-256, in hex, of the prices as they are kept.

    Raises:
        DataError: all bars are warm-up, or buying and holding can't be computed with, because prices are beyond all
            reason.
    """
    digest, tape = result_digest(simulation), prices
    prices, simulation = counted(prices, simulation, config.warmup)
    held = buy_and_hold(prices, config.initial_cash)
    require_computable(held)
    trips = RoundTrips(simulation.fills)
    year = quality.periods_per_year or periods_as_first_released(prices, config.interval)
    return Outcome(
        config=config,
        tape=tape,
        prices=prices,
        quality=quality,
        simulation=simulation,
        round_trips=trips,
        drawdowns=drawdowns(simulation.equity, config.initial_cash),
        figures=figures(simulation, prices, config, year, trips=trips, held=held),
        buy_and_hold=held,
        data_hash=data_hash,
        result_digest=digest,
        warnings=(*quality.warnings, *_warnings(simulation, prices, config)),
    )


def counted(prices: Prices, simulation: Simulation, warmup: int) -> tuple[Prices, Simulation]:
    """Leave out the first `warmup` bars, on which nothing was traded; a `bar` counts from the first one that is left.

    Raises:
        DataError: no bar is left.
    """
    if warmup == 0:
        return prices, simulation
    if warmup >= len(prices):
        raise DataError(
            f"All of the {len(prices)} bars are warm-up (",
            Setting("warmup", warmup),
            "); expected at least one bar after it. Give a smaller ",
            Setting("warmup"),
            " or a longer range.",
        )
    pending, fills = simulation.pending, Fills.of(simulation.fills)
    bars = {name: fills.column(name) - warmup for name in ("bar", "signal_bar")}
    columns = {name: getattr(simulation, name)[warmup:] for name in ("cash", "quantity", "mark", "equity")}
    return select(prices, np.arange(len(prices)) >= warmup), replace(
        simulation,
        fills=Fills({name: bars.get(name, fills.column(name)) for name in COLUMNS}),
        pending=pending and replace(pending, signal_bar=pending.signal_bar - warmup),
        **columns,
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
    if simulation.refused_orders:
        yield (
            f"{simulation.refused_orders} order(s) were not placed: no broker would have taken them "
            "(--lot-size, --min-notional, --min-fee, --tick-size)."
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
