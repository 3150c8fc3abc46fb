"""Which sessions are there? Newest first, filtered in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quantlab.queries.rows import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quantlab.store.reader import Reader

Row = dict[str, Any]

_NEWEST = "created_at DESC NULLS LAST, session_id DESC"
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
        since: Keep sessions created at or after this stored time.
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
    conditions, parameters = _conditions(statuses, ticker, since)
    sql = _TWINS if duplicates else "SELECT * FROM session_list"
    if conditions:
        sql += f"\nWHERE {' AND '.join(conditions)}"
    order = f"config_hash, data_hash, {_NEWEST}" if duplicates else _NEWEST
    sql += f"\nORDER BY {_qualified(order) if duplicates else order}"
    if limit is not None:
        sql += "\nLIMIT :most"
        parameters["most"] = limit
    return sql, parameters


def _conditions(
    statuses: Sequence[str], ticker: str | None, since: str | None
) -> tuple[list[str], dict[str, Any]]:
    conditions: list[str] = []
    parameters: dict[str, Any] = {}
    if statuses:
        named = {f"status_{place}": status for place, status in enumerate(statuses)}
        conditions.append(f"session_list.status IN ({', '.join(f':{name}' for name in named)})")
        parameters |= named
    if ticker is not None:
        conditions.append("session_list.ticker = :ticker")
        parameters["ticker"] = ticker
    if since is not None:
        conditions.append("session_list.created_at >= :since")
        parameters["since"] = since
    return conditions, parameters


def _qualified(order: str) -> str:
    return ", ".join(f"session_list.{column}" for column in order.split(", "))


def _shown(row: Row, reader: Reader) -> Row:
    if row.get("duplicates_agree") is not None:
        row["duplicates_agree"] = bool(row["duplicates_agree"])
    row["promotion_ready"] = bool(row["promotion_ready"])
    return shown(row, reader.location)
