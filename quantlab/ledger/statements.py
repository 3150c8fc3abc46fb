"""Statements compiled once for each kind of database, for the path that every event takes.

SQLAlchemy compiles a statement once and caches it, yet finding it again, preparing its parameters and wrapping its
result cost more than SQLite's own work. So the few statements of an append are kept as text with the order of their
parameters, and SQLite's driver runs them itself, within the transaction that SQLAlchemy holds.
"""

from __future__ import annotations

import sqlite3
from itertools import chain
from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from quantlab.base.values import Cells

    Parameters = Mapping[str, object]

MOST_PARAMETERS = 1_000
"""Values in one statement of many rows, where SQLite takes as many: builds before 3.32 take 999."""


class Statement:
    """A statement with named parameters, of which all must be given."""

    def __init__(self, clause: sa.sql.ClauseElement) -> None:
        self._clause = clause
        self._compiled: dict[str, tuple[str, tuple[str, ...]]] = {}

    def run(self, connection: sa.Connection, parameters: Parameters | None = None) -> list[Cells]:
        """Execute it once; returns its rows, if it has any."""
        text, order = self.text(connection)
        given = parameters or {}
        driver = connection.connection.driver_connection
        if isinstance(driver, sqlite3.Connection):
            return driver.execute(text, [given[name] for name in order]).fetchall()
        result = connection.exec_driver_sql(text, dict(given))
        return list(result) if result.returns_rows else []

    def stream(
        self, connection: sa.Connection, parameters: Parameters, batch: int = 5_000
    ) -> Iterator[Cells]:
        """Execute it once and yield its rows in flat memory; a server sends so many at once."""
        text, order = self.text(connection)
        driver = connection.connection.driver_connection
        if isinstance(driver, sqlite3.Connection):
            yield from driver.execute(text, [parameters[name] for name in order])
            return
        # An option of this statement alone: the connection's own would make a server refuse its next executemany.
        options = {"yield_per": batch}
        with connection.exec_driver_sql(text, dict(parameters), execution_options=options) as rows:
            yield from (tuple(row) for row in rows)

    def run_each(self, connection: sa.Connection, parameters: Sequence[Parameters]) -> None:
        """Execute it once for each of the parameters, which may be none."""
        if not parameters:
            return
        text, order = self.text(connection)
        driver = connection.connection.driver_connection
        if isinstance(driver, sqlite3.Connection):
            driver.executemany(text, [[given[name] for name in order] for given in parameters])
        else:
            connection.exec_driver_sql(text, [dict(given) for given in parameters])

    def text(self, connection: sa.Connection) -> tuple[str, tuple[str, ...]]:
        """Return it as the connection's driver takes it, and the order of its parameters where they have no names."""
        kind = connection.dialect.name
        found = self._compiled.get(kind)
        if found is None:
            compiled = self._clause.compile(dialect=connection.dialect)
            order = getattr(compiled, "positiontup", None) or ()
            found = self._compiled[kind] = (str(compiled), tuple(order))
        return found


class Insert:
    """An insert of whole rows; on SQLite a statement takes many, for it readies a table's triggers once a statement.

    The columns are given in the table's own order, and may leave some out.
    """

    def __init__(self, table: sa.Table, columns: Sequence[str]) -> None:
        self._columns = tuple(columns)
        self._one = Statement(sa.insert(table).values({name: sa.bindparam(name) for name in columns}))
        self._many: dict[int, str] = {}

    def run(self, connection: sa.Connection, rows: Sequence[Cells]) -> None:
        """Insert the rows, which may be none, each with its values in the order of the columns."""
        driver = connection.connection.driver_connection
        if not isinstance(driver, sqlite3.Connection):
            self._one.run_each(connection, [dict(zip(self._columns, row, strict=True)) for row in rows])
            return
        most = min(MOST_PARAMETERS, driver.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER))
        size = most // len(self._columns)
        for first in range(0, len(rows), size):
            some = rows[first : first + size]
            driver.execute(self._text(connection, len(some)), list(chain.from_iterable(some)))

    def _text(self, connection: sa.Connection, rows: int) -> str:
        found = self._many.get(rows)
        if found is None:
            one, order = self._one.text(connection)
            another = f", ({', '.join('?' * len(order))})"
            found = self._many[rows] = one + another * (rows - 1)
        return found
