"""`quantlab paper-sessions prove SESSION_DIR`."""

from __future__ import annotations

from pathlib import Path

import click

from quantlab.base.text import printable
from quantlab.cli.options import TEXT, files, with_ledger, with_page

DIFFERS = 1


@click.command()
@click.argument("session_dir", type=TEXT, shell_complete=files)
@click.option("--run-kept-code", is_flag=True, help="Also run a strategy's code that came from elsewhere.")
@with_page
@with_ledger()
def prove(session_dir: str, ledger: str | None, *, run_kept_code: bool, page: bool) -> int:
    """Run a session again from what it kept, and tell whether every digit is the same.

    SESSION_DIR is its folder, or in outputs/paper_sessions its id, the end of one, or latest. The outcome is recorded
    in the ledger. One that follows the market is proved as of its last bar while it goes on.
    Exits 0 when it is identical, 1 when not.
    """
    from quantlab.base.clock import utc_now
    from quantlab.cli.finding import find_session
    from quantlab.cli.naming import spelled_out
    from quantlab.exports.index import refresh_or_warn
    from quantlab.folders.page import beside_the_index
    from quantlab.folders.roots import open_root_store
    from quantlab.sessions.prove import IDENTICAL
    from quantlab.sessions.prove import prove as run_again

    session_dir = spelled_out(session_dir, ledger)
    location, session_id = find_session(session_dir, ledger)
    now = utc_now()
    with open_root_store(location, now=now) as store:
        folder = None if location.root is None else Path(session_dir)
        outcome = run_again(store, folder, session_id, now=now, run_kept_code=run_kept_code)
        if location.root is not None:
            beside = beside_the_index(wanted=page)
            refresh_or_warn(store, location.root, now=utc_now(), beside=beside)
    click.echo(printable(f"{session_id}: {outcome.outcome}"))
    click.echo(printable(f"  {outcome.detail}"))
    return 0 if outcome.outcome == IDENTICAL else DIFFERS
