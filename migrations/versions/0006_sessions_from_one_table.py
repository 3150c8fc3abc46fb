"""`paper_sessions` is made anew, from the declarations of its columns, and filled from the events.

From here on no migration lists the projection's columns: every migration ends by making today's projection from the
events, as it does with guards and views (`quantlab.ledger.making.rebuild`). So a new column, or another rule of
promotion, takes a declaration and the next revision. Until 0.2.0 is released, that revision is this one: what comes
until then belongs to it.
"""

from __future__ import annotations

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Leave it to the end of the migration."""


def downgrade() -> None:
    raise NotImplementedError("A ledger only moves forward; restore the backup that the upgrade made.")
