"""The facts that a simulation leaves, in plain frozen records; everything shown is read off these.

Figures that are undefined (no trades, no variation, no losses) are None, never 0 and never a sentinel.
Times are numpy datetime64[ns] in UTC; a `bar` is an index into the prices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from quantlab.domain.config import RunConfig
    from quantlab.trading.market import Prices

Side = Literal["buy", "sell"]


@dataclass(frozen=True, kw_only=True)
class Order:
    """A decision on the close of `signal_bar` that waits for its fill.

    Attributes:
        slippage: Fraction that its fill will lose, as known at that close.
        size: Fraction of equity that a buy puts in; 1 for a sell.
    """

    side: Side
    signal_bar: int
    reason: str
    slippage: float = 0.0
    size: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Fill:
    """One execution.

    Attributes:
        bar: Bar of the fill.
        signal_bar: Bar on whose close it was decided.
        close: That bar's (the fill's) close.
        price: Price paid or received, slippage in it.
        quantity: Units filled, positive on both sides.
        fee: Cash paid as fee.
        slippage: Fraction applied to the raw price.
        cash_after: Cash after the fill.
        position_after: Units held after the fill.
        equity_after: Cash plus units at that bar's close.
        reason: Why the strategy asked, a short code such as `cross_up`.
    """

    bar: int
    signal_bar: int
    side: Side
    close: float
    price: float
    quantity: float
    fee: float
    slippage: float
    cash_after: float
    position_after: float
    equity_after: float
    reason: str


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """The whole history: fills, and one entry a bar of cash, quantity, mark and equity.

    Attributes:
        fills: In time order; from the engine a `quantlab.trading.fills.Fills`, which keeps them as columns.
        mark: Price at which the position is valued: the close, or the last good one before a bad close.
        pending: Order decided on the last bar, still waiting for a next bar.
        skipped_fills: Bars on which a fill waited because the price was unusable.
        refused_orders: Orders that were not placed because no broker would have taken them.
    """

    fills: Sequence[Fill]
    cash: NDArray[np.float64]
    quantity: NDArray[np.float64]
    mark: NDArray[np.float64]
    equity: NDArray[np.float64]
    pending: Order | None
    skipped_fills: int
    refused_orders: int = 0


@dataclass(frozen=True, kw_only=True)
class RoundTrip:
    """A buy and the sell that closed it, net of both fees and slippages.

    Attributes:
        profit: Cash gained, net of costs.
        profit_fraction: Profit over the cash that the buy cost, fee included.
        bars_held: Bars from the buy's to the sell's.
    """

    entry: Fill
    exit: Fill
    profit: float
    profit_fraction: float
    bars_held: int


@dataclass(frozen=True, kw_only=True)
class Drawdown:
    """A fall of equity from a peak.

    Attributes:
        depth: Fraction lost from peak to trough, negative.
        peak_bar: Last bar at the peak before the fall.
        trough_bar: Lowest bar.
        recovered_bar: First bar back at the peak; None while under water at the end.
    """

    depth: float
    peak_bar: int
    trough_bar: int
    recovered_bar: int | None


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What a session or run achieved; every formula stands in `metrics`. Every number is finite.

    Those after `periods_per_year` were added later: sessions recorded before have none of them.
    """

    initial_cash: float
    final_equity: float
    total_return: float
    buy_and_hold_return: float | None
    cagr: float | None
    volatility: float | None
    sharpe_simple: float | None
    sortino: float | None
    calmar: float | None
    max_drawdown: float
    exposure: float
    turnover: float | None
    fills: int
    trades: int
    win_rate: float | None
    profit_factor: float | None
    expectancy_net: float | None
    avg_holding_days: float | None
    avg_holding_bars: float | None
    realised_profit: float
    unrealised_profit: float
    fees_paid: float
    slippage_paid: float
    open_position: bool
    days: int
    bars: int
    periods_per_year: float
    years: float
    sharpe_low: float | None
    sharpe_high: float | None
    gross_return: float
    buy_and_hold_max_drawdown: float | None
    buy_and_hold_volatility: float | None
    buy_and_hold_sharpe: float | None
    best_trade: float | None
    worst_trade: float | None
    avg_trade: float | None
    longest_losing_streak: int
    refused_orders: int
    max_participation: float | None


@dataclass(frozen=True, kw_only=True)
class DataQuality:
    """What is known of the bars that a result stands on.

    Attributes:
        bars: How many there are.
        first_bar: Opening time of the first, ISO 8601 UTC; so is last_bar.
        calendar: `every_day` or `weekdays` (intraday bars are judged by their days).
        missing_bars: Bars that the calendar expects within the received range and that are not there.
        gaps: The longest runs of missing bars: (last bar before, first bar after, bars missing).
        zero_volume_bars: Bars in which nothing was traded, where the volume is known.
        unfinished_bar_dropped: Whether a last bar that had not closed was left out.
        dropped_bars: Bars left out because their prices were unusable.
        repeated_bars: Bars that came twice, of which one was kept.
        doubts: What makes the result doubtful, a short code each (they block promotion), such as
            `missing_bars`; empty when nothing does.
        warnings: What a reader should know, a sentence each, doubts included.
        periods_per_year: Bars that make a year, for yearly figures; None where it is not recorded (0.1.0).
    """

    bars: int
    first_bar: str
    last_bar: str
    calendar: str
    missing_bars: int
    gaps: tuple[tuple[str, str, int], ...]
    zero_volume_bars: int
    unfinished_bar_dropped: bool
    dropped_bars: int
    repeated_bars: int
    doubts: tuple[str, ...]
    warnings: tuple[str, ...]
    periods_per_year: float | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Everything that a finished simulation tells: the one source of metrics, report, charts and trades.

    Bars, fills and equity are those that count: a warm-up is in `tape` alone, and a `bar` is an index into `prices`.

    Attributes:
        tape: All bars that it ran on, those of the warm-up first.
        data_hash: SHA-256, in hex, of the bytes of artifacts/prices.csv, which holds the tape.
        result_digest: SHA-256, in hex, over the tape's fills and equity; equal for equal configuration and prices.
        buy_and_hold: Equity of holding the same bars from the first usable open on, no costs.
        drawdowns: The worst ones, deepest first, at most five.
        warnings: A sentence each, for the report: data, open position, pending order, skipped fills.
    """

    config: RunConfig
    tape: Prices
    prices: Prices
    quality: DataQuality
    simulation: Simulation
    round_trips: Sequence[RoundTrip]
    drawdowns: tuple[Drawdown, ...]
    figures: Figures
    buy_and_hold: NDArray[np.float64]
    data_hash: str
    result_digest: str
    warnings: tuple[str, ...]
