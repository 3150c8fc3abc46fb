"""A ledger's file as a file: copied whole, put in place, and the log of one that is gone set aside."""

from __future__ import annotations

import errno
import logging
import os
import secrets
from typing import TYPE_CHECKING

from quantlab.base.files import remove_abandoned
from quantlab.ledger.sqlite.opening import open_file

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

logger = logging.getLogger(__name__)

_NO_HARD_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


def copy_database(file: Path, target: Path) -> None:
    """Copy an open or closed SQLite database, its WAL included, whole or not at all (SQLite's backup API).

    Raises:
        OSError: the target can't be made.
        sqlite3.Error: the file is no sound database.
    """
    aside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    source = open_file(file)
    try:
        make_empty(aside)
        remove_abandoned(aside, target)
        _copy_pages(source, aside)
        aside.replace(target)
    finally:
        source.close()
        remove_with_side_files(aside)


def put_in_place(aside: Path, file: Path) -> bool:
    """Give a finished ledger its name, unless another has it; returns whether this one got it.

    The caller keeps other writers away where another ledger's log lies there (`set_log_aside`).

    Raises:
        OSError: the file system does not let it.
    """
    set_log_aside(file)
    # A link fails where the name is taken, which a rename does not: of two that adopt a root at once, one wins.
    try:
        os.link(aside, file)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        if file.exists():
            return False
        aside.rename(file)
    return True


def set_log_aside(file: Path) -> None:
    """Keep the log of a ledger that was taken away under another name: SQLite would replay it into the next one."""
    log = log_of(file)
    if not log.exists() or file.exists():
        return
    kept = file.with_name(f"{file.name}.left-{secrets.token_hex(4)}-wal")
    log.rename(kept)
    # The index of that log, which SQLite makes from the log alone.
    file.with_name(f"{file.name}-shm").unlink(missing_ok=True)
    logger.warning(
        "The log of a ledger that is gone lay at %s; it is kept as %s. Where you have that ledger, name the log like "
        "its file, with -wal at the end, and put it beside: it may hold the last events.",
        log,
        kept.name,
    )


def make_empty(file: Path) -> None:
    """Make a file as the umask has it: SQLite itself would keep a shared folder's group from writing."""
    file.touch(exist_ok=False)


def remove_with_side_files(file: Path) -> None:
    """Remove a database that nobody has open, with all that SQLite made beside it."""
    for leftover in (file, file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")):
        leftover.unlink(missing_ok=True)


def use_wal(file: Path) -> None:
    """Have a ledger keep a write-ahead log, so that readers and a writer never wait for each other."""
    connection = open_file(file)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()


def log_of(file: Path) -> Path:
    """Return where a ledger's write-ahead log lies."""
    return file.with_name(f"{file.name}-wal")


def _copy_pages(source: sqlite3.Connection, target: Path) -> None:
    copy = open_file(target)
    try:
        copy.execute("PRAGMA synchronous = FULL")
        source.backup(copy)
    finally:
        copy.close()
