"""`quantlab paper-sessions why SESSION_DIR`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from quantlab.base.errors import ConfigError
from quantlab.cli.options import TEXT, with_format, with_ledger

if TYPE_CHECKING:
    from quantlab.runner.why import Reasoned


@click.command()
@click.argument("session_dir", type=TEXT)
@click.option("--bar", metavar="TIME", help="Only the bar that was open at this day or ISO 8601 time.")
@click.option("--from", "since", metavar="TIME", help="Only bars that opened at this time or later.")
@click.option("--to", "before", metavar="TIME", help="Only bars that opened before this time.")
@click.option("--run-kept-code", is_flag=True, help="Also run a strategy's code that came from elsewhere.")
@with_ledger()
@with_format("table", "csv", "json")
def why(
    session_dir: str,
    bar: str | None,
    since: str | None,
    before: str | None,
    ledger: str | None,
    form: str,
    *,
    run_kept_code: bool,
) -> None:
    """Tell of each bar of a session why it brought a trade or none.

    SESSION_DIR is its folder, or in outputs/paper_sessions its id, the end of one, or latest. Each bar has one reason:
    warming up, no signal, already holding, not holding, ordered, resting, waiting for a usable open, below minimum
    notional, or ruined. A replay is run again from the prices and the strategy that it kept; a session that follows
    the market has recorded its reasons. Times without an offset are UTC, as bars are.
    """
    from quantlab.cli.asking import asking
    from quantlab.cli.finding import find_session
    from quantlab.cli.naming import spelled_out
    from quantlab.cli.pages import why as page
    from quantlab.sessions.why import reasons

    if bar is not None and (since is not None or before is not None):
        raise ConfigError("--bar asks for one bar, --from and --to for a range; expected one or the other.")
    moments = [_utc(name, text) for name, text in (("--bar", bar), ("--from", since), ("--to", before))]
    session_dir = spelled_out(session_dir, ledger)
    location, session_id = find_session(session_dir, ledger)
    with asking(location) as (reader, _now):
        folder = None if location.root is None else Path(session_dir)
        found = reasons(reader, folder, session_id, run_kept_code=run_kept_code)
    for piece in page.FORMATS[form](_asked_for(found, *moments), found):
        click.echo(piece, nl=False)


def _utc(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(
            f"{option}: {text!r} is no time; expected a day or an ISO 8601 time, such as 2026-01-31 or "
            "2026-01-31T08:00:00+00:00."
        ) from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _asked_for(
    bars: list[Reasoned], at: datetime | None, since: datetime | None, before: datetime | None
) -> list[Reasoned]:
    times = [datetime.fromisoformat(one.time) for one in bars]
    if at is None:
        found = [
            one
            for one, time in zip(bars, times, strict=True)
            if (since is None or time >= since) and (before is None or time < before)
        ]
    else:
        # The last bar is taken to be as long as the one before it.
        ends = [*times[1:], *([times[-1] + (times[-1] - times[-2])] if len(times) > 1 else times[-1:])]
        found = [
            one for one, time, end in zip(bars, times, ends, strict=True) if time <= at < end or time == at
        ]
    if not found and bars and (at or since or before):
        raise ConfigError(
            f"No bar of the session lies there; expected a time from {bars[0].time} to {bars[-1].time}."
        )
    return found
