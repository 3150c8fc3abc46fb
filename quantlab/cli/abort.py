"""`quantlab paper-sessions abort SESSION_DIR --reason TEXT`."""

from __future__ import annotations

from pathlib import Path

import click

from quantlab.cli.asking import say
from quantlab.cli.options import with_ledger
from quantlab.text import printable


@click.command()
@click.argument("session_dir")
@click.option("--reason", required=True, help="Why, in your own words; the ledger keeps it.")
@click.option("--signal", "signal_first", is_flag=True, help="Ask its process to stop first, with SIGTERM.")
@click.option(
    "--force", is_flag=True, help="Close a session whose process can't be told from here, once it is gone."
)
@with_ledger()
def abort(session_dir: str, reason: str, signal_first: bool, force: bool, ledger: str | None) -> None:
    """Close the session in SESSION_DIR, which no process will end any more.

    SESSION_DIR is its folder, or ROOT/ID of a folder that is gone, or its id with --ledger.
    Refused while its process lives. A process that wakes up afterwards stops and changes nothing.
    """
    from quantlab.cli.finding import find_session
    from quantlab.clock import utc_now
    from quantlab.sessions.closing import abort as close
    from quantlab.sessions.roots import open_root_store

    location, session_id = find_session(session_dir, ledger)
    now = utc_now()
    with open_root_store(location, now=now, say=say) as store:
        row = close(
            store,
            location.root,
            session_id,
            reason,
            now=now,
            say=say,
            folder=Path(session_dir).name if Path(session_dir).is_dir() else None,
            signal_first=signal_first,
            force=force,
        )
    click.echo(printable(f"{session_id} is {row['status']}: {row['message'] or row['status_reason']}"))
