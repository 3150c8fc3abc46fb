"""Read a ledger: one consistent snapshot, named rows, and the standard library alone where it is a file.

Queries have to start as fast as Python lets them, so nothing here imports SQLAlchemy unless the ledger is on a server.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from quantlab.base.errors import LedgerDamagedError, LedgerError
from quantlab.base.remedies import INDEX, RESTORE
from quantlab.ledger.advice import (
    BUSY_TIMEOUT_SECONDS,
    PATIENCE_SECONDS,
    newer,
    no_answer,
    no_ledger_on_server,
    of_sqlite,
    older,
)
from quantlab.ledger.revision import HEAD_REVISION
from quantlab.ledger.sqlite.holders import TOLD_AFTER_SECONDS, holders_of
from quantlab.ledger.sqlite.opening import open_file

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path
    from typing import Self

    from quantlab.ledger.location import Location
    from quantlab.ledger.postgres.reader import ServerSnapshot

logger = logging.getLogger(__name__)

Row = dict[str, Any]
"""A row by the names of its columns; what type a cell has, the query decides."""

_STEPS = 200_000
"""Steps of SQLite's machine between two looks at the clock: a few milliseconds."""
_REVISION = "SELECT version_num FROM alembic_version"


class Reader:
    """An open ledger, as it was at the first question.

    Attributes:
        location: Where the ledger is.
        in_memory: Whether it was copied into memory, because its folder can't be written.
        made_here: Whether this process made it, in memory, for this one answer.
    """

    def __init__(
        self, location: Location, snapshot: _SqliteSnapshot | ServerSnapshot, *, in_memory: bool = False
    ) -> None:
        self.location = location
        self.in_memory = in_memory
        self.made_here = False
        self._snapshot = snapshot

    @classmethod
    def over(cls, connection: sqlite3.Connection, location: Location) -> Reader:
        """Read an open SQLite connection, such as one of a root that was adopted into memory; closing closes it."""
        return cls(location, _SqliteSnapshot(connection, location), in_memory=True)

    @property
    def is_sqlite(self) -> bool:
        """Whether SQLite answers, rather than a server."""
        return isinstance(self._snapshot, _SqliteSnapshot)

    @property
    def sqlite_connection(self) -> sqlite3.Connection:
        """SQLite's own connection, within the snapshot.

        Raises:
            TypeError: a server answers.
        """
        if not isinstance(self._snapshot, _SqliteSnapshot):
            raise TypeError(f"{self.location} is no SQLite ledger.")
        return self._snapshot.connection

    def rows(self, sql: str, **parameters: object) -> list[Row]:
        """Return the rows of a query with `:name` parameters, each by column name.

        Raises:
            LedgerDamagedError: the file is no sound database.
            LedgerError: the database can't answer.
        """
        return self._snapshot.rows(sql, parameters)

    def stream(self, sql: str, **parameters: object) -> Generator[Row, None, None]:
        """Yield the rows of a query one by one, each by column name; memory does not grow with their number.

        Raises:
            LedgerError: as `rows` does, at any row.
        """
        return self._snapshot.stream(sql, parameters)

    def row(self, sql: str, **parameters: object) -> Row | None:
        """Return the first row of a query, or None."""
        found = self.rows(sql, **parameters)
        return found[0] if found else None

    @cached_property
    def flags(self) -> tuple[str, ...]:
        """The columns of sessions that SQLite keeps as 0 and 1; none on a server, which has true and false."""
        if not self.is_sqlite:
            return ()
        asked = "SELECT name FROM pragma_table_info('paper_sessions') WHERE type = 'BOOLEAN'"
        return tuple(row["name"] for row in self.rows(asked))

    def close(self) -> None:
        """Let go of the snapshot."""
        self._snapshot.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_reader(location: Location) -> Reader:
    """Open a ledger of this program's schema for reading.

    A ledger in a folder that can't be written is read as it lies there where SQLite can do that, and else from memory.

    Raises:
        LedgerDamagedError: the file is no sound ledger.
        LedgerOlderError: an older program made it, and it can be upgraded.
        LedgerError: there is none, it is newer than this program, or it can't be opened.
    """
    reader = _open(location)
    try:
        _require_this_schema(reader)
    except BaseException:
        reader.close()
        raise
    return reader


def schema_of(location: Location) -> str | None:
    """Return the revision of a ledger's schema as it lies there, nothing upgraded; None where there is no ledger.

    Raises:
        LedgerDamagedError: the file is no sound ledger.
        LedgerError: it is newer than this program, or can't be opened.
    """
    if location.file is not None and not location.file.exists():
        return None
    with _open(location) as reader:
        revision = _stored_revision(reader)
    if revision is None and location.file is not None:
        raise _no_ledger(location)
    if revision is not None and revision > HEAD_REVISION:
        raise newer(location, revision, HEAD_REVISION)
    return revision


def _open(location: Location) -> Reader:
    if location.file is None:
        from quantlab.ledger.postgres.reader import ServerSnapshot

        return Reader(location, ServerSnapshot(location))
    if not location.file.is_file():
        raise LedgerError(
            f"There is no ledger at {location}; expected a SQLite file. Run a session, or ",
            INDEX.of("ROOT"),
            " on the folder of sessions, first.",
        )
    if location.file.stat().st_size == 0:
        raise _no_ledger(location)  # SQLite would delete the log beside an empty file
    with translated(location):
        return _open_file(location, location.file)


