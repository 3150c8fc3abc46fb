"""How sessions begin: by a process of ours, or as a folder that was found."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import msgspec

from quantlab.base.values import JsonObject
from quantlab.domain.columns import Columns, column, replace
from quantlab.domain.config import BUILT_IN_PARAMETERS, BUILT_IN_STRATEGY, RunConfig, rules_hash
from quantlab.domain.events.event import Event, Kind, long_before
from quantlab.domain.forward import ForwardTerms
from quantlab.domain.names import CONFIG, METADATA, METADATA_COPY, METRICS, REPORT, STATUS, TRADES

if TYPE_CHECKING:
    from quantlab.domain.session import Session


class StartColumns(Columns):
    """What `Started` brings."""

    kind: str | None = column(
        "word",
        "`replay` of a range of history, or `forward`, which follows the market; NULL for adopted folders",
        default=None,
        export=27,
        from_folder=False,
    )
    code_version: str | None = column("text", "the version of QuantLab that ran it", default=None)
    code_digest: str | None = column("text", "SHA-256 over the source that ran it", default=None)
    code_modified: bool | None = column(
        "flag",
        "whether that source is another than its commit or its wheel says; NULL where nobody can tell",
        default=None,
    )
    strategy_doubt: str | None = column(
        "text", "`unchecked_strategy`, `unchecked_signals`, or NULL: whether it may look ahead", default=None
    )
    rules_hash: str | None = column(
        "word",
        "equal hashes: equal strategy, parameters, costs, fill, rest and interval, whatever the market and range",
        default=None,
    )
    initial_cash: float | None = column("number", default=None)
    like_id: str | None = column(
        "text", "the session or research run whose configuration it was begun with (`--like`)", default=None
    )
    research_trials: int | None = column(
        "integer",
        "other rules that research runs beside it had tried on overlapping bars, counted at its launch",
        default=None,
        from_folder=False,
    )
    doubtful_clock: bool = column(
        "flag",
        "whether a time of it lies more than five minutes before the one that came before it, or after its recording",
        default=False,
        from_folder=False,
    )
    evidence_missing: str | None = column(
        "text",
        "what an adopted folder lacks of what a session leaves, words separated by spaces",
        default=None,
        from_folder=False,
    )
    files_disagree: str | None = column(
        "text",
        "where the files of an adopted folder contradict each other, a line each",
        default=None,
        from_folder=False,
    )


class Started(Event, frozen=True, kw_only=True):
    """A process began a session.

    Attributes:
        config: The whole configuration, as config.json lists it.
        folder: The session's folder, relative to the root.
        root: The root's absolute path on that host, for ledgers that several roots share.
        process: Identity of the process beyond its pid (boot and start time), where the system tells.
        packages: Versions of the packages that results depend on.
        reproduce: A command line that runs the session again.
        code: The program's own code: version, git_commit, git_dirty, digest and whether it was modified.
        strategy: Its `name`, `params` (defaults included), `digest`, `kind`, its `rule`, and of a user's whether it is
            `checked`.
        rules_hash: The variant that is tried, whatever the market, range, prices and cash.
        like: The run or session whose configuration was taken: `id`, `config_hash`, `result_digest`.
        like_changes: The settings that are others than there, each with its value there; None where nothing was taken.
        forward: How it follows the market; None for a replay of history.
        ledger: The id of the ledger that recorded it, which its files carry wherever they go.
        research_trials: How many other rules research runs beside it had tried on overlapping bars of the ticker.
        clock_before: When the event before it in the ledger happened, where that is minutes later than this one.
    """

    name: ClassVar[str] = "started"
    kind: ClassVar[Kind] = Kind.BIRTH

    config: JsonObject
    config_hash: str
    folder: str
    root: str
    host: str
    pid: int
    process: str | None
    request_id: str | None
    git_commit: str | None
    code_version: str
    python_version: str
    python_executable: str
    packages: dict[str, str]
    reproduce: str
    config_path: str = "inline_cli"
    code: JsonObject | None = None
    strategy: JsonObject | None = None
    rules_hash: str | None = None
    like: JsonObject | None = None
    like_changes: JsonObject | None = None
    forward: ForwardTerms | None = None
    ledger: str | None = None
    research_trials: int | None = None
    clock_before: str | None = None

    def apply(self, session: Session, at: str) -> Session:
        """Return the running session."""
        config = self.config
        strategy, params = self._named()
        return replace(
            session,
            mode="paper",
            command="paper",
            status="running",
            status_reason="active",
            terminal=False,
            ended=False,
            origin="session",
            created_at=at,
            started_at=at,
            updated_at=at,
            activity_at=at,
            request_id=self.request_id,
            path=self.folder,
            ticker=config.get("ticker"),
            start_date=config.get("start"),
            end_date=config.get("end"),
            interval=config.get("interval"),
            price_source=config.get("prices"),
            config_hash=self.config_hash,
            config_path=self.config_path,
            code_version=self.code_version,
            code_digest=(self.code or {}).get("digest"),
            code_modified=(self.code or {}).get("modified"),
            research_trials=self.research_trials,
            like_id=(self.like or {}).get("id"),
            doubtful_clock=self.clock_before is not None,
            **self.variant(),
            git_commit=self.git_commit,
            python_version=self.python_version,
            python_executable=self.python_executable,
            host=self.host,
            pid=self.pid,
            process=self.process,
            root=self.root,
            stage="started",
            bars_done=0,
            kind="replay" if self.forward is None else "forward",
            drives=None if self.forward is None else 1,
            strategy=strategy,
            strategy_params=params,
        )

    def _named(self) -> tuple[str, str]:
        """Return strategy and parameters as columns; earlier versions told them in the configuration alone."""
        told = self.strategy or {}
        name = told.get("name", self.config.get("strategy", BUILT_IN_STRATEGY))
        params = told.get("params", self.config.get("strategy_params"))
        if params is None:
            params = {
                one: self.config[one] for one in BUILT_IN_PARAMETERS if self.config.get(one) is not None
            }
        return str(name), msgspec.json.encode(params, order="sorted").decode()

    def variant(self) -> JsonObject:
        """Return what the event tells of the variant that is tried, by the names of columns.

        They are `rules_hash`, `initial_cash` and, blocking promotion, `strategy_doubt`: `unchecked_strategy`,
        `unchecked_signals` or None. Of what earlier versions recorded they follow from the configuration, which was the
        built-in's.
        """
        try:
            config = RunConfig.as_recorded(self.config)
        except msgspec.ValidationError:  # what another version recorded, this one may not be able to read
            return {}
        told = self.strategy or {}
        doubts = {"signals": "unchecked_signals"}
        unchecked = None if told.get("checked", True) else "unchecked_strategy"
        return {
            "rules_hash": self.rules_hash or rules_hash(config),
            "initial_cash": config.initial_cash,
            "strategy_doubt": doubts.get(told.get("kind", ""), unchecked),
        }


class Adopted(Event, frozen=True, kw_only=True):
    """A folder that the ledger had not seen was brought in.

    Attributes:
        folder: The folder, relative to the root.
        terminal: Whether the folder says that the session has ended.
        fields: Columns of the projection as far as the folder tells them.
        documents: The lifecycle documents as they were read, by file name.
        digests: SHA-256 of each file that was read, by file name.
        unreadable: Names of the files that could not be read.
        evidence: Of a folder that succeeded, what of a session's files is `missing`, and where they `disagree`.
    """

    name: ClassVar[str] = "adopted"
    kind: ClassVar[Kind] = Kind.BIRTH
    line: ClassVar[tuple[str, ...]] = ("folder",)

    folder: str
    terminal: bool
    fields: JsonObject
    documents: JsonObject
    digests: dict[str, str]
    unreadable: list[str]
    evidence: dict[str, list[str]] | None = None

    def _missing(self, session: Session) -> list[str]:
        """Return what is missing; of what earlier versions adopted, as far as they noted which files were there."""
        if self.evidence is not None:
            return self.evidence["missing"]
        if session.status != "success":
            return []
        metadata = METADATA if METADATA in self.digests else METADATA_COPY
        names = (metadata, STATUS, CONFIG, METRICS, REPORT, TRADES)
        return [name for name in names if name not in self.digests]

    def apply(self, session: Session, at: str) -> Session:
        """Return the session as its folder tells it."""
        found = replace(
            session,
            origin="adopted",
            path=self.folder,
            terminal=self.terminal,
            ended=self.terminal,
            unreadable="\n".join(self.unreadable) or None,
        )
        told = replace(found, **session.tellable(self.fields))
        times = (told.created_at, told.started_at, told.updated_at, told.finished_at)
        return replace(
            told,
            activity_at=told.updated_at or told.created_at,
            evidence_missing=" ".join(self._missing(told)) or None,
            files_disagree="\n".join((self.evidence or {}).get("disagree", ())) or None,
            doubtful_clock=any(time is not None and long_before(at, time) for time in times),
        )
