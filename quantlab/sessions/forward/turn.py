"""One turn: look at the market, record what it revised and each bar that closed, one transaction a bar."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from quantlab.base.clock import iso
from quantlab.domain.events import Bar, Heartbeat, Revised
from quantlab.trading.forward.exchange_hours import hours_of, schedule_with
from quantlab.trading.forward.taking import course_of, take
from quantlab.trading.forward.turn import Rules, due_at, plan
from quantlab.trading.intervals import bar_ends
from quantlab.trading.market import Origin
from quantlab.trading.prices.live import exchange_zone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quantlab.base.values import JsonObject
    from quantlab.domain.session import Session
    from quantlab.sessions.forward.driver import Driver
    from quantlab.sessions.forward.memory import Memory
    from quantlab.trading.forward.exchange_hours import Hours
    from quantlab.trading.forward.revisions import Revision
    from quantlab.trading.forward.schedule import Schedule
    from quantlab.trading.forward.taking import Taken
    from quantlab.trading.forward.tape import SeenBar
    from quantlab.trading.forward.turn import NewBar, SourceAnswer
    from quantlab.trading.market import Prices
    from quantlab.trading.prices.live import LiveSource
    from quantlab.trading.tape import Decider

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TAPE = Origin(source="tape", detail="as first seen", adjusted=None, retrieved_at="")


@dataclass(frozen=True, kw_only=True)
class Turned:
    """What a turn came to.

    Attributes:
        bars_taken: Bars that were recorded.
        revisions: Revisions that were.
        next_due: When the next bar can be believed, aware.
        waiting_for: Opening time of a missing bar that is waited for, ISO 8601 UTC; None where none is.
        session: The session after it; None where nothing was recorded.
        skew: Seconds that the source's clock is ahead of ours, where that is more than clocks differ by; else None.
        is_past_end: Whether a bar came that closed after the session's end; it was not taken.
        calendar_ended: Whether the exchange's calendar ends before the present; due times go by the bars' week then.
        content: As the answer has it, where every bar of it is on the tape; else None.
    """

    bars_taken: int
    revisions: int
    next_due: datetime
    waiting_for: str | None
    session: Session | None
    skew: float | None = None
    is_past_end: bool = False
    calendar_ended: bool = False
    content: str | None = None


def turn(driver: Driver, source: LiveSource, strategy: Decider, *, void: int = 0) -> Turned:
    """Look at the market once and record what is new.

    Args:
        driver: Holds the session, which has warmed up.
        source: The market.
        strategy: What decides.
        void: Bars at the beginning on which its signals count for nothing.

    Raises:
        SourceTroubleError: the market can't be asked just now.
        DataError: what it says is unusable.
        StrategyError: the strategy failed, or repaints.
        FencedError: another driver has gone on with the session.
        LedgerError: the ledger can't be written.
    """
    memory = driver.memory
    present = driver.clock()
    now = moment(present)
    rules = rules_of(memory)
    since = memory.view.since
    first = memory.tape.times[0] if since is None else np.datetime64(since, "ns")
    answer = source.closed_bars(first, present)
    hours = hours_at(memory, memory.tape.times[-1])
    schedule = schedule_at(
        memory, memory.tape.prices(TAPE), hours, str((memory.data or {}).get("detail", ""))
    )
    found = plan(memory.tape, memory.view, answer, schedule, rules, now)
    session: Session | None = None
    for revision in found.revisions:
        session = _revise(driver, revision, now)
    bars = _within(memory, found.bars)
    if bars:
        look = _Look(answer=answer, schedule=schedule, rules=rules, now=now)
        session = _take(driver, strategy, bars, look, void)
    waiting = found.waiting_for
    return Turned(
        bars_taken=len(bars),
        revisions=len(found.revisions),
        next_due=aware(due_at(schedule, memory.tape.times[-1], rules)),
        waiting_for=None if waiting is None else iso(aware(waiting)),
        session=session,
        skew=None if found.skew is None else float(found.skew / np.timedelta64(1, "s")),
        is_past_end=len(bars) < len(found.bars),
        calendar_ended=hours is not None and bool(now >= hours.end),
        content=answer.content if _is_on_tape(memory, answer) else None,
    )


def _is_on_tape(memory: Memory, answer: SourceAnswer) -> bool:
    """Tell whether no bar of an answer is still to come: too young, behind a missing one, or behind the end."""
    times = answer.prices.times
    return not len(times) or bool(times[-1] <= memory.tape.times[-1])


def _within(memory: Memory, bars: Sequence[NewBar]) -> Sequence[NewBar]:
    """Return the bars up to the session's end: whoever catches up takes no more than who was there in time."""
    most, until = memory.terms.bars, memory.terms.until
    if most is not None:
        bars = bars[: max(0, most - memory.totals.forward_bars)]
    if until is None or not bars:
        return bars
    opened = np.array([one.bar.opened_at for one in bars], dtype="M8[ns]")
    in_time = bar_ends(opened, memory.config.interval) <= np.datetime64(until[:26], "ns")
    return bars[: int(np.argmin(in_time))] if not in_time.all() else bars


@dataclass(frozen=True, kw_only=True)
class _Look:
    """One look at the market, as its bars tell of it."""

    answer: SourceAnswer
    schedule: Schedule
    rules: Rules
    now: np.datetime64


def record_wait(
    driver: Driver, stage: str, next_due: datetime | None, *, trouble: JsonObject | None = None
) -> Session:
    """Record that the session waits: for its next bar, for trouble to pass, for a driver, or for a mended strategy."""
    beat = Heartbeat(
        stage=stage,
        bars_done=driver.memory.totals.forward_bars,
        bars_expected=driver.memory.terms.bars,
        driver=driver.identity,
        next_due=driver.memory.next_due if next_due is None else iso(next_due),
        trouble=trouble,
    )
    return driver.record(beat)


