"""A plain research run: the same work as a paper session, no ledger, in folders of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from quantlab.clock import iso
from quantlab.config import RunConfig, config_hash
from quantlab.errors import QuantlabError, SessionAbortedError
from quantlab.exports import bundle
from quantlab.exports.artifacts import result_documents
from quantlab.exports.environment import environment
from quantlab.exports.files import json_bytes
from quantlab.exports.names import CONFIG, METADATA_COPY, METRICS, REPORT, RUN_RESULT, TRADES
from quantlab.exports.report import ReportHeader
from quantlab.exports.signals import COMPLETED, FAILED, STARTED, SignalFile
from quantlab.research import runs_index
from quantlab.research.execution import execute
from quantlab.research.folders import new_folder
from quantlab.research.launch import Launched
from quantlab.research.stopping import StopGate, StopRequested
from quantlab.trading.strategy import STRATEGY_NAME

if TYPE_CHECKING:
    from pathlib import Path

    from quantlab.events import Succeeded
    from quantlab.research.launch import LaunchOptions

RUNS = "runs"
FILES = {
    "metadata": METADATA_COPY,
    "config": CONFIG,
    "metrics": METRICS,
    "report": REPORT,
    "trades": TRADES,
}


@dataclass
class ResearchRun:
    """One run on its folder; what it learns on the way goes into its metadata."""

    config: RunConfig
    folder: Path
    options: LaunchOptions
    gate: StopGate
    metadata: dict[str, Any] = field(default_factory=dict)

    def begin(self) -> None:
        """Write metadata and configuration."""
        made_with = environment()
        self.metadata = {
            "run_id": self.folder.name,
            "mode": "run",
            "command": "run",
            "status": "running",
            "created_at": iso(self.options.clock()),
            "git_commit": made_with.git_commit,
            "python_executable": made_with.python_executable,
            "python_version": made_with.python_version,
            "config_path": "inline_cli",
            "config_hash": config_hash(self.config),
            "request_id": self.options.request_id,
            "code_version": made_with.code_version,
            "packages": made_with.packages,
            "reproduce": self.options.reproduce(self.config, self.folder),
            "data": None,
        }
        self.write({CONFIG: self.config.as_dict()})

    def reach(
        self, stage: str, *, done: int, expected: int | None, data: dict[str, Any] | None = None
    ) -> None:
        """Keep the facts of the prices, and tell whoever watches.

        Raises:
            StopRequested: a signal asks the run to stop.
        """
        self.gate.check()
        self.options.watch(stage, done, expected)
        if data is not None:
            self.metadata["data"] = data

    def progress(self, *, done: int, expected: int) -> None:
        """Tell whoever watches.

        Raises:
            StopRequested: a signal asks the run to stop.
        """
        self.gate.check()
        self.options.watch("simulating", done, expected)

    def finish(self, status: str, **details: Any) -> None:
        """Write the metadata with how the run ended."""
        self.metadata |= {"status": status, "finished_at": iso(self.options.clock()), **details}
        self.write({})

    def write(self, documents: dict[str, dict[str, Any]]) -> None:
        """Write the metadata and other JSON documents, each whole."""
        documents = {**documents, METADATA_COPY: self.metadata}
        bundle.write_files(self.folder, {name: json_bytes(one) for name, one in documents.items()})


def run_header(metadata: dict[str, Any]) -> ReportHeader:
    """Return what a run's report says about the run itself, from its metadata."""
    names = (
        "run_id",
        "mode",
        "created_at",
        "git_commit",
        "python_version",
        "packages",
        "config_hash",
        "request_id",
    )
    known = {name: metadata[name] for name in names}
    return ReportHeader(**known, strategy=STRATEGY_NAME, reproduce=metadata["reproduce"])


def launch_run(config: RunConfig, options: LaunchOptions) -> Launched:
    """Run a strategy as research.

    Raises:
        ConfigError: the output folder can't be written.
        DataError, StrategyError: after the run's metadata says `failed`.
        SessionAbortedError: a signal stopped it; its metadata says `aborted`.
    """
    signals = SignalFile(options.signal_file, options.request_id, options.say)
    gate = StopGate()
    with gate.installed():
        try:
            run = _begun(config, options, gate)
        except QuantlabError as error:
            signals.refused(error, at=options.clock())
            raise
        try:
            signals.emit(STARTED, at=options.clock())
            gate.check()
            result = _see_through(run, signals)
        except BaseException as error:
            with gate.deferred():
                told = _ended(run, signals, error)
                if told is error:
                    raise
                raise told from error
    return Launched(run.folder.name, run.folder, RUN_RESULT, result)


def _begun(config: RunConfig, options: LaunchOptions, gate: StopGate) -> ResearchRun:
    with gate.deferred():
        folder = new_folder(options.outdir / RUNS, config, "run", options.clock())
        run = ResearchRun(config, folder, options, gate)
        run.begin()
        return run


def _see_through(run: ResearchRun, signals: SignalFile) -> Succeeded:
    options = run.options
    result = execute(
        run.config,
        run.folder,
        run_header(run.metadata),
        options.execution(),
        run,
        now=options.clock(),
        say=options.say,
    )
    # From here on a signal comes too late: the work is done.
    with run.gate.deferred():
        _record(run, result)
        signals.emit(
            COMPLETED,
            at=options.clock(),
            run_id=run.folder.name,
            artifacts_path=str(run.folder.absolute()),
            report_path=str((run.folder / REPORT).absolute()),
            summary=result.summary,
            runs_index_json=str((run.folder.parent / runs_index.JSON).absolute()),
        )
    return result


def _record(run: ResearchRun, result: Succeeded) -> None:
    names = ("created_at", "git_commit", "python_version", "config_path", "config_hash", "request_id")
    header = {"run_id": run.folder.name, "mode": "run", **{name: run.metadata[name] for name in names}}
    run.write(
        result_documents(
            header=header,
            config=run.config.as_dict(),
            reproduce=run.metadata["reproduce"],
            succeeded=result,
            contract_type=RUN_RESULT,
            file_names=FILES,
            data=run.metadata["data"],
        )
    )
    run.finish("success", summary=result.summary, result_digest=result.result_digest)
    _refresh_index(run)


def _refresh_index(run: ResearchRun) -> None:
    """List the run; whatever stands in the way, and be it a defect, must not turn a recorded success into a failure."""
    try:
        runs_index.refresh(run.folder.parent)
    except Exception as error:  # noqa: BLE001 - see above
        told = str(error) if isinstance(error, QuantlabError) else _unlisted(run, error)
        run.options.say(f"WARNING: {told} The run is whole; the next one brings the index up to date.")


def _unlisted(run: ResearchRun, error: Exception) -> str:
    return f"{run.folder.parent / runs_index.JSON} can't be made ({type(error).__name__}: {error})."


def _ended(run: ResearchRun, signals: SignalFile, error: BaseException) -> BaseException:
    """Write how the run ended; returns what its user is told."""
    told, status = error, "failed"
    if isinstance(error, StopRequested):
        message = f"Run {run.folder.name} was stopped by {error.name}; it is recorded as aborted."
        told, status = SessionAbortedError(message), "aborted"
    details = {"error_type": type(told).__name__, "message": str(told) or type(told).__name__}
    try:
        run.finish(status, **details)
    except QuantlabError as unwritten:
        run.options.say(f"WARNING: {unwritten}")
    code = told.exit_code if isinstance(told, QuantlabError) else 1
    signals.emit(FAILED, at=run.options.clock(), exit_code=code, **details)
    return told
