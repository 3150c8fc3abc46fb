"""The views of alerts tell a session that fell silent after an alert of it was resolved.

Views are made anew at the end of every migration; tables stay.
"""

from __future__ import annotations

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Leave it to the end of the migration."""


def downgrade() -> None:
    raise NotImplementedError("A ledger only moves forward; restore the backup that the upgrade made.")
