"""`quantlab paper-sessions abort SESSION_DIR --reason TEXT`."""

from __future__ import annotations

from pathlib import Path

import click

from quantlab.base.text import printable
from quantlab.cli.options import files, with_ledger, with_page


@click.command()
@click.argument("session_dir", shell_complete=files)
@click.option("--reason", required=True, help="Why, in your own words; the ledger keeps it.")
@click.option("--signal", "signal_first", is_flag=True, help="Ask its process to stop first, with SIGTERM.")
@click.option(
    "--force", is_flag=True, help="Close a session whose process can't be told from here, once it is gone."
)
@with_page
@with_ledger()
def abort(
    session_dir: str, reason: str, signal_first: bool, force: bool, page: bool, ledger: str | None
) -> None:
    """Close the session in SESSION_DIR, which no process will end any more.

    SESSION_DIR is its folder, or ROOT/ID of a folder that is gone, or in outputs/paper_sessions its id, the end of
    one, or latest.
    Refused while its process lives. A process that wakes up afterwards stops and changes nothing.
    """
    from quantlab.base.clock import utc_now
    from quantlab.cli.finding import find_session
    from quantlab.cli.naming import spelled_out
    from quantlab.folders.roots import open_root_store
    from quantlab.sessions.abort import abort as close

    session_dir = spelled_out(session_dir, ledger)
    location, session_id = find_session(session_dir, ledger)
    now = utc_now()
    with open_root_store(location, now=now) as store:
        session = close(
            store,
            location.root,
            session_id,
            reason,
            now=now,
            folder=Path(session_dir).name if Path(session_dir).is_dir() else None,
            signal_first=signal_first,
            force=force,
            page=page,
        )
    click.echo(printable(f"{session_id} is {session.status}: {session.message or session.status_reason}"))
