"""The words that views, queries and commands share, in a module that loads nothing."""

from __future__ import annotations

STALE_MINUTES = 60
"""After how many minutes without an event the view `session_alerts` calls a running session stale."""

DOUBTFUL_MINUTES = 5
"""How far in the future a time may lie before it is not believed: clocks differ by seconds, not by minutes."""

TWINS = "rules_hash, start_date, end_date, initial_cash, data_hash"
"""What sessions have in common that have to come to the same result, as SQL: what was tried, and on which prices."""
ARE_TWINS = "rules_hash IS NOT NULL AND data_hash IS NOT NULL AND initial_cash IS NOT NULL"
"""Sessions that can have such twins."""


def newest_first(soon: str) -> str:
    """Return SQL for the order of latest first, as contract 6 means it.

    Sessions without any time come last, and so do those whose time lies so far in the future that it is no time: a
    wrong clock makes no session the latest for ever.

    Args:
        soon: SQL for the latest time that is still believed.
    """
    return f"CASE WHEN activity_at <= {soon} THEN activity_at END DESC NULLS LAST, session_id DESC"


def newest(columns: str, source: str, condition: str, most: str, soon: str) -> str:
    """Return SQL for the latest rows that meet a condition, in no particular order.

    Rows without a time are looked for apart: PostgreSQL can't walk an index backwards and have them come last.
    So are those whose time can't be believed.

    Args:
        columns: What to select; `activity_at` and `session_id` among them.
        source: A table or view.
        condition: What has to hold, such as an index's own condition.
        most: How many of either kind.
        soon: SQL for the latest time that is still believed.
    """
    rows = f"SELECT {columns} FROM {source} WHERE {condition} AND activity_at"
    return (
        f"SELECT * FROM ({rows} <= {soon} ORDER BY activity_at DESC, session_id DESC LIMIT {most}) AS dated"
        f" UNION ALL SELECT * FROM ({rows} > {soon} ORDER BY activity_at DESC, session_id DESC LIMIT {most}) AS ahead"
        f" UNION ALL SELECT * FROM ({rows} IS NULL ORDER BY session_id DESC LIMIT {most}) AS undated"
    )


BLOCKED_AND_DONE = "promotion_ready = 0 AND status <> 'running'"
"""Every session that promotion blocks, less those that run and so are blocked anyway; as SQL, as its index has it."""

DISPROVED = "proved_outcome IN ('different', 'impossible')"
"""Sessions whose last proof did not bear their result out; as SQL, as its index has it."""

KNOWN = "('running', 'success', 'failed', 'aborted')"
"""The statuses that QuantLab gives, as SQL. Literal, because a bound list would miss the partial index."""
