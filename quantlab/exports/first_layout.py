"""The figures of run_report.md in the first layout: sessions of 0.1.0 keep their page byte for byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantlab.exports import markdown as md
from quantlab.exports.report_results import worst_drawdown

if TYPE_CHECKING:
    from quantlab.trading.results import Outcome


def figures_section(outcome: Outcome) -> str:
    """Return the figures that the first layout had, each with its unit."""
    periods = f"{outcome.figures.periods_per_year:,.10g}"
    rows = (*_return_rows(outcome, periods), *_trade_rows(outcome))
    note = (
        f"Yearly figures count {periods} periods a year. Money is in the currency of the quotes. A trade is "
        "a buy and the sell that closed it, net of fees and slippage; n/a stands where a figure is undefined."
    )
    return f"## Figures\n\n{md.table(('Figure', 'Value', 'Unit'), rows, numbers=(1,))}\n\n{note}"


def _return_rows(outcome: Outcome, periods: str) -> list[tuple[str, str, str]]:
    figures = outcome.figures
    return [
        ("Initial cash", md.amount(figures.initial_cash), "money"),
        ("Final equity", md.amount(figures.final_equity), "money"),
        ("Total return", md.percent(figures.total_return, signed=True), "of initial cash"),
        ("Buy and hold", md.percent(figures.buy_and_hold_return, signed=True), "same bars, no costs"),
        ("CAGR", md.percent(figures.cagr, signed=True), "a year"),
        ("Volatility", md.percent(figures.volatility), f"a year, {periods} periods"),
        ("Sharpe", md.number(figures.sharpe_simple), f"ratio, {periods} periods a year"),
        ("Sortino", md.number(figures.sortino), f"ratio, {periods} periods a year"),
        ("Calmar", md.number(figures.calmar), "CAGR over maximum drawdown"),
        ("Maximum drawdown", md.percent(figures.max_drawdown), worst_drawdown(outcome)),
        ("Exposure", md.percent(figures.exposure), "of bars with units held"),
        ("Turnover", md.number(figures.turnover), "a year, times the mean equity"),
    ]


def _trade_rows(outcome: Outcome) -> list[tuple[str, str, str]]:
    figures = outcome.figures
    return [
        ("Trades", f"{figures.trades:,}", f"closed; {md.plural(figures.fills, 'fill')}"),
        ("Win rate", md.percent(figures.win_rate), "of trades"),
        ("Profit factor", md.number(figures.profit_factor), "gains over losses"),
        ("Expectancy", md.amount(figures.expectancy_net, signed=True), "money a trade, net"),
        (
            "Average holding",
            md.number(figures.avg_holding_days),
            f"days ({md.number(figures.avg_holding_bars)} bars)",
        ),
        ("Realised profit", md.amount(figures.realised_profit, signed=True), "money, net"),
        ("Unrealised profit", md.amount(figures.unrealised_profit, signed=True), "money, at the last mark"),
        ("Fees paid", md.amount(figures.fees_paid), "money"),
        ("Slippage paid", md.amount(figures.slippage_paid), "money"),
    ]
