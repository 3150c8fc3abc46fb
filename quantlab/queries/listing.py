"""Which sessions are there? Newest first, filtered in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quantlab.queries.rows import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quantlab.store.reader import Reader

Row = dict[str, Any]

_AT = "COALESCE(created_at, started_at, updated_at)"
"""When a session began, as far as it is told: an adopted folder may lack any of these."""
_NEWEST = f"{_AT} DESC NULLS LAST, session_id DESC"
_TWINS = """\
SELECT session_list.*, twins.sessions AS duplicates, twins.agree AS duplicates_agree
FROM session_duplicates AS twins
JOIN session_list ON session_list.config_hash = twins.config_hash AND session_list.data_hash = twins.data_hash"""


def sessions(
    reader: Reader,
    *,
    statuses: Sequence[str] = (),
    ticker: str | None = None,
    since: str | None = None,
    limit: int | None = None,
    duplicates: bool = False,
) -> list[Row]:
    """Return the sessions of the view `session_list`, newest first.

    Args:
        reader: The ledger.
        statuses: Keep these statuses alone; all where empty.
        ticker: Keep this ticker alone.
        since: Keep sessions that began at or after this stored time.
        limit: At most so many.
        duplicates: Keep sessions whose configuration and prices equal another's, side by side; each then
            has `duplicates` (how many there are) and `duplicates_agree` (whether their results are the same; None
            where fewer than two have one).
    """
    sql, parameters = listing_sql(
        statuses=statuses, ticker=ticker, since=since, limit=limit, duplicates=duplicates
    )
    return [_shown(row, reader) for row in reader.rows(sql, **parameters)]


def listing_sql(
    *,
    statuses: Sequence[str],
    ticker: str | None,
    since: str | None,
    limit: int | None,
    duplicates: bool,
) -> tuple[str, dict[str, Any]]:
    """Return the query of `sessions` and its parameters."""
    parameters: dict[str, Any] = {f"status_{place}": status for place, status in enumerate(statuses)}
    given = {"ticker": ticker, "since": since, "most": limit}
    parameters |= {name: value for name, value in given.items() if value is not None}
    most = "\nLIMIT :most" if "most" in parameters else ""
    if duplicates:
        asked = f"{_TWINS}{_where(parameters, _AT)}"
        return (
            f"SELECT * FROM (\n{asked}) AS twins\nORDER BY config_hash, data_hash, {_NEWEST}{most}",
            parameters,
        )
    # The index of times of creation serves all but the sessions that have none, of which there are few.
    dated = f"SELECT * FROM session_list{_where(parameters, 'created_at', 'created_at IS NOT NULL')}"
    dated += f"\nORDER BY created_at DESC, session_id DESC{most}"
    undated = f"SELECT * FROM session_list{_where(parameters, _AT, 'created_at IS NULL')}"
    both = f"SELECT * FROM (\n{dated}) AS dated\nUNION ALL\n{undated}"
    return f"SELECT * FROM (\n{both}) AS listed\nORDER BY {_NEWEST}{most}", parameters


def _where(parameters: dict[str, Any], at: str, *conditions: str) -> str:
    """Return the condition that the parameters set.

    Args:
        parameters: By the names in which they are bound.
        at: SQL of the time that `since` is held against.
        conditions: Further ones.
    """
    statuses = ", ".join(f":{name}" for name in parameters if name.startswith("status_"))
    asked = [
        *conditions,
        *([f"status IN ({statuses})"] if statuses else []),
        *(["ticker = :ticker"] if "ticker" in parameters else []),
        *([f"{at} >= :since"] if "since" in parameters else []),
    ]
    return f"\nWHERE {' AND '.join(asked)}" if asked else ""


def _shown(row: Row, reader: Reader) -> Row:
    if row.get("duplicates_agree") is not None:
        row["duplicates_agree"] = bool(row["duplicates_agree"])
    row["promotion_ready"] = bool(row["promotion_ready"])
    return shown(row, reader.location)
