"""Running sessions leave the index of those that promotion blocks: a heartbeat moves its session in one index only."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BLOCKED_AND_DONE = sa.text("promotion_ready = 0 AND status <> 'running'")


def upgrade() -> None:
    """Make the index anew, over fewer rows."""
    op.drop_index("paper_sessions_blocked", "paper_sessions")
    op.create_index(
        "paper_sessions_blocked",
        "paper_sessions",
        ["activity_at", "session_id"],
        unique=False,
        sqlite_where=BLOCKED_AND_DONE,
        postgresql_where=BLOCKED_AND_DONE,
    )


def downgrade() -> None:
    raise NotImplementedError("A ledger only moves forward; restore the backup that the upgrade made.")
