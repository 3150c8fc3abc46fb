"""Open a ledger for writing: connections, pragmas, write transactions, and errors that say what to do."""

from __future__ import annotations

import logging
import sqlite3
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self, TypeVar

import sqlalchemy as sa
from sqlalchemy import exc

from quantlab.errors import (
    ConflictError,
    LedgerAwayError,
    LedgerBusyError,
    LedgerDamagedError,
    LedgerError,
    SessionEndedError,
)
from quantlab.store import guards, migrate, postgres
from quantlab.store.location import Location, redacted, sqlite_uri
from quantlab.store.lock import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

logger = logging.getLogger(__name__)
T = TypeVar("T")

BUSY_TIMEOUT_SECONDS = 30.0
PRAGMAS = (
    f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT_SECONDS * 1000)}",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA recursive_triggers = ON",
)


class Store:
    """An open ledger; keep it open for as long as there is anything to append.

    Attributes:
        location: Where it is.
        patience_seconds: For how long `transact` asks again while a server is away.
    """

    def __init__(self, location: Location, engine: sa.Engine) -> None:
        self.location = location
        self.patience_seconds = postgres.PATIENCE_SECONDS
        self._engine = engine
        self._writer = _Writer(engine)
        self._transaction = (
            self._writer.file_transaction if location.is_sqlite else self._writer.server_transaction
        )
        self._turns = Turns(location)

    def transact(self, work: Callable[[sa.Connection], T]) -> T:
        """Do work in a write transaction; where a server goes away, do it again until the patience is at its end.

        A connection may break after the commit and before its answer, so the work has to find out for itself whether
        it was done before.

        Raises:
            LedgerError: as `write` does; of a server that stays away, what that means for the session.
        """
        if self.location.is_sqlite:
            with self.write() as connection:
                return work(connection)
        deadline = time.monotonic() + self.patience_seconds
        pauses = postgres.pauses()
        warned = False
        while True:
            try:
                with self.write() as connection:
                    return work(connection)
            except LedgerAwayError as error:
                pause = next(pauses)
                if time.monotonic() + pause >= deadline:
                    raise postgres.gave_up(error, self.patience_seconds) from error
                if not warned:
                    logger.warning("%s Asking again for up to %.0f s.", error, self.patience_seconds)
                    warned = True
            time.sleep(pause)

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Hold the ledger's one write transaction; commit at the end, roll back on an error.

        Raises:
            LedgerBusyError: other writers kept it for longer than the timeout.
            LedgerDamagedError: the file is no longer a sound database.
            LedgerError: it could not be written (disk full, read-only, server gone).
        """
        with translated(self.location), self._turns, self._transaction() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Hold one consistent snapshot for reading; never waits for writers."""
        with translated(self.location), self._engine.connect() as connection:
            # Rolled back at the close: a commit would fail on a damaged file, whatever the reader found there.
            connection.begin()
            yield connection

    def close(self) -> None:
        """Let go of every connection."""
        self._writer.close()
        self._turns.close()
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
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
            return Store(location, _server_engine(location))
        return Store(location, sqlite_engine(lambda: connect_sqlite(file), sa.QueuePool))


def connect_sqlite(file: Path, mode: str = "rw") -> sqlite3.Connection:
    """Open SQLite's own connection in autocommit mode with the ledger's pragmas; never makes a file."""
    connection = sqlite3.connect(
        sqlite_uri(file, mode),
        uri=True,
        timeout=BUSY_TIMEOUT_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    for pragma in PRAGMAS:
        connection.execute(pragma)
    return connection


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


class _Writer:
    """Lends the connection that writes; a file's is kept, for taking one up costs as much as an append.

    A server's goes back to the pool, which looks whether it still answers before it gives it out again.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._kept: sa.Connection | None = None

    @contextmanager
    def file_transaction(self) -> Iterator[sa.Connection]:
        """Hold a transaction by the driver itself: every event pays for what SQLAlchemy does around it.

        It begins immediate: a deferred one that reads and then writes loses to other writers whatever the timeout.
        """
        kept, self._kept = self._kept, None
        connection = kept or self._engine.connect()
        driver: Any = connection.connection.driver_connection
        try:
            try:
                driver.execute("BEGIN IMMEDIATE")
                yield connection
                driver.commit()
            except BaseException:
                driver.rollback()
                raise
            finally:
                if connection.in_transaction():
                    connection.rollback()  # what SQLAlchemy takes for open is over as well
        except BaseException:
            connection.close()
            raise
        if self._kept is None:
            self._kept = connection
        else:
            connection.close()

    @contextmanager
    def server_transaction(self) -> Iterator[sa.Connection]:
        """Hold a transaction in which no other writer is at work."""
        with self._engine.begin() as connection:
            postgres.take_turn(connection)
            yield connection

    def close(self) -> None:
        """Let go of the connection that is kept."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None


def _server_engine(location: Location) -> sa.Engine:
    return postgres.create_engine(location, isolation_level="READ COMMITTED", pool_pre_ping=True)


class translated:  # noqa: N801 - used as a function, and for every event: a class enters in half a generator's time
    """Turn the database's errors into ours, which say what to do.

    Raises:
        LedgerBusyError: other writers held the ledger for too long.
        LedgerDamagedError: the file is no sound database.
        LedgerError: anything else that the database could not do.
    """

    def __init__(self, location: Location) -> None:
        self._location = location

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, (exc.DBAPIError, sqlite3.Error)):
            raise _ours(self._location, error) from error


def _ours(location: Location, error: exc.DBAPIError | sqlite3.Error) -> LedgerError:
    cause = str(getattr(error, "orig", None) or error).strip()
    cause = redacted(cause.splitlines()[0]) if cause else type(error).__name__
    if cause.startswith(guards.PREFIX):
        refused = SessionEndedError if cause == guards.ENDED else ConflictError
        why = cause.removeprefix(guards.PREFIX)
        return refused(f"The ledger {location} refused an event: {why}; nothing was recorded.")
    if not location.is_sqlite and isinstance(error, exc.DBAPIError):
        return postgres.translated(location, error)
    for told, (kind, advice) in _ADVICE.items():
        if told in cause:
            return kind(f"The ledger {location} {advice.format(cause=cause, wait=BUSY_TIMEOUT_SECONDS)}")
    return LedgerError(f"The ledger {location} refused: {cause}.")


_BUSY = (
    LedgerBusyError,
    "was busy for {wait:.0f} s; another process holds it. Nothing was recorded; try again.",
)
_DAMAGED = (
    LedgerDamagedError,
    "is damaged ({cause}). Nothing was changed; 'quantlab ledger verify' tells more and "
    "'quantlab ledger restore' brings a backup back.",
)
_CLOSED = (
    LedgerError,
    "can't be opened or written ({cause}); check that its folder exists and the permissions of both.",
)
_ADVICE: dict[str, tuple[type[LedgerError], str]] = {
    "is locked": _BUSY,
    "busy": _BUSY,
    "not a database": _DAMAGED,
    "malformed": _DAMAGED,
    "no such table": _DAMAGED,
    "no such column": _DAMAGED,
    "disk is full": (LedgerError, "is on a full disk; nothing was recorded. Free space and try again."),
    "disk I/O error": (
        LedgerError,
        "could not be read or written ({cause}); nothing was recorded. Check the disk (full, over quota, failing or "
        "gone?), then run 'quantlab ledger verify'.",
    ),
    "readonly": _CLOSED,
    "unable to open": _CLOSED,
}
"""What SQLite says -> the error, and the way out."""
