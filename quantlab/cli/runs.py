"""`quantlab runs list|show|best`: research runs, read off their folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from quantlab.cli.options import TEXT, with_format
from quantlab.cli.output import COLOURS, Table, as_json, is_terminal, terminal_width
from quantlab.clock import iso
from quantlab.errors import ConfigError
from quantlab.text import printable

if TYPE_CHECKING:
    from quantlab.research.runs_index import Run

METRICS = ("sharpe_simple", "total_return", "max_drawdown", "trades", "win_rate")


@click.group()
def runs() -> None:
    """List and compare research runs."""


@runs.command("list")
@click.argument("root", type=TEXT)
@with_format("table", "json", "csv")
def list_runs(root: str, form: str) -> None:
    """List the runs below ROOT.

    The table has the newest first; JSON and CSV are sorted by run_id, as runs_index.json is.
    """
    from quantlab.research import runs_index

    found = _read_root(root)
    if form == "json":
        click.echo(as_json(found))
    elif form == "csv":
        click.echo(runs_index.as_csv(found), nl=False)
    elif not found:
        click.echo(f"No runs below {root}; 'quantlab run --ticker ETH-USD --start … --end …' makes one.")
    else:
        click.echo(_table(sorted(found, key=_newness, reverse=True)))


@runs.command("show")
@click.argument("run_dir", type=TEXT)
@with_format("table", "json")
def show_run(run_dir: str, form: str) -> None:
    """Show one run: what it was and its figures."""
    from quantlab.exports.names import METADATA_COPY
    from quantlab.research.runs_index import read_run

    folder = _folder(run_dir)
    if not (folder / METADATA_COPY).is_file():
        raise ConfigError(f"No run at {run_dir}; 'quantlab runs list {folder.parent}' names them.")
    run, unreadable = read_run(folder)
    _warn(unreadable)
    _print(run, form)


@runs.command("best")
@click.argument("root", type=TEXT)
@click.option(
    "--metric",
    type=click.Choice(METRICS),
    default="sharpe_simple",
    show_default=True,
    help="The figure that decides.",
)
@with_format("table", "json")
def best_run(root: str, metric: str, form: str) -> None:
    """Show the run below ROOT with the highest METRIC.

    Drawdowns are negative: the highest is the mildest.
    """
    ranked = [run for run in _read_root(root) if run["status"] == "success" and _is_number(run[metric])]
    if not ranked:
        raise ConfigError(f"No run below {root} has succeeded with a {metric}; run one first.")
    _print(max(ranked, key=lambda run: (run[metric], str(run["run_id"]))), form)


def _newness(run: Run) -> tuple[str, str]:
    from quantlab.research.runs_index import time_of

    moment = time_of(run)
    return "" if moment is None else iso(moment), str(run["run_id"])


def _table(found: list[Run]) -> str:
    figures = {
        "return": ("total_return", "{:+.1%}"),
        "sharpe": ("sharpe_simple", "{:.2f}"),
        "trades": ("trades", "{}"),
    }
    table = Table(["run_id", "status", "ticker", *figures], never_cut=(0, 1, 3, 4, 5))
    for run in found:
        known = [str(run[name] or "") for name in ("run_id", "status", "ticker")]
        numbers = [_number(run[name], form) for name, form in figures.values()]
        table.add([*known, *numbers], {1: COLOURS.get(str(run["status"]))})
    return table.text(terminal_width() if is_terminal() else None)


def _print(run: Run, form: str) -> None:
    if form == "json":
        click.echo(as_json(run))
        return
    for name, value in run.items():
        click.echo(printable(f"{name:<14} : {'n/a' if value is None else value}"))


def _read_root(root: str) -> list[Run]:
    from quantlab.research.runs_index import read_runs

    folder = _folder(root)
    if not folder.is_dir():
        raise ConfigError(f"{root} is no folder of runs; expected one such as outputs/runs.")
    found, unreadable = read_runs(folder)
    _warn(unreadable)
    return found


def _folder(text: str) -> Path:
    from quantlab.store.location import require_path

    require_path("ROOT", text)
    return Path(text)


def _warn(unreadable: list[str]) -> None:
    for name in unreadable:
        click.echo(printable(f"WARNING: {name} can't be read; its fields are shown as unknown."), err=True)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _number(value: Any, form: str) -> str:
    return form.format(value) if _is_number(value) else ""
