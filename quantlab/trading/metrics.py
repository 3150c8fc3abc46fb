"""Figures of a simulation, read off its columns; the formulas stand in `returns`, those of trades here.

A trade is a closed round trip, net of both fees and both slippages. What is undefined is None. Numbers that rounding
alone parts are equal (`rounding`): a bar's return, a fall or a profit as small as that is exactly 0.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from quantlab.trading.calendars import periods_per_year, span_days
from quantlab.trading.fills import Fills, RoundTrips, cash_in, max_participation, open_entry
from quantlab.trading.market import usable
from quantlab.trading.results import Figures
from quantlab.trading.returns import (
    bar_returns,
    buy_and_hold,
    cagr,
    calmar,
    drawdowns,
    max_drawdown,
    sharpe_interval,
    sharpe_simple,
    sortino,
    volatility,
)
from quantlab.trading.rounding import change, difference

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from quantlab.base.values import JsonObject
    from quantlab.domain.config import RunConfig
    from quantlab.trading.market import Array, Prices
    from quantlab.trading.results import Simulation

    Floats = NDArray[np.float64]

__all__ = [
    "best_result",
    "buy_and_hold",
    "drawdowns",
    "figures",
    "max_drawdown",
    "periods_per_year",
    "summary",
]

SUMMARY = ("total_return", "sharpe_simple", "max_drawdown", "trades", "win_rate")
DAYS_A_YEAR = 365
_OF_TRADES = ("profit_factor", "expectancy_net", "avg_holding_days", "exposure")


@np.errstate(all="ignore")
def figures(
    simulation: Simulation,
    prices: Prices,
    config: RunConfig,
    year: float | None = None,
    *,
    trips: RoundTrips | None = None,
    held: Floats | None = None,
) -> Figures:
    """Return every figure of a simulation; one that is beyond all floats is undefined, and no warning.

    Args:
        simulation: What the engine left, of at least one bar.
        prices: The bars that it ran on.
        config: The configuration that it ran with.
        year: Bars a year, where that is recorded; else the prices tell.
        trips: Its round trips, where they are at hand.
        held: `buy_and_hold` of these prices and this cash, likewise.
    """
    fills = Fills.of(simulation.fills)
    closed = RoundTrips(fills) if trips is None else trips
    initial, final = config.initial_cash, float(simulation.equity[-1])
    year = periods_per_year(prices, config.interval, config.ticker) if year is None else year
    returns = bar_returns(simulation.equity, initial)
    sharpe_low, sharpe_high = sharpe_interval(returns, year)
    growth, deepest = cagr(initial, final, len(prices), year), max_drawdown(simulation.equity, initial)
    entry = open_entry(fills)
    fees, slippage = math.fsum(fills.column("fee").tolist()), math.fsum(slippage_cash(fills).tolist())
    days = span_days(prices)
    counted = Figures(
        initial_cash=initial,
        final_equity=final,
        total_return=change(final, initial),
        cagr=growth,
        volatility=volatility(returns, year),
        sharpe_simple=sharpe_simple(returns, year),
        sortino=sortino(returns, year),
        calmar=calmar(growth, deepest),
        max_drawdown=deepest,
        exposure=float(np.count_nonzero(simulation.quantity)) / len(prices),
        turnover=turnover(fills, simulation.equity, year),
        fills=len(fills),
        trades=len(closed),
        win_rate=win_rate(closed.profit),
        profit_factor=profit_factor(closed.profit),
        expectancy_net=_mean(closed.profit),
        avg_holding_days=avg_holding_days(closed, prices),
        avg_holding_bars=_mean(closed.bars_held),
        realised_profit=math.fsum(closed.profit.tolist()),
        unrealised_profit=0.0 if entry is None else difference(final - entry.cash_after, cash_in(entry)),
        fees_paid=fees,
        slippage_paid=slippage,
        open_position=entry is not None,
        days=days,
        bars=len(prices),
        periods_per_year=year,
        years=days / DAYS_A_YEAR,
        sharpe_low=sharpe_low,
        sharpe_high=sharpe_high,
        gross_return=change(final + fees + slippage, initial),
        best_trade=_or_none(closed.fraction, np.max),
        worst_trade=_or_none(closed.fraction, np.min),
        avg_trade=_mean(closed.fraction),
        longest_losing_streak=longest_losing_streak(closed.profit),
        refused_orders=simulation.refused_orders,
        max_participation=max_participation(fills, prices),
        **_of_buy_and_hold(prices, initial, year, held),
    )
    undefined: JsonObject = {name: None for name, value in vars(counted).items() if not _is_defined(value)}
    return replace(counted, **undefined)


def _of_buy_and_hold(
    prices: Prices, initial: float, year: float, held: Floats | None
) -> dict[str, float | None]:
    """Return the figures of having held the same bars; all of them undefined where nothing could be bought."""
    names = ("return", "max_drawdown", "volatility", "sharpe")
    values: tuple[float | None, ...] = (None,) * len(names)
    if usable(prices.open).any():
        held = buy_and_hold(prices, initial) if held is None else held
        returns = bar_returns(held, initial)
        values = (
            change(float(held[-1]), initial),
            max_drawdown(held, initial),
            volatility(returns, year),
            sharpe_simple(returns, year),
        )
    return {f"buy_and_hold_{name}": value for name, value in zip(names, values, strict=True)}


def turnover(fills: Fills, equity: Floats, periods_a_year: float) -> float:
    """Return traded notional a year over mean equity, sum(price x quantity) / mean(V) x m / n.

    Both sides count, so that a year with one full round trip turns over about 2.
    """
    notional = math.fsum((fills.column("price") * fills.column("quantity")).tolist())
    return notional / float(np.mean(equity)) * periods_a_year / len(equity)


def win_rate(profit: Floats) -> float | None:
    """Return the fraction of round trips with a profit above 0, net of costs; None without any."""
    return _mean(profit > 0.0)


def profit_factor(profit: Floats) -> float | None:
    """Return the winners' profits over the losers' losses, net of costs; None where nothing was lost."""
    lost = -math.fsum(profit[profit < 0.0].tolist())
    return math.fsum(profit[profit > 0.0].tolist()) / lost if lost > 0.0 else None


def avg_holding_days(trips: RoundTrips, prices: Prices) -> float | None:
    """Return the mean time between a round trip's fill bars, in days of 24 hours; None without any."""
    bought, sold = trips.entries.column("bar"), trips.exits.column("bar")
    return _mean((prices.times[sold] - prices.times[bought]) / np.timedelta64(1, "D"))


