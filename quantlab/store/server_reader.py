"""Read a ledger on a server: one repeatable, read-only transaction through SQLAlchemy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from quantlab.store import postgres
from quantlab.store.refusals import translated

if TYPE_CHECKING:
    from quantlab.store.location import Location


class ServerSnapshot:
    """A read transaction of PostgreSQL."""

    def __init__(self, location: Location) -> None:
        self._location = location
        with translated(location):
            self._engine = postgres.create_engine(location, poolclass=sa.NullPool)
            self._connection = postgres.begin_snapshot(self._engine.connect())

    def rows(self, sql: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the rows of a query with `:name` parameters, each by column name."""
        with translated(self._location):
            return [dict(row) for row in self._connection.execute(sa.text(sql), parameters).mappings()]

    def close(self) -> None:
        """End the transaction and the connection."""
        self._connection.close()
        self._engine.dispose()
