"""`quantlab runs list|show|best`: research runs, read off their folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from quantlab.base.errors import ConfigError
from quantlab.base.text import printable
from quantlab.cli.compare import compare_runs
from quantlab.cli.naming import USUAL_RUNS
from quantlab.cli.options import TEXT, files, with_format
from quantlab.cli.output import COLOURS, Table, as_cell, as_json, is_terminal, terminal_width
from quantlab.cli.run_folders import read_one, read_root
from quantlab.queries.side_by_side import SPAN

if TYPE_CHECKING:
    from quantlab.runner.research_index import Run

_FIGURES = {
    "total_return": "{:+.2%}",
    "sharpe_simple": "{:.2f}",
    "max_drawdown": "{:+.2%}",
    "win_rate": "{:.2%}",
}
"""How the figures of one run are shown."""
METRICS = ("sharpe_simple", "total_return", "max_drawdown", "trades", "win_rate")


@click.group()
def runs() -> None:
    """List and compare research runs."""


@runs.command("list", short_help="List research runs, and where they differ.")
@click.argument("root", type=TEXT, default=USUAL_RUNS)
@with_format("table", "json", "csv")
def list_runs(root: str, form: str) -> None:
    """List the runs below ROOT (outputs/runs, unless given), with the parameters in which they differ.

    The table has the newest first; JSON and CSV are sorted by run_id, as runs_index.json is.
    """
    from quantlab.runner import research_index

    found = read_root(root)
    if form == "json":
        click.echo(as_json(found))
    elif form == "csv":
        click.echo(research_index.as_csv(found), nl=False)
    elif not found:
        click.echo(f"No runs below {root}; 'quantlab run --ticker ETH-USD --start … --end …' makes one.")
    else:
        click.echo(_table(sorted(found, key=research_index.newness, reverse=True)))


@runs.command("show", short_help="Show one run, its parameters and its figures.")
@click.argument("run_dir", type=TEXT, shell_complete=files)
@with_format("table", "json")
def show_run(run_dir: str, form: str) -> None:
    """Show one run: what it was, its parameters and its figures.

    RUN_DIR is its folder, or in outputs/runs its id, the end of one, or latest.
    """
    _print(read_one(run_dir), form)


runs.add_command(compare_runs)


@runs.command("best", short_help="Show the run with the highest figure.")
@click.argument("root", type=TEXT, default=USUAL_RUNS)
@click.option(
    "--metric",
    type=click.Choice(METRICS),
    default="sharpe_simple",
    show_default=True,
    help="The figure that decides.",
)
@click.option("--across", is_flag=True, help="Rank runs of different intervals and ranges all the same.")
@with_format("table", "json")
def best_run(root: str, metric: str, form: str, *, across: bool) -> None:
    """Show the run below ROOT (outputs/runs, unless given) with the highest METRIC, and what sets it apart.

    Drawdowns are negative: the highest is the mildest.
    """
    from quantlab.runner.research_index import differing_parameters, parameters

    ranked = [run for run in read_root(root) if run["status"] == "success" and _is_number(run[metric])]
    if not ranked:
        raise ConfigError(f"No run below {root} has succeeded with a {metric}; run one first.")
    if not across and len({tuple(run[name] for name in SPAN) for run in ranked}) > 1:
        raise ConfigError(
            f"The runs below {root} differ in interval or range, so that their figures are of different things; "
            "expected runs of one. Rank them all the same with --across, or look at 'quantlab runs list'."
        )
    best = max(ranked, key=lambda run: (run[metric], str(run["run_id"])))
    if form == "table":
        apart = _named(parameters(best), differing_parameters(ranked))
        among = f"Best of {len(ranked):,} by {metric}" if len(ranked) > 1 else "The only one that succeeded"
        click.echo(printable(f"{among}: {best['run_id']}{f' with {apart}' if apart else ''}"))
    _print(best, form)


def _table(found: list[Run]) -> str:
    from quantlab.runner.research_index import differing_parameters, parameters

    figures = {
        "return": ("total_return", "{:+.1%}"),
        "sharpe": ("sharpe_simple", "{:.2f}"),
        "trades": ("trades", "{}"),
    }
    apart = [name for name in differing_parameters(found) if name != "ticker"]
    headings = ["run_id", "status", "ticker", *figures, *(["parameters"] if apart else [])]
    table = Table(headings, never_cut=(0, 1, 3, 4, 5))
    for run in found:
        known = [str(run[name] or "") for name in ("run_id", "status", "ticker")]
        numbers = [_number(run[name], form) for name, form in figures.values()]
        told = [_named(parameters(run), apart)] if apart else []
        table.add([*known, *numbers, *told], {1: COLOURS.get(str(run["status"]))})
    return table.text(terminal_width() if is_terminal() else None)


def _named(told: Run, names: list[str]) -> str:
    return " ".join(f"{name}={as_cell(told[name])}" for name in names if told.get(name) is not None)


def _print(run: Run, form: str) -> None:
    if form == "json":
        click.echo(as_json(run))
        return
    for name, value in ({**run, "strategy_params": None} | (run["strategy_params"] or {})).items():
        if name == "strategy_params":
            continue
        shown = _number(value, _FIGURES[name]) if name in _FIGURES else ""
        click.echo(printable(f"{name:<14} : {'n/a' if value is None else shown or as_cell(value)}"))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _number(value: object, form: str) -> str:
    return form.format(value) if _is_number(value) else ""