def longest_losing_streak(profit: Floats) -> int:
    """Return how many round trips in a row lost at most; one that broke even ends a streak."""
    edges = np.diff(np.concatenate([[False], profit < 0.0, [False]]).astype(np.int8))
    return int((np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)).max(initial=0))


def slippage_cash(fills: Fills) -> Floats:
    """Return the cash that slippage cost each fill: quantity x |price - raw price|, shape (fills,)."""
    price, slippage = fills.column("price"), fills.column("slippage")
    raw = price / np.where(fills.column("side") == "buy", 1.0 + slippage, 1.0 - slippage)
    cash: Floats = fills.column("quantity") * np.abs(price - raw)
    return cash


def summary(figures: Figures) -> JsonObject:
    """Return the summary of contract 3: total_return, sharpe_simple, max_drawdown, trades, win_rate."""
    return {name: getattr(figures, name) for name in SUMMARY}


def best_result(figures: Figures) -> JsonObject:
    """Return the summary, contract 3's further figures of trades, and every other figure by its name."""
    rest = dict(vars(figures))
    traded = {"days": figures.days}
    if figures.trades:
        traded |= {"trade_trades": figures.trades, "win_rate_trades": rest["win_rate"]}
        traded |= {name: rest[name] for name in _OF_TRADES}
    return summary(figures) | traded | {name: value for name, value in rest.items() if name not in traded}


def _is_defined(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _mean(values: Array) -> float | None:
    return math.fsum(values.tolist()) / len(values) if len(values) else None


def _or_none(values: Floats, of: Callable[[Floats], float]) -> float | None:
    return float(of(values)) if len(values) else None
