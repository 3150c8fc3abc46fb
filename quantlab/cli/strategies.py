"""`quantlab strategies new|list|show|check`: strategies of the user's own."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from quantlab.base.errors import ConfigError
from quantlab.base.text import printable
from quantlab.cli.options import TEXT, Seconds, with_format
from quantlab.cli.output import Table, as_json, is_terminal, terminal_width

if TYPE_CHECKING:
    from quantlab.trading.market import Prices
    from quantlab.trading.strategies.source import Source
    from quantlab.trading.strategies.worker import Loaded

CHECK_START, CHECK_END = "2021-01-01", "2023-01-01"


class Assignment(click.ParamType[tuple[str, str]]):
    """NAME=VALUE."""

    name = "NAME=VALUE"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Return name and value; anything else is a usage error."""
        if isinstance(value, tuple):
            return value
        name, equals, text = str(value).partition("=")
        if not equals or not name.strip():
            self.fail(f"{value!r}; expected NAME=VALUE, such as fast=20.", param, ctx)
        return name.strip().replace("-", "_"), text.strip()


with_params = click.option(
    "--param", "param", type=Assignment(), multiple=True, help="A parameter of the strategy; may be repeated."
)
with_seconds = click.option(
    "--strategy-seconds",
    type=Seconds(),
    default=60.0,
    show_default=True,
    help="Seconds that one call of the strategy may take.",
)


def assigned(pairs: tuple[tuple[str, str], ...]) -> dict[str, object]:
    """Return parameters by name, as they were typed.

    Raises:
        ConfigError: one was given two values.
    """
    from quantlab.trading.strategies.parameters import Text

    values: dict[str, object] = {}
    for name, text in pairs:
        if name in values and values[name] != text:
            raise ConfigError(
                f"param {name}: {values[name]!r} and {text!r} were both given; expected one value."
            )
        values[name] = Text(text)
    return values


@click.group()
def strategies() -> None:
    """Write, find and check strategies of your own."""


@strategies.command("new")
@click.argument("file", type=TEXT)
def new_strategy(file: str) -> None:
    """Write FILE, a strategy that runs as it is."""
    from quantlab.base.files import require_target, write_whole
    from quantlab.ledger.location import require_path
    from quantlab.trading.strategies.example import TEXT as EXAMPLE

    require_path("FILE", file)
    place = Path(file)
    if place.suffix != ".py":
        raise ConfigError(f"{file}: expected a name that ends in .py, such as mine.py.")
    if place.exists():
        raise ConfigError(f"{file} is there already, and stays as it is; expected a new name.")
    require_target(place)
    write_whole(place, EXAMPLE.encode())
    click.echo(
        printable(f"Wrote {file}. Run it: quantlab run --strategy {shlex.quote(file)} --prices synthetic")
    )


@strategies.command("list", short_help="List the strategies that can be named without a path.")
@with_format("table", "json")
def list_strategies(form: str) -> None:
    """List the strategies that can be named without a path; none of them is loaded.

    They are the built-in, those of installed packages (entry points quantlab.strategies), and files below the folders
    that QUANTLAB_STRATEGIES names.
    """
    from quantlab.trading.strategies.finding import known_strategies

    found = known_strategies()
    if form == "json":
        click.echo(as_json([dict(zip(("name", "kind", "place"), one, strict=True)) for one in found]))
        return
    table = Table(["name", "kind", "place"], never_cut=(0, 1))
    for one in found:
        table.add(list(one), {})
    click.echo(table.text(terminal_width() if is_terminal() else None))


