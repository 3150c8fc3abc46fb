"""Statements compiled once for each kind of database, for the path that every event takes.

SQLAlchemy compiles a statement once and caches it, yet finding it again, preparing its parameters and wrapping its
result cost more than SQLite's own work. So the few statements of an append are kept as text with the order of their
parameters, and SQLite's driver runs them itself, within the transaction that SQLAlchemy holds.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import sqlalchemy as sa

    Parameters = Mapping[str, Any]


class Statement:
    """A statement with named parameters, of which all must be given."""

    def __init__(self, clause: sa.sql.ClauseElement) -> None:
        self._clause = clause
        self._compiled: dict[str, tuple[str, tuple[str, ...]]] = {}

    def run(self, connection: sa.Connection, parameters: Parameters | None = None) -> list[Sequence[Any]]:
        """Execute it once; returns its rows, if it has any."""
        text, order = self._of(connection)
        given = parameters or {}
        driver = connection.connection.driver_connection
        if isinstance(driver, sqlite3.Connection):
            return driver.execute(text, [given[name] for name in order]).fetchall()
        result = connection.exec_driver_sql(text, dict(given))
        return list(result) if result.returns_rows else []

    def run_each(self, connection: sa.Connection, parameters: Sequence[Parameters]) -> None:
        """Execute it once for each of the parameters, which may be none."""
        if not parameters:
            return
        text, order = self._of(connection)
        driver = connection.connection.driver_connection
        if isinstance(driver, sqlite3.Connection):
            driver.executemany(text, [[given[name] for name in order] for given in parameters])
        else:
            connection.exec_driver_sql(text, [dict(given) for given in parameters])

    def _of(self, connection: sa.Connection) -> tuple[str, tuple[str, ...]]:
        kind = connection.dialect.name
        found = self._compiled.get(kind)
        if found is None:
            compiled = self._clause.compile(dialect=connection.dialect)
            order = getattr(compiled, "positiontup", None) or ()
            found = self._compiled[kind] = (str(compiled), tuple(order))
        return found
