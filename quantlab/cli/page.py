"""`quantlab paper-sessions page [ROOT]`: what an operator looks at, as one HTML file."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from quantlab.base.errors import ConfigError
from quantlab.base.text import printable
from quantlab.cli.asking import asking, find_ledger, require_sessions, stored_time
from quantlab.cli.options import TEXT, WholeNumber, of_root
from quantlab.domain.vocabulary import STALE_MINUTES
from quantlab.folders.page import MOST, NAME, made_of

if TYPE_CHECKING:
    from quantlab.ledger.location import Location


@click.command()
@of_root
@click.option("-o", "--output", type=TEXT, metavar="FILE", help=f"The page's file; ROOT/{NAME} without it.")
@click.option(
    "--sessions",
    "most",
    type=WholeNumber("sessions", zero="for the counts alone"),
    default=MOST,
    show_default=True,
    help="How many sessions to tell in full, newest first, 0 for the counts alone.",
)
@click.option(
    "--stale-minutes",
    type=WholeNumber("minutes"),
    default=STALE_MINUTES,
    show_default=True,
    help="A running session is stale after so many minutes without an event.",
)
@click.option(
    "--now", "asked_at", metavar="TIME", help="Ask as of this ISO 8601 time, for the same page again."
)
def page(
    root: str | None,
    ledger: str | None,
    output: str | None,
    most: int,
    stale_minutes: int,
    asked_at: str | None,
) -> None:
    """Write the operators' page of ROOT (a folder or a ledger URL).

    One HTML file, which needs nothing beside itself: who needs a person, what runs, what is ready, the newest sessions.
    """
    from quantlab.base.files import require_target, write_whole

    location = find_ledger(root, ledger)
    file = _file(location, output)
    if output is not None:  # else ROOT has to be one before anybody is told of a file in it
        require_target(file)
    at = stored_time("--now", asked_at)
    with asking(location) as (reader, now):
        require_sessions(reader)
        require_target(file)
        moment = now if at is None else datetime.fromisoformat(at)
        stale_after = timedelta(minutes=stale_minutes)
        data, sequence = made_of(reader, now=moment, stale_after=stale_after, most=most)
    write_whole(file, data)
    click.echo(printable(f"Wrote {file} (ledger sequence {sequence})."))


def _file(location: Location, output: str | None) -> Path:
    if output is not None:
        return Path(output)
    if location.root is None:
        raise ConfigError("-o: a ledger on a server has no folder for the page; expected -o FILE.")
    return location.root / NAME
