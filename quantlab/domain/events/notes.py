"""What is noted of a session beside its life: of its folder, and of a second run. Notes may follow its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from quantlab.base.values import JsonObject
from quantlab.domain.columns import Columns, column, replace
from quantlab.domain.events.event import Event, Kind
from quantlab.domain.names import METADATA, METADATA_COPY, METRICS, REPORT

if TYPE_CHECKING:
    from quantlab.domain.session import Session


FIGURES = frozenset(
    [
        *("total_return", "sharpe_simple", "max_drawdown", "trades", "win_rate", "final_equity"),
        *("buy_and_hold_return", "annual_return", "days", "sharpe_low", "sharpe_high", "max_participation"),
        *("result_digest", "data_hash"),
    ]
)
"""Columns that say what came of a session: an edit never replaces what the ledger recorded of them."""
KEPT = FIGURES | {
    *("ticker", "start_date", "end_date", "interval", "price_source", "config_hash", "config_path"),
    *("strategy", "strategy_params", "strategy_doubt", "rules_hash", "initial_cash", "like_id"),
    *("code_version", "code_digest", "code_modified", "git_commit", "python_version", "python_executable"),
}
"""Those, and what says of what the session was: what an edit makes of them is shown beside, not in their place."""
_RESULTS = frozenset(["summary", "best_result", "figures", "results", "result_digest", "data"])
_WITH_RESULTS = frozenset([METADATA, METADATA_COPY, METRICS, REPORT])


class EditColumns(Columns):
    """What `Amended` brings beside the fields that it edits."""

    figures_amended: bool = column(
        "flag",
        "whether a figure was edited; the row keeps what the ledger recorded",
        default=False,
        from_folder=False,
    )


class Amended(Event, frozen=True, kw_only=True):
    """A file of the session was edited outside the program.

    Attributes:
        file: Its name, relative to the session's folder.
        changes: Field -> {"before": …, "after": …}; for a file that is no JSON object, the field `sha256`.
        fields: Columns of the projection that the edit changes, with their new values.
        lifecycle: Whether a lifecycle field was among them.
        digest: SHA-256 of the file as it is now.
        results: Whether a file of results, such as trades.csv, is another than the session wrote.
    """

    name: ClassVar[str] = "amended"
    kind: ClassVar[Kind] = Kind.ANNOTATION
    line: ClassVar[tuple[str, ...]] = ("file",)

    file: str
    changes: dict[str, JsonObject]
    fields: JsonObject
    lifecycle: bool
    digest: str | None = None
    results: bool = False

    def edits_figures(self) -> bool:
        """Tell whether the edit changes what is shown of a result, in a document or in a file of its own."""
        if self.results or self.file not in _WITH_RESULTS:
            return self.results
        contract = self.changes.get("machine_contract", {})
        return not _RESULTS.isdisjoint(self.changes) or _summary(contract, "before") != _summary(
            contract, "after"
        )

    def brought_in(self, session: Session) -> JsonObject:
        """Return the columns that take the edit's value: an adopted folder may still tell what it had not told."""
        untold = session.origin == "adopted"
        return {
            name: value
            for name, value in session.tellable(self.fields).items()
            if name not in KEPT or (untold and getattr(session, name) is None)
        }

    def apply(self, session: Session, at: str) -> Session:  # noqa: ARG002 - only the folder's own times count
        """Return the session as its edited files tell it, with the figures that were recorded."""
        told = self.brought_in(session)
        amended = replace(
            replace(session, **told),
            amendments=session.amendments + 1,
            lifecycle_amended=session.lifecycle_amended or self.lifecycle,
            figures_amended=session.figures_amended or self.edits_figures(),
            resolved_at=None if self.lifecycle else session.resolved_at,
        )
        if told.keys().isdisjoint(("updated_at", "created_at")):
            return amended
        return replace(amended, activity_at=amended.updated_at or amended.created_at)


def _summary(change: JsonObject, moment: str) -> object:
    section = change.get(moment)
    return section.get("summary") if isinstance(section, dict) else None


class Vanished(Event, frozen=True, kw_only=True):
    """The session's folder is no longer where it was."""

    name: ClassVar[str] = "vanished"
    kind: ClassVar[Kind] = Kind.ANNOTATION
    line: ClassVar[tuple[str, ...]] = ("folder",)

    folder: str

    def apply(self, session: Session, at: str) -> Session:
        """Return the session with no folder."""
        return replace(session, vanished_at=at, report_present=False)


class Found(Event, frozen=True, kw_only=True):
    """A folder that had vanished, or was renamed, is here.

    Attributes:
        root: The root's absolute path now, where a root of a shared ledger was moved or came to it; else None.
        host: The root's host, with it.
    """

    name: ClassVar[str] = "found"
    kind: ClassVar[Kind] = Kind.ANNOTATION
    line: ClassVar[tuple[str, ...]] = ("folder",)

    folder: str
    root: str | None = None
    host: str | None = None

    def apply(self, session: Session, at: str) -> Session:  # noqa: ARG002 - when does not matter
        """Return the session where its folder is."""
        return replace(
            session,
            vanished_at=None,
            path=self.folder,
            root=session.root if self.root is None else self.root,
            host=session.host if self.host is None else self.host,
            report_present=session.report_contract_type is not None,
        )


class ProofColumns(Columns):
    """What `Proved` brings."""

    proved_at: str | None = column("time", "when it was last run again", default=None, from_folder=False)
    proved_outcome: str | None = column(
        "text",
        "whether the result was `identical`, `different`, or could not be had (`impossible`)",
        default=None,
        export=21,
        from_folder=False,
    )


class Proved(Event, frozen=True, kw_only=True):
    """The session was run again from what it kept.

    Attributes:
        outcome: `identical`, `different` or `impossible`.
        detail: The first differing bar and field, or why it could not be run.
        result_digest: What the second run gave.
    """

    name: ClassVar[str] = "proved"
    kind: ClassVar[Kind] = Kind.ANNOTATION
    line: ClassVar[tuple[str, ...]] = ("outcome", "detail")

    outcome: str
    detail: str
    result_digest: str | None = None

    def apply(self, session: Session, at: str) -> Session:
        """Return the session with the proof."""
        return replace(session, proved_at=at, proved_outcome=self.outcome, resolved_at=None)


class ResolutionColumns(Columns):
    """What `Resolved` brings."""

    resolved_at: str | None = column(
        "time",
        "when an operator said that its alerts need nobody any more; what happens after that is a new alert",
        default=None,
        from_folder=False,
    )


class Resolved(Event, frozen=True, kw_only=True):
    """An operator said that the session's alerts need nobody any more.

    Attributes:
        reason: Why, in the operator's own words.
    """

    name: ClassVar[str] = "resolved"
    kind: ClassVar[Kind] = Kind.ANNOTATION
    line: ClassVar[tuple[str, ...]] = ("reason",)

    reason: str

    def apply(self, session: Session, at: str) -> Session:
        """Return the session with its alerts cleared."""
        return replace(session, resolved_at=at)
