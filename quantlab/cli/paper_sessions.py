"""`quantlab paper-sessions …`: the operator's commands. Each parses, asks once and prints."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from quantlab.cli import output
from quantlab.cli.asking import asking, find, name_troubles
from quantlab.cli.main import Lazily
from quantlab.cli.options import WholeNumber, of_root, with_format, with_ledger
from quantlab.errors import ConfigError
from quantlab.store.location import no_session
from quantlab.store.vocabulary import STALE_MINUTES

_HERE = "quantlab.cli.paper_sessions"


@click.group(
    "paper-sessions",
    cls=Lazily,
    lazy={
        "list": (f"{_HERE}:list_sessions", "List the sessions of a root, newest first."),
        "show": (f"{_HERE}:show", "Show everything about one session."),
        "health": (f"{_HERE}:health", "Summarise a root in a few lines."),
        "alerts": (f"{_HERE}:alerts", "Tell which sessions need a person, as JSON."),
        "promotion": (f"{_HERE}:promotion", "Tell which sessions may go on to a broker, as JSON."),
        "index": ("quantlab.cli.index:index", "Bring ledger and disk together and write the exports."),
        "abort": ("quantlab.cli.abort:abort", "Close a session that no process will end any more."),
        "prove": ("quantlab.cli.prove:prove", "Run a session again and compare the results."),
    },
)
def paper_sessions() -> None:
    """List, inspect, watch, export and close paper sessions."""


@click.command("list")
@of_root
@click.option("--status", "statuses", multiple=True, help="Only this status; may be given again.")
@click.option("--ticker", help="Only this ticker.")
@click.option(
    "--since", help="Only sessions that began at or after this day or ISO 8601 time (local without offset)."
)
@click.option("--limit", type=WholeNumber("sessions"), help="At most so many.")
@click.option(
    "--duplicates", is_flag=True, help="Only sessions whose configuration and prices equal another's."
)
@with_format("table", "json", "csv")
def list_sessions(root: str | None, ledger: str | None, since: str | None, form: str, **filters: Any) -> None:
    """List the sessions of ROOT (a folder or a ledger URL), newest first."""
    from quantlab.cli import sessions_table
    from quantlab.queries.listing import sessions
    from quantlab.queries.rows import status_counts

    location = find(root, ledger)
    with asking(location) as (reader, now):
        rows = sessions(reader, since=_stored_time(since), **filters)
        click.echo(sessions_table.FORMATS[form](rows, location, now))
        if form == "table" and not rows:
            click.echo(_why_none(status_counts(reader)))
        name_troubles(reader)


def _why_none(counts: dict[str, int]) -> str:
    if not counts:
        return "Start one: quantlab run --ticker ETH-USD --prices synthetic --paper"
    held = ", ".join(f"{count:,} {status}" for status, count in counts.items())
    return output.printable(f"None is as asked for; it has {held}.")


@click.command()
@click.argument("session_dir")
@with_ledger()
@with_format("text", "json")
def show(session_dir: str, ledger: str | None, form: str) -> None:
    """Show one session: SESSION_DIR is its folder, or ROOT/ID of a folder that is gone, or its id with --ledger."""
    from quantlab.cli import session_page
    from quantlab.cli.finding import find_session
    from quantlab.queries.detail import session

    location, session_id = find_session(session_dir, ledger)
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
    from quantlab.cli import health_page
    from quantlab.queries.health import health as asked
    from quantlab.queries.health import unknown_statuses
    from quantlab.queries.rows import root_dir

    with asking(find(root, ledger)) as (reader, _now):
        values = asked(reader)
        unknown = unknown_statuses(reader) if values["unknown_status_sessions"] else {}
        click.echo(health_page.FORMATS[form](values, unknown, root_dir(reader.location)))
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
@click.option("--exit-code", is_flag=True, help="Exit 0 for ok, 1 warning, 2 critical, 3 could not tell.")
@with_format("json", "table", "csv")
def alerts(root: str | None, ledger: str | None, stale_minutes: int, exit_code: bool, form: str) -> int:
    """Tell which sessions of ROOT (a folder or a ledger URL) failed, were aborted or are stale."""
    from quantlab.cli import alerts_page
    from quantlab.queries.alerts import EXIT_CODES
    from quantlab.queries.alerts import alerts as asked
    from quantlab.sessions.process import is_alive

    with asking(find(root, ledger)) as (reader, now):
        found = asked(reader, now=now, stale_after=timedelta(minutes=stale_minutes), is_alive=is_alive)
        click.echo(alerts_page.FORMATS[form](found))
        name_troubles(reader)
    return EXIT_CODES[found["alert_status"]] if exit_code else 0


@click.command()
@of_root
@click.option(
    "--max-candidates",
    type=WholeNumber("sessions"),
    default=2,
    show_default=True,
    help="How many ready sessions to name, latest first.",
)
@with_format("json", "table", "csv")
def promotion(root: str | None, ledger: str | None, max_candidates: int, form: str) -> None:
    """Tell which sessions of ROOT (a folder or a ledger URL) are fit for a broker, and what blocks the others."""
    from quantlab.cli import promotion_page
    from quantlab.queries.promotion import promotion as asked

    with asking(find(root, ledger)) as (reader, now):
        found = asked(reader, now=now, max_candidates=max_candidates)
        click.echo(promotion_page.FORMATS[form](found))
        name_troubles(reader)


def _stored_time(text: str | None) -> str | None:
    from quantlab.clock import iso, parse_iso

    if text is None:
        return None
    try:
        return iso(parse_iso(text))
    except (ValueError, OverflowError) as error:
        raise ConfigError(
            f"--since: {text!r} is no time; expected a day or an ISO 8601 time, such as 2026-01-31 or "
            "2026-01-31T08:00:00+00:00."
        ) from error
