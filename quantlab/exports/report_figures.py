"""The report's figures: the strategy's beside those of buying and holding, and its returns by month."""

from __future__ import annotations

import calendar
from typing import TYPE_CHECKING, NamedTuple

from quantlab.exports import markdown as md
from quantlab.exports.report_results import worst_drawdown
from quantlab.trading.returns import returns_by_month

if TYPE_CHECKING:
    from quantlab.trading.results import Figures, Outcome

_COLUMNS = ("Figure", "Strategy", "Buy and hold", "Unit")


class _Row(NamedTuple):
    name: str
    value: str
    unit: str
    held: str = ""


def figures_section(outcome: Outcome) -> str:
    """Return every figure with its unit, beside what buying and holding the same bars gave."""
    rows = (*_return_rows(outcome), *_trade_rows(outcome.figures), *_cost_rows(outcome.figures))
    cells = [(row.name, row.value, row.held, row.unit) for row in rows]
    notes = [
        f"Yearly figures count {_periods(outcome.figures)} periods a year. Money is in the currency of the quotes. A "
        "trade is a buy and the sell that closed it, net of fees and slippage; n/a stands where a figure is undefined.",
        *_doubts_of_a_short_history(outcome.figures),
    ]
    return "\n\n".join(["## Figures", md.table(_COLUMNS, cells, numbers=(1, 2)), *notes])


def months_section(outcome: Outcome) -> str:
    """Return the returns by calendar month, a row a year."""
    years = returns_by_month(outcome.prices.times, outcome.simulation.equity, outcome.config.initial_cash)
    columns = ("Year", *calendar.month_abbr[1:], "Whole")
    rows = [(f"{year.year}", *(_month(value) for value in year.months), _month(year.whole)) for year in years]
    return "\n\n".join(
        [
            "## Returns by month",
            md.table(columns, rows, numbers=range(1, 14)),
            "Percent, of the equity at the end of the month before; empty where the data have no bar.",
        ]
    )


def _month(value: float | None) -> str:
    return "" if value is None else f"{100 * value:+.1f}"


def _periods(figures: Figures) -> str:
    return f"{figures.periods_per_year:,.10g}"


def _is_short(figures: Figures) -> bool:
    return figures.years < 1.0


def _doubts_of_a_short_history(figures: Figures) -> list[str]:
    if not _is_short(figures):
        return []
    return [
        f"*In italics: a year's figure, blown up from {md.plural(figures.days, 'day')} of data. "
        "Less than a year says little about a year.*"
    ]


def _yearly(text: str, figures: Figures) -> str:
    """Return a figure a year, in italics where there is less than a year of data to take it from."""
    return f"*{text}*" if _is_short(figures) and text != md.UNDEFINED else text


def _return_rows(outcome: Outcome) -> list[_Row]:
    figures = outcome.figures
    periods = _periods(figures)
    return [
        _Row("Initial cash", md.amount(figures.initial_cash), "money"),
        _Row("Final equity", md.amount(figures.final_equity), "money"),
        _Row(
            "Total return",
            md.percent(figures.total_return, signed=True),
            "of initial cash, net of costs; buy and hold without costs",
            md.percent(figures.buy_and_hold_return, signed=True),
        ),
        _Row(
            "Gross return", md.percent(figures.gross_return, signed=True), "with fees and slippage added back"
        ),
        _Row(
            "Maximum drawdown",
            md.percent(figures.max_drawdown),
            worst_drawdown(outcome),
            md.percent(figures.buy_and_hold_max_drawdown),
        ),
        _Row(
            "Sharpe",
            md.number(figures.sharpe_simple),
            f"ratio, {periods} periods a year",
            md.number(figures.buy_and_hold_sharpe),
        ),
        _Row(
            "Sharpe, 95 % interval",
            _interval(figures),
            "by Mertens' standard error; holding 0, it may be luck",
        ),
        _Row("Sortino", md.number(figures.sortino), f"ratio, {periods} periods a year"),
        _Row(
            "Volatility",
            _yearly(md.percent(figures.volatility), figures),
            f"a year, {periods} periods",
            _yearly(md.percent(figures.buy_and_hold_volatility), figures),
        ),
        _Row("CAGR", _yearly(md.percent(figures.cagr, signed=True), figures), "a year"),
        _Row("Calmar", _yearly(md.number(figures.calmar), figures), "CAGR over maximum drawdown"),
        _Row("Exposure", md.percent(figures.exposure), "of bars with units held"),
        _Row("Turnover", md.number(figures.turnover), "a year, times the mean equity"),
        _Row("Years of data", md.number(figures.years), f"{md.plural(figures.days, 'calendar day')}"),
    ]


def _interval(figures: Figures) -> str:
    if figures.sharpe_low is None or figures.sharpe_high is None:
        return md.UNDEFINED
    return f"{md.number(figures.sharpe_low)} to {md.number(figures.sharpe_high)}"


def _trade_rows(figures: Figures) -> list[_Row]:
    return [
        _Row("Trades", f"{figures.trades:,}", f"closed; {md.plural(figures.fills, 'fill')}"),
        _Row("Win rate", md.percent(figures.win_rate), "of trades"),
        _Row("Profit factor", md.number(figures.profit_factor), "gains over losses"),
        _Row("Expectancy", md.amount(figures.expectancy_net, signed=True), "money a trade, net"),
        _Row("Average trade", md.percent(figures.avg_trade, signed=True), "of the cash put in, net"),
        _Row("Best trade", md.percent(figures.best_trade, signed=True), "of the cash put in, net"),
        _Row("Worst trade", md.percent(figures.worst_trade, signed=True), "of the cash put in, net"),
        _Row("Longest losing streak", f"{figures.longest_losing_streak:,}", "trades in a row"),
        _Row(
            "Average holding",
            md.number(figures.avg_holding_days),
            f"days ({md.number(figures.avg_holding_bars)} bars)",
        ),
    ]


def _cost_rows(figures: Figures) -> list[_Row]:
    return [
        _Row("Realised profit", md.amount(figures.realised_profit, signed=True), "money, net"),
        _Row(
            "Unrealised profit", md.amount(figures.unrealised_profit, signed=True), "money, at the last mark"
        ),
        _Row("Fees paid", md.amount(figures.fees_paid), "money"),
        _Row("Slippage paid", md.amount(figures.slippage_paid), "money"),
        _Row("Orders not placed", f"{figures.refused_orders:,}", "that no broker would have taken"),
        _Row(
            "Largest participation", md.percent(figures.max_participation), "of its bar's volume, by one fill"
        ),
    ]
