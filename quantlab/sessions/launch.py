"""Launch a paper session and see it through to its end, whichever that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantlab.base.errors import (
    LedgerError,
    LedgerExchangedError,
    LedgerGoneError,
    SessionAbortedError,
    SessionEndedError,
)
from quantlab.base.remedies import ABORT, Setting
from quantlab.domain.names import PAPER_RESULT
from quantlab.exports import index
from quantlab.folders.page import beside_the_index
from quantlab.folders.roots import open_root_store
from quantlab.ledger.location import PAPER_ROOT, locate
from quantlab.ledger.recorder import Recorder
from quantlab.runner import research_index
from quantlab.runner.execute import see_through, tell_refused
from quantlab.runner.ids import new_folder, remove_empty
from quantlab.runner.options import Launched
from quantlab.runner.research import RUNS
from quantlab.runner.signals import SignalFile
from quantlab.runner.stopping import StopGate, StopRequested
from quantlab.sessions.paper import PaperSession

if TYPE_CHECKING:
    from pathlib import Path

    from quantlab.base.values import JsonObject
    from quantlab.domain.config import RunConfig
    from quantlab.domain.events import Succeeded
    from quantlab.exports.report import ReportHeader
    from quantlab.ledger.store import Store
    from quantlab.runner.options import LaunchOptions


def launch_paper(config: RunConfig, options: LaunchOptions) -> Launched:
    """Run one paper session from start to end.

    Raises:
        ConfigError: the output folder can't be written; no session exists then.
        DataError, StrategyError: recorded as `failed` first.
        SessionAbortedError: a signal stopped it; recorded as `aborted` first.
        SessionEndedError: an operator closed the session meanwhile; nothing was changed.
        LedgerError: the ledger can't be written; the message says how the session stands.
    """
    signals = SignalFile(options.signal_file, options.request_id)
    gate = StopGate()
    with gate.installed():
        try:
            folder, store = _opened(config, options, gate)
        except BaseException as error:
            tell_refused(signals, error, options)
            raise
        store.waiting.asked_to_stop = gate.is_asked
        with store:
            observer = LedgerObserver(store, folder, gate, config, options)
            result = see_through(config, options, observer, gate, signals)
    return Launched(folder.name, folder, PAPER_RESULT, result, config)


def _opened(config: RunConfig, options: LaunchOptions, gate: StopGate) -> tuple[Path, Store]:
    """Make the session's folder and open the ledger; both, or neither."""
    root = options.outdir / PAPER_ROOT
    location = locate(root, options.ledger)
    with gate.deferred():
        folder = new_folder(root, config, "paper", options.clock())
    try:
        gate.check()
        return folder, open_root_store(location, now=options.clock())
    except BaseException:
        remove_empty(folder)
        raise


class LedgerObserver:
    """Records a session in its ledger, and brings the root's exports up to its end."""

    def __init__(
        self, store: Store, folder: Path, gate: StopGate, config: RunConfig, options: LaunchOptions
    ) -> None:
        self.folder = folder
        self.monitor = PaperSession(
            recorder=Recorder(store),
            folder=folder,
            gate=gate,
            heartbeat_seconds=options.heartbeat_seconds,
            watch=options.watch,
            clock=options.clock,
        )
        self._store, self._config, self._options = store, config, options

    @property
    def has_begun(self) -> bool:
        """Whether the ledger has it."""
        return self.monitor.session is not None

    def begin(self) -> ReportHeader:
        """Record that it started."""
        self.monitor.start(
            self._config,
            request_id=self._options.request_id,
            reproduce=self._options.reproduce(self._config, self.folder),
            strategy=self._options.strategy,
            research_trials=research_index.other_rules(self._options.outdir / RUNS, self._config),
        )
        return self.monitor.header()

    def succeed(self, result: Succeeded) -> JsonObject:
        """Record the success."""
        self.monitor.succeed(result)
        self._store.require_unchanged()
        self._refresh_exports()
        return {}

    def end(self, error: BaseException) -> BaseException:
        """Record how it ended; returns what its user is told, also where recording is not possible."""
        if isinstance(error, SessionEndedError | LedgerExchangedError):
            return error  # nothing is left to record, or nothing may be: it is another ledger
        if isinstance(error, LedgerGoneError):
            return LedgerGoneError(error, " ", *self._left_running())  # nor can anything be recorded
        try:
            if isinstance(error, StopRequested):
                self.monitor.abort(error.name)
            else:
                self.monitor.fail(error)
        except SessionEndedError as ended:
            return ended
        except LedgerError as unrecorded:
            why = f"Stopped by {error.name}." if isinstance(error, StopRequested) else error
            return LedgerError(
                why, " The end could not be recorded (", unrecorded, "). ", *self._left_running()
            )
        self._refresh_exports()
        if isinstance(error, StopRequested):
            return SessionAbortedError(
                f"Session {self.folder.name} was stopped by {error.name}; it is recorded as aborted."
            )
        return error

    def _refresh_exports(self) -> None:
        root, now = self.folder.parent, self._options.clock()
        beside = beside_the_index(wanted=self._options.page)
        index.refresh_after_end(self._store, root, now=now, beside=beside)

    def _left_running(self) -> tuple[object, ...]:
        ledger = self._store.location.option(self.folder.parent)
        return (
            f"Session {self.folder.name} stands as running, for one that can't record doesn't go on. Once the "
            f"cause is gone, close it with ",
            ABORT.of(self.folder, *ledger, Setting("reason", "TEXT")),
            ".",
        )
