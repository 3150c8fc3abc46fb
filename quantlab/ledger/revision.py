"""The ledger's schema revision, read off the names of the migrations; loads nothing that a query does without."""

from __future__ import annotations

import os

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - pathlib costs a query more


def migrations_folder() -> str:
    """Return the folder of the migrations that this program was installed or checked out with."""
    shipped = f"{PACKAGE}/migrations"
    return shipped if os.path.isdir(shipped) else f"{os.path.dirname(PACKAGE)}/migrations"  # noqa: PTH112, PTH120


def _newest() -> str:
    names = os.listdir(f"{migrations_folder()}/versions")  # noqa: PTH208 - the same
    return max(name[:4] for name in names if name[:4].isdigit())


HEAD_REVISION = _newest()
"""The newest migration; a test holds it equal to Alembic's own head."""
