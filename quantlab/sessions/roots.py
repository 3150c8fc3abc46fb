"""Open a root, whatever it is like: with a ledger or without, writable or not, ours or an older program's."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING

from quantlab.errors import ConfigError, LedgerError
from quantlab.store.location import IN_MEMORY, Location
from quantlab.store.lock import file_lock
from quantlab.store.reader import Reader, open_reader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from quantlab.sessions.adoption import Adoption
    from quantlab.store.engine import Store

_CANNOT_WRITE = (errno.EACCES, errno.EPERM, errno.EROFS)
_HASTY = ("PRAGMA journal_mode = MEMORY", "PRAGMA synchronous = OFF", "PRAGMA cache_size = -65536")
_SIDE_FILES = ("", "-wal", "-shm", "-journal", ".lock")


def open_root(location: Location, *, now: datetime, say: Callable[[str], None]) -> Reader:
    """Open a root for questions; one that has no ledger yet is adopted first.

    A root that can't be written is adopted into memory for this one call, and one that holds no session is left
    as it is.

    Args:
        location: The root's ledger.
        now: The time of the adoption.
        say: Told about progress.

    Raises:
        ConfigError: the root is missing, or is no folder.
        LedgerError: the ledger can't be read, or not be made.
    """
    _require_root(location)
    file, root = location.file, location.root
    if file is None or root is None or file.exists():
        return open_reader(location)
    names = _sessions_of(root)
    if not names:
        return _reader_in_memory(location, root, [], now, say, read_only=False)
    if not _is_writable(file):
        return _reader_in_memory(location, root, names, now, say, read_only=True)
    _adopt_into_file(file, root, names, now, say)
    return open_reader(location)


def adopt_root(location: Location, *, now: datetime, say: Callable[[str], None]) -> Adoption | None:
    """Make the ledger of a root that has session folders and no ledger yet, with every session in it.

    Returns:
        What was adopted by this call; None where there was nothing to do, or the root can't be written.

    Raises:
        ConfigError: the root is missing, or is no folder.
        LedgerError: the ledger can't be made.
    """
    _require_root(location)
    file, root = location.file, location.root
    if file is None or root is None or file.exists():
        return None
    names = _sessions_of(root)
    if not names or not _is_writable(file):
        return None
    return _adopt_into_file(file, root, names, now, say)


def open_root_store(location: Location, *, now: datetime, say: Callable[[str], None]) -> Store:
    """Open a root for writing: adopted first where it has no ledger, files that are behind made anew.

    Raises:
        ConfigError: the root is missing, or is no folder.
        LedgerError: the ledger can't be opened or made.
    """
    from quantlab.sessions.healing import heal
    from quantlab.store.engine import open_store

    adopt_root(location, now=now, say=say)
    store = open_store(location)
    if location.root is not None:
        try:
            heal(store, location.root, say=say)
        except BaseException:
            store.close()
            raise
    return store


def _require_root(location: Location) -> None:
    root = location.root
    if root is None or root.is_dir():
        return
    if root.exists():
        raise ConfigError(f"{root} is a file; expected a folder of paper sessions.")
    raise ConfigError(
        f"There is no folder {root}; expected a folder of paper sessions, such as outputs/paper_sessions."
    )


def _sessions_of(root: Path) -> list[str]:
    from quantlab.sessions.folders import session_folders

    try:
        return session_folders(root)
    except OSError as error:
        raise ConfigError(
            f"{root} can't be listed: {error.strerror or error}; check its permissions."
        ) from error


def _is_writable(file: Path) -> bool:
    """Tell whether a ledger can be made here: by trying, for permissions alone do not tell."""
    probe = _aside(file)
    try:
        os.close(os.open(probe, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
        probe.unlink(missing_ok=True)  # an adoption that is under way may have swept it
    except OSError as error:
        if error.errno in _CANNOT_WRITE:
            return False
        raise LedgerError(
            f"The ledger {file} can't be made: {error.strerror or error}. Nothing was changed."
        ) from error
    return True


def _adopt_into_file(
    file: Path, root: Path, names: Sequence[str], now: datetime, say: Callable[[str], None]
) -> Adoption | None:
    """Make the ledger aside and put it in place once every folder is in it.

    Of several calls at once one adopts while the others wait. Where a session made a ledger meanwhile, what that one
    lacks is adopted into it.
    """
    with file_lock(file.with_name(f"{file.name}.lock")) as locked:
        if locked:
            _remove_leftovers(file)
        if file.exists():
            return None
        aside = _aside(file)
        try:
            adopted = _adopt_aside(aside, root, names, now, say)
            in_place = _put_in_place(aside, file)
        finally:
            _remove(aside)
    if in_place:
        return adopted
    from quantlab.sessions.adoption import adopt, shared_home  # loads SQLAlchemy, which questions do without
    from quantlab.sessions.recorder import Recorder
    from quantlab.store.engine import open_store

    location = Location(root=root, file=file)
    with open_store(location) as store:
        return adopt(Recorder(store), root, names, home=shared_home(location, root), now=now, say=say)


def _adopt_aside(
    aside: Path, root: Path, names: Sequence[str], now: datetime, say: Callable[[str], None]
) -> Adoption:
    """Adopt into a ledger that nobody sees yet, so that nothing has to be safe before the whole is."""
    from quantlab.sessions.adoption import adopt, shared_home
    from quantlab.sessions.recorder import Recorder
    from quantlab.store.engine import connect_sqlite, open_store

    location = Location(root=root, file=aside)
    open_store(location).close()
    connection = connect_sqlite(aside)
    for pragma in _HASTY:
        connection.execute(pragma)
    with _store_over(connection, location) as store:
        outcome = adopt(Recorder(store), root, names, home=shared_home(location, root), now=now, say=say)
        connection.execute("PRAGMA journal_mode = WAL")
    handle = os.open(aside, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    return outcome


def _store_over(connection: sqlite3.Connection, location: Location) -> Store:
    import sqlalchemy as sa

    from quantlab.store.engine import Store, sqlite_engine

    return Store(location, sqlite_engine(lambda: connection, sa.StaticPool))


def _reader_in_memory(
    location: Location,
    root: Path,
    names: Sequence[str],
    now: datetime,
    say: Callable[[str], None],
    *,
    read_only: bool,
) -> Reader:
    reader = Reader.over(_adopted_into_memory(root, names, now, say), location)
    reader.in_memory = read_only
    return reader


def _adopted_into_memory(
    root: Path, names: Sequence[str], now: datetime, say: Callable[[str], None]
) -> sqlite3.Connection:
    from quantlab.sessions.adoption import adopt
    from quantlab.sessions.recorder import Recorder
    from quantlab.store import migrate
    from quantlab.store.revision import HEAD_REVISION
    from quantlab.store.schema import metadata

    memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    store = _store_over(memory, Location(root=root, file=None, url=IN_MEMORY))
    with store.write() as connection:
        metadata.create_all(connection)
        migrate.replace_guards_and_views(connection)
        migrate.seed_head(connection)
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES (?)", (HEAD_REVISION,))
    adopt(Recorder(store), root, names, home={}, now=now, say=say)
    return memory


def _put_in_place(aside: Path, file: Path) -> bool:
    """Give the finished ledger its name, unless another has it; returns whether this one got it."""
    from quantlab.exports.files import sync_folder
    from quantlab.store import placing

    if not placing.put_in_place(aside, file):
        return False
    sync_folder(file.parent)
    return True


def _aside(file: Path) -> Path:
    return file.with_name(f".{file.name}.adopting.{os.getpid()}.{os.urandom(4).hex()}")


def _remove_leftovers(file: Path) -> None:
    """Remove what a killed adoption left; whoever holds the lock knows that no other is under way."""
    for leftover in file.parent.glob(f".{file.name}.adopting.*"):
        with suppress(OSError):
            leftover.unlink()


def _remove(aside: Path) -> None:
    for ending in _SIDE_FILES:
        aside.with_name(f"{aside.name}{ending}").unlink(missing_ok=True)
