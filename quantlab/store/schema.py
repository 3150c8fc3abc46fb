"""The tables of a ledger, as SQLAlchemy sees them; migrations make them, a test holds the two equal."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import BigInteger

from quantlab.store.vocabulary import BLOCKED_AND_DONE, ENDS_A_SESSION

metadata = MetaData()

Key = BigInteger().with_variant(Integer(), "sqlite")
Word = Text().with_variant(String(collation="C"), "postgresql")
"""Text that sorts by bytes on both engines: ids and fixed-width times."""

events = Table(
    "events",
    metadata,
    Column("sequence", Key, primary_key=True, autoincrement=False),
    Column("session_id", Word, nullable=False),
    Column("session_version", Key, nullable=False),
    Column("type", Word, nullable=False),
    Column("schema_version", Integer, nullable=False),
    Column("occurred_at", Word, nullable=False),
    Column("actor", Word, nullable=False),
    Column("payload", Text, nullable=False),
    Column("previous_hash", Word, nullable=False),
    Column("hash", Word, nullable=False),
    UniqueConstraint("session_id", "session_version", name="events_session_version"),
    CheckConstraint("length(hash) = 64 AND length(previous_hash) = 64", name="events_hash_length"),
    CheckConstraint("session_id <> ''", name="events_session_named"),
)
Index(
    "events_one_end",
    events.c.session_id,
    unique=True,
    sqlite_where=text(ENDS_A_SESSION),
    postgresql_where=text(ENDS_A_SESSION),
)

ledger_head = Table(
    "ledger_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("ledger_id", Word, nullable=False),
    Column("sequence", Key, nullable=False),
    Column("hash", Word, nullable=False),
    CheckConstraint("id = 1", name="ledger_head_one_row"),
)

READY = """\
CASE WHEN status = 'success' AND terminal = true AND mode = 'paper' AND report_present = true
 AND report_contract_type = 'quantlab.paper.result' AND error_type IS NULL
 AND (price_source IS NULL OR price_source <> 'synthetic') AND (trades IS NULL OR trades > 0)
 AND lifecycle_amended = false AND unreadable IS NULL AND data_doubts IS NULL AND vanished_at IS NULL
 THEN 1 ELSE 0 END"""
"""Contract 8 as one condition; `session_promotion` names the single checks, and a test holds the two equal."""

paper_sessions = Table(
    "paper_sessions",
    metadata,
    Column("session_id", Word, primary_key=True),
    Column("status", Word, nullable=False),
    Column("created_at", Word),
    Column("started_at", Word),
    Column("updated_at", Word),
    Column("finished_at", Word),
    Column("terminal", Boolean(create_constraint=False)),
    Column("status_reason", Text),
    Column("duration_seconds", Float(53)),
    Column("request_id", Text),
    Column("error_type", Text),
    Column("report_contract_type", Text),
    Column("path", Text, nullable=False),
    Column("message", Text),
    Column("mode", Text),
    Column("command", Text),
    Column("origin", Text, nullable=False),
    Column("ended", Boolean(create_constraint=False), nullable=False),
    Column("activity_at", Word),
    Column("ticker", Text),
    Column("start_date", Text),
    Column("end_date", Text),
    Column("interval", Text),
    Column("price_source", Text),
    Column("config_hash", Text),
    Column("data_hash", Text),
    Column("data_doubts", Text),
    Column("config_path", Text),
    Column("git_commit", Text),
    Column("python_version", Text),
    Column("python_executable", Text),
    Column("host", Text),
    Column("pid", Integer),
    Column("process", Text),
    Column("root", Text),
    Column("stage", Text),
    Column("bars_done", Key),
    Column("bars_expected", Key),
    Column("report_present", Boolean(create_constraint=False), nullable=False, server_default=text("false")),
    Column("total_return", Float(53)),
    Column("sharpe_simple", Float(53)),
    Column("max_drawdown", Float(53)),
    Column("trades", Integer),
    Column("win_rate", Float(53)),
    Column("final_equity", Float(53)),
    Column("result_digest", Text),
    Column("amendments", Integer, nullable=False, server_default=text("0")),
    Column(
        "lifecycle_amended", Boolean(create_constraint=False), nullable=False, server_default=text("false")
    ),
    Column("unreadable", Text),
    Column("vanished_at", Word),
    Column("proved_at", Word),
    Column("proved_outcome", Text),
    Column("last_version", Key, nullable=False),
    Column("last_sequence", Key, nullable=False),
    Column("promotion_ready", Integer, Computed(READY, persisted=True)),
)
PROJECTED = tuple(column.name for column in paper_sessions.columns if column.computed is None)
"""The columns that events set; the database computes the rest."""


def _partial(name: str, condition: str, *columns: Column[Any]) -> None:
    Index(name, *columns, sqlite_where=text(condition), postgresql_where=text(condition))


_row = paper_sessions.c
Index("paper_sessions_newest", _row.created_at, _row.session_id)
Index("paper_sessions_status", _row.status, _row.activity_at, _row.session_id)
Index("paper_sessions_twins", _row.config_hash, _row.data_hash)
_partial("paper_sessions_ready", "promotion_ready = 1", _row.activity_at, _row.session_id)
# Running sessions, blocked all of them, are left to the index of statuses: a heartbeat moves a row in one index only.
_partial("paper_sessions_blocked", BLOCKED_AND_DONE, _row.activity_at, _row.session_id)
_partial(
    "paper_sessions_unknown", "status NOT IN ('running', 'success', 'failed', 'aborted')", _row.session_id
)
_partial("paper_sessions_unreadable", "unreadable IS NOT NULL", _row.session_id)
_partial("paper_sessions_vanished", "vanished_at IS NOT NULL", _row.session_id)

session_counts = Table(
    "session_counts",
    metadata,
    Column("status", Word, primary_key=True),
    Column("ready", Integer, primary_key=True, autoincrement=False),
    Column("sessions", Key, nullable=False),
)

pending_files = Table(
    "pending_files",
    metadata,
    Column("session_id", Word, primary_key=True),
)
