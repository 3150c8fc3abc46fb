"""`quantlab paper-sessions follow|step|finish …`: drive a session that follows the market."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from quantlab.base.errors import ConfigError, QuantlabError
from quantlab.cli.options import TEXT, files, with_ledger, with_page

if TYPE_CHECKING:
    from quantlab.sessions.forward.drive import Driven

_FILLS = "Take bars from this file, where the source no longer keeps them."


@click.command()
@click.argument("session_dir", shell_complete=files)
@click.option("--prices", type=TEXT, metavar="FILE", help=_FILLS)
@click.option("--take-over", is_flag=True, help="Take it over from a driver that hangs; needs --reason.")
@click.option("--reason", type=TEXT, help="Why it is taken over; the ledger keeps it.")
@click.option("--signal-file", type=TEXT, help="Append signals to this file, JSON Lines.")
@with_page
@with_ledger()
def follow(
    session_dir: str,
    prices: str | None,
    take_over: bool,
    reason: str | None,
    signal_file: str | None,
    ledger: str | None,
    *,
    page: bool,
) -> None:
    """Follow the market with the session in SESSION_DIR, until it is over or a signal pauses it.

    SIGINT, SIGTERM and SIGHUP pause it: exit 0, and it can be taken up again at any time.
    """
    from quantlab.cli.following import print_driven

    if take_over and reason is None:
        raise click.UsageError("--take-over needs --reason TEXT: why the other driver is taken for dead.")
    took_over = reason if take_over else None
    driven = _drive(session_dir, ledger, signal_file, took_over=took_over, prices=prices, page=page)
    print_driven(driven, as_json=False)


@click.command()
@click.argument("session_dir", required=False, shell_complete=files)
@click.option("--prices", type=TEXT, metavar="FILE", help=_FILLS)
@click.option("--signal-file", type=TEXT, help="Append signals to this file, JSON Lines.")
@with_page
@with_ledger()
def step(
    session_dir: str | None, prices: str | None, signal_file: str | None, ledger: str | None, *, page: bool
) -> None:
    """Take one step with the session in SESSION_DIR, or with each one of a ROOT that is due; for cron and timers.

    Without either, with each one of outputs/paper_sessions that is due. Prints one JSON line a session; exits 0 also
    where nothing is new.
    """
    from quantlab.cli.naming import usual_root

    session_dir = usual_root(session_dir)
    due = _due_in(session_dir, ledger)
    if due == [session_dir]:
        line = None if prices is not None else _nothing_new(session_dir, ledger)
        if line is not None:
            click.echo(json.dumps(line))
            return
        from quantlab.cli.following import print_driven

        driven = _drive(session_dir, ledger, signal_file, one_turn=True, prices=prices, page=page)
        print_driven(driven, as_json=True)
        return
    if prices is not None:
        raise click.UsageError(
            "--prices fills one session's gap; expected that session's folder, not a root."
        )
    from quantlab.cli.following import print_driven

    codes = []
    for one in due:
        try:
            print_driven(_drive(one, ledger, signal_file, one_turn=True, page=page), as_json=True)
        except QuantlabError as error:  # one that is stalled must not keep the others waiting
            click.echo(f"ERROR: {Path(one).name}: {error}", err=True)
            codes.append(error.exit_code)
    if codes:
        raise click.exceptions.Exit(max(codes))


@click.command()
@click.argument("session_dir", shell_complete=files)
@click.option("--reason", required=True, type=TEXT, help="Why, in your own words; the ledger keeps it.")
@click.option("--signal-file", type=TEXT, help="Append signals to this file, JSON Lines.")
@with_page
@with_ledger()
def finish(session_dir: str, reason: str, signal_file: str | None, ledger: str | None, *, page: bool) -> None:
    """Evaluate the session in SESSION_DIR as of its last bar, and let it succeed."""
    from quantlab.cli.following import print_driven

    driven = _drive(session_dir, ledger, signal_file, one_turn=True, reason=reason, page=page)
    print_driven(driven, as_json=False)


def _drive(
    session_dir: str,
    ledger: str | None,
    signal_file: str | None,
    *,
    one_turn: bool = False,
    took_over: str | None = None,
    reason: str | None = None,
    prices: str | None = None,
    page: bool = False,
) -> Driven:
    from quantlab.base.clock import utc_now
    from quantlab.cli.finding import find_session
    from quantlab.cli.following import drive_options
    from quantlab.cli.naming import spelled_out
    from quantlab.cli.progress import Progress
    from quantlab.folders.roots import open_root_store
    from quantlab.sessions.forward.resume import resume

    session_dir = spelled_out(session_dir, ledger)
    location, session_id = find_session(session_dir, ledger)
    folder = Path(session_dir)
    if not folder.is_dir():
        raise ConfigError(
            f"{session_dir} is no folder; a session that follows the market is driven where its files are."
        )
    progress = Progress()
    options = drive_options(progress, signal_file, took_over, prices=prices, page=page)
    with closing(progress), open_root_store(location, now=utc_now()) as store:
        return resume(store, folder, session_id, options, one_turn=one_turn, finish_now=reason)


def _nothing_new(session_dir: str, ledger: str | None) -> dict[str, Any] | None:
    """Return what is told of a session for which nothing can be new, without loading what looks at the market."""
    from quantlab.cli.asking import asking
    from quantlab.cli.finding import find_session
    from quantlab.cli.naming import spelled_out
    from quantlab.sessions.forward.last_look import nothing_new

    folder = Path(spelled_out(session_dir, ledger))
    if not folder.is_dir():
        return None
    location, session_id = find_session(str(folder), ledger)
    with asking(location) as (reader, _now):
        return nothing_new(folder, session_id, reader)


def _due_in(place: str, ledger: str | None) -> list[str]:
    """Return the session itself, or the folders of a root's forward sessions that are due."""
    from quantlab.base.clock import iso, utc_now
    from quantlab.cli.asking import asking, find_ledger, require_sessions
    from quantlab.folders.reading import is_session
    from quantlab.queries.listing import due_sessions

    if not Path(place).is_dir() or is_session(place):
        return [place]
    location = find_ledger(place, ledger)
    with asking(location) as (reader, now):
        require_sessions(reader)
        due = [Path(row["path"]) for row in due_sessions(reader, iso(now or utc_now()))]
    if location.is_own_of(Path(place)):
        return list(map(str, due))
    # A ledger that roots share knows those of other roots and hosts too; each is stepped where its files are.
    return [str(one) for one in due if one.is_dir() and one.parent.samefile(place)]
