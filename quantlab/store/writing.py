"""Write transactions on a SQLite file.

Every event passes through here, with the processor's caches cold from the flush before it. So these are plain classes:
a generator's entry and exit took a twentieth of an append.
"""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, Any

from sqlalchemy import exc

from quantlab.errors import LedgerError
from quantlab.store.lock import Turns
from quantlab.store.refusals import translated

if TYPE_CHECKING:
    import sqlalchemy as sa

    from quantlab.store.location import Location


class FileWriter:
    """Lends the connection that writes to a file; it is kept, for taking one up costs as much as an append."""

    def __init__(self, location: Location, engine: sa.Engine) -> None:
        self.location = location
        self.turns = Turns(location)
        self._path = str(location.file)
        self._engine = engine
        self._kept: sa.Connection | None = None
        self._opened: os.stat_result | None = None

    def transaction(self) -> FileTransaction:
        """Return a transaction, to be entered once."""
        return FileTransaction(self)

    def lend(self) -> sa.Connection:
        """Hand out the connection that is kept, or a new one where that is in use."""
        kept, self._kept = self._kept, None
        if kept is None:
            kept = self._engine.connect()
            if self._opened is None and self.location.file is not None:
                self._opened = self.location.file.stat()
        return kept

    def require_in_place(self) -> None:
        """See that the file is still the one that was opened: what goes into a deleted one is nobody's to read.

        Raises:
            LedgerError: it was deleted or replaced meanwhile.
        """
        if self._opened is None:
            return
        try:
            in_place = os.path.samestat(os.stat(self._path), self._opened)  # noqa: PTH116 - for every event
        except OSError:  # gone, or a file stands where its folder was
            in_place = False
        if not in_place:
            raise LedgerError(
                f"The ledger {self.location} was deleted or replaced while it was open; nothing was recorded. Put it "
                "back, or run 'quantlab paper-sessions index ROOT' to adopt the session folders anew."
            )

    def take_back(self, connection: sa.Connection) -> None:
        """Keep a connection for the next transaction."""
        if self._kept is None:
            self._kept = connection
        else:
            connection.close()

    def close(self) -> None:
        """Let go of the connection and of the turns' file."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None
        self.turns.close()


class FileTransaction:
    """A turn to write and a transaction in it; committed at the end, rolled back on an error.

    The driver itself begins and ends it: every event pays for what SQLAlchemy does around that. It begins immediate,
    for a deferred one that reads and then writes loses to other writers whatever the timeout.

    Raises:
        LedgerError: as `translated` has it, for errors of the body too.
    """

    def __init__(self, writer: FileWriter) -> None:
        self._writer = writer

    def __enter__(self) -> sa.Connection:
        with translated(self._writer.location):
            self._writer.turns.take()
            try:
                return self._begin()
            except BaseException:
                self._writer.turns.give_back()
                raise

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        with translated(self._writer.location):
            try:
                self._end(error)
            finally:
                self._writer.turns.give_back()

    def _begin(self) -> sa.Connection:
        connection = self._connection = self._writer.lend()
        driver: Any = connection.connection.driver_connection
        self._driver = driver
        try:
            self._writer.require_in_place()
            driver.execute("BEGIN IMMEDIATE")
        except BaseException:
            connection.close()
            raise
        return connection

    def _end(self, error: BaseException | None) -> None:
        if error is None:
            self._commit()
            return
        self._give_up()
        if isinstance(error, (exc.DBAPIError, sqlite3.Error)):
            raise error

    def _commit(self) -> None:
        try:
            self._driver.commit()
            self._end_sqlalchemys()
        except BaseException:
            self._give_up()
            raise
        self._writer.take_back(self._connection)

    def _give_up(self) -> None:
        try:
            self._driver.rollback()
            self._end_sqlalchemys()
        finally:
            self._connection.close()

    def _end_sqlalchemys(self) -> None:
        if self._connection.in_transaction():
            self._connection.rollback()  # what SQLAlchemy takes for open is over as well
