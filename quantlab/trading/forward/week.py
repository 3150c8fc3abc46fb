"""The week of a market, read off the bars that it has given; and what of it they can't tell yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from quantlab.trading.calendars import begins_on_sunday_evening, week_of
from quantlab.trading.intervals import bar_length, days, is_intraday

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quantlab.trading.market import Prices

_LEARNED_BARS = 4_000
"""Newest bars that the week is learned from."""
_USUAL = 0.5
"""Share of the weeks seen in which a slot has traded from which a bar is expected in it."""
_DAYS_A_WEEK, _SUNDAY = 7, 6
_DAY = np.timedelta64(1, "D").astype("m8[ns]")
_WEEK = _DAYS_A_WEEK * _DAY
_NOON = time_of_day(12)
_EVENING = np.timedelta64(21, "h").astype("m8[ns]")
"""From when on a Sunday currencies and futures trade again, UTC, in summer and winter."""
_SHORTEST_REST = np.timedelta64(45, "m").astype("m8[ns]")
"""Time without a bar that is a rest of the market, and not some minutes in which nobody traded."""


@dataclass(frozen=True, kw_only=True)
class LearnedWeek:
    """A market whose week is read off the bars that it has given.

    Attributes:
        slots: Nanoseconds from Monday's midnight to each opening that a usual week has, rising.
        guessed: The same of openings of which the bars can't tell: they span less than a week. One may come there.
        zone: The exchange's time zone, whose midnight is meant: its hours stay when summer time begins; else UTC.
    """

    slots: NDArray[np.int64]
    guessed: NDArray[np.int64] = field(default_factory=lambda: np.array([], dtype=np.int64))
    zone: str | None = None

    def openings(
        self, after: np.datetime64, until: np.datetime64, *, sure: bool = True
    ) -> NDArray[np.datetime64]:
        """Return the opening times in (after, until], datetime64[ns], UTC: the sure ones, or all that may be."""
        slots = self.slots if sure or not len(self.guessed) else np.union1d(self.slots, self.guessed)
        first = _monday(np.array([after]) - _WEEK)[0]
        weeks = int((until - first) // _WEEK) + 2
        starts = first + _WEEK * np.arange(max(0, weeks))
        times: NDArray[np.datetime64] = (starts[:, None] + slots.astype("m8[ns]")[None, :]).ravel()
        times = times - _offsets(times, self.zone)
        return times[(times > after) & (times <= until)]


def learned_week(prices: Prices, interval: str, ticker: str, zone: str | None) -> LearnedWeek:
    """Read the week off the newest bars.

    Args:
        prices: The bars; a few weeks tell an exchange's week.
        interval: Their length.
        ticker: The symbol; currencies and futures begin their week on Sunday evening.
        zone: The exchange's time zone, where it is known; days are dates already and have none.
    """
    zone = zone if is_intraday(interval) else None
    times = prices.times[-_LEARNED_BARS:]
    if zone is not None and len(_slots(times, None)[0]) < len(_slots(times, zone)[0]):
        zone = None  # bars of some hours are cut by UTC's clock at many a vendor, summer and winter
    slots, counts, mondays = _slots(times, zone)
    weeks = len(np.unique(mondays))
    # The first and the last week are rarely whole, so in few weeks a single trade makes a slot usual.
    usual = counts >= _USUAL * max(1, weeks - 2)
    if not is_intraday(interval):
        usual |= np.isin(slots, np.arange(5) * _DAY.astype(np.int64)) & (counts > 0)
    slots = slots[usual] if usual.any() else slots
    sure, guessed = _beyond_the_bars(prices, times + _offsets(times, zone), slots, interval, ticker)
    return LearnedWeek(slots=np.union1d(slots, sure), guessed=guessed, zone=zone)


def _beyond_the_bars(
    prices: Prices, local: NDArray[np.datetime64], usual: NDArray[np.int64], interval: str, ticker: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the slots that the bars' span has not met yet: those in which a bar is expected, and may be.

    What working days had in common the others have too; a market that was seen to rest at night rests on weekends.
    """
    nothing = np.array([], dtype=np.int64)
    length, day = bar_length(interval).astype("m8[ns]"), _DAY.astype(np.int64)
    if local[-1] - local[0] >= _WEEK:
        return nothing, nothing
    met = _of_week(np.arange(local[0], local[-1] + length, length))
    first = met[0] % length.astype(np.int64)
    unmet = np.setdiff1d(np.arange(first, _WEEK.astype(np.int64), length.astype(np.int64)), met)
    works = np.array([one == "1" for one in week_of(prices)])
    hours_met, hours_usual = (np.unique(one[works[one // day]] % day) for one in (met, usual))
    is_working, hours = works[unmet // day], unmet % day
    sure = is_working & np.isin(hours, hours_usual)
    rests = bool((np.diff(local) > max(_SHORTEST_REST, 2 * length)).any())
    if rests or not is_intraday(interval):
        opens_on_weekends = np.zeros(len(unmet), dtype=bool)
    elif begins_on_sunday_evening(ticker):
        opens_on_weekends = (unmet // day == _SUNDAY) & (hours >= _EVENING.astype(np.int64))
    else:
        opens_on_weekends = np.ones(len(unmet), dtype=bool)
    guessed = np.where(is_working, ~np.isin(hours, hours_met), opens_on_weekends)
    return unmet[sure], unmet[guessed]


def _slots(
    times: NDArray[np.datetime64], zone: str | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.datetime64]]:
    """Return the slots of the week in which bars open by a zone's clock, how many do, and each bar's Monday."""
    local = times + _offsets(times, zone)
    slots, counts = np.unique(_of_week(local), return_counts=True)
    return slots, counts, _monday(local)


def _of_week(local: NDArray[np.datetime64]) -> NDArray[np.int64]:
    return (local - _monday(local)).astype(np.int64)


def _offsets(times: NDArray[np.datetime64], zone: str | None) -> NDArray[np.timedelta64]:
    """Return what a zone's clock is ahead of UTC on each day, at noon: exchanges rest when summer time begins."""
    if zone is None or not len(times):
        return np.zeros(len(times), dtype="m8[ns]")
    found, at = np.unique(times.astype("M8[D]"), return_inverse=True)
    clock = ZoneInfo(zone)
    noons = (datetime.combine(day, _NOON, tzinfo=UTC) for day in found.tolist())
    seconds = [(noon.astimezone(clock).utcoffset() or timedelta()).total_seconds() for noon in noons]
    offsets: NDArray[np.timedelta64] = np.array(seconds).astype("m8[s]").astype("m8[ns]")[at]
    return offsets


def _monday(times: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
    dates = days(times)
    monday: NDArray[np.datetime64] = dates - (dates.astype(np.int64) + 3) % _DAYS_A_WEEK
    return monday.astype("M8[ns]")
