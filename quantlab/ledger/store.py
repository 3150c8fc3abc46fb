"""Open a ledger for writing: connections, pragmas and transactions."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self, TypeVar

import sqlalchemy as sa

from quantlab.base.errors import LedgerAwayError, LedgerBusyError
from quantlab.ledger import migrate
from quantlab.ledger.postgres import connections
from quantlab.ledger.postgres.patience import Waiting
from quantlab.ledger.reader import open_reader
from quantlab.ledger.refusals import translated
from quantlab.ledger.sqlite.opening import open_to_write
from quantlab.ledger.sqlite.writing import FileWriter

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from quantlab.ledger.location import Location

T = TypeVar("T")


class Store:
    """An open ledger; keep it open for as long as there is anything to append.

    Attributes:
        location: Where it is.
        patience_seconds: For how long `transact` asks again while a server is away.
        waiting: How long its connections wait for a server.
    """

    def __init__(self, location: Location, engine: sa.Engine, waiting: Waiting | None = None) -> None:
        self.location = location
        self.patience_seconds = connections.PATIENCE_SECONDS
        self.waiting = waiting or Waiting(location)
        self._engine = engine
        self._file = FileWriter(location, engine) if location.is_sqlite else None

    def transact(self, work: Callable[[sa.Connection], T]) -> T:
        """Do work in a write transaction; where a server goes away, do it again until the patience is at its end.

        A connection may break after the commit and before its answer, so the work has to find out for itself whether
        it was done before.

        Raises:
            LedgerError: as `write` does; of a server that stays away, what that means for the session.
        """
        if self._file is None:
            return self._transact_with_patience(work)
        with self._file.transaction() as connection:
            return work(connection)

    def _transact_with_patience(self, work: Callable[[sa.Connection], T]) -> T:
        pauses = connections.pauses()
        with self.waiting.for_work(self.patience_seconds) as patience:
            while True:
                try:
                    with self._server_transaction() as connection:
                        return work(connection)
                except (LedgerAwayError, LedgerBusyError) as error:
                    pause = next(pauses)
                    if patience.left <= pause:
                        raise connections.gave_up(error, patience.waited) from error
                    patience.tell(str(error))
                time.sleep(pause)

    def write(self) -> AbstractContextManager[sa.Connection]:
        """Hold the ledger's one write transaction; commit at the end, roll back on an error.

        Raises:
            LedgerBusyError: other writers kept it for longer than the timeout.
            LedgerDamagedError: the file is no longer a sound database.
            LedgerError: it could not be written (disk full, read-only, server gone).
        """
        return self._server_transaction() if self._file is None else self._file.transaction()

    @contextmanager
    def alone(self) -> Iterator[sa.Connection]:
        """Hold a write transaction for work that locks whole tables by itself, and takes no turn before.

        Raises:
            LedgerError: as `write` does.
        """
        if self._file is not None:
            with self._file.transaction() as connection:
                yield connection
            return
        with translated(self.location), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Hold one consistent snapshot for reading; never waits for writers."""
        with translated(self.location), self._engine.connect() as connection:
            if self._file is None:
                connections.begin_snapshot(connection)
                yield connection
                return
            # Rolled back at the close: a commit would fail on a damaged file, whatever the reader found there.
            connection.begin()
            yield connection

    @contextmanager
    def _server_transaction(self) -> Iterator[sa.Connection]:
        with translated(self.location), self._engine.begin() as connection:
            connections.take_turn(connection)
            yield connection

    def ledger_id(self) -> str:
        """Return the name that the ledger was born with, which it keeps wherever it goes."""
        with self.read() as connection:
            return str(connection.exec_driver_sql("SELECT ledger_id FROM ledger_head").scalar_one())

    def require_unchanged(self) -> None:
        """See, before success is reported, that what was recorded is there for everybody: SQLite's file, read anew.

        Raises:
            LedgerExchangedError: the file was exchanged beneath its writer.
        """
        if self._file is not None:
            self._file.continuity.require_recorded()

    def close(self) -> None:
        """Let go of every connection."""
        if self._file is not None:
            self._file.close()
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self.require_unchanged()
        finally:
            self.close()


def open_store(location: Location, *, create: bool = True, upgrade: bool = True) -> Store:
    """Open a ledger, made or upgraded first where that is needed.

    Args:
        location: Where it is.
        create: Make an empty one where there is none.
        upgrade: Bring an older schema to this program's; otherwise an older one is refused.

    Raises:
        LedgerError: there is none and `create` is False, or it can't be opened; the message says why and what to do.
    """
    with translated(location):
        migrate.prepare(location, create=create, upgrade=upgrade)
        file = location.file
        if file is None:
            return _server_store(location)
        return Store(location, sqlite_engine(lambda: open_to_write(file), sa.QueuePool))


def open_store_to_read(location: Location) -> Store:
    """Open a ledger that nothing is to be written to; one whose folder can't be written is read as it lies, or copied.

    Raises:
        LedgerError: as `open_store` does where nothing may be made or upgraded.
    """
    file = location.file
    if file is None or not file.is_file() or _can_be_written(file.parent):
        return open_store(location, create=False, upgrade=False)
    snapshot = open_reader(location).sqlite_connection
    return Store(location, sqlite_engine(lambda: snapshot, sa.StaticPool))


def _can_be_written(folder: Path) -> bool:
    return os.access(folder, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def sqlite_engine(connect: Callable[[], sqlite3.Connection], pool: type[sa.Pool]) -> sa.Engine:
    """Return an engine over connections in autocommit mode, such as a `Store` needs."""
    engine = sa.create_engine("sqlite://", creator=connect, poolclass=pool)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _begin_sqlite(connection: sa.Connection) -> None:
    # Readers don't wait for writers; within a write transaction this comes with the first statement of SQLAlchemy's.
    driver: Any = connection.connection.driver_connection
    if not driver.in_transaction:
        driver.execute("BEGIN")


def _server_store(location: Location) -> Store:
    waiting = Waiting(location)
    engine = connections.create_engine(
        location, waiting, isolation_level="READ COMMITTED", pool_pre_ping=True
    )
    return Store(location, engine, waiting)
