"""Contract 8 as data: what each check asks of a row, and what is said when it holds and when it does not.

The generated column `promotion_ready` answers all of them at once, for the indexes; a test holds the two equal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class Check(NamedTuple):
    """One check of a session's row.

    Attributes:
        holds: SQL; a value that is missing does not hold.
        reason: SQL for what is said when it holds; None for a check that speaks only as a blocker.
        blocker: SQL for what is said when it does not.
        applies: SQL for whether the check applies at all.
    """

    holds: str
    reason: str | None
    blocker: str
    applies: str = "true"


CHECKS = (
    Check("status = 'success'", "'status_success'", "'status_' || replace(status, ' ', '_')"),
    Check("terminal = true", "'terminal_session'", "'non_terminal'"),
    Check("mode = 'paper'", "'paper_mode'", "'non_paper_mode'"),
    Check("report_present = true", "'report_present'", "'missing_report'"),
    Check(
        "report_contract_type = 'quantlab.paper.result'",
        "'paper_result_contract'",
        "'unexpected_report_contract'",
    ),
    Check("error_type IS NULL", "'no_error_type'", "'has_error_type'"),
    Check("price_source <> 'synthetic'", "'market_prices'", "'synthetic_prices'", "price_source IS NOT NULL"),
    Check("trades > 0", "'has_closed_trades'", "'no_closed_trades'", "trades IS NOT NULL"),
    Check("lifecycle_amended = false", "'unamended'", "'amended_outside'"),
    Check("unreadable IS NULL", None, "'unreadable_files'"),
    Check("data_doubts IS NULL", None, "'doubtful_data'"),
    Check("vanished_at IS NULL", None, "'vanished'"),
)


def reasons_sql() -> str:
    """Return SQL for the reasons of a row, separated by spaces."""
    return _words(
        f"CASE WHEN {one.applies} AND {one.holds} THEN ' ' || {one.reason} ELSE '' END"
        for one in CHECKS
        if one.reason is not None
    )


def blockers_sql() -> str:
    """Return SQL for the blockers of a row, separated by spaces."""
    return _words(
        f"CASE WHEN {one.applies} THEN CASE WHEN {one.holds} THEN '' ELSE ' ' || {one.blocker} END"
        " ELSE '' END"
        for one in CHECKS
    )


def _words(parts: Iterable[str]) -> str:
    return f"ltrim({' || '.join(parts)})"
