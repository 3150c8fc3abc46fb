"""Read a forward session's events: what its next driver needs to know of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import msgspec
import numpy as np

from quantlab.base.errors import ConfigError, LedgerDamagedError
from quantlab.base.remedies import VERIFY, Setting
from quantlab.domain.config import validated
from quantlab.domain.events import Bar, Heartbeat, Resumed, Revised, Started
from quantlab.sessions.forward.memory import Memory, Totals, after_warm_up, environment_of
from quantlab.sessions.forward.packing import unpacked
from quantlab.trading.engine import EngineState
from quantlab.trading.forward.revisions import Revision, Scale
from quantlab.trading.forward.tape import BarTape, SeenBar, hash_of
from quantlab.trading.results import Fill

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from quantlab.domain.events import Recorded
    from quantlab.trading.forward.revisions import RevisionKind

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def remember(session_id: str, recorded: Iterable[Recorded]) -> Memory:
    """Read a session's events, of which there is one at least.

    Raises:
        ConfigError: it does not follow the market.
        LedgerDamagedError: its events don't fit together.
    """
    events = iter(recorded)
    first = next(events)
    started = first.event
    if not isinstance(started, Started) or started.forward is None:
        raise ConfigError(
            f"Session {session_id} replays history and follows no market; expected one that was begun with ",
            Setting("follow"),
            ".",
        )
    driver = {"host": started.host, "pid": started.pid, "process": started.process}
    memory = Memory(
        session_id=session_id,
        began_at=first.occurred_at,
        started=started,
        terms=started.forward,
        config=validated(started.config),
        tape=BarTape(started.forward.warmup),
        driver=driver,
        taken_up_by=driver,
        environment=environment_of(started),
    )
    memory.version = first.session_version
    last_bar: Recorded | None = None
    for one in events:
        memory.version = one.session_version
        if one.type == Bar.name:
            _bar(memory, one)
            last_bar = one
        elif one.type in _LEARNED:
            _stand_at(memory, last_bar)
            last_bar = None
            _LEARNED[one.type](memory, one.event)
    _stand_at(memory, last_bar)
    return memory


def _stand_at(memory: Memory, last_bar: Recorded | None) -> None:
    """Take in what of a bar counts where no other bar follows it."""
    event = None if last_bar is None else last_bar.event
    if isinstance(event, Bar):
        memory.last_bar = event
        memory.waits = {}
        memory.state = EngineState.from_json(event.state)
        memory.totals = Totals(**event.totals)
        memory.driver = event.driver


def _heartbeat(memory: Memory, event: Heartbeat) -> None:
    memory.driver = event.driver or memory.driver
    memory.data = event.data or memory.data
    memory.first_due = event.next_due or memory.first_due
    memory.note_wait(event)
    if event.tape is not None:
        bars = unpacked(event.tape)
        memory.warm_up(bars, after_warm_up(memory.config, bars))


class _BarOfTape(msgspec.Struct, gc=False):
    """What of a `bar` event counts when others follow it; a session of a month has tens of thousands."""

    bar: int
    opened_at: str
    prices: msgspec.Raw
    scale: tuple[float, float]
    tape_hash: str
    signal: tuple[str | None, str | None, float]
    why: str
    state: _Held
    equity: float
    fill: Fill | None = None


class _Held(msgspec.Struct, gc=False):
    """What of the engine's state an account tells."""

    cash: float
    quantity: float
    mark: float


def _bar(memory: Memory, recorded: Recorded) -> None:
    event = _bars_of_tape.decode(recorded.payload)
    if event.bar != len(memory.tape):
        raise LedgerDamagedError(
            f"Session {memory.session_id}: bar {event.bar} follows {len(memory.tape)} bars; ",
            VERIFY,
            " tells whether the ledger is whole.",
        )
    opened_at = _nanoseconds(event.opened_at)
    scaled = _seen(opened_at, _floats(_prices.decode(event.prices)))
    # The payload has the prices as the hash takes them, but for very large and small ones: writing them takes longest.
    told = hash_of(memory.tape.hash, opened_at, str(event.prices, "ascii")[1:-1])
    memory.take_in(
        scaled,
        _in_the_sources_scale(scaled, event.scale),
        tape_hash=told if told == event.tape_hash else None,
    )
    if memory.tape.hash != event.tape_hash:
        raise LedgerDamagedError(
            f"Session {memory.session_id}: the tape's hash at bar {event.bar} is not the recorded one; ",
            VERIFY,
            " tells whether the ledger is whole.",
        )
    held = event.state
    memory.accounts.append((held.cash, held.quantity, held.mark, event.equity))
    memory.signals.append(event.signal)
    memory.whys[event.why] += 1
    if event.fill is not None:
        memory.fills.append(event.fill)


def _in_the_sources_scale(bar: SeenBar, scale: tuple[float, float]) -> SeenBar:
    price, volume = scale
    if price == volume == 1.0:
        return bar
    return _seen(bar.opened_at, [*(one / price for one in bar.values[:4]), bar.volume / volume])


def _revised(memory: Memory, event: Revised) -> None:
    memory.revise(
        Revision(
            kind=cast("RevisionKind", event.revision),
            bar=event.bar,
            opened_at=_nanoseconds(event.opened_at),
            was=None if event.was is None else _floats(event.was),
            now=_floats(event.now),
            factor=None if event.factor is None else (event.factor[0], event.factor[1]),
            reaches_last=event.reaches_last,
        )
    )
    memory.view.scale = Scale(price=event.scale[0], volume=event.scale[1])


def _resumed(memory: Memory, event: Resumed) -> None:
    memory.driver = {"host": event.host, "pid": event.pid, "process": event.process}
    memory.taken_up_by = memory.driver
    memory.environment = environment_of(event)


def _seen(opened_at: int, values: Sequence[float]) -> SeenBar:
    """Return a bar of five values: open, high, low, close and volume."""
    first, high, low, close, volume = values
    return SeenBar(opened_at, first, high, low, close, volume)


def _nanoseconds(text: str) -> int:
    """Return a stored time in nanoseconds since 1970, UTC."""
    return (datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND * 1_000


def _floats(values: Sequence[float | None]) -> tuple[float, ...]:
    if None not in values:
        return cast("tuple[float, ...]", tuple(values))
    return tuple(np.nan if value is None else value for value in values)


_prices = msgspec.json.Decoder(list[float | None])
_bars_of_tape = msgspec.json.Decoder(_BarOfTape)
_LEARNED: dict[str, Any] = {
    Heartbeat.name: _heartbeat,
    Revised.name: _revised,
    Resumed.name: _resumed,
}
