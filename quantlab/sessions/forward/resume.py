"""Take a session up again that follows the market: for a turn, to follow on, or to finish it."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from quantlab.base import process
from quantlab.base.errors import ConfigError
from quantlab.base.process import is_alive
from quantlab.base.remedies import Setting
from quantlab.domain.config import validated
from quantlab.domain.events import Resumed
from quantlab.runner.environment import code, environment
from quantlab.runner.signals import RESUMED, SignalFile
from quantlab.runner.stopping import StopGate, StopRequested
from quantlab.sessions.forward.drive import (
    emit,
    finished,
    go_on,
    open_driver,
    open_follower,
    paused,
    stored_session,
)
from quantlab.sessions.forward.evaluate import evaluate
from quantlab.sessions.forward.memory import environment_of
from quantlab.sessions.forward.strategy import kept_strategy
from quantlab.sessions.forward.warm_up import warm_up
from quantlab.trading.prices.live import open_live

if TYPE_CHECKING:
    from collections.abc import Callable

    from quantlab.domain.config import RunConfig
    from quantlab.ledger.store import Store
    from quantlab.sessions.forward.drive import Driven, DriveOptions
    from quantlab.sessions.forward.driver import Driver
    from quantlab.sessions.forward.follow import Follower
    from quantlab.sessions.forward.memory import Memory


def resume(
    store: Store,
    folder: Path,
    session_id: str,
    drive: DriveOptions,
    *,
    one_turn: bool,
    finish_now: str | None = None,
) -> Driven:
    """Take a session up again: follow the market, take one turn, or finish it.

    Args:
        store: The ledger.
        folder: The session's.
        session_id: Which one.
        drive: How.
        one_turn: Take one turn and leave it.
        finish_now: Why it is finished, without another look at the market; None to go on.

    Raises:
        ConfigError: there is no such session, it follows no market, or another driver may be at work on it.
        SessionEndedError: it has ended.
        DataError, StrategyError, FencedError, LedgerError: as `begin`.
    """
    gate = StopGate()
    with gate.installed(), ExitStack() as stack:
        driver = open_driver(store, folder, session_id, gate, drive)
        stack.callback(driver.bring_up)
        memory = driver.memory
        _require_alone(store, memory, drive, one_turn=one_turn or finish_now is not None)
        signals = SignalFile(drive.signal_file, memory.started.request_id)
        before = memory.totals.forward_bars
        try:
            chosen = stack.enter_context(kept_strategy(folder, memory))
            source = open_live(_asked(memory, drive))
            driver.filled_from = drive.prices
            if not memory.has_warmed_up:
                warm_up(driver, source, chosen)
            follower = open_follower(driver, source, chosen, gate, drive)
            resumed = _resumed(driver, follower, drive, always=not one_turn and finish_now is None)
            if resumed is not None:
                _note_driver(
                    driver,
                    resumed,
                    lambda: emit(signals, RESUMED, folder, drive.clock(), next_due=memory.next_due),
                )
        except StopRequested as stop:
            return paused(driver, gate, signals, stop, before=before)
        if finish_now is not None:
            return finished(follower, gate, signals, before, reason=finish_now)
        return go_on(follower, gate, signals, one_turn=one_turn)


def _asked(memory: Memory, drive: DriveOptions) -> RunConfig:
    """Return what is asked for bars: the session's own source, or a file that has what the source no longer keeps.

    Raises:
        ConfigError: the stand-in is no file.
    """
    if drive.prices is None:
        return memory.config
    if not Path(drive.prices).is_file():
        raise ConfigError(
            f"prices: {drive.prices} is no file; expected one with the bars that {memory.terms.source} no longer keeps."
        )
    return validated({**memory.config.as_dict(), "prices": drive.prices})


def _require_alone(store: Store, memory: Memory, drive: DriveOptions, *, one_turn: bool) -> None:
    """Refuse to follow beside a driver that lives; a single turn needs no such care, for the ledger fences.

    Nor does a step that is being taken just now: it ends by itself.
    """
    host, pid, mark = (memory.driver.get(name) for name in ("host", "pid", "process"))
    is_step = memory.driver != memory.taken_up_by
    if one_turn or is_step or drive.took_over is not None or _is_left(store, memory):
        return
    if (host, pid, mark) != process.identity() and is_alive(host, pid, mark):
        raise ConfigError(
            f"Session {memory.session_id} is followed by process {pid} on host {host}; nothing was recorded. Stop that "
            "process first, or take over with ",
            Setting("take_over"),
            " ",
            Setting("reason", "TEXT"),
            ": it is fenced at its next write.",
        )


def _is_left(store: Store, memory: Memory) -> bool:
    """Tell whether its last driver said itself that it leaves the session to the next one."""
    return stored_session(store, memory.session_id).stage in ("paused", "stalled")


def _note_driver(driver: Driver, resumed: Resumed, tell: Callable[[], None]) -> None:
    """Record who drives from now on; of a stalled session with the first event that gets on, or tells another cause.

    A service manager takes a stalled session up every minute: told each time, it would be no alert, for days.
    """
    memory = driver.memory

    def note() -> None:
        driver.record(resumed)
        memory.environment = environment_of(resumed)
        memory.driver = memory.taken_up_by = driver.identity
        tell()

    is_stalled = memory.last_wait is not None and memory.last_wait.stage == "stalled"
    if is_stalled and not resumed.changed and resumed.took_over is None:
        driver.before_next = note
    else:
        note()


def _resumed(driver: Driver, follower: Follower, drive: DriveOptions, *, always: bool) -> Resumed | None:
    """Return that this process drives it: always to follow the market, for a single turn where something changed."""
    memory = driver.memory
    strategy = memory.environment.get("strategy")
    now = {"code": asdict(code()), "packages": environment().packages, "strategy": strategy}
    changed = [name for name, value in now.items() if value != memory.environment.get(name)]
    elsewhere = driver.identity["host"] != memory.driver.get("host")
    if not (always or changed or elsewhere):
        return None
    if changed and memory.totals.forward_bars:
        # Refuses where the tape is decided on differently now.
        evaluate(memory, follower.strategy, now=driver.clock())
    took_over = None
    if drive.took_over is not None:
        took_over = {**memory.driver, "reason": drive.took_over}
    host, pid, mark = process.identity()
    return Resumed(
        host=host,
        pid=pid,
        process=mark,
        code=asdict(code()),
        packages=environment().packages,
        strategy_digest=strategy,
        changed=changed,
        took_over=took_over,
    )
