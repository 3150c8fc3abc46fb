"""The tables of a ledger, as SQLAlchemy sees them; migrations make them, a test holds the two equal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
from sqlalchemy.types import BigInteger, TypeEngine

from quantlab.domain.promotion import ready_sql
from quantlab.domain.session import COLUMNS
from quantlab.domain.vocabulary import BLOCKED_AND_DONE, DISPROVED, KNOWN
from quantlab.ledger.sql.guards import ENDS_A_SESSION

if TYPE_CHECKING:
    from quantlab.domain import columns

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

_TYPES: dict[str, TypeEngine[Any]] = {
    "word": Word,
    "time": Word,
    "text": Text(),
    "number": Float(53),
    "integer": Integer(),
    "key": Key,
    "flag": Boolean(create_constraint=False),
}


def _column(one: columns.Column) -> Column[Any]:
    """Return a column as the projection's table has it; a flag or count that starts at nothing does so by itself."""
    counts_up = not one.nullable and one.has_default and one.default in (False, 0)
    return Column(
        one.name,
        _TYPES[one.type],
        primary_key=one.name == "session_id",
        nullable=one.nullable,
        server_default=text(str(one.default).lower()) if counts_up else None,
    )


paper_sessions = Table(
    "paper_sessions",
    metadata,
    *[_column(one) for one in COLUMNS],
    Column("promotion_ready", Integer, Computed(ready_sql(), persisted=True)),
)


def _partial(name: str, condition: str, *columns: Column[Any]) -> None:
    Index(name, *columns, sqlite_where=text(condition), postgresql_where=text(condition))


_row = paper_sessions.c
Index("paper_sessions_newest", _row.created_at, _row.session_id)
Index("paper_sessions_status", _row.status, _row.activity_at, _row.session_id)
_twins = (_row.rules_hash, _row.start_date, _row.end_date, _row.initial_cash, _row.data_hash)
Index("paper_sessions_twins", *_twins)
# Whether a later success superseded a failure, by request or by configuration: a look into one of these.
_partial("paper_sessions_done_request", "status = 'success'", _row.request_id, _row.activity_at)
_partial("paper_sessions_done_config", "status = 'success'", _row.config_hash, _row.activity_at)
_partial(
    "paper_sessions_results",
    "result_digest IS NOT NULL",
    *_twins,
    _row.result_digest,
)
_partial("paper_sessions_synthetic", "price_source = 'synthetic'", _row.data_hash)
_partial("paper_sessions_disproved", DISPROVED, _row.session_id)
_partial("paper_sessions_ready", "promotion_ready = 1", _row.activity_at, _row.session_id)
# Running sessions, blocked all of them, are left to the index of statuses: a heartbeat moves a row in one index only.
_partial("paper_sessions_blocked", BLOCKED_AND_DONE, _row.activity_at, _row.session_id)
_partial("paper_sessions_unknown", f"status NOT IN {KNOWN}", _row.session_id)
_partial("paper_sessions_unreadable", "unreadable IS NOT NULL", _row.session_id)
_partial("paper_sessions_vanished", "vanished_at IS NOT NULL", _row.session_id)

session_counts = Table(
    "session_counts",
    metadata,
    Column("status", Word, primary_key=True),
    Column("ready", Integer, primary_key=True, autoincrement=False),
    Column("sessions", Key, nullable=False),
)

session_trials = Table(
    "session_trials",
    metadata,
    Column("ticker", Text, primary_key=True),
    Column("start_date", Text, primary_key=True),
    Column("end_date", Text, primary_key=True),
    Column("rules_hash", Word, primary_key=True),
)
"""Which rules ran on which bars: what is tried is counted here, for sessions can be many and trials are few."""

pending_files = Table(
    "pending_files",
    metadata,
    Column("session_id", Word, primary_key=True),
)
