"""Drive a session that follows the market, whoever took it up: for one turn, or until it is over or paused."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from quantlab.base.clock import utc_now
from quantlab.base.errors import SessionEndedError
from quantlab.base.remedies import Setting
from quantlab.domain.names import REPORT
from quantlab.folders.page import beside_the_index
from quantlab.ledger import log, projection
from quantlab.ledger.location import no_session
from quantlab.runner.signals import COMPLETED, PAUSED, SignalFile
from quantlab.runner.stopping import StopGate, StopRequested
from quantlab.runner.strategy import Chosen, Standing
from quantlab.sessions.forward.driver import Driver
from quantlab.sessions.forward.finish import finish
from quantlab.sessions.forward.follow import Follower
from quantlab.sessions.forward.last_look import note
from quantlab.sessions.forward.remembering import remember
from quantlab.sessions.forward.turn import record_wait

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from quantlab.base.values import JsonObject
    from quantlab.domain.events import Succeeded
    from quantlab.domain.session import Session
    from quantlab.ledger.store import Store
    from quantlab.sessions.forward.turn import Turned

_SLICE_SECONDS = 20.0
"""Longest sleep at a time: a laptop that slept, or a clock that was set, is noticed after it."""


def _untold(_follower: Follower) -> None:
    """Tell nobody."""


@dataclass(frozen=True, kw_only=True)
class DriveOptions:
    """How a session is driven, not what it computes.

    Attributes:
        tell: Told, after each turn, how the session stands.
        signal_file: Where signals are appended.
        clock: Gives the time.
        sleep: Waits some seconds.
        took_over: Why it is taken over from a driver that may live; None where it is not.
        prices: A file that is asked in the session's source's stead, for bars that the source no longer keeps.
        page: Write the operators' page beside the index, where that is refreshed.
    """

    tell: Callable[[Follower], None] = _untold
    signal_file: Path | None = None
    clock: Callable[[], datetime] = utc_now
    sleep: Callable[[float], None] = time.sleep
    took_over: str | None = None
    prices: str | None = None
    page: bool = False


@dataclass(frozen=True, kw_only=True)
class Driven:
    """How a session stands after it was driven.

    Attributes:
        session: As its events make it.
        folder: Its folder.
        bars_taken: Bars that were recorded on the way.
        succeeded: Its result, where it came to its end.
    """

    session: Session
    folder: Path
    bars_taken: int
    succeeded: Succeeded | None = None

    def as_line(self) -> JsonObject:
        """Return what `step` prints for programs."""
        return {
            "session_id": self.session.session_id,
            "bars_taken": self.bars_taken,
            "watermark": self.session.watermark,
            "next_due": self.session.next_due,
            "stage": self.session.stage,
        }


def go_on(follower: Follower, gate: StopGate, signals: SignalFile, *, one_turn: bool) -> Driven:
    """Let the market come: until the session is over, until a signal pauses it, or for one turn."""
    driver, before = follower.driver, follower.driver.memory.totals.forward_bars
    turned: Turned | None = None
    try:
        if one_turn:
            if not follower.is_over:
                turned = follower.one_turn()
        else:
            follower.follow()
    except StopRequested as stop:
        return paused(driver, gate, signals, stop, before=before, due=follower.next_due)
    if follower.is_over:
        return finished(follower, gate, signals, before)
    driver.bring_up()
    if turned is not None and turned.content is not None and driver.filled_from is None:
        memory = driver.memory
        note(driver.folder, version=memory.version, prices=memory.config.prices, content=turned.content)
    return _driven(driver, before, stored_session(driver.store, driver.memory.session_id))


def paused(
    driver: Driver,
    gate: StopGate,
    signals: SignalFile,
    stop: StopRequested,
    *,
    before: int,
    due: datetime | None = None,
) -> Driven:
    """Record that a signal paused the session: it stays `running`, and waits for its next driver."""
    with gate.deferred():
        session = record_wait(driver, "paused", due, trouble={"cause": f"Paused by {stop.name}."})
        emit(signals, PAUSED, driver.folder, driver.clock(), next_due=session.next_due)
        driver.refresh_index()
    return _driven(driver, before, session)


def finished(
    follower: Follower, gate: StopGate, signals: SignalFile, before: int, *, reason: str | None = None
) -> Driven:
    """Finish a session that has come to its end, or that an operator finishes for a reason.

    Args:
        follower: Holds it.
        gate: Holds signals back meanwhile.
        signals: Told that it succeeded.
        before: Forward bars that it had when this driver took it up.
        reason: The operator's; None where it came to its own end.

    Raises:
        QuantlabError: as `finish`.
    """
    driver = follower.driver
    with gate.deferred():
        done = finish(driver, follower.strategy, reason=reason)
        driver.refresh_index()
        report = str((driver.folder / REPORT).absolute())
        emit(signals, COMPLETED, driver.folder, driver.clock(), report_path=report, summary=done.summary)
    return _driven(driver, before, stored_session(driver.store, driver.memory.session_id), done)


def _driven(driver: Driver, before: int, session: Session, done: Succeeded | None = None) -> Driven:
    taken = driver.memory.totals.forward_bars - before
    return Driven(session=session, folder=driver.folder, bars_taken=taken, succeeded=done)


def open_driver(store: Store, folder: Path, session_id: str, gate: StopGate, drive: DriveOptions) -> Driver:
    """Return a hold on a session as its events tell it.

    Raises:
        ConfigError: there is no such session, or it follows no market.
        SessionEndedError: it has ended.
    """
    with store.read() as connection:
        session = projection.read_row(connection, session_id)
        if session is None:
            raise no_session(store.location, session_id)
        if session.ended:
            raise SessionEndedError(
                f"Session {session_id} has ended ({session.status}: {session.message or session.status_reason}); "
                "nothing was recorded. Begin another with ",
                Setting("follow"),
                ".",
            )
        # One by one: months of bars are a hundred megabytes of events, and a tenth of that once they are understood.
        memory = remember(session_id, log.stream_session(connection, session_id))
    beside = beside_the_index(wanted=drive.page)
    return Driver(store, folder, memory, gate=gate, clock=drive.clock, beside=beside)


def open_follower(
    driver: Driver, source: Any, chosen: Chosen, gate: StopGate, drive: DriveOptions
) -> Follower:
    """Return what takes turns with a session; a signal ends its sleep."""

    def sleep(now: datetime, until: datetime) -> None:
        longest = driver.shown_in if driver.is_behind else _SLICE_SECONDS
        while now < until:
            drive.sleep(min(longest, (until - now).total_seconds()))
            gate.check()
            if driver.is_behind and not driver.shown_in:
                driver.require_hold()
                driver.bring_up()
            longest = _SLICE_SECONDS
            now = drive.clock()

    return Follower(
        driver=driver,
        source=source,
        strategy=Standing(chosen, gate.check),
        void=chosen.min_bars,
        sleep=sleep,
        tell=drive.tell,
    )


def emit(signals: SignalFile, event: str, folder: Path, at: datetime, **details: object) -> None:
    """Signal what became of the session in a folder."""
    signals.emit(event, at=at, run_id=folder.name, artifacts_path=str(folder.absolute()), **details)


def stored_session(store: Store, session_id: str) -> Session:
    """Return a session as the ledger has it now.

    Raises:
        ConfigError: there is no such session.
    """
    with store.read() as connection:
        session = projection.read_row(connection, session_id)
    if session is None:
        raise no_session(store.location, session_id)
    return session
