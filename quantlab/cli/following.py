"""`run --paper --follow`, and what a person is told while a session follows the market."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from quantlab.base.clock import iso, parse_iso, utc_now
from quantlab.base.errors import ConfigError, QuantlabError
from quantlab.base.service_manager import notify
from quantlab.domain.forward import ForwardTerms

if TYPE_CHECKING:
    from collections.abc import Callable

    from quantlab.cli.choosing import Values
    from quantlab.cli.launching import Settings
    from quantlab.cli.progress import Progress
    from quantlab.domain.config import RunConfig
    from quantlab.runner.options import LaunchOptions
    from quantlab.sessions.forward.drive import Driven, DriveOptions
    from quantlab.sessions.forward.follow import Follower

WARMUP = 400
"""Bars of history that warm a forward session up unless `--warmup` says otherwise."""
ONLY_FOLLOWED = ("step", "until", "bars", "settle", "patience", "calendar")
_NO_END = "2262-01-01"
_PATIENCE_BARS = 3
_DAY_SECONDS = 86_400.0
_LONGEST_SECONDS = 31 * _DAY_SECONDS


def as_followed(values: Values) -> Values:
    """Return the named values of a forward session: it begins today, and its range is not asked for.

    Raises:
        ConfigError: a range was asked for, or it is no paper session.
    """
    for name in ("start", "end"):
        if values.get(name) is not None:
            raise ConfigError(
                f"{name}: a session that follows the market begins now and ends by --until or --bars; leave it out."
            )
    if not values.get("paper"):
        raise ConfigError("follow: only a paper session follows the market; expected --paper beside it.")
    today = utc_now().date().isoformat()
    return {"warmup": WARMUP, **values, "start": today, "end": _NO_END}


def require_followed(settings: Settings) -> None:
    """Refuse flags of forward sessions without --follow.

    Raises:
        ConfigError: there is one.
    """
    given = [name for name in ONLY_FOLLOWED if getattr(settings, name) not in (None, False)]
    if given and not settings.follow:
        raise ConfigError(
            f"{given[0]}: it belongs to a session that follows the market; expected --follow beside it."
        )


def follow(config: RunConfig, settings: Settings, options: LaunchOptions, progress: Progress) -> Driven:
    """Begin a forward session.

    Raises:
        QuantlabError: of the kind that says who erred (contract 2).
    """
    from quantlab.runner.execute import tell_refused
    from quantlab.runner.signals import SignalFile
    from quantlab.sessions.forward.begin import begin

    try:
        terms = terms_of(config, settings)
    except QuantlabError as error:
        tell_refused(SignalFile(options.signal_file, options.request_id), error, options)
        raise
    return begin(
        config,
        terms,
        options,
        drive_options(progress, settings.signal_file, page=settings.page),
        one_turn=settings.step,
    )


def terms_of(config: RunConfig, settings: Settings) -> ForwardTerms:
    """Return how the session is to follow the market.

    Raises:
        ConfigError: its source can't be followed, or an end is no time.
    """
    import numpy as np

    from quantlab.trading.forward.exchange_hours import hours_of
    from quantlab.trading.intervals import bar_length, is_intraday
    from quantlab.trading.prices.live import open_live

    _require_sound(settings)
    if settings.calendar is not None:
        hours_of(settings.calendar, np.datetime64(iso(utc_now())[:26], "ns"))
    source = open_live(config)
    length = float(bar_length(config.interval).astype("m8[s]").astype(int))
    usual = _PATIENCE_BARS * length if is_intraday(config.interval) else _DAY_SECONDS
    return ForwardTerms(
        warmup=config.warmup,
        source=config.prices,
        settle=source.settle if settings.settle is None else settings.settle,
        patience=usual if settings.patience is None else settings.patience,
        until=None if settings.until is None else iso(_end(settings.until)),
        bars=settings.bars,
        calendar=settings.calendar,
    )


def _require_sound(settings: Settings) -> None:
    if settings.bars is not None and settings.bars < 1:
        raise ConfigError(f"bars: {settings.bars} is no number of bars to follow; expected 1 or more.")
    for name in ("settle", "patience"):
        seconds = getattr(settings, name)
        if seconds is not None and not 0.0 <= seconds <= _LONGEST_SECONDS:
            raise ConfigError(
                f"{name}: {seconds:g} s is no time to wait; expected 0 to {_LONGEST_SECONDS:.0f} s, which are 31 days."
            )
    if settings.until is not None and _end(settings.until) <= utc_now():
        raise ConfigError(f"until: {settings.until} is over; expected a day or time to come.")


def _end(text: str) -> datetime:
    """Read a day (its end is meant) or a time; without an offset it is UTC, as bars are."""
    try:
        if len(text) == len("2024-01-31"):
            return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(days=1)
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(
            f"until: {text!r} is no day or time; expected one such as 2026-12-31 or 2026-12-31T16:00Z."
        ) from error
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time


def drive_options(
    progress: Progress,
    signal_file: str | None,
    took_over: str | None = None,
    *,
    prices: str | None = None,
    page: bool = False,
) -> DriveOptions:
    """Return how a session is driven from a terminal."""
    from pathlib import Path

    from quantlab.sessions.forward.drive import DriveOptions

    return DriveOptions(
        tell=_teller(progress),
        signal_file=Path(signal_file) if signal_file else None,
        took_over=took_over,
        prices=prices,
        page=page,
    )


def _teller(progress: Progress) -> Callable[[Follower], None]:
    """Return what tells, after each look at the market, a terminal and the service manager how a session stands."""

    def tell(follower: Follower) -> None:
        line = standing(follower)
        progress.status(line)
        notify(READY="1", WATCHDOG="1", STATUS=line)

    return tell


def standing(follower: Follower) -> str:
    """Say in one line how a session stands: watermark, next due, equity and position; and troubles, if any."""
    memory, failed = follower.driver.memory, follower.looks_failed
    due = follower.next_due or (None if memory.next_due is None else parse_iso(memory.next_due))
    overdue = " (overdue)" if due is not None and due < follower.driver.clock() else ""
    awaited = f"next due {_minute(due)}{overdue}" + (f", {failed} looks failed in a row" if failed else "")
    last = memory.last_bar
    if last is None:
        return f"warmed up, {awaited}"
    units = last.state["quantity"]
    held = f"{units:.6g} units" if units else "no position"
    return f"seen to {_minute(parse_iso(last.closed_at))}, {awaited}, equity {last.equity:,.2f}, {held}"


def _minute(time: datetime | None) -> str:
    return "soon" if time is None else f"{time:%Y-%m-%d %H:%M}Z"


def print_driven(driven: Driven, *, as_json: bool) -> None:
    """Tell how a session stands after it was driven: one JSON line for `step`, a few for people otherwise."""
    if as_json:
        click.echo(json.dumps(driven.as_line()))
        return
    session = driven.session
    stage = "succeeded" if driven.succeeded is not None else session.stage
    click.echo(f"{session.session_id} {stage}")
    click.echo(f"  bars seen   {session.forward_bars or 0}")
    click.echo(f"  seen to     {session.watermark or 'nothing yet'}")
    if driven.succeeded is None:
        click.echo(f"  next due    {session.next_due or 'unknown'}")
        click.echo(f"  go on       quantlab paper-sessions follow {driven.folder}")
    else:
        figures = driven.succeeded.summary
        total = figures["total_return"]
        click.echo(f"  return      {'n/a' if total is None else f'{total:+.2%}'}")
        click.echo(f"  trades      {figures['trades']}")
    click.echo(f"  folder      {driven.folder}")
    sys.stdout.flush()
