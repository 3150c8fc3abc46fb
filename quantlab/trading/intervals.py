"""How long a bar lasts, and when it has closed."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MINUTES = {"m": 1, "h": 60, "d": 1_440, "wk": 7 * 1_440}
_DAY_MINUTES = 1_440
_MONTHS = {"1mo": 1, "3mo": 3}
_LONGEST_MONTH = 31
_NANOSECONDS = 60 * 10**9
FINER = 0.9
"""Part of an interval: bars that follow each other in less are bars of a shorter one."""


@cache
def minutes(interval: str) -> int:
    """Return the longest time from one bar's opening to its close, in minutes.

    A `5d` bar is Yahoo's trading week, so it takes seven days like a `1wk` bar; months count 31 days.
    """
    if interval in _MONTHS:
        return _MONTHS[interval] * _LONGEST_MONTH * _DAY_MINUTES
    if interval == "5d":
        return 7 * _DAY_MINUTES
    number, unit = re.fullmatch(r"(\d+)(m|h|d|wk)", interval).groups()  # type: ignore[union-attr]
    return int(number) * _MINUTES[unit]


def is_intraday(interval: str) -> bool:
    """Tell whether bars of this interval are shorter than a day."""
    return minutes(interval) < _DAY_MINUTES


@cache
def bar_length(interval: str) -> np.timedelta64:
    """Return the longest time from one bar's opening to its close, in nanoseconds (see `minutes`)."""
    return np.timedelta64(minutes(interval) * _NANOSECONDS, "ns")


def bar_ends(times: NDArray[np.datetime64], interval: str) -> NDArray[np.datetime64]:
    """Return when each bar closes (datetime64[ns], UTC); months by the calendar, all else by `step`."""
    if interval not in _MONTHS:
        return times + bar_length(interval)
    return (times.astype("M8[M]") + _MONTHS[interval]).astype("M8[ns]")


def days(times: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
    """Return the UTC day (datetime64[D]) that each bar opens on."""
    return times.astype("M8[D]")


def dates_of(times: NDArray[np.datetime64]) -> tuple[NDArray[np.datetime64], NDArray[np.int64]]:
    """Return the UTC days (datetime64[D]) on which bars open, rising, and how many open on each.

    Args:
        times: Opening times in time order; of bars shorter than a day not every one is looked at.
    """
    if not len(times):
        return days(times), np.zeros(0, dtype=np.int64)
    first, last = days(times[[0, -1]])
    spanned = np.arange(first, last + 2)
    if len(spanned) > len(times):
        return np.unique(days(times), return_counts=True)
    counts = np.diff(np.searchsorted(times, spanned.astype(times.dtype)))
    return spanned[:-1][counts > 0], counts[counts > 0]


def time_text(moment: np.datetime64) -> str:
    """Write a bar's time: ISO 8601, UTC, to the second."""
    return f"{np.datetime_as_string(moment, unit='s')}+00:00"


def day_text(moment: np.datetime64) -> str:
    """Write the UTC day of a time, as --start and --end take it."""
    return str(np.datetime_as_string(moment, unit="D", casting="unsafe"))
