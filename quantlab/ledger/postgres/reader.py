"""Read a ledger on a server: one repeatable, read-only transaction through SQLAlchemy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from quantlab.base.errors import LedgerError
from quantlab.ledger.advice import PATIENCE_SECONDS, no_answer
from quantlab.ledger.postgres import connections
from quantlab.ledger.refusals import translated

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from quantlab.ledger.location import Location
    from quantlab.ledger.reader import Row

_BATCH = 5_000
"""Rows that the server sends at once."""
_ROWS_AT_A_TIME = 500


class ServerSnapshot:
    """A read transaction of PostgreSQL."""

    def __init__(self, location: Location) -> None:
        self._location = location
        with translated(location):
            self._engine = connections.create_engine(location, poolclass=sa.NullPool)
            self._connection = connections.begin_snapshot(self._engine.connect())
            if not connections.has_own_statement_timeout(location):
                limit = f"SET LOCAL statement_timeout = '{PATIENCE_SECONDS * 1000:.0f}ms'"
                self._connection.exec_driver_sql(limit)

    def rows(self, sql: str, parameters: Mapping[str, object]) -> list[Row]:
        """Return the rows of a query with `:name` parameters, each by column name.

        They are fetched by a cursor of the server's, for the time that a statement may take is that of one batch.

        Raises:
            LedgerError: a batch took too long; or as `translated` has it.
        """
        by_batches = {"yield_per": _BATCH}
        try:
            with translated(self._location):
                found = self._connection.execute(sa.text(sql), parameters, execution_options=by_batches)
                return [dict(row) for row in found.mappings()]
        except LedgerError as error:
            cause: object = getattr(error.__cause__, "orig", None)
            if getattr(cause, "sqlstate", None) == connections.CANCELLED:
                raise no_answer(self._location, PATIENCE_SECONDS) from error
            raise

    def stream(self, sql: str, parameters: Mapping[str, object]) -> Generator[Row, None, None]:
        """Yield the rows of a query one by one, some hundred of them held at a time."""
        with translated(self._location):
            options = {"yield_per": _ROWS_AT_A_TIME}
            with self._connection.execute(sa.text(sql), parameters, execution_options=options) as found:
                for row in found.mappings():
                    yield dict(row)

    def close(self) -> None:
        """End the transaction and the connection."""
        self._connection.close()
        self._engine.dispose()
