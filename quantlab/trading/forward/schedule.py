"""When the next bar is due, and which bars a market left out: by the clock, or by the week that the bars show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from quantlab.trading.calendars import EVERY_DAY, calendar_of, is_pair, spans_no_saturday
from quantlab.trading.forward.week import learned_week
from quantlab.trading.intervals import bar_ends, bar_length

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quantlab.trading.market import Prices

_LOOK_AHEAD = np.timedelta64(14, "D").astype("m8[ns]")
_SHORT_HOLE = np.timedelta64(1, "h").astype("m8[ns]")
"""Time without a bar that no market rests for: what is guessed to open in it is missing."""


class Schedule(Protocol):
    """Tells when bars open."""

    def openings(
        self, after: np.datetime64, until: np.datetime64, *, sure: bool = True
    ) -> NDArray[np.datetime64]:
        """Return the opening times in (after, until], datetime64[ns], UTC.

        Args:
            after: The last one known.
            until: The last one asked for.
            sure: Only those in which a bar is expected; else also those in which one may come, for all that is known.
        """


@dataclass(frozen=True, kw_only=True)
class RoundTheClock:
    """A market that trades every day: bars follow each other without a pause."""

    interval: str

    def openings(
        self,
        after: np.datetime64,
        until: np.datetime64,
        *,
        sure: bool = True,  # noqa: ARG002 - all of them are
    ) -> NDArray[np.datetime64]:
        """Return the opening times in (after, until], datetime64[ns], UTC."""
        length = bar_length(self.interval)
        count = max(0, int((until - after) // length))
        return after + length * np.arange(1, count + 1)


def schedule_of(prices: Prices, interval: str, ticker: str, zone: str | None = None) -> Schedule:
    """Read the schedule off the newest bars of a market.

    Args:
        prices: The bars; a few weeks tell an exchange's week.
        interval: Their length; whole weeks and months are no business of a schedule.
        ticker: The symbol; the spelling of a crypto pair tells that it trades every day.
        zone: The exchange's time zone, where it is known; days are dates already and have none.
    """
    # Bars of a pair that span no Saturday tell nothing of its week.
    trades_every_day = calendar_of(prices, interval, ticker) == EVERY_DAY
    if trades_every_day or (is_pair(ticker) and spans_no_saturday(prices)):
        return RoundTheClock(interval=interval)
    return learned_week(prices, interval, ticker, zone)


def next_end(schedule: Schedule, last_opened: np.datetime64, interval: str) -> np.datetime64:
    """Return when the bar that follows the last one closes, at the earliest that may be."""
    # As a rule it follows at once; of two weeks of minutes there are twenty thousand.
    expected = schedule.openings(last_opened, last_opened + bar_length(interval), sure=False)
    if not len(expected):
        expected = schedule.openings(last_opened, last_opened + _LOOK_AHEAD, sure=False)
    opening = expected[:1] if len(expected) else (np.array([last_opened]) + bar_length(interval))
    end: np.datetime64 = bar_ends(opening.astype("M8[ns]"), interval)[0]
    return end


def missing_between(
    schedule: Schedule, last_opened: np.datetime64, opened: np.datetime64
) -> NDArray[np.datetime64]:
    """Return the opening times that were expected between two bars and did not come."""
    is_short = opened - last_opened <= _SHORT_HOLE
    return schedule.openings(last_opened, opened - np.timedelta64(1, "ns"), sure=not is_short)