def _open_file(location: Location, file: Path) -> Reader:
    """Open for writing where that can be had, for SQLite then leaves no side files behind when it closes."""
    for mode in ("rw", "ro"):
        try:
            return Reader(location, _SqliteSnapshot(_connect(file, mode), location))
        except sqlite3.OperationalError as error:
            if not _cannot_write(error):
                raise
    from quantlab.ledger.sqlite.memory import copied

    return Reader(location, _SqliteSnapshot(copied(file), location), in_memory=True)


def _connect(file: Path, mode: str) -> sqlite3.Connection:
    connection = open_file(file, mode, patience=TOLD_AFTER_SECONDS)
    try:
        connection.execute("BEGIN")
        _first_look(connection, file)
    except BaseException:
        connection.close()
        raise
    return connection


def _first_look(connection: sqlite3.Connection, file: Path) -> None:
    """Take the snapshot; whoever keeps it from us for long is named, once."""
    look = "SELECT 1 FROM sqlite_master LIMIT 1"
    left = BUSY_TIMEOUT_SECONDS - TOLD_AFTER_SECONDS
    try:
        connection.execute(look).fetchall()
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise
        logger.warning("%s is held by %s; waiting for up to %.0f s.", file, holders_of(str(file)), left)
        connection.execute(f"PRAGMA busy_timeout = {int(left * 1000)}")
        connection.execute(look).fetchall()
    connection.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT_SECONDS * 1000)}")


def _cannot_write(error: sqlite3.Error) -> bool:
    """Tell whether SQLite could not make its side files: no permission, or no space (some systems say: I/O)."""
    return any(
        told in str(error) for told in ("unable to open", "readonly", "disk I/O error", "disk is full")
    )


class _SqliteSnapshot:
    """A read transaction of SQLite; a question that gives no row for too long is interrupted."""

    def __init__(self, connection: sqlite3.Connection, location: Location) -> None:
        self.connection = connection
        self._location = location
        if not connection.in_transaction:
            connection.execute("BEGIN")

    def rows(self, sql: str, parameters: dict[str, object]) -> list[Row]:
        return list(self.stream(sql, parameters))

    def stream(self, sql: str, parameters: dict[str, object]) -> Generator[Row, None, None]:
        seen = [0]
        with translated(self._location), self._interrupted(seen):
            cursor = self.connection.execute(sql, parameters)
            names = [column[0] for column in cursor.description]
            for row in cursor:
                seen[0] += 1
                yield dict(zip(names, row, strict=True))

    @contextmanager
    def _interrupted(self, found: list[int]) -> Iterator[None]:
        seen, since = 0, time.monotonic()

        def look() -> bool:
            nonlocal seen, since
            if found[0] != seen:
                seen, since = found[0], time.monotonic()
            return time.monotonic() - since >= PATIENCE_SECONDS

        self.connection.set_progress_handler(look, _STEPS)
        try:
            yield
        finally:
            self.connection.set_progress_handler(None, 0)

    def close(self) -> None:
        self.connection.close()


def _revision(reader: Reader) -> str:
    revision = _stored_revision(reader)
    if revision is None and reader.location.file is None:
        raise no_ledger_on_server(reader.location)
    if revision is None:
        raise _no_ledger(reader.location)
    return revision


def _stored_revision(reader: Reader) -> str | None:
    try:
        found = reader.row(_REVISION)
    except LedgerError as error:
        if not _lacks_table(error):
            raise
        return None
    return None if found is None else str(found["version_num"])


def _no_ledger(location: Location) -> LedgerDamagedError:
    return LedgerDamagedError(
        f"{location} is no QuantLab ledger (it has no schema). Nothing was changed; restore a backup with ",
        RESTORE,
        ", or move the file away and run ",
        INDEX.of("ROOT"),
        " to adopt the session folders anew.",
    )


def _lacks_table(error: LedgerError) -> bool:
    cause = str(error.__cause__)
    return "no such table" in cause or "UndefinedTable" in cause or "does not exist" in cause


def _require_this_schema(reader: Reader) -> None:
    revision, location = _revision(reader), reader.location
    if revision == HEAD_REVISION:
        return
    if revision > HEAD_REVISION:
        raise newer(location, revision, HEAD_REVISION)
    if reader.in_memory:
        raise LedgerError(
            f"The ledger {location} has schema {revision}, older than this program's {HEAD_REVISION}, and its "
            "folder can't be written, so it can't be upgraded there; copy it to a folder that you may write."
        )
    raise older(location, revision, HEAD_REVISION)


@contextmanager
def translated(location: Location) -> Iterator[None]:
    """Turn SQLite's errors on reading into ours, which say what to do.

    Raises:
        LedgerBusyError: another process held the ledger for too long.
        LedgerDamagedError: the file is no sound database.
        LedgerError: anything else.
    """
    try:
        yield
    except sqlite3.Error as error:
        if str(error) == "interrupted":
            raise no_answer(location, PATIENCE_SECONDS) from error
        raise of_sqlite(location, str(error)) from error
