"""The ledger: events and head, the projection with its counts, and files that may be behind."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from quantlab.ledger.making import seed_head

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WORD = sa.Text().with_variant(sa.String(collation="C"), "postgresql")
READY = """\
CASE WHEN status = 'success' AND terminal = true AND mode = 'paper' AND report_present = true
 AND report_contract_type = 'quantlab.paper.result' AND error_type IS NULL
 AND (price_source IS NULL OR price_source <> 'synthetic') AND (trades IS NULL OR trades > 0)
 AND lifecycle_amended = false AND unreadable IS NULL AND data_doubts IS NULL AND vanished_at IS NULL
 THEN 1 ELSE 0 END"""


def where(condition: str) -> dict[str, Any]:
    """Make an index partial on both engines."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("sequence", KEY, autoincrement=False, nullable=False),
        sa.Column("session_id", WORD, nullable=False),
        sa.Column("session_version", KEY, nullable=False),
        sa.Column("type", WORD, nullable=False),
        sa.Column("schema_version", sa.Integer(), nullable=False),
        sa.Column("occurred_at", WORD, nullable=False),
        sa.Column("actor", WORD, nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("previous_hash", WORD, nullable=False),
        sa.Column("hash", WORD, nullable=False),
        sa.CheckConstraint("session_id <> ''", name="events_session_named"),
        sa.CheckConstraint("length(hash) = 64 AND length(previous_hash) = 64", name="events_hash_length"),
        sa.PrimaryKeyConstraint("sequence"),
        sa.UniqueConstraint("session_id", "session_version", name="events_session_version"),
    )
    op.create_index(
        "events_one_end",
        "events",
        ["session_id"],
        unique=True,
        **where("type IN ('succeeded', 'failed', 'aborted')"),
    )
    op.create_table(
        "ledger_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("ledger_id", WORD, nullable=False),
        sa.Column("sequence", KEY, nullable=False),
        sa.Column("hash", WORD, nullable=False),
        sa.CheckConstraint("id = 1", name="ledger_head_one_row"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "paper_sessions",
        sa.Column("session_id", WORD, nullable=False),
        sa.Column("status", WORD, nullable=False),
        sa.Column("created_at", WORD, nullable=True),
        sa.Column("started_at", WORD, nullable=True),
        sa.Column("updated_at", WORD, nullable=True),
        sa.Column("finished_at", WORD, nullable=True),
        sa.Column("terminal", sa.Boolean(), nullable=True),
        sa.Column("status_reason", sa.Text(), nullable=True),
        sa.Column("duration_seconds", sa.Float(precision=53), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("error_type", sa.Text(), nullable=True),
        sa.Column("report_contract_type", sa.Text(), nullable=True),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("mode", sa.Text(), nullable=True),
        sa.Column("command", sa.Text(), nullable=True),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("ended", sa.Boolean(), nullable=False),
        sa.Column("activity_at", WORD, nullable=True),
        sa.Column("ticker", sa.Text(), nullable=True),
        sa.Column("start_date", sa.Text(), nullable=True),
        sa.Column("end_date", sa.Text(), nullable=True),
        sa.Column("interval", sa.Text(), nullable=True),
        sa.Column("price_source", sa.Text(), nullable=True),
        sa.Column("config_hash", sa.Text(), nullable=True),
        sa.Column("data_hash", sa.Text(), nullable=True),
        sa.Column("data_doubts", sa.Text(), nullable=True),
        sa.Column("config_path", sa.Text(), nullable=True),
        sa.Column("git_commit", sa.Text(), nullable=True),
        sa.Column("python_version", sa.Text(), nullable=True),
        sa.Column("python_executable", sa.Text(), nullable=True),
        sa.Column("host", sa.Text(), nullable=True),
        sa.Column("pid", sa.Integer(), nullable=True),
        sa.Column("process", sa.Text(), nullable=True),
        sa.Column("root", sa.Text(), nullable=True),
        sa.Column("stage", sa.Text(), nullable=True),
        sa.Column("bars_done", KEY, nullable=True),
        sa.Column("bars_expected", KEY, nullable=True),
        sa.Column("report_present", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("total_return", sa.Float(precision=53), nullable=True),
        sa.Column("sharpe_simple", sa.Float(precision=53), nullable=True),
        sa.Column("max_drawdown", sa.Float(precision=53), nullable=True),
        sa.Column("trades", sa.Integer(), nullable=True),
        sa.Column("win_rate", sa.Float(precision=53), nullable=True),
        sa.Column("final_equity", sa.Float(precision=53), nullable=True),
        sa.Column("result_digest", sa.Text(), nullable=True),
        sa.Column("amendments", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("lifecycle_amended", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("unreadable", sa.Text(), nullable=True),
        sa.Column("vanished_at", WORD, nullable=True),
        sa.Column("proved_at", WORD, nullable=True),
        sa.Column("proved_outcome", sa.Text(), nullable=True),
        sa.Column("last_version", KEY, nullable=False),
        sa.Column("last_sequence", KEY, nullable=False),
        sa.Column("promotion_ready", sa.Integer(), sa.Computed(READY, persisted=True), nullable=True),
        sa.PrimaryKeyConstraint("session_id"),
    )
    op.create_index(
        "paper_sessions_blocked",
        "paper_sessions",
        ["activity_at", "session_id"],
        unique=False,
        **where("promotion_ready = 0"),
    )
    op.create_index("paper_sessions_newest", "paper_sessions", ["created_at", "session_id"], unique=False)
    op.create_index(
        "paper_sessions_ready",
        "paper_sessions",
        ["activity_at", "session_id"],
        unique=False,
        **where("promotion_ready = 1"),
    )
    op.create_index(
        "paper_sessions_status", "paper_sessions", ["status", "activity_at", "session_id"], unique=False
    )
    op.create_index("paper_sessions_twins", "paper_sessions", ["config_hash", "data_hash"], unique=False)
    op.create_index(
        "paper_sessions_unknown",
        "paper_sessions",
        ["session_id"],
        unique=False,
        **where("status NOT IN ('running', 'success', 'failed', 'aborted')"),
    )
    op.create_index(
        "paper_sessions_unreadable",
        "paper_sessions",
        ["session_id"],
        unique=False,
        **where("unreadable IS NOT NULL"),
    )
    op.create_index(
        "paper_sessions_vanished",
        "paper_sessions",
        ["session_id"],
        unique=False,
        **where("vanished_at IS NOT NULL"),
    )
    op.create_table(
        "pending_files", sa.Column("session_id", WORD, nullable=False), sa.PrimaryKeyConstraint("session_id")
    )
    op.create_table(
        "session_counts",
        sa.Column("status", WORD, nullable=False),
        sa.Column("ready", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sessions", KEY, nullable=False),
        sa.PrimaryKeyConstraint("status", "ready"),
    )

    seed_head(op.get_bind())


def downgrade() -> None:
    raise NotImplementedError("A ledger only moves forward; restore the backup that the upgrade made.")
