"""`paper_sessions` has a column for the session or run that a session was begun like: `like_id`.

The projection is made anew from the events at the end of every migration, so older sessions have it too.
"""

from __future__ import annotations

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Leave it to the end of the migration."""


def downgrade() -> None:
    raise NotImplementedError("A ledger only moves forward; restore the backup that the upgrade made.")
