"""Write transactions on a SQLite file, each in its turn.

SQLite's back-off starves some writers when eight wait at once; a file lock around the transaction hands the turn round,
fairly. It is an aid and no guard: where a file system has no such locks, SQLite's own still hold the truth.

Every event passes through here, with the processor's caches cold from the flush before it. So these are plain classes:
a generator's entry and exit took a twentieth of an append.
"""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import exc

from quantlab.base import platform
from quantlab.ledger.advice import BUSY_TIMEOUT_SECONDS
from quantlab.ledger.refusals import translated
from quantlab.ledger.sqlite import holders
from quantlab.ledger.sqlite.exchange import Continuity
from quantlab.ledger.sqlite.locks import CAN_NOT_LOCK

if TYPE_CHECKING:
    from collections.abc import Callable

    import sqlalchemy as sa

    from quantlab.base.platform import FileLock, LibraryLock
    from quantlab.ledger.location import Location

WAIT_SECONDS = BUSY_TIMEOUT_SECONDS
"""For how long a writer queues up; then it goes on without the turn."""
SLICE_SECONDS = 0.008
"""For how long a writer that goes straight on may take turn after turn before it queues up again."""
POLL_SECONDS = 0.0005


class FileWriter:
    """Lends the connection that writes to a file; it is kept, for taking one up costs as much as an append.

    Attributes:
        continuity: Sees that the ledger is still the one that was opened.
    """

    def __init__(self, location: Location, engine: sa.Engine) -> None:
        self.location = location
        self.turns = Turns(location)
        self.continuity = Continuity(location)
        self._engine = engine
        self._kept: sa.Connection | None = None

    def transaction(self) -> FileTransaction:
        """Return a transaction, to be entered once."""
        return FileTransaction(self)

    def lend(self) -> sa.Connection:
        """Hand out the connection that is kept, or a new one where that is in use."""
        kept, self._kept = self._kept, None
        if kept is None:
            # Short, so that whoever holds the ledger can be named before the rest of the wait (`begin`).
            kept = self._engine.connect()
            driver: Any = kept.connection.driver_connection
            driver.execute(f"PRAGMA busy_timeout = {int(holders.TOLD_AFTER_SECONDS * 1000)}")
        return kept

    def begin(self, driver: sqlite3.Connection) -> None:
        """Begin a transaction that writes; whoever keeps it waiting for long is named, once."""
        try:
            driver.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
        else:
            return
        left = BUSY_TIMEOUT_SECONDS - holders.TOLD_AFTER_SECONDS
        holders.tell(str(self.location.file), left, called=f"The ledger {self.location}")
        driver.execute(f"PRAGMA busy_timeout = {int(left * 1000)}")
        try:
            driver.execute("BEGIN IMMEDIATE")
        finally:
            driver.execute(f"PRAGMA busy_timeout = {int(holders.TOLD_AFTER_SECONDS * 1000)}")

    def take_back(self, connection: sa.Connection) -> None:
        """Keep a connection for the next transaction."""
        if self._kept is None:
            self._kept = connection
        else:
            connection.close()

    def close(self) -> None:
        """Let go of the connection, of the log and of the turns' file."""
        self.continuity.close()
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
            # The files before the lock, for a lock on a deleted file keeps nobody out; the head once it stands still.
            self._writer.continuity.require_in_place(driver)
            self._writer.begin(driver)
            self._writer.continuity.require_head(driver)
        except BaseException:
            if driver.in_transaction:
                driver.rollback()
            connection.close()
            raise
        return connection

    def _end(self, error: BaseException | None) -> None:
        if error is None:
            self._commit()
            return
        self._give_up()
        # Raised again within `translated`, which makes ours of it; any other error of the body goes on by itself.
        if isinstance(error, (exc.DBAPIError, sqlite3.Error)):
            raise error

    def _commit(self) -> None:
        try:
            # Read before the commit: after it another writer may have moved the head on.
            head = self._writer.continuity.read_head(self._driver)
            self._driver.commit()
            self._writer.continuity.committed(self._driver, head)
            self._end_sqlalchemys()
        except BaseException:
            self._give_up()
            raise
        self._writer.take_back(self._connection)

    def _give_up(self) -> None:
        # The connection is not kept: nobody knows what state the error left it in.
        try:
            self._driver.rollback()
            self._end_sqlalchemys()
        finally:
            self._connection.close()

    def _end_sqlalchemys(self) -> None:
        if self._connection.in_transaction():
            self._connection.rollback()  # what SQLAlchemy takes for open is over as well


class Turns:
    """One writer's turns at a SQLite ledger; where it lies in memory there is nothing to take.

    A writer that goes straight on keeps its turn for a time slice: its pages and its code are still in the caches then,
    and an append takes half as long as after another process's. Then it queues up behind those who wait.
    """

    def __init__(self, location: Location) -> None:
        file = location.file
        self._lock = None if file is None else platform.file_lock(f"{file}.lock")
        self._file = str(file)
        self._folder = "" if file is None else str(file.parent)
        self._slice_ends = 0.0

    def take(self) -> None:
        """Take the turn to write."""
        lock = self._lock
        if lock is None:
            return
        try:
            if time.monotonic() < self._slice_ends and _taken(lock.retake):
                return
            if _taken(lambda: _queue_up(lock, self._folder, self._file)):
                self._slice_ends = time.monotonic() + SLICE_SECONDS
        except BaseException:
            self.give_back()
            raise

    def give_back(self) -> None:
        """Let the next one write."""
        if self._lock is not None:
            self._lock.release()

    def close(self) -> None:
        """Let go of the lock's file, which is kept open in between."""
        if self._lock is not None:
            self._lock.close()


def _taken(take: Callable[[], bool]) -> bool:
    try:
        return take()
    except CAN_NOT_LOCK:
        return False


def _queue_up(lock: FileLock | LibraryLock, folder: str, file: str) -> bool:
    """Take a lock behind all who queue up by a lock on the folder; only the first of them asks for it again."""
    deadline = time.monotonic() + WAIT_SECONDS
    with platform.queued_on(folder, WAIT_SECONDS):
        told_at = time.monotonic() + holders.TOLD_AFTER_SECONDS
        while not (had := lock.try_take()) and (now := time.monotonic()) < deadline:
            if now >= told_at:  # a turn takes milliseconds: whoever has it for so long is stuck
                holders.tell(file, deadline - now)
                told_at = deadline
            time.sleep(POLL_SECONDS)
    return had
