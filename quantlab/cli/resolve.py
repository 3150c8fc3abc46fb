"""`quantlab paper-sessions resolve SESSION_DIR… --reason TEXT`, or `resolve ROOT --before TIME --reason TEXT`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from quantlab.base.errors import ConfigError
from quantlab.cli.asking import asking, find_ledger, stored_time
from quantlab.cli.options import files, with_ledger, with_page
from quantlab.cli.output import printable
from quantlab.domain.vocabulary import STALE_MINUTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quantlab.ledger.location import Location


@click.command()
@click.argument("session_dirs", metavar="SESSION_DIR…", nargs=-1, shell_complete=files)
@click.option("--reason", required=True, help="Why, in your own words; the ledger keeps it.")
@click.option(
    "--before", help="Of ROOT instead: every alert of a session whose last event was before this day or time."
)
@with_page
@with_ledger()
def resolve(
    session_dirs: tuple[str, ...], reason: str, before: str | None, ledger: str | None, *, page: bool
) -> None:
    """Clear the alerts of sessions: somebody has looked, and they need nobody any more.

    SESSION_DIR is a folder, or in outputs/paper_sessions an id, the end of one, or latest. With --before it is ROOT.
    What happens to such a session afterwards is a new alert.
    """
    from quantlab.base.clock import utc_now
    from quantlab.exports.index import refresh_or_warn
    from quantlab.folders.page import beside_the_index
    from quantlab.folders.roots import open_root_store
    from quantlab.sessions.resolve import resolve as record

    if before is not None:
        location, session_ids = _before(session_dirs, before, ledger)
    else:
        location, session_ids = _named(session_dirs, ledger)
    now = utc_now()
    with open_root_store(location, now=now) as store:
        recorded = record(store, session_ids, reason, now=now)
        if location.root is not None:
            refresh_or_warn(store, location.root, now=now, beside=beside_the_index(wanted=page))
    for session_id in recorded:
        click.echo(printable(f"{session_id}: resolved, {reason.strip()}"))
    if not recorded:
        click.echo("No alert of that time is standing; nothing was recorded.")


def _named(session_dirs: Sequence[str], ledger: str | None) -> tuple[Location, list[str]]:
    from quantlab.cli.finding import find_session
    from quantlab.cli.naming import spelled_out
    from quantlab.ledger.location import LEDGER_FILE

    if not session_dirs:
        raise ConfigError("SESSION_DIR is missing; expected one or more sessions, or ROOT with --before.")
    for one in session_dirs:
        if (Path(one) / LEDGER_FILE).is_file():
            raise ConfigError(f"{one} is a root; expected its sessions, or --before TIME beside it.")
    found = [find_session(spelled_out(one, ledger), ledger) for one in session_dirs]
    if len({str(location) for location, _session_id in found}) > 1:
        raise ConfigError("These sessions lie in several ledgers; expected those of one. Call it for each.")
    return found[0][0], [session_id for _location, session_id in found]


def _before(session_dirs: Sequence[str], before: str, ledger: str | None) -> tuple[Location, list[str]]:
    from quantlab.base.process import is_alive
    from quantlab.queries.alerts import alerts

    if len(session_dirs) > 1:
        raise ConfigError("--before clears the alerts of one ROOT; expected no more than one.")
    location = find_ledger(session_dirs[0] if session_dirs else None, ledger)
    time = stored_time("--before", before)
    with asking(location) as (reader, now):
        found = alerts(reader, now=now, stale_after=timedelta(minutes=STALE_MINUTES), is_alive=is_alive)
    earlier = [one["session_id"] for one in found["alerts"] if (one["activity_at"] or "") < time]
    return location, [session_id for session_id in earlier if session_id is not None]
