"""The program as it will be one day: with a further migration, so that the ledgers of today are older ones."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from quantlab.ledger import migrate
from quantlab.ledger.revision import HEAD_REVISION, migrations_folder

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

LATER = "9000"


def become_later(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let the program have a further migration, which lies in a folder of its own."""
    shutil.copytree(migrations_folder(), folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / f"{LATER}_later.py").write_text(
        f"from alembic import op\nrevision = '{LATER}'\ndown_revision = '{HEAD_REVISION}'\n"
        "def upgrade() -> None:\n    op.execute('CREATE TABLE later (x integer)')\n"
    )
    monkeypatch.setattr(migrate, "migrations_folder", lambda: folder)
    monkeypatch.setattr(migrate, "HEAD_REVISION", LATER)
