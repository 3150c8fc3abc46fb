"""The words that views, queries and commands share, in a module that loads nothing."""

from __future__ import annotations

SUMMARY = (
    "session_id",
    "status",
    "created_at",
    "started_at",
    "updated_at",
    "finished_at",
    "terminal",
    "status_reason",
    "duration_seconds",
    "request_id",
    "error_type",
    "report_contract_type",
    "path",
)
"""The columns of contract 5, in its order."""

OURS = (
    "message",
    "mode",
    "command",
    "origin",
    "ended",
    "activity_at",
    "ticker",
    "start_date",
    "end_date",
    "interval",
    "price_source",
    "config_hash",
    "data_hash",
    "data_doubts",
    "config_path",
    "git_commit",
    "python_version",
    "python_executable",
    "host",
    "pid",
    "process",
    "root",
    "stage",
    "bars_done",
    "bars_expected",
    "report_present",
    "total_return",
    "sharpe_simple",
    "max_drawdown",
    "trades",
    "win_rate",
    "final_equity",
    "result_digest",
    "amendments",
    "lifecycle_amended",
    "unreadable",
    "vanished_at",
    "proved_at",
    "proved_outcome",
    "last_version",
    "last_sequence",
)
"""The other columns of `paper_sessions` that events set."""

STALE_MINUTES = 60
"""After how many minutes without an event the view `session_alerts` calls a running session stale."""

DOUBTFUL_MINUTES = 5
"""How far in the future a time may lie before it is not believed: clocks differ by seconds, not by minutes."""

NEWEST = "activity_at DESC NULLS LAST, session_id DESC"
"""Latest first, as contract 6 means it; sessions without any time come last."""


def newest(columns: str, source: str, condition: str, most: str) -> str:
    """Return SQL for the latest rows that meet a condition, in no particular order.

    Rows without a time are looked for apart: PostgreSQL can't walk an index backwards and have them come last.

    Args:
        columns: What to select; `activity_at` and `session_id` among them.
        source: A table or view.
        condition: What has to hold, such as an index's own condition.
        most: How many of either kind.
    """
    rows = f"SELECT {columns} FROM {source} WHERE {condition} AND activity_at IS"
    return (
        f"SELECT * FROM ({rows} NOT NULL ORDER BY activity_at DESC, session_id DESC LIMIT {most}) AS dated"
        f" UNION ALL SELECT * FROM ({rows} NULL ORDER BY session_id DESC LIMIT {most}) AS undated"
    )


ENDS_A_SESSION = "type <> 'heartbeat' AND type IN ('succeeded', 'failed', 'aborted')"
"""Which events end a session, as SQL, as its index has it: a heartbeat, as most events are, is passed at one word."""

BLOCKED_AND_DONE = "promotion_ready = 0 AND status <> 'running'"
"""Every session that promotion blocks, less those that run and so are blocked anyway; as SQL, as its index has it."""

KNOWN = "('running', 'success', 'failed', 'aborted')"
"""The statuses that QuantLab gives, as SQL. Literal, because a bound list would miss the partial index."""
