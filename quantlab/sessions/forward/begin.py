"""Begin a session that follows the market: it is started, warms up, and is driven from then on."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from typing import TYPE_CHECKING

from quantlab.base.errors import QuantlabError, SessionAbortedError, SessionEndedError
from quantlab.domain.names import KEPT_STRATEGY
from quantlab.exports import index
from quantlab.folders.page import beside_the_index
from quantlab.folders.roots import open_root_store
from quantlab.ledger.location import PAPER_ROOT, locate
from quantlab.ledger.recorder import Recorder
from quantlab.runner import research_index
from quantlab.runner.execute import message_of, tell_refused
from quantlab.runner.ids import new_folder, remove_empty
from quantlab.runner.research import RUNS
from quantlab.runner.signals import FAILED, STARTED, SignalFile
from quantlab.runner.stopping import StopGate, StopRequested
from quantlab.runner.strategy import keep
from quantlab.sessions.forward.drive import emit, go_on, open_driver, open_follower, stored_session
from quantlab.sessions.forward.driver import FencedError
from quantlab.sessions.forward.warm_up import require_enough_warm_up, warm_up
from quantlab.sessions.paper import PaperSession
from quantlab.trading.prices.live import open_live

if TYPE_CHECKING:
    from pathlib import Path

    from quantlab.domain.config import RunConfig
    from quantlab.domain.forward import ForwardTerms
    from quantlab.ledger.location import Location
    from quantlab.ledger.store import Store
    from quantlab.runner.options import LaunchOptions
    from quantlab.sessions.forward.drive import Driven, DriveOptions


def begin(
    config: RunConfig, terms: ForwardTerms, options: LaunchOptions, drive: DriveOptions, *, one_turn: bool
) -> Driven:
    """Begin a session and follow the market, or take one turn.

    Raises:
        ConfigError: the source can't be followed, or the warm-up is too short; no session exists then.
        DataError, StrategyError: the market or the strategy failed; recorded.
        SessionAbortedError: a signal stopped it before it had warmed up.
        FencedError, LedgerError: as `Driver.record`.
    """
    signals = SignalFile(options.signal_file, options.request_id)
    gate = StopGate()
    with gate.installed(), ExitStack() as stack:
        try:
            require_enough_warm_up(terms.warmup, options.strategy)
            source = open_live(config)
            location = locate(options.outdir / PAPER_ROOT, options.ledger)
            with gate.deferred():
                folder = new_folder(options.outdir / PAPER_ROOT, config, "paper", options.clock())
            store = stack.enter_context(_opened(location, folder, options))
        except BaseException as error:
            tell_refused(signals, error, options)
            raise
        paper = PaperSession(
            recorder=Recorder(store),
            folder=folder,
            gate=gate,
            heartbeat_seconds=options.heartbeat_seconds,
            watch=options.watch,
            clock=options.clock,
        )
        try:
            # Before the session begins: who takes it up after a kill finds its code.
            keep(folder, options.strategy)
            paper.start(
                config,
                request_id=options.request_id,
                reproduce=options.reproduce(config, folder),
                strategy=options.strategy,
                forward=terms,
                research_trials=research_index.other_rules(options.outdir / RUNS, config),
            )
            options.begun(folder.name, folder)
            emit(signals, STARTED, folder, options.clock())
            driver = open_driver(store, folder, folder.name, gate, drive)
            warm_up(driver, source, options.strategy)
        except BaseException as error:
            raise _ended_early(paper, error, store, signals, options) from error
        stack.callback(driver.bring_up)
        follower = open_follower(driver, source, options.strategy, gate, drive)
        return go_on(follower, gate, signals, one_turn=one_turn)


def _opened(location: Location, folder: Path, options: LaunchOptions) -> Store:
    try:
        return open_root_store(location, now=options.clock())
    except BaseException:
        remove_empty(folder)
        raise


def _ended_early(
    paper: PaperSession, error: BaseException, store: Store, signals: SignalFile, options: LaunchOptions
) -> BaseException:
    """Record how a session ended that never warmed up; returns what its user is told."""
    if paper.session is None:
        shutil.rmtree(paper.folder / KEPT_STRATEGY, ignore_errors=True)
        remove_empty(paper.folder)
        tell_refused(signals, error, options)
        return error
    if isinstance(error, (SessionEndedError, FencedError)):
        return error
    paper.stand_at(stored_session(store, paper.session_id))
    if isinstance(error, StopRequested):
        paper.abort(error.name)
        told: BaseException = SessionAbortedError(
            f"Session {paper.session_id} was stopped by {error.name} before it had warmed up; it is recorded as "
            "aborted."
        )
    else:
        paper.fail(error)
        told = error
    beside = beside_the_index(wanted=options.page)
    index.refresh_or_warn(store, paper.folder.parent, now=options.clock(), beside=beside)
    exit_code = told.exit_code if isinstance(told, QuantlabError) else 1
    said = {"exit_code": exit_code, "error_type": type(told).__name__, "message": message_of(told)}
    emit(signals, FAILED, paper.folder, options.clock(), **said)
    return told
