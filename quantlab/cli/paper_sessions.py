"""`quantlab paper-sessions …`: the operator's commands. Each parses, asks once and prints."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, TypedDict

import click

from quantlab.base.errors import ConfigError
from quantlab.cli import output
from quantlab.cli.asking import (
    asking,
    find_ledger,
    given_by_hand,
    name_troubles,
    require_sessions,
    stored_time,
)
from quantlab.cli.filters import LIMIT, asked_for, filtered, require_column
from quantlab.cli.main import Lazily
from quantlab.cli.options import TEXT, TimeSpan, WholeNumber, files, of_root, with_format, with_ledger
from quantlab.domain.vocabulary import STALE_MINUTES
from quantlab.ledger.location import PAPER_ROOT, no_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Unpack

    from quantlab.cli.filters import Filters
    from quantlab.cli.options import Span
    from quantlab.ledger.location import Location
    from quantlab.ledger.reader import Reader
    from quantlab.queries.alerts import Alerts

    Tell = Callable[[Reader, Alerts, Callable[[Alerts], None]], None]


class Telling(TypedDict):
    """What the options of `alerts --new` gave."""

    new: bool
    exec: str | None
    webhook: str | None
    told: str | None


ON_A_TERMINAL = 50
"""How many sessions a table on a terminal shows, unless another number is asked for."""
_HERE = "quantlab.cli.paper_sessions"


@click.group(
    "paper-sessions",
    cls=Lazily,
    lazy={
        "list": (f"{_HERE}:list_sessions", "List the sessions of a root, newest first."),
        "show": (f"{_HERE}:show", "Show everything about one session."),
        "compare": ("quantlab.cli.compare:compare", "Tell what sets sessions apart."),
        "why": ("quantlab.cli.why:why", "Tell of each bar why it brought a trade or none."),
        "health": (f"{_HERE}:health", "Summarise a root in a few lines."),
        "alerts": (f"{_HERE}:alerts", "Tell which sessions need a person, as JSON."),
        "promotion": (f"{_HERE}:promotion", "Tell of which sessions the record is in order, as JSON."),
        "index": ("quantlab.cli.index:index", "Bring ledger and disk together and write the exports."),
        "page": ("quantlab.cli.page:page", "Write the operators' page, one HTML file."),
        "abort": ("quantlab.cli.abort:abort", "Close a session that no process will end any more."),
        "follow": ("quantlab.cli.forward:follow", "Follow the market with a session, bar by bar."),
        "step": ("quantlab.cli.forward:step", "Take one step with a session that follows the market."),
        "finish": ("quantlab.cli.forward:finish", "Evaluate a session that follows the market, and end it."),
        "resolve": ("quantlab.cli.resolve:resolve", "Say that alerts need nobody any more, and why."),
        "prove": ("quantlab.cli.prove:prove", "Run a session again and compare the results."),
    },
)
def paper_sessions() -> None:
    """List, inspect, watch, export and close paper sessions."""


@click.command("list")
@of_root
@filtered
@click.option(
    "--limit",
    type=LIMIT,
    help="At most so many, 0 for all; without it, a table on a terminal shows 50.",
)
@click.option("--columns", help="Show these columns, joined by commas, such as session_id,total_return,age.")
@with_format("table", "json", "csv")
def list_sessions(
    root: str | None,
    ledger: str | None,
    form: str,
    limit: int | None,
    columns: str | None,
    **filters: Unpack[Filters],
) -> None:
    """List the sessions of ROOT (a folder or a ledger URL), newest first."""
    from dataclasses import replace

    from quantlab.cli.pages import sessions as page
    from quantlab.queries.following import has_followed
    from quantlab.queries.listing import count, sessions
    from quantlab.queries.rows import status_counts

    shown = _columns(columns, page.ONLY_IN_TABLES if form == "table" else ())
    on_terminal = form == "table" and output.is_terminal()
    most = limit if limit is not None else ON_A_TERMINAL if on_terminal else 0
    asked = asked_for(limit=most, **filters)
    location = find_ledger(root, ledger)
    with asking(location) as (reader, now):
        counted = count(reader, asked)
        left_out = count(reader, replace(asked, limit=None)) - counted if limit is None and on_terminal else 0
        listed = page.Listed(
            rows=lambda wanted: sessions(reader, replace(asked, columns=tuple(wanted))),
            total=counted,
            left_out=left_out,
            columns=shown,
            twins=asked.duplicates,
            follow=has_followed(reader),
            location=location,
            now=now,
        )
        for piece in page.FORMATS[form](listed):
            click.echo(piece, nl=False)
        if form == "table" and not counted:
            click.echo(_why_none(status_counts(reader), location))
        name_troubles(reader)


def _columns(asked: str | None, more: Sequence[str]) -> list[str]:
    names = [] if asked is None else [name.strip() for name in asked.split(",")]
    for name in names:
        require_column("--columns", name, more)
    return names


def _why_none(counts: dict[str, int], location: Location) -> str:
    beneath = None if location.root is None else location.root / PAPER_ROOT
    if not counts and beneath is not None and beneath.is_dir():
        return output.printable(f"Was {beneath} meant? It is a folder of sessions.")
    if not counts:
        return "Start one: quantlab run --ticker ETH-USD --prices synthetic --paper"
    held = ", ".join(f"{count:,} {status}" for status, count in counts.items())
    return output.printable(f"None is as asked for; it has {held}.")


@click.command()
@click.argument("session_dir", shell_complete=files)
@with_ledger()
@with_format("text", "json")
def show(session_dir: str, ledger: str | None, form: str) -> None:
    """Show one session.

    SESSION_DIR is its folder, or ROOT/ID of a folder that is gone, or in outputs/paper_sessions (in the ledger, with
    --ledger) its id, the end of one, or latest.
    """
    from quantlab.cli.finding import find_session
    from quantlab.cli.naming import spelled_out
    from quantlab.cli.pages import session as session_page
    from quantlab.queries.detail import session

    location, session_id = find_session(spelled_out(session_dir, ledger), ledger)
    with asking(location) as (reader, now):
        found = session(reader, session_id)
        if found is None:
            raise no_session(location, session_id)
        click.echo(output.as_json(found) if form == "json" else session_page.text(found, now))


@click.command()
@of_root
@with_format("text", "table", "json", "csv", "prometheus")
def health(root: str | None, ledger: str | None, form: str) -> None:
    """Summarise ROOT (a folder or a ledger URL) in `name : value` lines."""
    from quantlab.cli.pages import health as health_page
    from quantlab.queries.following import following
    from quantlab.queries.health import health as asked
    from quantlab.queries.health import unknown_statuses
    from quantlab.queries.rows import root_dir

    with asking(find_ledger(root, ledger)) as (reader, _now):
        require_sessions(reader)
        values = asked(reader)
        unknown = unknown_statuses(reader) if values["unknown_status_sessions"] else {}
        page = health_page.FORMATS[form]
        click.echo(page(values, unknown, following(reader), root_dir(reader.location)))
        name_troubles(reader)


@click.command()
@of_root
@click.option(
    "--stale-minutes",
    "--paper-stale-minutes",
    type=WholeNumber("minutes"),
    default=STALE_MINUTES,
    show_default=True,
    help="A running session is stale after so many minutes without an event.",
)
@click.option("--since", help="Only of sessions whose last event was at or after this day or ISO 8601 time.")
@click.option("--all", "with_cleared", is_flag=True, help="Also what was resolved or superseded.")
@click.option(
    "--expect-every",
    type=TimeSpan(),
    help="Also critical where nothing has succeeded for so long, such as 26h.",
)
@click.option("--ticker", type=TEXT, help="With --expect-every: of this ticker.")
@click.option("--new", is_flag=True, help="Only what was not told before; then it is told.")
@click.option("--exec", type=TEXT, metavar="COMMAND", help="With --new: hand it JSON on standard input.")
@click.option(
    "--webhook", type=TEXT, metavar="URL", help="With --new: post JSON to https, or to this machine."
)
@click.option("--told", type=TEXT, metavar="FILE", help="With --new: what was told  [default: in ROOT]")
@click.option("--exit-code", is_flag=True, help="Exit 0 for ok, 1 warning, 2 critical, 3 could not tell.")
@with_format("json", "table", "csv")
def alerts(
    root: str | None,
    ledger: str | None,
    stale_minutes: int,
    since: str | None,
    expect_every: Span | None,
    ticker: str | None,
    form: str,
    *,
    with_cleared: bool,
    exit_code: bool,
    **telling: Unpack[Telling],
) -> int:
    """Tell which sessions of ROOT (a folder or a ledger URL) need a person.

    Those that failed, were aborted, are stale, gave another result when they were run again, or disagree with an equal
    one; less those that were resolved, or superseded by a later success of the same request or configuration.
    """
    from quantlab.base.process import is_alive
    from quantlab.cli.pages import alerts as alerts_page
    from quantlab.queries.alerts import EXIT_CODES, Expected
    from quantlab.queries.alerts import alerts as asked

    if ticker is not None and expect_every is None:
        raise ConfigError("--ticker says of what --expect-every expects a session; expected both.")
    if not telling["new"]:
        _require_no(telling)
    elif with_cleared:
        raise ConfigError("--new and --all exclude each other; expected one of them.")
    expected = (
        None
        if expect_every is None
        else Expected(every=expect_every.length, said=expect_every.said, ticker=ticker)
    )
    location = find_ledger(root, ledger)
    with _telling(location, telling) as tell, asking(location) as (reader, now):
        require_sessions(reader)
        found = asked(
            reader,
            now=now,
            stale_after=timedelta(minutes=stale_minutes),
            is_alive=is_alive,
            since=stored_time("--since", since),
            with_cleared=with_cleared,
            expected=expected,
        )
        tell(reader, found, lambda answer: click.echo(alerts_page.FORMATS[form](answer)))
        name_troubles(reader)
    return EXIT_CODES[found["alert_status"]] if exit_code else 0


def _require_no(telling: Telling) -> None:
    about_new = {"exec": telling["exec"], "webhook": telling["webhook"], "told": telling["told"]}
    given = next((name for name, value in about_new.items() if value is not None), None)
    if given is not None and given_by_hand(given):
        raise ConfigError(f"--{given} is about what is new; expected --new beside it.")


@contextmanager
def _telling(location: Location, telling: Telling) -> Iterator[Tell]:
    """Yield what shows an answer: all of it, or with --new what was not told before."""
    if not telling["new"]:
        yield lambda _reader, found, show: show(found)
        return
    from quantlab.cli import telling as one

    command, webhook = telling["exec"], telling["webhook"]
    if command is not None and webhook is not None:
        raise ConfigError(
            "--exec and --webhook exclude each other; expected one, and a --told FILE for each call."
        )
    if webhook is not None:
        one.require_url(webhook)
    file = one.place_of(telling["told"], location)
    with one.alone(file):
        yield lambda reader, found, show: one.tell(
            reader, found, file, command=command, webhook=webhook, show=show
        )


@click.command()
@of_root
@click.option(
    "--max-candidates",
    type=WholeNumber("sessions"),
    default=2,
    show_default=True,
    help="How many ready sessions to name, latest first.",
)
@click.option(
    "--require",
    "expressions",
    metavar="EXPRESSION",
    multiple=True,
    help="What a session must meet besides, such as 'trades>=30', 'total_return>buy_and_hold_return' or 'proved'; "
    "an unknown figure blocks. May be given several times.",
)
@with_format("json", "table", "csv")
def promotion(
    root: str | None, ledger: str | None, max_candidates: int, expressions: tuple[str, ...], form: str
) -> None:
    """Tell of which sessions of ROOT (a folder or a ledger URL) the record is in order, and what blocks the others.

    Ready means that the record is in order, never that the strategy is good; cautions stand beside each session.
    """
    from quantlab.cli.pages import promotion as promotion_page
    from quantlab.queries.promotion import promotion as asked

    required = []
    if expressions:
        from quantlab.domain.requirements import requirement  # loads what most questions do without

        required = [requirement(expression) for expression in expressions]
    with asking(find_ledger(root, ledger)) as (reader, now):
        found = asked(reader, now=now, max_candidates=max_candidates, require=required)
        if found["ready_candidates"]:
            from quantlab.folders.standing import require_as_recorded  # the same

            require_as_recorded(reader, found["ready_candidates"])
        click.echo(promotion_page.FORMATS[form](found))
        name_troubles(reader)
