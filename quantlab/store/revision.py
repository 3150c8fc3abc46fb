"""The ledger's schema revision, in a module that loads nothing, so that a query's start-up check costs nothing."""

from __future__ import annotations

HEAD_REVISION = "0005"
"""The newest migration; a test holds it equal to Alembic's own head."""
