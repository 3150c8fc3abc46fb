"""`quantlab paper-sessions prove SESSION_DIR`."""

from __future__ import annotations

from pathlib import Path

import click

from quantlab.cli.options import TEXT, with_ledger
from quantlab.text import printable

DIFFERS = 1


@click.command()
@click.argument("session_dir", type=TEXT)
@with_ledger()
def prove(session_dir: str, ledger: str | None) -> int:
    """Run a session again from what it kept, and tell whether every digit is the same.

    SESSION_DIR is its folder, or its id with --ledger. The outcome is recorded in the ledger.
    Exits 0 when it is identical, 1 when not.
    """
    from quantlab.cli.finding import find_session
    from quantlab.cli.progress import Progress
    from quantlab.clock import utc_now
    from quantlab.sessions.proving import IDENTICAL
    from quantlab.sessions.proving import prove as run_again
    from quantlab.sessions.roots import open_root_store

    location, session_id = find_session(session_dir, ledger)
    now = utc_now()
    with open_root_store(location, now=now, say=Progress().say) as store:
        folder = None if location.root is None else Path(session_dir)
        outcome = run_again(store, folder, session_id, now=now)
    click.echo(printable(f"{session_id}: {outcome.outcome}"))
    click.echo(printable(f"  {outcome.detail}"))
    return 0 if outcome.outcome == IDENTICAL else DIFFERS
