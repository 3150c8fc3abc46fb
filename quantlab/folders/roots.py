"""Open a root, whatever it is like: with a ledger or without, writable or not, ours or an older program's."""

from __future__ import annotations

import errno
import logging
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from quantlab.base.errors import ConfigError, LedgerError, LedgerOlderError
from quantlab.ledger.location import IN_MEMORY, Location
from quantlab.ledger.reader import Reader, open_reader
from quantlab.ledger.sqlite.opening import open_in_memory, open_to_write

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from quantlab.folders.adoption import Adoption
    from quantlab.ledger.store import Store

logger = logging.getLogger(__name__)

_CANNOT_WRITE = (errno.EACCES, errno.EPERM, errno.EROFS)
_HASTY = ("PRAGMA journal_mode = MEMORY", "PRAGMA synchronous = OFF", "PRAGMA cache_size = -65536")
_SIDE_FILES = ("", "-wal", "-shm", "-journal", ".lock")


def open_root(location: Location, *, now: datetime) -> Reader:
    """Open a root for questions; one that has no ledger yet is adopted first.

    A root that can't be written is adopted into memory for this one call, and one that holds no session is left
    as it is.

    Args:
        location: The root's ledger.
        now: The time of the adoption.

    Raises:
        ConfigError: the root is missing, or is no folder.
        LedgerError: the ledger can't be read, or not be made.
    """
    _require_root(location)
    file, root = location.file, location.root
    if file is None or root is None or file.exists():
        return _reader(location)
    names = _sessions_of(root)
    if not names:
        return _reader_in_memory(location, root, [], now, read_only=False)
    if not _is_writable(file):
        return _reader_in_memory(location, root, names, now, read_only=True)
    _adopt_into_file(file, root, names, now)
    return _reader(location)


def adopt_root(location: Location, *, now: datetime) -> Adoption | None:
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
    return _adopt_into_file(file, root, names, now)


def open_root_store(location: Location, *, now: datetime) -> Store:
    """Open a root for writing: adopted first where it has no ledger, files that are behind made anew.

    Raises:
        ConfigError: the root is missing, or is no folder.
        LedgerError: the ledger can't be opened or made.
    """
    from quantlab.folders.healing import heal
    from quantlab.ledger.store import open_store

    adopt_root(location, now=now)
    store = open_store(location)
    if location.root is not None:
        try:
            heal(store, location.root)
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
    from quantlab.base.text import printable
    from quantlab.folders.places import NOT_UTF_8, session_folders, unstorable_folders

    try:
        for name in unstorable_folders(root):
            logger.warning("%s: %s", printable(str(root / name)), NOT_UTF_8)  # no log can hold it as it is
        return session_folders(root)
    except OSError as error:
        raise ConfigError(
            f"{root} can't be listed: {error.strerror or error}; check its permissions."
        ) from error


def _is_writable(file: Path) -> bool:
    """Tell whether a ledger can be made here: by trying, for permissions alone do not tell."""
    probe = _aside(file)
    try:
        probe.touch(exist_ok=False)
        probe.unlink(missing_ok=True)  # an adoption that is under way may have swept it
    except OSError as error:
        if error.errno in _CANNOT_WRITE:
            return False
        raise LedgerError(
            f"The ledger {file} can't be made: {error.strerror or error}. Nothing was changed."
        ) from error
    return True


def _adopt_into_file(file: Path, root: Path, names: Sequence[str], now: datetime) -> Adoption | None:
    """Make the ledger aside and put it in place once every folder is in it.

    Of several calls at once one adopts while the others wait. Where a session made a ledger meanwhile, what that one
    lacks is adopted into it.
    """
    from quantlab.ledger.sqlite.locks import file_lock

    with file_lock(file.with_name(f"{file.name}.lock")) as locked:
        if locked:
            _remove_leftovers(file)
        if file.exists():
            return None
        aside = _aside(file)
        try:
            adopted = _adopt_aside(aside, root, names, now)
            in_place = _put_in_place(aside, file)
        finally:
            _remove(aside)
    if in_place:
        return adopted
    from quantlab.folders.adoption import adopt, shared_home  # loads SQLAlchemy, which questions do without
    from quantlab.ledger.recorder import Recorder
    from quantlab.ledger.store import open_store

    location = Location(root=root, file=file)
    with open_store(location) as store:
        return adopt(Recorder(store), root, names, home=shared_home(location, root), now=now)


def _adopt_aside(aside: Path, root: Path, names: Sequence[str], now: datetime) -> Adoption:
    """Adopt into a ledger that nobody sees yet, so that nothing has to be safe before the whole is."""
    from quantlab.folders.adoption import adopt, shared_home
    from quantlab.ledger.recorder import Recorder
    from quantlab.ledger.store import open_store

    location = Location(root=root, file=aside)
    open_store(location).close()
    connection = open_to_write(aside)
    for pragma in _HASTY:
        connection.execute(pragma)
    with _store_over(connection, location) as store:
        outcome = adopt(Recorder(store), root, names, home=shared_home(location, root), now=now)
        connection.execute("PRAGMA journal_mode = WAL")
    handle = os.open(aside, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    return outcome


def _store_over(connection: sqlite3.Connection, location: Location) -> Store:
    import sqlalchemy as sa

    from quantlab.ledger.store import Store, sqlite_engine

    return Store(location, sqlite_engine(lambda: connection, sa.StaticPool))


def _reader(location: Location) -> Reader:
    """Open the ledger that is there, upgraded first where an older program made it."""
    try:
        return open_reader(location)
    except LedgerOlderError:
        from quantlab.ledger import migrate
        from quantlab.ledger.refusals import translated

        with translated(location):
            migrate.prepare(location, create=False)
        return open_reader(location)


def _reader_in_memory(
    location: Location,
    root: Path,
    names: Sequence[str],
    now: datetime,
    *,
    read_only: bool,
) -> Reader:
    reader = Reader.over(_adopted_into_memory(root, names, now), location)
    reader.in_memory, reader.made_here = read_only, True
    return reader


def _adopted_into_memory(root: Path, names: Sequence[str], now: datetime) -> sqlite3.Connection:
    from quantlab.folders.adoption import adopt
    from quantlab.ledger import making
    from quantlab.ledger.recorder import Recorder
    from quantlab.ledger.revision import HEAD_REVISION
    from quantlab.ledger.schema import metadata

    memory = open_in_memory()
    store = _store_over(memory, Location(root=root, file=None, url=IN_MEMORY))
    with store.write() as connection:
        metadata.create_all(connection)
        making.rebuild_guards_and_views(connection)
        making.seed_head(connection)
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES (?)", (HEAD_REVISION,))
    adopt(Recorder(store), root, names, home={}, now=now)
    return memory


def _put_in_place(aside: Path, file: Path) -> bool:
    """Give the finished ledger its name, unless another has it; returns whether this one got it."""
    from quantlab.base.platform import flush_folder
    from quantlab.ledger import placing

    if not placing.put_in_place(aside, file):
        return False
    flush_folder(file.parent)
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
