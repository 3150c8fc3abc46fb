"""`quantlab run …`, and the flags of `main.py` alike."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import click

from quantlab.cli.asking import given_by_hand
from quantlab.cli.configured import given_anywhere
from quantlab.cli.options import TEXT, Separator, with_ledger, with_page
from quantlab.cli.output import printable
from quantlab.cli.strategies import assigned, with_params, with_seconds

if TYPE_CHECKING:
    from quantlab.cli.choosing import Values

logger = logging.getLogger(__name__)

THIS_EXECUTION = "\0"
"""Value of a bare `--report`; no path can be this."""


@click.command(context_settings={"show_default": True, "max_content_width": 100})
@click.option("--ticker", type=TEXT, default="ETH-USD", help="Symbol, as Yahoo spells it; else a file's own.")
@click.option("--start", type=TEXT, default="2023-01-01", help="First day, YYYY-MM-DD; else a file's first.")
@click.option(
    "--end", type=TEXT, default="2024-01-01", help="Day after the last one; else after a file's last."
)
@click.option(
    "--interval",
    type=TEXT,
    default="1d",
    help="Length of a bar: 1m … 90m, 1h, 1d, 5d, 1wk, 1mo, 3mo; of a file any, such as 4h.",
)
@click.option(
    "--prices", type=TEXT, default="yahoo", help="yahoo, synthetic, cache, or a file (docs/prices.md)."
)
@click.option(
    "--columns",
    type=TEXT,
    metavar="ROLE=COLUMN,…",
    help="A price file's columns, by name or number: time=Datum,open=2.",
)
@click.option(
    "--time-format",
    type=TEXT,
    metavar="FORMAT",
    help="How a price file's times are written: %d.%m.%Y, or ms.",
)
@click.option(
    "--separator", type=Separator(), metavar="SIGN", help="What parts a price file's cells: ';', or tab."
)
@click.option(
    "--adjust",
    type=click.Choice(["auto", "none"]),
    default="auto",
    help="Adjust a file's prices by an Adj Close beside them, or keep them raw.",
)
@click.option("--paper", is_flag=True, help="A paper session on the ledger rather than a research run.")
@click.option(
    "--report",
    "report_of",
    is_flag=False,
    flag_value=THIS_EXECUTION,
    metavar="[DIR]",
    help="Report this execution, as always; with DIR report that session or run anew, or a running one so far.",
)
@click.option(
    "--run-kept-code", is_flag=True, help="With --report DIR: run a strategy's code that came from elsewhere."
)
@click.option("--fee", type=float, default=0.002, help="Fraction of notional paid per fill.")
@click.option("--slippage-bps", type=float, default=8.0, help="Fixed slippage, basis points per fill.")
@click.option(
    "--slippage-mode", type=click.Choice(["fixed", "atr"]), default="fixed", help="How slippage is set."
)
@click.option("--k-atr", type=float, default=0.05, help="Factor of slippage by ATR(14)/close, 2 to 30 bps.")
@click.option(
    "--fill", type=click.Choice(["next_open", "close"]), default="next_open", help="Price of a fill."
)
@click.option(
    "--strategy",
    type=TEXT,
    default="rsi_ma_cross_v2",
    help="A name, FILE.py[:FUNCTION] or package.module:FUNCTION (docs/strategies.md).",
)
@with_params
@click.option(
    "--signals", type=TEXT, metavar="FILE", help="Trade another tool's signals: time, enter, leave."
)
@click.option("--no-check", is_flag=True, help="Don't check the strategy for a look ahead; blocks promotion.")
@with_seconds
@click.option(
    "--like", type=TEXT, metavar="DIR", help="Take strategy, costs, ticker and interval of a run or session."
)
@click.option("--rsi-buy-max", type=float, default=60.0, help="Buy only below this RSI(14).")
@click.option("--rsi-sell-min", type=float, default=75.0, help="Sell above this RSI(14).")
@click.option("--cooldown-days", type=int, default=0, help="Bars of rest after each fill.")
@click.option("--initial-cash", type=float, default=1000.0, help="Cash to begin with.")
@click.option("--lot-size", type=float, default=0.0, help="Buy whole multiples of this; 0: any fraction.")
@click.option("--tick-size", type=float, default=0.0, help="Round fill prices to this, against you; 0: not.")
@click.option("--min-notional", type=float, default=0.0, help="Place no order of less money than this.")
@click.option("--min-fee", type=float, default=0.0, help="Least fee of a fill, in money.")
@click.option("--fee-per-unit", type=float, default=0.0, help="Fee of each unit filled, beside --fee.")
@click.option("--warmup", type=int, default=0, help="Bars before --start that warm up and never trade.")
@click.option("--generator", type=int, default=2, help="Which synthetic prices; 1: those of 0.1.0.")
@click.option("--follow", is_flag=True, help="Follow the market bar by bar, for weeks (docs/forward.md).")
@click.option("--step", is_flag=True, help="With --follow: begin, take one step and leave the rest to cron.")
@click.option("--until", type=TEXT, metavar="TIME", help="With --follow: end after this day or time, UTC.")
@click.option("--bars", type=int, default=None, help="With --follow: end after this many bars.")
@click.option("--settle", type=float, default=None, help="Seconds after its end in which a bar may change.")
@click.option("--patience", type=float, default=None, help="Seconds that a missing bar is waited for.")
@click.option(
    "--calendar",
    type=TEXT,
    default=None,
    metavar="NAME",
    help="Exchange whose holidays count: XNYS, …",
)
@click.option("--save-price-plot", is_flag=True, help="Also draw the price with signals and fills.")
@click.option("--no-charts", is_flag=True, help="Draw no pictures; a later --report DIR draws them.")
@with_page
@click.option("--outdir", type=TEXT, default="outputs", help="Folder that everything is written below.")
@click.option("--pace", type=float, default=0.0, help="Seconds of wall time per bar, for drills.")
@click.option("--heartbeat-seconds", type=float, default=30.0, help="Least time between two heartbeats.")
@click.option("--offline", is_flag=True, help="Use no network, and the prices kept in OUTDIR/prices_cache.")
@click.option("--quiet", is_flag=True, help="Say nothing unless something is wrong, for cron.")
@with_ledger("The ledger to record in, where it is not the root's own")
@click.option("--signal-file", type=TEXT, help="Append signals to this file, JSON Lines.")
@click.option("--request-id", type=TEXT, help="Name under which another program knows this execution.")
def run(*, report_of: str | None, run_kept_code: bool, ledger: str | None, **flags: object) -> None:
    """Run a strategy on market prices: a paper session with --paper, else a research run."""
    if report_of not in (None, THIS_EXECUTION):
        _rebuild_report(report_of, ledger, run_kept_code=run_kept_code)
        return
    if given_by_hand("ledger") and not flags["paper"]:
        logger.warning(
            "no ledger records a research run, so --ledger is passed over; a paper session needs --paper."
        )
    from quantlab.cli.launching import launch, people_lines
    from quantlab.runner.options import Launched

    launched = launch(given({**flags, "ledger": ledger}))
    if isinstance(launched, Launched):
        for line in () if flags["quiet"] else people_lines(launched):
            click.echo(printable(line))
        return
    from quantlab.cli.following import print_driven

    print_driven(launched, as_json=bool(flags["step"]))


def given(flags: Values) -> Values:
    """Return what was given by hand, by the environment or by the file; the rest has the configuration's defaults.

    What `--like` tells goes before environment and file, as does that a session that follows the market has no range.
    """
    values = {name: value for name, value in flags.items() if given_anywhere(name)}
    for name in _told_by_hand(values):
        if name in values and not given_by_hand(name):
            del values[name]
    pairs = values.pop("param", None)
    return {**values, "strategy_params": assigned(pairs)} if isinstance(pairs, tuple) else values


def _told_by_hand(values: Values) -> list[str]:
    """Name the options that another one, given by hand, answers."""
    told = ["start", "end"] if values.get("follow") else []
    if given_by_hand("like"):
        from quantlab.cli.choosing import OF_LIKE

        told += [*OF_LIKE, "strategy", "signals", "param"]
    if given_by_hand("signals"):
        told += ["strategy", "param", "rsi_buy_max", "rsi_sell_min"]
    if given_by_hand("strategy"):
        told += ["signals", "param"]
    return told


def _rebuild_report(folder: str, ledger: str | None, *, run_kept_code: bool) -> None:
    if not folder.strip():
        raise click.UsageError(
            "--report: the folder is empty; expected a session's or run's folder, or --report alone."
        )
    from quantlab.cli.launching import rebuild_report

    click.echo(rebuild_report(Path(folder), ledger, run_kept_code=run_kept_code))
