"""`quantlab run …`, and the flags of `main.py` alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from quantlab.cli.options import TEXT, with_ledger

THIS_EXECUTION = "\0"
"""Value of a bare `--report`; no path can be this."""


@click.command(context_settings={"show_default": True, "max_content_width": 100})
@click.option("--ticker", type=TEXT, default="ETH-USD", help="Symbol, as Yahoo spells it.")
@click.option("--start", type=TEXT, default="2023-01-01", help="First day, YYYY-MM-DD.")
@click.option("--end", type=TEXT, default="2024-01-01", help="Day after the last one, YYYY-MM-DD.")
@click.option(
    "--interval", type=TEXT, default="1d", help="Length of a bar: 1m … 90m, 1h, 1d, 5d, 1wk, 1mo, 3mo."
)
@click.option(
    "--prices", type=TEXT, default="yahoo", help="yahoo, synthetic, cache, or a CSV or Parquet file."
)
@click.option("--paper", is_flag=True, help="A paper session on the ledger rather than a research run.")
@click.option(
    "--report",
    "report_of",
    is_flag=False,
    flag_value=THIS_EXECUTION,
    metavar="[DIR]",
    help="Name this execution's report; with DIR rebuild that session's or run's report instead.",
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
@click.option("--rsi-buy-max", type=float, default=60.0, help="Buy only below this RSI(14).")
@click.option("--rsi-sell-min", type=float, default=75.0, help="Sell above this RSI(14).")
@click.option("--cooldown-days", type=int, default=0, help="Bars of rest after each fill.")
@click.option("--initial-cash", type=float, default=1000.0, help="Cash to begin with.")
@click.option("--save-price-plot", is_flag=True, help="Also draw the price with signals and fills.")
@click.option("--outdir", type=TEXT, default="outputs", help="Folder that everything is written below.")
@click.option("--pace", type=float, default=0.0, help="Seconds of wall time per bar, for drills.")
@click.option("--heartbeat-seconds", type=float, default=30.0, help="Least time between two heartbeats.")
@click.option("--offline", is_flag=True, help="Use no network, and the prices kept in OUTDIR/prices_cache.")
@with_ledger("The ledger to record in, where it is not the root's own")
@click.option("--signal-file", type=TEXT, help="Append signals to this file, JSON Lines.")
@click.option("--request-id", type=TEXT, help="Name under which another program knows this execution.")
def run(**flags: Any) -> None:
    """Run a strategy on market prices: a paper session with --paper, else a research run."""
    report_of = flags.pop("report_of")
    if report_of not in (None, THIS_EXECUTION):
        _rebuild_report(report_of, flags["ledger"])
        return
    from quantlab.cli.launching import launch, people_lines

    launched = launch(flags)
    for line in people_lines(launched, name_report=report_of is not None):
        click.echo(line)


def _rebuild_report(folder: str, ledger: str | None) -> None:
    if not folder.strip():
        raise click.UsageError(
            "--report: the folder is empty; expected a session's or run's folder, or --report alone."
        )
    from quantlab.cli.launching import rebuild_report

    click.echo(rebuild_report(Path(folder), ledger))
