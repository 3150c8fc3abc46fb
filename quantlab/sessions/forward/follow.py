"""Follow the market: a turn, a rest until the next bar is due, and again; signals pause it and never end it."""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from quantlab.base.clock import iso
from quantlab.base.errors import DataError, SourceTroubleError, StrategyError
from quantlab.sessions.forward.turn import Turned, aware, record_wait, record_wait_once, turn
from quantlab.trading.forward.polling import next_poll, retry_at
from quantlab.trading.forward.recorded_signals import RepaintError
from quantlab.trading.intervals import bar_ends, bar_length

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from quantlab.base.values import JsonObject
    from quantlab.sessions.forward.driver import Driver
    from quantlab.trading.prices.live import LiveSource
    from quantlab.trading.tape import Decider

logger = logging.getLogger(__name__)


@dataclass
class Follower:
    """A driver with its market and its strategy.

    Attributes:
        void: Bars at the beginning on which the strategy's signals count for nothing.
        sleep: Waits until a time, given the present and that time; returns early where a signal came, by raising.
        tell: Told, after each turn and each wait, how the session stands.
    """

    driver: Driver
    source: LiveSource
    strategy: Decider
    void: int = 0
    sleep: Callable[[datetime, datetime], None] = lambda _now, _until: None
    tell: Callable[[Follower], None] = lambda _self: None
    next_due: datetime | None = None
    _failed: int = 0
    _skewed: bool = False
    _past_end: bool = False
    _told_end: bool = False

    @property
    def looks_failed(self) -> int:
        """How many looks at the market have failed in a row."""
        return self._failed

    @property
    def bars_left(self) -> int | None:
        """Forward bars until the session is over; None where it has no such end."""
        terms, totals = self.driver.memory.terms, self.driver.memory.totals
        return None if terms.bars is None else max(0, terms.bars - totals.forward_bars)

    @property
    def is_over(self) -> bool:
        """Whether it has seen all that it was begun for."""
        memory = self.driver.memory
        last = memory.last_bar
        if self.bars_left == 0:
            return True
        if memory.terms.until is None or last is None:
            return False
        return self._past_end or last.closed_at >= memory.terms.until

    def one_turn(self) -> Turned | None:
        """Look at the market once; None where it could not be asked, which is recorded.

        Raises:
            DataError, StrategyError: recorded as `stalled` first; the same bar is tried again by the next driver.
            FencedError, LedgerError: as `turn`.
        """
        try:
            turned = turn(self.driver, self.source, self.strategy, void=self.void)
        except SourceTroubleError as error:
            self._note_trouble(error)
            return None
        except (DataError, StrategyError) as error:
            behind = self._decided_up_to()
            trouble: JsonObject = {"cause": str(error), "behind": behind}
            if isinstance(error, RepaintError):
                trouble["repaints"] = True
            record_wait_once(self.driver, "stalled", self.next_due, trouble=trouble)
            error.args = (f"{error} It stalls behind {behind}; the next driver tries the same bar again.",)
            raise
        self._failed = 0
        wait_before = self.driver.memory.last_wait
        if (
            turned.session is None
            and wait_before is not None
            and wait_before.stage in ("stalled", "retrying")
        ):
            record_wait(self.driver, "waiting", turned.next_due)
        self._past_end = turned.is_past_end
        self.next_due = turned.next_due
        self._tell_skew(turned.skew)
        self._tell_end_of_calendar(ended=turned.calendar_ended)
        self.tell(self)
        return turned

    def _decided_up_to(self) -> str:
        """Return when the last bar had closed that it has, of the warm-up or later: what stalls it comes behind."""
        memory = self.driver.memory
        if memory.last_bar is not None:
            return memory.last_bar.closed_at
        return iso(aware(bar_ends(memory.tape.times[-1:], memory.config.interval)[0]))

    def follow(self) -> None:
        """Turn after turn until the session is over.

        Raises:
            StopRequested: a signal asks it to pause.
            DataError, StrategyError, FencedError, LedgerError: as `one_turn`.
        """
        while not self.is_over:
            turned = self.one_turn()
            if self.is_over:
                return
            now = self.driver.clock()
            if turned is None or self.next_due is None:
                self.driver.require_hold()
                self.sleep(now, self._retry)
                continue
            if turned.session is None:
                self.driver.require_hold()
                record_wait_once(self.driver, "waiting", self.next_due)
            length = timedelta(
                microseconds=int(bar_length(self.driver.memory.config.interval).astype("m8[us]").astype(int))
            )
            self.sleep(now, next_poll(self.next_due, now, length))

    def _tell_skew(self, skew: float | None) -> None:
        if skew is not None and not self._skewed:
            source = self.driver.memory.terms.source
            logger.warning(
                "the clocks of %s and of this machine differ by %.0f s; a bar is taken once both say that it has "
                "closed. Set this machine's.",
                source,
                abs(skew),
            )
        self._skewed = skew is not None

    def _tell_end_of_calendar(self, *, ended: bool) -> None:
        if ended and not self._told_end:
            self._told_end = True
            logger.warning(
                "the calendar %s ends before today, so due times go by the week that the bars show. Install a newer "
                "exchange_calendars.",
                self.driver.memory.terms.calendar,
            )

    def _note_trouble(self, error: SourceTroubleError) -> None:
        now = self.driver.clock()
        self._failed += 1
        chance = random.random()  # noqa: S311 - spreads retries, guards nothing
        self._retry = retry_at(now, self._failed, retry_after=_seconds(error.retry_after), chance=chance)
        trouble = {
            "cause": str(error),
            "attempt": self._failed,
            "next_try": iso(self._retry),
        }
        record_wait_once(self.driver, "retrying", self.next_due, trouble=trouble)
        self.tell(self)


def _seconds(count: float | None) -> timedelta | None:
    return None if count is None else timedelta(seconds=count)
