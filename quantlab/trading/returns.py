"""Figures of equity alone, each with its formula: returns, by bar and by month, and falls from its peaks.

Notation: V_0 is the initial cash and V_t the equity at the close of bar t = 1 ... n; r_t = V_t / V_(t-1) - 1
the return of bar t; m the periods a year, as the data's calendar says; mean and std are over the n returns,
std with n - 1 in its denominator. What is undefined is None. The drawdown of bar t is
V_t / max(V_0 ... V_t) - 1: 0 at a peak, negative under water.

Sources: W. F. Sharpe, "The Sharpe Ratio", Journal of Portfolio Management 21 (1994); E. Mertens, "Comments on Variance
of the IID Estimator in Lo (2002)", University of Basel (2002); F. A. Sortino and L. N. Price, "Performance Measurement
in a Downside Risk Framework", Journal of Investing 3 (1994); T. W. Young, "Calmar Ratio: A Smoother Tool", Futures 20
(1991). Conventions on annualising are those of empyrical.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from quantlab.trading.market import all_usable, usable
from quantlab.trading.results import Drawdown
from quantlab.trading.rounding import ROUNDING, change

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quantlab.trading.market import Prices

    Floats = NDArray[np.float64]

NORMAL_95 = 1.959963984540054
"""How many standard errors hold 95 % of a normal distribution on both sides."""
WORST = 5


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


def sharpe_interval(returns: Floats, periods_a_year: float) -> tuple[float | None, float | None]:
    """Return the 95 % interval of Sharpe's ratio, both ends None where the ratio is.

    The ratio's standard error is Mertens', sqrt((1 - g s + (k - 1) s^2 / 4) / n) for the ratio s of one period, with
    the skewness g and the kurtosis k (3 for a normal distribution) of the returns; it takes them for independent.
    """
    ratio = sharpe_simple(returns, 1.0)
    if ratio is None:
        return None, None
    away = returns - np.mean(returns)
    squares = away * away
    spread = float(np.mean(squares))
    skewness = float(np.mean(squares * away)) / spread**1.5
    kurtosis = float(np.mean(squares * squares)) / spread**2
    variance = (1.0 - skewness * ratio + (kurtosis - 1.0) * ratio**2 / 4.0) / len(returns)
    half = NORMAL_95 * math.sqrt(max(variance, 0.0))
    year = math.sqrt(periods_a_year)
    return (ratio - half) * year, (ratio + half) * year


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


def underwater(equity: Floats, initial_cash: float) -> Floats:
    """Return the drawdown of every bar, shape (n,), as a fraction of the highest equity so far; rounding is none."""
    return change(equity, np.maximum(np.maximum.accumulate(equity), initial_cash))


def max_drawdown(equity: Floats, initial_cash: float) -> float:
    """Return the deepest drawdown, a fraction from -1 to 0."""
    return float(underwater(equity, initial_cash).min())


def drawdowns(equity: Floats, initial_cash: float, worst: int = WORST) -> tuple[Drawdown, ...]:
    """Return the worst falls, deepest first, at most `worst`.

    A fall from the initial cash itself, before any bar's equity reached it, has its peak at bar 0.

    Args:
        equity: Equity at the close of every bar, shape (n,).
        initial_cash: Equity before the first bar.
        worst: How many at most.
    """
    depths = underwater(equity, initial_cash)
    edges = np.diff(np.concatenate([[False], depths < 0.0, [False]]).astype(np.int8))
    starts, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    if not len(starts):
        return ()
    # Between two falls depths are 0, so a fall's lowest is that of all bars up to the next one.
    deepest = np.lexsort((starts, np.minimum.reduceat(depths, starts)))[:worst]
    return tuple(_drawdown(depths, int(starts[fall]), int(stops[fall])) for fall in deepest)


def _drawdown(depths: Floats, start: int, stop: int) -> Drawdown:
    trough = start + int(np.argmin(depths[start:stop]))
    return Drawdown(
        depth=float(depths[trough]),
        peak_bar=max(start - 1, 0),
        trough_bar=trough,
        recovered_bar=stop if stop < len(depths) else None,
    )


class Year(NamedTuple):
    """The returns of a calendar year.

    Attributes:
        year: Which one.
        months: January to December, a fraction each; None where no bar opened.
        whole: The return of all its bars.
    """

    year: int
    months: tuple[float | None, ...]
    whole: float


def returns_by_month(
    times: NDArray[np.datetime64], equity: NDArray[np.float64], initial_cash: float
) -> tuple[Year, ...]:
    """Return the years that the bars touch, in time order; a bar belongs to the month (UTC) in which it opens.

    A month's return is its last equity over that of the month before, V_last / V_before - 1; the first month's is over
    the initial cash.

    Args:
        times: Opening time of each bar, rising.
        equity: Equity at the close of each bar, shape (n,), n at least 1.
        initial_cash: Equity before the first bar.
    """
    months = times.astype("M8[M]")
    ends = np.concatenate([np.flatnonzero(months[1:] != months[:-1]), [len(months) - 1]])
    values = np.concatenate([[initial_cash], equity[ends]])
    found = dict(
        zip(months[ends].astype(int).tolist(), change(values[1:], values[:-1]).tolist(), strict=True)
    )
    years = sorted({month // 12 for month in found})
    return tuple(_year(year, found) for year in years)


def _year(year: int, found: dict[int, float]) -> Year:
    months = tuple(found.get(12 * year + month) for month in range(12))
    grown = float(np.prod([1.0 + value for value in months if value is not None]))
    return Year(1970 + year, months, change(grown, 1.0))
