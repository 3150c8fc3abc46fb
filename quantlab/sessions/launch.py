"""Launch a paper session and see it through to its end, whichever that is."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from quantlab.errors import (
    LedgerError,
    LedgerGoneError,
    QuantlabError,
    SessionAbortedError,
    SessionEndedError,
)
from quantlab.exports import index
from quantlab.exports.names import PAPER_RESULT, REPORT
from quantlab.exports.signals import COMPLETED, FAILED, STARTED, SignalFile
from quantlab.research.execution import execute
from quantlab.research.folders import new_folder
from quantlab.research.launch import Launched
from quantlab.research.stopping import StopGate, StopRequested
from quantlab.sessions.paper import PaperSession, message_of, paper_header
from quantlab.sessions.recorder import Recorder
from quantlab.sessions.roots import open_root_store
from quantlab.store.location import PAPER_ROOT, locate

if TYPE_CHECKING:
    from pathlib import Path

    from quantlab.config import RunConfig
    from quantlab.events import Succeeded
    from quantlab.research.launch import LaunchOptions
    from quantlab.store.engine import Store


def launch_paper(config: RunConfig, options: LaunchOptions) -> Launched:
    """Run one paper session from start to end.

    Raises:
        ConfigError: the output folder can't be written; no session exists then.
        DataError, StrategyError: recorded as `failed` first.
        SessionAbortedError: a signal stopped it; recorded as `aborted` first.
        SessionEndedError: an operator closed the session meanwhile; nothing was changed.
        LedgerError: the ledger can't be written; the message says how the session stands.
    """
    signals = SignalFile(options.signal_file, options.request_id, options.say)
    gate = StopGate()
    with gate.installed():
        try:
            folder, store = _opened(config, options, gate)
        except BaseException as error:
            _tell_refused(signals, error, options)
            raise
        store.waiting.asked_to_stop = gate.is_asked
        with store:
            return _see_through(config, options, _Session(store, folder, gate, options, signals))


def _tell_refused(signals: SignalFile, error: BaseException, options: LaunchOptions) -> None:
    """Signal that nothing began."""
    if isinstance(error, StopRequested):
        error = SessionAbortedError(f"Stopped by {error.name} before the session began.")
    if isinstance(error, QuantlabError):
        signals.refused(error, at=options.clock())


def _opened(config: RunConfig, options: LaunchOptions, gate: StopGate) -> tuple[Path, Store]:
    """Make the session's folder and open the ledger; both, or neither."""
    root = options.outdir / PAPER_ROOT
    location = locate(root, options.ledger)
    with gate.deferred():
        folder = new_folder(root, config, "paper", options.clock())
    try:
        gate.check()
        return folder, open_root_store(location, now=options.clock(), say=options.say)
    except BaseException:
        _remove_empty(folder)
        raise


class _Session:
    """The parts that one launch holds together: the session, its signals and its exports."""

    def __init__(
        self, store: Store, folder: Path, gate: StopGate, options: LaunchOptions, signals: SignalFile
    ) -> None:
        self.store = store
        self.options = options
        self.gate = gate
        self.paper = PaperSession(
            recorder=Recorder(store),
            folder=folder,
            gate=gate,
            heartbeat_seconds=options.heartbeat_seconds,
            warn=options.say,
            watch=options.watch,
            clock=options.clock,
        )
        self.signals = signals

    def emit(self, event: str, **details: Any) -> None:
        self.signals.emit(event, at=self.options.clock(), **details)

    def failed(self, error: BaseException) -> None:
        code = error.exit_code if isinstance(error, QuantlabError) else 1
        self.emit(FAILED, exit_code=code, error_type=type(error).__name__, message=message_of(error))

    def refresh_exports(self) -> None:
        index.refresh(self.store, self.paper.folder.parent, warn=self.options.say)


def _see_through(config: RunConfig, options: LaunchOptions, session: _Session) -> Launched:
    paper = session.paper
    try:
        paper.start(config, request_id=options.request_id, reproduce=options.reproduce(config, paper.folder))
        session.emit(STARTED)
        session.gate.check()
        result = _work(config, options, session)
    except BaseException as error:
        with session.gate.deferred():
            if not paper.recorded and not isinstance(error, LedgerGoneError):
                _remove_empty(paper.folder)
                _tell_refused(session.signals, error, options)
                raise
            told = _ended(session, error)
            session.failed(told)
            if told is error:
                raise
            raise told from error
    return Launched(paper.session_id, paper.folder, PAPER_RESULT, result)


def _work(config: RunConfig, options: LaunchOptions, session: _Session) -> Succeeded:
    paper = session.paper
    header = paper_header(paper.recorded[0])
    result = execute(
        config, paper.folder, header, options.execution(), paper, now=options.clock(), say=options.say
    )
    # From here on a signal comes too late: the work is done, and what is recorded is that it succeeded.
    with session.gate.deferred():
        paper.succeed(result)
        session.refresh_exports()
        session.emit(
            COMPLETED,
            run_id=paper.session_id,
            artifacts_path=str(paper.folder.absolute()),
            report_path=str((paper.folder / REPORT).absolute()),
            summary=result.summary,
        )
    return result


def _ended(session: _Session, error: BaseException) -> BaseException:
    """Record how the session ended; returns what its user is told, also where recording is not possible."""
    if isinstance(error, SessionEndedError):
        return error  # nothing is left to record
    if isinstance(error, LedgerGoneError):
        return LedgerGoneError(f"{error} {_left_running(session)}")  # nor can anything be recorded
    paper = session.paper
    try:
        if isinstance(error, StopRequested):
            paper.abort(error.name)
        else:
            paper.fail(error)
    except SessionEndedError as ended:
        return ended
    except LedgerError as unrecorded:
        why = f"Stopped by {error.name}." if isinstance(error, StopRequested) else error
        return LedgerError(f"{why} The end could not be recorded ({unrecorded}). {_left_running(session)}")
    session.refresh_exports()
    if isinstance(error, StopRequested):
        return SessionAbortedError(
            f"Session {paper.session_id} was stopped by {error.name}; it is recorded as aborted."
        )
    return error


def _left_running(session: _Session) -> str:
    folder = session.paper.folder
    ledger = session.store.location.option(folder.parent)
    return (
        f"Session {session.paper.session_id} stands as running, for one that can't record doesn't go on. Once the "
        f"cause is gone, close it with 'quantlab paper-sessions abort {folder}{ledger} --reason TEXT'."
    )


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):
        (folder / "artifacts").rmdir()
        folder.rmdir()
