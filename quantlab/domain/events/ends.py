"""How sessions end: one way, and for good."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from quantlab.base.values import JsonObject
from quantlab.domain.columns import Columns, column, replace
from quantlab.domain.events.event import Event, Kind, long_before
from quantlab.domain.names import PAPER_RESULT

if TYPE_CHECKING:
    from quantlab.domain.session import Session


class ResultColumns(Columns):
    """What `Succeeded` brings."""

    buy_and_hold_return: float | None = column(
        "number", "what holding the same bars would have returned, without costs", default=None, export=26
    )
    annual_return: float | None = column("number", "`total_return` as a yearly rate (CAGR)", default=None)
    days: int | None = column("integer", "days of prices that the result stands on", default=None)
    sharpe_low: float | None = column(
        "number",
        "where the 95 % interval of the Sharpe ratio begins, by Mertens' standard error",
        default=None,
    )
    sharpe_high: float | None = column("number", "where it ends", default=None)
    max_participation: float | None = column(
        "number", "the largest fill, as a fraction of its bar's volume", default=None
    )


class Succeeded(Event, frozen=True, kw_only=True):
    """The session completed.

    Attributes:
        summary: The contract's summary figures.
        best_result: The contract's best_result.
        figures: Every figure, by name.
        result_digest: SHA-256 over fills and equity.
        artifacts: Files of the session: file_name, size_bytes, sha256.
        warnings: What a reader should know, a sentence each.
        clock_set_back: Whether its process saw its clock go back by minutes while it ran.
        reasons: How many bars had each reason; None where an earlier version did not count.
        verdict: What promotion said of it as it ended: `ready`, `blockers`, `cautions`, `searched_configurations`.
        repainted: Whether its strategy was seen to change its mind about the past, so that it may know the future.
    """

    name: ClassVar[str] = "succeeded"
    kind: ClassVar[Kind] = Kind.END

    summary: JsonObject
    best_result: JsonObject
    figures: JsonObject
    result_digest: str
    bars: int
    artifacts: list[JsonObject]
    warnings: list[str]
    clock_set_back: bool = False
    reasons: dict[str, int] | None = None
    verdict: JsonObject | None = None
    repainted: bool = False

    def apply(self, session: Session, at: str) -> Session:
        """Return the session with its result."""
        summary = self.summary
        return replace(
            _ended(session, at, "success", "completed"),
            # A forward session may have been proved on its way; that says nothing of the bars since.
            proved_at=None,
            proved_outcome=None,
            stage="succeeded",
            bars_done=self.bars,
            bars_expected=self.bars,
            report_present=True,
            report_contract_type=PAPER_RESULT,
            total_return=summary.get("total_return"),
            sharpe_simple=summary.get("sharpe_simple"),
            max_drawdown=summary.get("max_drawdown"),
            trades=summary.get("trades"),
            win_rate=summary.get("win_rate"),
            final_equity=self.figures.get("final_equity"),
            buy_and_hold_return=self.figures.get("buy_and_hold_return"),
            annual_return=self.figures.get("cagr"),
            days=self.figures.get("days"),
            sharpe_low=self.figures.get("sharpe_low"),
            sharpe_high=self.figures.get("sharpe_high"),
            max_participation=self.figures.get("max_participation"),
            result_digest=self.result_digest,
            strategy_doubt="unchecked_strategy" if self.repainted else session.strategy_doubt,
            doubtful_clock=session.doubtful_clock
            or self.clock_set_back
            or (session.started_at is not None and long_before(at, session.started_at)),
        )


class Failed(Event, frozen=True, kw_only=True):
    """The session ended with an exception."""

    name: ClassVar[str] = "failed"
    kind: ClassVar[Kind] = Kind.END
    line: ClassVar[tuple[str, ...]] = ("error_type", "message")

    error_type: str
    message: str
    exit_code: int

    def apply(self, session: Session, at: str) -> Session:
        """Return the session with what went wrong."""
        ended = _ended(session, at, "failed", "exception")
        return replace(ended, error_type=self.error_type, message=self.message)


class Aborted(Event, frozen=True, kw_only=True):
    """A signal stopped the session, or an operator closed it.

    Attributes:
        message: For people: the signal, or the operator's reason.
        signal: The signal's name; None where an operator closed a dead session.
    """

    name: ClassVar[str] = "aborted"
    kind: ClassVar[Kind] = Kind.END
    line: ClassVar[tuple[str, ...]] = ("message",)

    message: str
    signal: str | None = None
    error_type: str = "SessionAborted"

    def apply(self, session: Session, at: str) -> Session:
        """Return the session with why it was stopped."""
        ended = _ended(session, at, "aborted", "operator_abort")
        return replace(ended, error_type=self.error_type, message=self.message)


def _ended(session: Session, at: str, status: str, reason: str) -> Session:
    return replace(
        session,
        status=status,
        status_reason=reason,
        terminal=True,
        ended=True,
        updated_at=at,
        activity_at=at,
        finished_at=at,
        duration_seconds=seconds_between(session.started_at, at),
        resolved_at=None,
    )


def seconds_between(earlier: str | None, later: str) -> float | None:
    """Return the seconds from one stored time to another, never below zero (a clock may be set back)."""
    if earlier is None:
        return None
    return max(0.0, (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds())