@strategies.command("show", short_help="Show a strategy's rule, parameters and digest.")
@click.argument("strategy", type=TEXT)
@with_seconds
@with_format("table", "json")
def show_strategy(strategy: str, strategy_seconds: float, form: str) -> None:
    """Show a strategy's rule, parameters and digest; its code is loaded for it."""
    from quantlab.trading.strategies.apart import Apart
    from quantlab.trading.strategies.finding import find_strategy

    source = find_strategy(strategy)
    with Apart(source, seconds=strategy_seconds) as apart:
        described = apart.describe()
    facts = _facts(source, described)
    if form == "json":
        click.echo(as_json(facts))
        return
    lines = [
        f"{source.name}  ({source.kind}, {source.package or source.place})",
        "",
        *described.rule.splitlines(),
        "",
        "parameters:" if described.parameters else "no parameters",
        *(f"  {one.name} : {one.expected}{_default(one.default)}" for one in described.parameters),
        f"min_bars : {described.min_bars}; bars needed in all : {described.fewest}",
        f"digest   : {source.digest}",
    ]
    for line in lines:
        click.echo(printable(line))


@strategies.command("check", short_help="Tell whether a strategy looks ahead.")
@click.argument("strategy", type=TEXT)
@with_params
@click.option("--prices", type=TEXT, default="synthetic", show_default=True, help="synthetic, or a file.")
@click.option("--ticker", type=TEXT, default="CHECK", show_default=True, help="Seed of the synthetic prices.")
@click.option("--interval", type=TEXT, default="1d", show_default=True, help="Length of a bar.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Where the cuts lie.")
@with_seconds
def check_strategy(
    strategy: str,
    param: tuple[tuple[str, str], ...],
    prices: str,
    ticker: str,
    interval: str,
    seed: int,
    strategy_seconds: float,
) -> None:
    """Tell whether a strategy looks ahead, draws at random or keeps something between calls.

    It is asked again with fewer and with other bars, as at every launch. Exits 0, or 4 with the first bar and both
    values.
    """
    from quantlab.trading.strategies.apart import Apart
    from quantlab.trading.strategies.finding import find_strategy

    source = find_strategy(strategy)
    with Apart(source, seconds=strategy_seconds) as apart:
        loaded = apart.load(assigned(param))
        bars = _prices(prices, ticker, interval)
        answer = apart.decide(bars, loaded.values, seed=seed)
    given = ", ".join(f"{name}={value}" for name, value in loaded.values.items()) or "no parameters"
    click.echo(printable(f"{source.name} ({given}) is sound on {len(bars)} bars"))
    click.echo(f"  bars with a signal  {answer.signals}")
    click.echo(
        f"  asked again         {answer.cuts} times with fewer bars, {answer.futures} with another future"
    )
    if answer.thinned is not None:
        click.echo(f"  thinned             {answer.thinned}")


def _prices(source: str, ticker: str, interval: str) -> Prices:
    from quantlab.base.clock import utc_now
    from quantlab.domain.config import validated
    from quantlab.trading.prices.files import preview
    from quantlab.trading.prices.loading import load_prices
    from quantlab.trading.prices.reading import Reading

    values = {"prices": source, "ticker": ticker, "interval": interval}
    config = validated({**values, "start": CHECK_START, "end": CHECK_END})
    if config.from_file:
        looked = preview(config.prices, Reading(), interval=config.interval, ticker=None)
        if looked.error is not None:
            raise looked.error
        config = validated({**values, "start": looked.start, "end": looked.end})
    prices, _quality = load_prices(config, now=utc_now(), cache_folder=None, offline=True)
    return prices


def _facts(source: Source, loaded: Loaded) -> dict[str, object]:
    return {
        "name": source.name,
        "kind": source.kind,
        "place": source.place,
        "package": source.package,
        "digest": source.digest,
        "rule": loaded.rule,
        "min_bars": loaded.min_bars,
        "fewest_bars": loaded.fewest,
        "parameters": [
            {
                "name": one.name,
                "type": one.kind.__name__,
                "default": one.default,
                "expected": one.expected,
            }
            for one in loaded.parameters
        ],
    }


def _default(value: object) -> str:
    return " (needed)" if value is None else f" (default {value})"
