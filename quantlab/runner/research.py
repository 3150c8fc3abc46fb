"""A plain research run: the same work as a paper session, no ledger, in folders of its own."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from quantlab.base.clock import iso
from quantlab.base.errors import QuantlabError, SessionAbortedError
from quantlab.base.files import json_bytes
from quantlab.domain import lineage
from quantlab.domain.config import RunConfig, config_hash, rules_hash
from quantlab.domain.documents import result_documents, told_of_strategy
from quantlab.domain.names import CONFIG, METADATA_COPY, METRICS, REPORT, RUN_RESULT, TRADES
from quantlab.exports import bundle
from quantlab.exports.layout import layout_of
from quantlab.exports.report import ReportHeader
from quantlab.exports.report_judged import at_its_end
from quantlab.runner import research_index
from quantlab.runner.environment import code, environment
from quantlab.runner.execute import message_of, see_through, tell_refused
from quantlab.runner.ids import new_folder
from quantlab.runner.options import Launched
from quantlab.runner.signals import SignalFile
from quantlab.runner.stopping import StopGate, StopRequested
from quantlab.trading.strategies.strategy import BUILT_IN

if TYPE_CHECKING:
    from pathlib import Path

    from quantlab.base.values import JsonObject
    from quantlab.domain.events import Succeeded
    from quantlab.runner.options import LaunchOptions

logger = logging.getLogger(__name__)

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
    metadata: JsonObject = field(default_factory=dict)
    _has_begun: bool = False

    @property
    def has_begun(self) -> bool:
        """Whether its metadata is written."""
        return self._has_begun

    @property
    def monitor(self) -> ResearchRun:
        """The run itself is told how far the work has come."""
        return self

    def begin(self) -> ReportHeader:
        """Write metadata and configuration."""
        with self.gate.deferred():
            return self._begin()

    def _begin(self) -> ReportHeader:
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
            "code": asdict(code()),
            "packages": made_with.packages,
            "reproduce": self.options.reproduce(self.config, self.folder),
            **told_of_strategy(
                self.options.strategy.facts(self.config),
                rules_hash(self.config),
                self.options.strategy.like,
                self.options.strategy.unlike(self.config),
            ),
            "data": None,
        }
        self.write({CONFIG: self.config.as_dict()})
        self._has_begun = True
        return run_header(self.metadata)

    def reach(self, stage: str, *, done: int, expected: int | None, data: JsonObject | None = None) -> None:
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

    def judge(self, result: Succeeded) -> None:
        """Return no verdict: promotion is of paper sessions."""

    def succeed(self, result: Succeeded) -> JsonObject:
        """Write metrics, report and metadata, and list the run."""
        names = ("created_at", "git_commit", "python_version", "config_path", "config_hash", "request_id")
        header = {"run_id": self.folder.name, "mode": "run", **{name: self.metadata[name] for name in names}}
        self.write(
            result_documents(
                header=header,
                config=self.config.as_dict(),
                reproduce=self.metadata["reproduce"],
                succeeded=result,
                contract_type=RUN_RESULT,
                file_names=FILES,
                data=self.metadata["data"],
            )
        )
        self._finish(
            "success", summary=result.summary, result_digest=result.result_digest, reasons=result.reasons
        )
        self._refresh_index()
        return {"runs_index_json": str((self.folder.parent / research_index.JSON).absolute())}

    def end(self, error: BaseException) -> BaseException:
        """Write how the run ended; returns what its user is told."""
        told, status = error, "failed"
        if isinstance(error, StopRequested):
            message = f"Run {self.folder.name} was stopped by {error.name}; it is recorded as aborted."
            told, status = SessionAbortedError(message), "aborted"
        try:
            self._finish(status, error_type=type(told).__name__, message=message_of(told))
        except QuantlabError as unwritten:
            logger.warning("%s", unwritten)
        return told

    def _finish(self, status: str, **details: object) -> None:
        self.metadata |= {"status": status, "finished_at": iso(self.options.clock()), **details}
        self.write({})

    def _refresh_index(self) -> None:
        """List the run; whatever stands in the way must not turn a recorded success into a failure."""
        try:
            research_index.refresh(self.folder.parent)
        except Exception as error:  # noqa: BLE001 - see above
            told = str(error) if isinstance(error, QuantlabError) else _unlisted(self, error)
            logger.warning("%s The run is whole; the next one brings the index up to date.", told)

    def write(self, documents: dict[str, JsonObject]) -> None:
        """Write the metadata and other JSON documents, each whole."""
        documents = {**documents, METADATA_COPY: self.metadata}
        bundle.write_files(self.folder, {name: json_bytes(one) for name, one in documents.items()})


def run_header(metadata: JsonObject) -> ReportHeader:
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
    strategy, like = metadata.get("strategy", {}), metadata.get("like")
    changed = metadata.get("like_changes")
    header = ReportHeader(
        **known,
        strategy=strategy.get("name", BUILT_IN),
        rule=strategy.get("rule", ""),
        params=strategy.get("params", {}),
        reproduce=metadata["reproduce"],
        layout=layout_of(metadata.get("code")),
        lineage="" if like is None or changed is None else lineage.told(like, changed),
    )
    return at_its_end(header, metadata.get("reasons"), None)


def launch_run(config: RunConfig, options: LaunchOptions) -> Launched:
    """Run a strategy as research.

    Raises:
        ConfigError: the output folder can't be written.
        DataError, StrategyError: after the run's metadata says `failed`.
        SessionAbortedError: a signal stopped it; its metadata says `aborted`.
    """
    signals = SignalFile(options.signal_file, options.request_id)
    gate = StopGate()
    with gate.installed():
        try:
            with gate.deferred():
                folder = new_folder(options.outdir / RUNS, config, "run", options.clock())
        except BaseException as error:
            tell_refused(signals, error, options)
            raise
        result = see_through(config, options, ResearchRun(config, folder, options, gate), gate, signals)
    return Launched(folder.name, folder, RUN_RESULT, result, config)


def _unlisted(run: ResearchRun, error: Exception) -> str:
    return f"{run.folder.parent / research_index.JSON} can't be made ({type(error).__name__}: {error})."
