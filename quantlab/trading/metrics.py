"""Figures of a simulation, each with its formula.

Notation: V_0 is the initial cash and V_t the equity at the close of bar t = 1 ... n; r_t = V_t / V_(t-1) - 1
the return of bar t; m the periods a year, as the data's calendar says; mean and std are over the n returns,
std with n - 1 in its denominator. What is undefined is None. Numbers that rounding alone parts are equal (`rounding`):
a bar's return, a fall or a profit as small as that is exactly 0.

Sources: W. F. Sharpe, "The Sharpe Ratio", Journal of Portfolio Management 21 (1994); F. A. Sortino and
L. N. Price, "Performance Measurement in a Downside Risk Framework", Journal of Investing 3 (1994); T. W.
Young, "Calmar Ratio: A Smoother Tool", Futures 20 (1991). Conventions on annualising are those of empyrical.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from quantlab.trading.drawdowns import drawdowns, max_drawdown
from quantlab.trading.periods import periods_per_year, span_days
from quantlab.trading.results import Figures
from quantlab.trading.round_trips import cash_in, open_entry, round_trips
from quantlab.trading.rounding import ROUNDING, change, difference
from quantlab.trading.strategy import all_usable, usable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from quantlab.config import RunConfig
    from quantlab.trading.market import Prices
    from quantlab.trading.results import Fill, RoundTrip, Simulation

    Floats = NDArray[np.float64]

__all__ = [
    "best_result",
    "buy_and_hold",
    "drawdowns",
    "figures",
    "max_drawdown",
    "periods_per_year",
    "round_trips",
    "summary",
]

SUMMARY = ("total_return", "sharpe_simple", "max_drawdown", "trades", "win_rate")
_OF_TRADES = ("profit_factor", "expectancy_net", "avg_holding_days", "exposure")


@np.errstate(all="ignore")
def figures(
    simulation: Simulation,
    prices: Prices,
    config: RunConfig,
    trips: Sequence[RoundTrip] | None = None,
    year: float | None = None,
) -> Figures:
    """Return every figure of a simulation; one that is beyond all floats is undefined, and no warning.

    Args:
        simulation: What the engine left, of at least one bar.
        prices: The bars that it ran on.
        config: The configuration that it ran with.
        trips: Its round trips, where they are at hand.
        year: Bars a year, where that is recorded; else the prices tell.
    """
    closed = round_trips(simulation.fills) if trips is None else trips
    initial, final = config.initial_cash, float(simulation.equity[-1])
    year = periods_per_year(prices, config.interval, config.ticker) if year is None else year
    returns = bar_returns(simulation.equity, initial)
    held = buy_and_hold(prices, initial)
    growth, deepest = cagr(initial, final, len(prices), year), max_drawdown(simulation.equity, initial)
    entry = open_entry(simulation.fills)
    counted = Figures(
        initial_cash=initial,
        final_equity=final,
        total_return=change(final, initial),
        buy_and_hold_return=change(float(held[-1]), initial) if usable(prices.open).any() else None,
        cagr=growth,
        volatility=volatility(returns, year),
        sharpe_simple=sharpe_simple(returns, year),
        sortino=sortino(returns, year),
        calmar=calmar(growth, deepest),
        max_drawdown=deepest,
        exposure=float(np.count_nonzero(simulation.quantity)) / len(prices),
        turnover=turnover(simulation, len(prices), year),
        fills=len(simulation.fills),
        trades=len(closed),
        win_rate=win_rate(closed),
        profit_factor=profit_factor(closed),
        expectancy_net=_mean([trip.profit for trip in closed]),
        avg_holding_days=avg_holding_days(closed, prices),
        avg_holding_bars=_mean([trip.bars_held for trip in closed]),
        realised_profit=math.fsum(trip.profit for trip in closed),
        unrealised_profit=0.0 if entry is None else difference(final, cash_in(entry)),
        fees_paid=math.fsum(fill.fee for fill in simulation.fills),
        slippage_paid=math.fsum(slippage_cash(fill) for fill in simulation.fills),
        open_position=entry is not None,
        days=span_days(prices),
        bars=len(prices),
        periods_per_year=year,
    )
    undefined: dict[str, Any] = {
        name: None for name, value in vars(counted).items() if not _is_defined(value)
    }
    return replace(counted, **undefined)


def bar_returns(equity: Floats, initial_cash: float) -> Floats:
    """Return r_t = V_t / V_(t-1) - 1, shape (n,); the first is against the initial cash."""
    return change(equity, np.concatenate([[initial_cash], equity[:-1]]))


@np.errstate(over="ignore")
def buy_and_hold(prices: Prices, initial_cash: float) -> Floats:
    """Return the equity of holding the bars without costs, shape (n,).

    All cash is in at the first usable open; before it equity is the cash, afterwards cash x close / that
    open, with unusable closes replaced by the last usable one (or that open).
    """
    can_buy = usable(prices.open)
    if not can_buy.any():
        return np.full(len(prices), initial_cash)
    first = int(np.argmax(can_buy))
    paid = float(prices.open[first])
    close = prices.close[first:]
    if not all_usable(close):
        closes = np.concatenate([[paid], close])
        latest = np.maximum.accumulate(np.where(usable(closes), np.arange(len(closes)), 0))
        close = closes[latest][1:]
    return np.concatenate([np.full(first, initial_cash), initial_cash * (close / paid)])


def cagr(initial: float, final: float, bars: int, periods_a_year: float) -> float | None:
    """Return the compound annual growth rate, (V_n / V_0)^(m / n) - 1; None where that overflows."""
    if change(final, initial) == 0.0:
        return 0.0
    try:
        return float((final / initial) ** (periods_a_year / bars) - 1.0)
    except OverflowError:
        return None


def volatility(returns: Floats, periods_a_year: float) -> float | None:
    """Return the annualised volatility, std(r) x sqrt(m), 0 for equal returns; None for fewer than two bars."""
    if len(returns) < 2:  # noqa: PLR2004 - n - 1 in the denominator
        return None
    low, high = float(returns.min()), float(returns.max())
    if high - low <= ROUNDING * (1.0 + max(-low, high)) < math.inf:
        return 0.0
    return float(np.std(returns, ddof=1)) * math.sqrt(periods_a_year)


def sharpe_simple(returns: Floats, periods_a_year: float) -> float | None:
    """Return Sharpe's ratio at a riskless rate of 0, mean(r) / std(r) x sqrt(m); None if it never varies.

    None, too, where the returns vary beyond all floats: the ratio would come out as 0.
    """
    spread = volatility(returns, 1.0)
    if spread is None or spread == 0.0 or not math.isfinite(spread):
        return None
    return float(np.mean(returns)) / spread * math.sqrt(periods_a_year)


def sortino(returns: Floats, periods_a_year: float) -> float | None:
    """Return Sortino's ratio at a target of 0, mean(r) / sqrt(mean(min(r, 0)^2)) x sqrt(m).

    None where no bar lost, or for fewer than two bars.
    """
    downside = math.sqrt(float(np.mean(np.square(np.minimum(returns, 0.0)))))
    if len(returns) < 2 or downside == 0.0:  # noqa: PLR2004 - one return has no distribution
        return None
    return float(np.mean(returns)) / downside * math.sqrt(periods_a_year)


def calmar(growth: float | None, deepest: float) -> float | None:
    """Return the CAGR over the maximum drawdown's size; None without a drawdown."""
    return None if growth is None or deepest == 0.0 else growth / -deepest