def record_wait_once(
    driver: Driver, stage: str, next_due: datetime | None, *, trouble: JsonObject | None = None
) -> None:
    """Record that no bar comes, once: a session that repeats it goes on giving signs of life, and is no alert for days.

    That it is stalled is recorded again where the cause is another one: somebody has tried to mend it.
    """
    told = driver.memory.waits.get(stage)
    is_told = told is not None
    if told is not None and stage == "stalled":
        is_told = told is driver.memory.last_wait and told.trouble == trouble
    if not is_told:
        record_wait(driver, stage, next_due, trouble=trouble)


def _revise(driver: Driver, revision: Revision, now: np.datetime64) -> Session:
    memory = driver.memory
    memory.revise(revision)
    event = Revised(
        revision=revision.kind,
        bar=revision.bar,
        opened_at=_text(np.datetime64(revision.opened_at, "ns")),
        seen_at=_text(now),
        was=None if revision.was is None else _numbers(revision.was),
        now=_numbers(revision.now),
        factor=None if revision.factor is None else list(revision.factor),
        reaches_last=revision.reaches_last,
        scale=[memory.view.scale.price, memory.view.scale.volume],
    )
    return driver.record(event)


def _take(
    driver: Driver,
    strategy: Decider,
    bars: Sequence[NewBar],
    look: _Look,
    void: int,
) -> Session | None:
    """Decide on new bars and record each; the strategy is asked once for all of them."""
    memory = driver.memory
    first, state = memory.tape.warmup, memory.state
    if state is None:
        raise ValueError(f"Session {memory.session_id} has not warmed up.")
    # The session's own tape grows with each bar that the ledger has taken, and no sooner: a driver may be fenced.
    tape = memory.tape.branch()
    hashes = []
    scaled = [memory.view.to_session(one.bar) for one in bars]
    for bar in scaled:
        tape.append(bar)
        hashes.append(tape.hash)
    prices = tape.prices(TAPE)
    course = course_of(prices, memory.config, strategy)
    memory.signals.require_no_repaint(course, first)
    session: Session | None = None
    for new, bar, tape_hash, taken in zip(bars, scaled, hashes, take(course, state, void=void), strict=True):
        event = _event(driver, new, bar, tape_hash, taken, look)
        # After an outage there may be hundreds of bars: the files show the last of them, once.
        session = driver.record(event, show=new is bars[-1])
        memory.see(new.bar)
        memory.decided(taken.state, taken.equity)
        memory.last_bar = event
        memory.signals.append(taken.signal)
        memory.whys[event.why] += 1
        if taken.fill is not None:
            memory.fills.append(taken.fill)
    return session


def _event(
    driver: Driver,
    new: NewBar,
    scaled: SeenBar,
    tape_hash: str,
    taken: Taken,
    look: _Look,
) -> Bar:
    memory = driver.memory
    opened = np.datetime64(new.bar.opened_at, "ns")
    totals = memory.totals
    totals.forward_bars += 1
    totals.late_bars += new.late
    totals.missing_bars += len(new.missing)
    if taken.fill is not None:
        totals.fills += 1
        totals.last_fill_at = _text(opened)
    return Bar(
        driver=driver.identity,
        bar=taken.bar,
        opened_at=_text(opened),
        closed_at=_text(bar_ends(np.array([opened]), look.rules.interval)[0]),
        seen_at=_text(look.now),
        source_time=None if look.answer.source_time is None else _text(look.answer.source_time),
        prices=_numbers(scaled.values),
        scale=[memory.view.scale.price, memory.view.scale.volume],
        tape_hash=tape_hash,
        signal=list(taken.signal),
        values=taken.values,
        wanted=taken.account.wanted,
        did=taken.account.did,
        why=taken.account.told(),
        fill=None if taken.fill is None else msgspec.to_builtins(taken.fill),
        state=taken.state.to_json(),
        equity=taken.equity,
        next_due=_text(due_at(look.schedule, opened, look.rules)),
        missing_before=[_text(one) for one in new.missing],
        late=new.late,
        totals=totals.as_dict(),
        filled_from=driver.filled_from,
    )


def hours_at(memory: Memory, since: np.datetime64) -> Hours | None:
    """Return the exchange's sessions from a time on; None where the session names no calendar.

    Raises:
        ConfigError: it can't be had.
    """
    return None if memory.terms.calendar is None else hours_of(memory.terms.calendar, since)


def schedule_at(memory: Memory, prices: Prices, hours: Hours | None, detail: str) -> Schedule:
    """Return when the session expects bars: by these, by its calendar, and by the zone that its source tells of."""
    zone = exchange_zone(detail)
    return schedule_with(hours, prices, memory.config.interval, memory.config.ticker, zone)


def rules_of(memory: Memory) -> Rules:
    """Return when a session believes a bar."""
    return Rules(
        interval=memory.config.interval,
        settle=_duration(memory.terms.settle),
        patience=_duration(memory.terms.patience),
    )


def _numbers(values: Sequence[float]) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values]


def moment(time: datetime) -> np.datetime64:
    """Return an aware time as numpy has it, datetime64[ns], UTC."""
    # numpy knows no offsets; `iso` writes UTC, and its first 26 characters go to the microsecond.
    return np.datetime64(iso(time)[:26], "ns")


def aware(moment: np.datetime64) -> datetime:
    """Return a time of numpy's as an aware one, to the microsecond."""
    return _EPOCH + timedelta(microseconds=int(moment.astype("M8[us]").astype(np.int64)))


def _text(moment: np.datetime64) -> str:
    return iso(aware(moment))


def _duration(seconds: float) -> np.timedelta64:
    return np.timedelta64(round(seconds * 1e9), "ns")
