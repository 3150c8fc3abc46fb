"""How long a bar lasts, and when it has closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MINUTES = {"1m": 1, "2m": 2, "5m": 5, "15m": 15, "30m": 30, "60m": 60, "1h": 60, "90m": 90}
_DAYS = {"1d": 1, "5d": 7, "1wk": 7}
_MONTHS = {"1mo": 1, "3mo": 3}
_LONGEST_MONTH = 31


def is_intraday(interval: str) -> bool:
    """Tell whether bars of this interval are shorter than a day."""
    return interval in _MINUTES


def step(interval: str) -> np.timedelta64:
    """Return the longest time from one bar's opening to its close, in nanoseconds.

    A `5d` bar is a trading week, so it takes seven days like a `1wk` bar; months count 31 days.
    """
    if interval in _MINUTES:
        return np.timedelta64(_MINUTES[interval] * 60 * 10**9, "ns")
    days = _DAYS[interval] if interval in _DAYS else _MONTHS[interval] * _LONGEST_MONTH
    return np.timedelta64(days * 86_400 * 10**9, "ns")


def bar_ends(times: NDArray[np.datetime64], interval: str) -> NDArray[np.datetime64]:
    """Return when each bar closes (datetime64[ns], UTC); months by the calendar, all else by `step`."""
    if interval not in _MONTHS:
        return times + step(interval)
    return (times.astype("M8[M]") + _MONTHS[interval]).astype("M8[ns]")


def days(times: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
    """Return the UTC day (datetime64[D]) that each bar opens on."""
    return times.astype("M8[D]")


def time_text(moment: np.datetime64) -> str:
    """Write a bar's time: ISO 8601, UTC, to the second."""
    return f"{np.datetime_as_string(moment, unit='s')}+00:00"


def day_text(moment: np.datetime64) -> str:
    """Write the UTC day of a time, as --start and --end take it."""
    return str(np.datetime_as_string(moment, unit="D", casting="unsafe"))
