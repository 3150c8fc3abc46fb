"""Outcomes for the tests of exports: made-up bars, orders at given bars, and numbers worked out naively.

The engine is not used here on purpose: exports render whatever the records say, and these few plain lines
make records whose numbers agree with each other.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from quantlab.domain.config import RunConfig
from quantlab.trading.market import Origin, Prices
from quantlab.trading.results import (
    DataQuality,
    Drawdown,
    Figures,
    Fill,
    Order,
    Outcome,
    RoundTrip,
    Simulation,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BAR_LENGTHS = {"1d": np.timedelta64(1, "D"), "1h": np.timedelta64(1, "h")}


def build_prices(
    bars: int,
    *,
    start: str = "2023-01-01",
    interval: str = "1d",
    source: str = "yahoo",
    volatility: float = 0.02,
    drift: float = 0.0005,
    seed: int = 1,
) -> Prices:
    """Return a random walk from 100 with gaps between a close and the next open."""
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(drift, volatility, bars)))
    opens = np.concatenate([[100.0], close[:-1]]) * np.exp(random.normal(0, volatility / 4, bars))
    return Prices(
        times=np.datetime64(start, "ns") + np.arange(bars) * BAR_LENGTHS[interval],
        open=opens,
        high=np.maximum(opens, close) * 1.01,
        low=np.minimum(opens, close) * 0.99,
        close=close,
        volume=np.full(bars, 1000.0),
        origin=Origin(
            source=source,
            detail="exchange CCC",
            adjusted=True,
            retrieved_at="2024-01-02T03:04:05.000000+00:00",
        ),
    )


def build_outcome(
    bars: int = 365,
    *,
    trades: int = 4,
    open_at_end: bool = False,
    config: RunConfig | None = None,
    **market: Any,
) -> Outcome:
    """Return an outcome with so many round trips spread evenly over the bars."""
    settings = config or RunConfig(
        interval=market.get("interval", "1d"), prices=market.get("source", "yahoo")
    )
    prices = build_prices(bars, **market)
    simulation = simulate(prices, settings, order_bars(bars, trades, open_at_end=open_at_end))
    return outcome_of(prices, settings, simulation)


def order_bars(bars: int, trades: int, *, open_at_end: bool) -> list[int]:
    """Return the bars of decision, buys and sells in turn."""
    orders = 2 * trades + (1 if open_at_end else 0)
    return [int((number + 1) * (bars - 2) / (orders + 1)) for number in range(orders)]


def simulate(prices: Prices, config: RunConfig, orders: list[int]) -> Simulation:
    """Fill each order at the next open, all in and all out."""
    cash, units = config.initial_cash, 0.0
    fills: list[Fill] = []
    cash_series, unit_series = np.full(len(prices), cash), np.zeros(len(prices))
    for signal_bar in orders:
        fill = _fill(prices, config, signal_bar, cash, units)
        cash, units = fill.cash_after, fill.position_after
        cash_series[fill.bar :], unit_series[fill.bar :] = cash, units
        fills.append(fill)
    return Simulation(
        fills=tuple(fills),
        cash=cash_series,
        quantity=unit_series,
        mark=prices.close,
        equity=cash_series + unit_series * prices.close,
        pending=None,
        skipped_fills=0,
    )


def _fill(prices: Prices, config: RunConfig, signal_bar: int, cash: float, units: float) -> Fill:
    bar, slippage = signal_bar + 1, config.slippage_bps / 10_000
    buys, close = units == 0, float(prices.close[bar])
    price = float(prices.open[bar]) * (1 + slippage if buys else 1 - slippage)
    quantity = cash / (price * (1 + config.fee)) if buys else units
    fee = quantity * price * config.fee
    cash_after = 0.0 if buys else cash + quantity * price - fee
    position_after = quantity if buys else 0.0
    return Fill(
        bar=bar,
        signal_bar=signal_bar,
        side="buy" if buys else "sell",
        close=close,
        price=price,
        quantity=quantity,
        fee=fee,
        slippage=slippage,
        cash_after=cash_after,
        position_after=position_after,
        equity_after=cash_after + position_after * close,
        reason="cross_up" if buys else "cross_down",
    )


def outcome_of(prices: Prices, config: RunConfig, simulation: Simulation) -> Outcome:
    """Work out everything that an outcome tells of a simulation."""
    trips = _round_trips(simulation.fills)
    quality = _quality(prices)
    figures = _figures(prices, config, simulation, trips)
    return Outcome(
        config=config,
        tape=prices,
        prices=prices,
        quality=quality,
        simulation=simulation,
        round_trips=trips,
        drawdowns=_drawdowns(simulation.equity),
        figures=figures,
        buy_and_hold=config.initial_cash / prices.open[0] * prices.close,
        data_hash="d" * 64,
        result_digest="e" * 64,
        warnings=("The position is still open at the end.",) if figures.open_position else (),
    )


def with_pending(outcome: Outcome) -> Outcome:
    """Return the outcome with a buy decided on its last bar."""
    order = Order(side="buy", signal_bar=len(outcome.prices) - 1, reason="cross_up")
    return replace(outcome, simulation=replace(outcome.simulation, pending=order))


def without_figures(outcome: Outcome) -> Outcome:
    """Return the outcome with every figure undefined that may be."""
    undefined: dict[str, Any] = dict.fromkeys(
        (
            "buy_and_hold_return",
            "cagr",
            "volatility",
            "sharpe_simple",
            "sortino",
            "calmar",
            "turnover",
            "win_rate",
            "profit_factor",
            "expectancy_net",
            "avg_holding_days",
            "avg_holding_bars",
            "sharpe_low",
            "sharpe_high",
            "buy_and_hold_max_drawdown",
            "buy_and_hold_volatility",
            "buy_and_hold_sharpe",
            "best_trade",
            "worst_trade",
            "avg_trade",
            "max_participation",
        )
    )
    return replace(outcome, figures=replace(outcome.figures, **undefined))


def _round_trips(fills: Sequence[Fill]) -> tuple[RoundTrip, ...]:
    trips = []
    for entry, leave in zip(fills[0::2], fills[1::2], strict=False):
        cost = entry.quantity * entry.price + entry.fee
        profit = leave.quantity * leave.price - leave.fee - cost
        trips.append(
            RoundTrip(
                entry=entry,
                exit=leave,
                profit=profit,
                profit_fraction=profit / cost,
                bars_held=leave.bar - entry.bar,
            )
        )
    return tuple(trips)


def _drawdowns(equity: NDArray[np.float64]) -> tuple[Drawdown, ...]:
    found, peak = [], 0
    for bar in range(1, len(equity) + 1):
        if bar == len(equity) or equity[bar] >= equity[peak]:
            if bar - peak > 1:
                trough = peak + int(np.argmin(equity[peak:bar]))
                recovered = bar if bar < len(equity) else None
                depth = float(equity[trough] / equity[peak] - 1)
                found.append(Drawdown(depth=depth, peak_bar=peak, trough_bar=trough, recovered_bar=recovered))
            peak = bar
    return tuple(sorted(found, key=lambda drawdown: drawdown.depth)[:5])


def _quality(prices: Prices) -> DataQuality:
    first, last = (f"{np.datetime_as_string(prices.times[bar], unit='us')}+00:00" for bar in (0, -1))
    return DataQuality(
        bars=len(prices),
        first_bar=first,
        last_bar=last,
        calendar="every_day",
        missing_bars=0,
        gaps=(),
        zero_volume_bars=0,
        unfinished_bar_dropped=False,
        dropped_bars=0,
        repeated_bars=0,
        doubts=(),
        warnings=(),
    )


def _figures(
    prices: Prices, config: RunConfig, simulation: Simulation, trips: tuple[RoundTrip, ...]
) -> Figures:
    equity, fills = simulation.equity, simulation.fills
    changes = np.diff(equity) / equity[:-1]
    days = int((prices.times[-1] - prices.times[0]) / np.timedelta64(1, "D"))
    final, realised = float(equity[-1]), sum(trip.profit for trip in trips)
    cagr = (final / config.initial_cash) ** (365 / max(days, 1)) - 1
    volatility = float(np.std(changes, ddof=1)) * math.sqrt(365) if len(changes) > 1 else 0.0
    worst = float(np.min(equity / np.maximum.accumulate(equity) - 1))
    gains = sum(trip.profit for trip in trips if trip.profit > 0)
    losses = -sum(trip.profit for trip in trips if trip.profit < 0)
    held = sum(trip.bars_held for trip in trips) / len(trips) if trips else None
    return Figures(
        initial_cash=config.initial_cash,
        final_equity=final,
        total_return=final / config.initial_cash - 1,
        buy_and_hold_return=float(prices.close[-1] / prices.open[0] - 1),
        cagr=cagr,
        volatility=volatility,
        sharpe_simple=cagr / volatility if volatility else None,
        sortino=cagr / volatility * 1.4 if volatility else None,
        calmar=cagr / -worst if worst else None,
        max_drawdown=worst,
        exposure=float(np.mean(simulation.quantity > 0)),
        turnover=sum(fill.quantity * fill.price for fill in fills) / float(np.mean(equity)),
        fills=len(fills),
        trades=len(trips),
        win_rate=sum(trip.profit > 0 for trip in trips) / len(trips) if trips else None,
        profit_factor=gains / losses if losses else None,
        expectancy_net=realised / len(trips) if trips else None,
        avg_holding_days=held,
        avg_holding_bars=held,
        realised_profit=realised,
        unrealised_profit=final - config.initial_cash - realised,
        fees_paid=sum(fill.fee for fill in fills),
        slippage_paid=sum(fill.quantity * fill.price * fill.slippage for fill in fills),
        open_position=bool(simulation.quantity[-1] > 0),
        days=days,
        bars=len(prices),
        periods_per_year=365.0,
        years=days / 365,
        sharpe_low=cagr / volatility - 1.5 if volatility else None,
        sharpe_high=cagr / volatility + 1.5 if volatility else None,
        gross_return=final / config.initial_cash - 1 + 0.01 * len(trips),
        buy_and_hold_max_drawdown=-0.5,
        buy_and_hold_volatility=0.4,
        buy_and_hold_sharpe=0.9,
        best_trade=max((trip.profit_fraction for trip in trips), default=None),
        worst_trade=min((trip.profit_fraction for trip in trips), default=None),
        avg_trade=sum(trip.profit_fraction for trip in trips) / len(trips) if trips else None,
        longest_losing_streak=1 if losses else 0,
        refused_orders=0,
        max_participation=max((fill.quantity / 1000 for fill in fills), default=None),
    )
