"""Contract 8 as data: what each check asks of a row, and what is said when it holds and when it does not.

Everything is made from `CHECKS`: the generated column `promotion_ready`, the view's reasons and blockers, and the
criteria that the command prints; `CAUTIONS` stand beside them. A new check or caution is a line there (and takes effect
in older ledgers with the next migration).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from quantlab.base.values import JsonObject


class Check(NamedTuple):
    """One check of a session's row.

    Attributes:
        holds: SQL; a value that is missing does not hold.
        reason: SQL for what is said when it holds; None for a check that speaks only as a blocker.
        blocker: SQL for what is said when it does not.
        criterion: What the command's `criteria` call it, and what they demand.
        applies: SQL for whether the check applies; None where it always does.
    """

    holds: str
    reason: str | None
    blocker: str
    criterion: tuple[str, object]
    applies: str | None = None


class Caution(NamedTuple):
    """What a reader of a ready session should know beside it; it blocks nothing.

    Attributes:
        code: What it is called.
        unless: SQL for when there is no cause for it; where that is not known, the caution stands.
    """

    code: str
    unless: str


IN_ORDER = "Ready means that the record is in order, never that the strategy is good."
CHECKS = (
    Check(
        "status = 'success'",
        "'status_success'",
        "'status_' || replace(status, ' ', '_')",
        ("required_status", "success"),
    ),
    Check("terminal = true", "'terminal_session'", "'non_terminal'", ("required_terminal", True)),
    Check("mode = 'paper'", "'paper_mode'", "'non_paper_mode'", ("required_mode", "paper")),
    Check("report_present = true", "'report_present'", "'missing_report'", ("required_report_present", True)),
    Check(
        "report_contract_type = 'quantlab.paper.result'",
        "'paper_result_contract'",
        "'unexpected_report_contract'",
        ("required_report_contract_type", "quantlab.paper.result"),
    ),
    Check("error_type IS NULL", "'no_error_type'", "'has_error_type'", ("required_no_error_type", True)),
    Check(
        "price_source <> 'synthetic' AND prices_made_up = false",
        "'market_prices'",
        "'synthetic_prices'",
        ("required_market_prices", True),
        applies="price_source IS NOT NULL",
    ),
    Check(
        "trades > 0",
        "'has_closed_trades'",
        "'no_closed_trades'",
        ("required_closed_trades", True),
        applies="trades IS NOT NULL",
    ),
    Check(
        "lifecycle_amended = false AND figures_amended = false AND files_disagree IS NULL",
        "'unamended'",
        "'amended_outside'",
        ("required_unamended", True),
    ),
    Check(
        "proved_outcome = 'identical'",
        "'proved_identical'",
        "'proof_' || replace(proved_outcome, ' ', '_')",
        ("required_not_disproved", True),
        applies="proved_outcome IS NOT NULL",
    ),
    Check("strategy_doubt IS NULL", None, "'unchecked_strategy'", ("required_checked_strategy", True)),
    Check("data_doubts IS NULL", None, "'doubtful_data'", ("required_undoubted_data", True)),
    Check("unreadable IS NULL", None, "'unreadable_files'", ("required_readable_files", True)),
    Check("vanished_at IS NULL", None, "'vanished'", ("required_folder_present", True)),
    Check("evidence_missing IS NULL", None, "'missing_evidence'", ("required_evidence", True)),
    Check("recorded_elsewhere IS NULL", None, "'recorded_elsewhere'", ("required_recorded_here", True)),
)
HIGH_PARTICIPATION = 0.10
"""The fraction of its bar's volume above which a fill would have moved the price that it was filled at."""
MOST_LATE = 0.05
"""The part of its forward bars that may have come too late to act on."""
CAUTIONS = (
    Caution("loses_money", "total_return > 0"),
    Caution("below_buy_and_hold", "total_return > buy_and_hold_return"),
    Caution("few_trades", "trades >= 30"),
    Caution("short_history", "days >= 365"),
    Caution("sharpe_near_zero", "sharpe_low > 0 OR sharpe_high < 0"),
    Caution("high_participation", f"max_participation <= {HIGH_PARTICIPATION}"),
    Caution("searched", "searched_configurations = 0 AND research_trials IS NOT NULL"),
    Caution("no_forward_bars", "forward_bars > 0"),
    # Where there are no forward bars, none was late: that there are none is a caution of its own.
    Caution("late_bars", f"COALESCE(forward_bars, 0) = 0 OR late_bars <= {MOST_LATE} * forward_bars"),
    Caution("modified_code", "code_modified = false AND COALESCE(code_changes, 0) = 0"),
    Caution("doubtful_clock", "doubtful_clock = false AND (activity_at IS NULL OR activity_at <= {soon})"),
)
"""In the order in which they are told. `{soon}` is the latest time that is still believed, as alerts have it."""
SEARCHED = """\
(SELECT COUNT(DISTINCT trials.rules_hash) FROM session_trials AS trials
    WHERE trials.ticker = paper_sessions.ticker AND trials.start_date < paper_sessions.end_date
      AND trials.end_date > paper_sessions.start_date AND trials.rules_hash <> paper_sessions.rules_hash)"""
"""How many other rules ran in the ledger on overlapping bars of a session's ticker."""
TRIED = "rules_hash IS NOT NULL AND ticker IS NOT NULL AND start_date IS NOT NULL AND end_date IS NOT NULL"
"""Sessions of which it is known what they tried, and on which bars."""


def searched_sql() -> str:
    """Return SQL for how many other rules were tried on a session's bars, research runs included; NULL if unknown."""
    return f"CASE WHEN {TRIED} THEN {SEARCHED} + COALESCE(research_trials, 0) END"


CRITERIA: JsonObject = dict(check.criterion for check in CHECKS)


def ready_sql() -> str:
    """Return SQL for whether every check holds, 1 or 0."""
    conditions = [
        check.holds if check.applies is None else f"(NOT ({check.applies}) OR {check.holds})"
        for check in CHECKS
    ]
    return f"CASE WHEN {' AND '.join(conditions)} THEN 1 ELSE 0 END"


def reasons_sql() -> str:
    """Return SQL for the reasons of a row, separated by spaces."""
    return _words(
        _if_applies(check, f"CASE WHEN {check.holds} THEN ' ' || {check.reason} ELSE '' END")
        for check in CHECKS
        if check.reason is not None
    )


def blockers_sql() -> str:
    """Return SQL for the blockers of a row, separated by spaces."""
    return _words(
        _if_applies(check, f"CASE WHEN {check.holds} THEN '' ELSE ' ' || {check.blocker} END")
        for check in CHECKS
    )


def cautions_sql(soon: str) -> str:
    """Return SQL for the cautions beside a row, separated by spaces.

    Args:
        soon: SQL for the latest time that is still believed.
    """
    return _words(
        f"CASE WHEN {one.unless.format(soon=soon)} THEN '' ELSE ' {one.code}' END" for one in CAUTIONS
    )


def _if_applies(check: Check, word: str) -> str:
    return word if check.applies is None else f"CASE WHEN {check.applies} THEN {word} ELSE '' END"


def _words(parts: Iterable[str]) -> str:
    return f"ltrim({' || '.join(parts)})"
