"""When to ask the market again: soon after a bar is due, then less often; and with patience after trouble."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

AFTER_DUE = (timedelta(0), timedelta(seconds=15), timedelta(minutes=1), timedelta(minutes=5))
"""Polls for a bar, from when it is due."""
LONGEST_PAUSE = timedelta(minutes=15)
LONGEST_SLEEP = timedelta(hours=1)
"""Longest time without a look for a bar shorter than a day: a market may open when its week does not tell it."""
FIRST_RETRY = timedelta(seconds=5)
LONGEST_RETRY = timedelta(minutes=15)
_DAY = timedelta(days=1)
_JITTER = 0.25
"""Largest share by which a pause after trouble is longer than reckoned: drivers that failed together part."""


def next_poll(due: datetime, now: datetime, length: timedelta) -> datetime:
    """Return when to ask for a bar: when it is due, after 15 s, 1 min and 5 min, then steadily.

    Args:
        due: When the bar can be believed at the earliest, aware.
        now: The present, aware; a bar asked for until now has not come.
        length: Length of a bar; no pause is longer, nor longer than a quarter of an hour.
    """
    for pause in AFTER_DUE:
        if due + pause > now:
            return due + pause if length >= _DAY else min(due + pause, now + LONGEST_SLEEP)
    steady = min(length, LONGEST_PAUSE)
    return now + steady


def retry_at(now: datetime, attempt: int, *, retry_after: timedelta | None, chance: float) -> datetime:
    """Return when to try again after trouble: when the source says so, else doubling from five seconds.

    Args:
        now: The present, aware.
        attempt: How many looks have failed in a row, from 1.
        retry_after: What the source asked for; None where it asked for nothing.
        chance: A number in [0, 1) that spreads the pauses.
    """
    if retry_after is not None:
        return now + retry_after
    doubled: timedelta = FIRST_RETRY * 2 ** min(attempt - 1, 10)
    return now + min(doubled, LONGEST_RETRY) * (1.0 + _JITTER * chance)