def turnover(simulation: Simulation, bars: int, periods_a_year: float) -> float:
    """Return traded notional a year over mean equity, sum(price x quantity) / mean(V) x m / n.

    Both sides count, so that a year with one full round trip turns over about 2.
    """
    mean = float(np.mean(simulation.equity))
    return math.fsum(fill.price * fill.quantity for fill in simulation.fills) / mean * periods_a_year / bars


def win_rate(trips: Sequence[RoundTrip]) -> float | None:
    """Return the fraction of round trips with a profit above 0, net of costs; None without any."""
    return _mean([float(trip.profit > 0.0) for trip in trips])


def profit_factor(trips: Sequence[RoundTrip]) -> float | None:
    """Return the winners' profits over the losers' losses, net of costs; None where nothing was lost."""
    lost = -math.fsum(trip.profit for trip in trips if trip.profit < 0.0)
    return math.fsum(trip.profit for trip in trips if trip.profit > 0.0) / lost if lost > 0.0 else None


def avg_holding_days(trips: Sequence[RoundTrip], prices: Prices) -> float | None:
    """Return the mean time between a round trip's fill bars, in days of 24 hours; None without any."""
    day = np.timedelta64(1, "D")
    return _mean(
        [float((prices.times[trip.exit.bar] - prices.times[trip.entry.bar]) / day) for trip in trips]
    )


def slippage_cash(fill: Fill) -> float:
    """Return the cash that slippage cost: quantity x |price - raw price|."""
    raw = fill.price / (1.0 + fill.slippage if fill.side == "buy" else 1.0 - fill.slippage)
    return fill.quantity * abs(fill.price - raw)


def summary(figures: Figures) -> dict[str, Any]:
    """Return the summary of contract 3: total_return, sharpe_simple, max_drawdown, trades, win_rate."""
    return {name: getattr(figures, name) for name in SUMMARY}


def best_result(figures: Figures) -> dict[str, Any]:
    """Return the summary, contract 3's further figures of trades, and every other figure by its name."""
    rest = dict(vars(figures))
    traded = {"days": figures.days}
    if figures.trades:
        traded |= {"trade_trades": figures.trades, "win_rate_trades": rest["win_rate"]}
        traded |= {name: rest[name] for name in _OF_TRADES}
    return summary(figures) | traded | {name: value for name, value in rest.items() if name not in traded}


def _is_defined(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None
