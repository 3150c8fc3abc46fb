"""When an exchange is open, holidays and half days included, from the exchange_calendars library.

The library is an extra (`pip install 'quantlab-sessions[calendars]'`) and is imported when a calendar is asked for
first. It tells when a bar is due and which bars are missing; a bar that comes all the same is never refused by it.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from quantlab.base.errors import ConfigError
from quantlab.base.secrets import one_line
from quantlab.trading.forward.schedule import schedule_of
from quantlab.trading.intervals import bar_length, is_intraday
from quantlab.trading.prices.asked import plain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quantlab.trading.forward.schedule import Schedule
    from quantlab.trading.market import Prices

_BEFORE = np.timedelta64(31, "D")
"""How long before the bars in question the sessions begin that are asked for: no holiday is longer."""
_ONE_DAY = np.timedelta64(1, "D")
_ONE_NS = np.timedelta64(1, "ns")
_LONGEST_TOLD = 200


@dataclass(frozen=True, kw_only=True)
class Hours:
    """An exchange's sessions, as many as are known.

    Attributes:
        name: The calendar's.
        zone: The exchange's time zone.
        dates: Date of each session, datetime64[D], rising.
        opens: When each opens, datetime64[ns], UTC.
        closes: When each closes, likewise.
    """

    name: str
    zone: str
    dates: NDArray[np.datetime64]
    opens: NDArray[np.datetime64]
    closes: NDArray[np.datetime64]

    @property
    def end(self) -> np.datetime64:
        """The time from which on nothing is known: the midnight (UTC) that ends the last session's date."""
        end: np.datetime64 = (self.dates[-1] + _ONE_DAY).astype("M8[ns]")
        return end

    def are_met(self, openings: NDArray[np.datetime64], length: np.timedelta64) -> NDArray[np.bool_]:
        """Tell which bars overlap a session; one entry a bar."""
        next_close = np.searchsorted(self.closes, openings, side="right")
        opens = np.append(self.opens, np.datetime64("2262-01-01", "ns"))[next_close]
        met: NDArray[np.bool_] = opens < openings + length
        return met


@dataclass(frozen=True, kw_only=True)
class OnCalendar:
    """A market on an exchange with a calendar; beyond the calendar's end it goes by the week that the bars show.

    Attributes:
        hours: The exchange's sessions.
        week: The market's usual week: at which hours of a session its bars open, no calendar tells.
        interval: Length of a bar.
    """

    hours: Hours
    week: Schedule
    interval: str

    def openings(
        self, after: np.datetime64, until: np.datetime64, *, sure: bool = True
    ) -> NDArray[np.datetime64]:
        """Return the opening times in (after, until], datetime64[ns], UTC: the calendar is sure as far as it goes."""
        usual = self.week.openings(after, until, sure=sure)
        beyond = usual[usual >= self.hours.end]
        if is_intraday(self.interval):
            known = self.week.openings(after, min(until, self.hours.end - _ONE_NS), sure=False)
            return np.concatenate([known[self.hours.are_met(known, bar_length(self.interval))], beyond])
        dates = self.hours.dates.astype("M8[ns]")
        return np.concatenate([dates[(dates > after) & (dates <= until)], beyond])


def schedule_with(
    hours: Hours | None, prices: Prices, interval: str, ticker: str, zone: str | None = None
) -> Schedule:
    """Read a market's schedule off its newest bars, and off its exchange's calendar where there is one.

    Args:
        hours: The exchange's sessions; None to go by the bars alone.
        prices: The bars; a few weeks tell at which hours they open.
        interval: Their length.
        ticker: The symbol.
        zone: The exchange's time zone, as the source tells it; the calendar's own comes first.
    """
    week = schedule_of(prices, interval, ticker, zone if hours is None else hours.zone)
    return week if hours is None else OnCalendar(hours=hours, week=week, interval=interval)


def hours_of(name: str, since: np.datetime64) -> Hours:
    """Return an exchange's sessions from a month before a time on, as far as its calendar goes.

    Raises:
        ConfigError: the library is not installed, or has no such calendar for that time.
    """
    return _hours(name, str((since - _BEFORE).astype("M8[M]")))


@lru_cache(maxsize=8)
def _hours(name: str, since: str) -> Hours:
    calendar = _calendar(name, since)
    schedule = calendar.schedule
    opens, closes = (
        schedule[one].dt.tz_localize(None).to_numpy().astype("M8[ns]") for one in ("open", "close")
    )
    dates = schedule.index.to_numpy().astype("M8[D]")
    return Hours(name=name, zone=str(calendar.tz), dates=dates, opens=opens, closes=closes)


def _calendar(name: str, since: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of newer pandas, at the library
            import exchange_calendars

            return exchange_calendars.get_calendar(name, start=f"{since}-01")
    except ImportError as error:
        raise ConfigError(
            "calendar: exchange_calendars is not installed; expected it for calendars of exchanges. Install it with "
            "pip install 'quantlab-sessions[calendars]'."
        ) from error
    except Exception as error:
        if "InvalidCalendarName" in type(error).__name__:
            raise ConfigError(
                f"calendar: there is none named {plain(name)!r}; expected one such as XNYS, XLON, XTKS or 24/7."
            ) from error
        told = one_line(str(error))[:_LONGEST_TOLD]
        raise ConfigError(
            f"calendar: {plain(name)} can't be had from {since} on ({told}); leave it out: due times go by the week "
            "that the bars show then."
        ) from error
