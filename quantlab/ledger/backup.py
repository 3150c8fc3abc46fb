"""A ledger's backups: copies made aside, opened by themselves, checked, and put in place."""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from quantlab.base.errors import ConfigError
from quantlab.base.files import (
    SQLITE_MAGIC,
    remove_abandoned,
    require_no_database,
    require_target,
    writing_whole,
)
from quantlab.base.platform import flush_folder
from quantlab.base.remedies import Setting
from quantlab.ledger import maintenance, placing, transfer
from quantlab.ledger.location import Location
from quantlab.ledger.log import Head
from quantlab.ledger.sqlite.opening import open_file
from quantlab.ledger.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quantlab.ledger.store import Store


LONGEST_HEADER = 64 * 1024
"""Bytes that the first line of an export may have."""


def back_up(store: Store, target: Path, *, force: bool = False) -> Head:
    """Copy a ledger to a file, verify the copy, and only then put it in place; a server's backup is its export.

    Raises:
        ConfigError: the target is the ledger itself or no regular file, or holds something that is no earlier backup
            of this ledger and `force` is False, or it can't be written.
        LedgerDamagedError: the copy does not verify.
    """
    target = require_other_file(store.location, target, may_be_database=True)
    if not force:
        _require_earlier(store, target)
    if store.location.file is None:
        return _export_to(store, target)
    with aside(target) as copy:
        try:
            placing.copy_database(store.location.file, copy)
        except OSError as error:
            raise ConfigError(
                f"The backup {target} can't be written: {error.strerror or error}; expected a file in a folder that is "
                "there and can be written."
            ) from error
        with opened(copy) as copied:
            head = maintenance.require_sound(copied, f"The backup of {store.location}").head
        copy.replace(target)
    flush_folder(target.parent)
    return head


def require_other_file(location: Location, target: Path, *, may_be_database: bool = False) -> Path:
    """Return the file that a backup or an export may be written to: what a link leads to, not the link.

    Raises:
        ConfigError: the target is the ledger that is read, or is there and no regular file, or another database that
            only a backup may be written over, or can't be made.
    """
    file, end = location.file, require_target(target, may_be_database=True)
    if file is not None and end.exists() and file.exists() and end.samefile(file):
        raise ConfigError(f"{target} is the ledger itself; expected another file. Nothing was written.")
    if not may_be_database:
        require_no_database(target)
    return end


def _require_earlier(store: Store, target: Path) -> None:
    if not target.exists() or _is_earlier(store, target):
        return
    raise ConfigError(
        f"{target} exists and is no earlier backup of {store.location}; nothing was written. "
        "Name another file, or give ",
        Setting("force"),
        " to replace it.",
    )


def _is_earlier(store: Store, target: Path) -> bool:
    earlier = _header_of(target)
    if earlier is None:
        return False
    with store.read() as connection:
        same = transfer.ledger_id(connection) == earlier.ledger_id
        return same and transfer.hash_at(connection, earlier.sequence) == earlier.hash


def _header_of(file: Path) -> transfer.Header | None:
    """Return whose ledger a backup or an export holds, and up to where, whatever its schema; None of other files."""
    try:
        with file.open("rb") as handle:
            first = handle.readline(LONGEST_HEADER)
        if not first.startswith(SQLITE_MAGIC):
            return transfer.parse_header(first, str(file))
        with closing(open_file(file)) as connection:
            held = connection.execute("SELECT ledger_id, sequence, hash FROM ledger_head").fetchone()
    except (OSError, sqlite3.Error, ConfigError):
        return None
    return None if held is None else transfer.Header(ledger_id=held[0], sequence=held[1], hash=held[2])


def _export_to(store: Store, target: Path) -> Head:
    with writing_whole(target) as handle:
        remove_abandoned(Path(handle.name), target)
        handle.writelines(maintenance.export(store))
        handle.flush()
        return _verified_export(Path(handle.name), target)


def _verified_export(file: Path, target: Path) -> Head:
    """Read an export back, to its end; its first line says which head it goes up to."""
    with file.open("rb") as lines:
        header = transfer.parse_header(lines.readline(), str(target))
        for _event in transfer.parse_events(lines, header, str(target)):
            pass
    return Head(header.sequence, header.hash)


@contextmanager
def aside(file: Path) -> Iterator[Path]:
    """Lend a name beside a file for its copy; what still has that name at the end, side files and all, goes."""
    # Not named as files aside are elsewhere: SQLite can't lock them in the way that keeps them from being swept up.
    copy = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}.copy")
    try:
        yield copy
    finally:
        remove_abandoned(copy if copy.exists() else file, file)
        for suffix in ("", "-wal", "-shm", ".lock"):
            copy.with_name(copy.name + suffix).unlink(missing_ok=True)


@contextmanager
def opened(file: Path) -> Iterator[Store]:
    """Open a copy as the ledger that it is."""
    with open_store(Location(root=None, file=file), create=False, upgrade=False) as store:
        yield store
