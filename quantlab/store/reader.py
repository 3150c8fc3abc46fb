"""Read a ledger: one consistent snapshot, named rows, and the standard library alone where it is a file.

Queries have to start as fast as Python lets them, so nothing here imports SQLAlchemy unless the ledger is on a server.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from quantlab.errors import LedgerDamagedError, LedgerError
from quantlab.store.advice import BUSY_TIMEOUT_SECONDS, of_sqlite
from quantlab.store.location import Location, sqlite_uri
from quantlab.store.revision import HEAD_REVISION

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Self

    from quantlab.store.server_reader import ServerSnapshot

Row = dict[str, Any]

_REVISION = "SELECT version_num FROM alembic_version"


class Reader:
    """An open ledger, as it was at the first question.

    Attributes:
        location: Where the ledger is.
        in_memory: Whether it was copied into memory, because its folder can't be written.
    """

    def __init__(
        self, location: Location, snapshot: _SqliteSnapshot | ServerSnapshot, *, in_memory: bool = False
    ) -> None:
        self.location = location
        self.in_memory = in_memory
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

    def rows(self, sql: str, **parameters: Any) -> list[Row]:
        """Return the rows of a query with `:name` parameters, each by column name.

        Raises:
            LedgerDamagedError: the file is no sound database.
            LedgerError: the database can't answer.
        """
        return self._snapshot.rows(sql, parameters)

    def row(self, sql: str, **parameters: Any) -> Row | None:
        """Return the first row of a query, or None."""
        found = self.rows(sql, **parameters)
        return found[0] if found else None

    def close(self) -> None:
        """Let go of the snapshot."""
        self._snapshot.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_reader(location: Location) -> Reader:
    """Open a ledger for reading, upgraded first where it is older than this program.

    A ledger in a folder that can't be written is read as it lies there where SQLite can do that, and else from memory.

    Raises:
        LedgerDamagedError: the file is no sound ledger.
        LedgerError: there is none, it is newer than this program, or it can't be opened.
    """
    reader = _open(location)
    try:
        revision = _revision(reader)
        if revision == HEAD_REVISION:
            return reader
        _require_older(revision, location)
        _require_writable(reader, revision)
        reader.close()
        _upgrade(location)
        reader = _open(location)
        _revision(reader)
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
    if revision not in (None, HEAD_REVISION):
        _require_older(revision, location)
    return revision


def _open(location: Location) -> Reader:
    if location.file is None:
        from quantlab.store.server_reader import ServerSnapshot

        return Reader(location, ServerSnapshot(location))
    if not location.file.is_file():
        raise LedgerError(
            f"There is no ledger at {location}; expected a SQLite file. Run a session, or "
            "'quantlab paper-sessions index' on the folder of sessions, first."
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
    from quantlab.store.memory import copied

    return Reader(location, _SqliteSnapshot(copied(file), location), in_memory=True)


def _connect(file: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        sqlite_uri(file, mode), uri=True, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None
    )
    try:
        connection.execute("BEGIN")
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
    except BaseException:
        connection.close()
        raise
    return connection


def _cannot_write(error: sqlite3.Error) -> bool:
    """Tell whether SQLite could not make its side files: no permission, or no space (some systems say: I/O)."""
    return any(
        told in str(error) for told in ("unable to open", "readonly", "disk I/O error", "disk is full")
    )


class _SqliteSnapshot:
    """A read transaction of SQLite."""

    def __init__(self, connection: sqlite3.Connection, location: Location) -> None:
        self.connection = connection
        self._location = location
        if not connection.in_transaction:
            connection.execute("BEGIN")

    def rows(self, sql: str, parameters: dict[str, Any]) -> list[Row]:
        with translated(self._location):
            cursor = self.connection.execute(sql, parameters)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor]

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


def no_ledger_on_server(location: Location) -> LedgerError:
    """Say that a database holds no ledger, and how it comes to hold one."""
    return LedgerError(
        f"There is no ledger in {location}; run a session against it first, or adopt a root with 'quantlab "
        "paper-sessions index ROOT --ledger URL'."
    )


def _no_ledger(location: Location) -> LedgerDamagedError:
    return LedgerDamagedError(
        f"{location} is no QuantLab ledger (it has no schema). Nothing was changed; restore a backup with "
        "'quantlab ledger restore', or move the file away and run 'quantlab paper-sessions index' to adopt the "
        "session folders anew."
    )


def _lacks_table(error: LedgerError) -> bool:
    cause = str(error.__cause__)
    return "no such table" in cause or "UndefinedTable" in cause or "does not exist" in cause


def _require_older(revision: str, location: Location) -> None:
    if revision > HEAD_REVISION:
        raise LedgerError(
            f"The ledger {location} has schema {revision}, newer than this program's {HEAD_REVISION}; nothing was "
            "changed. Upgrade quantlab, or use the version that wrote it."
        )


def _require_writable(reader: Reader, revision: str) -> None:
    if reader.in_memory:
        raise LedgerError(
            f"The ledger {reader.location} has schema {revision}, older than this program's {HEAD_REVISION}, and its "
            "folder can't be written, so it can't be upgraded there; copy it to a folder that you may write."
        )


def _upgrade(location: Location) -> None:
    from quantlab.store import migrate
    from quantlab.store.refusals import translated as translated_on_writing

    with translated_on_writing(location):
        migrate.prepare(location, create=False)


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
        raise of_sqlite(location, str(error)) from error
