"""Backups of a ledger's SQLite file: copied while it is written to, verified, and brought back whole or not at all."""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from quantlab import transfer
from quantlab.errors import ConfigError, LedgerBusyError, LedgerError
from quantlab.exports.files import sync_folder, writing_whole
from quantlab.ledger import read_head
from quantlab.sessions import maintenance
from quantlab.store import migrate
from quantlab.store.engine import open_store
from quantlab.store.location import Location, sqlite_uri
from quantlab.store.lock import write_lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from quantlab.ledger import Head
    from quantlab.store.engine import Store

SQLITE_MAGIC = b"SQLite format 3\x00"


def back_up(store: Store, target: Path, *, force: bool = False) -> Head:
    """Copy a ledger to a file, verify the copy, and only then put it in place; a server's backup is its export.

    Raises:
        ConfigError: the target holds something that is no earlier backup of this ledger, and `force` is False.
        LedgerDamagedError: the copy does not verify.
    """
    if not force:
        _require_earlier(store, target)
    if store.location.file is None:
        return _export_to(store, target)
    with _aside(target) as copy:
        migrate.copy_database(store.location.file, copy)
        with _opened(copy) as copied:
            head = maintenance.require_sound(copied, f"The backup of {store.location}").head
        copy.replace(target)
    sync_folder(target.parent)
    return head


def restore(
    location: Location, source: Path, *, now: datetime, force: bool = False
) -> tuple[Head, Path | None]:
    """Bring a backup (or an export) back as the ledger of a root, verified, whole or not at all.

    Returns:
        The restored head, and where the ledger that was there before is kept.

    Raises:
        ConfigError: the ledger that is there verifies and `force` is False, or the source is no backup.
        LedgerDamagedError: the backup does not verify.
        LedgerBusyError: another process has the ledger open.
    """
    file = location.file
    if file is None:
        raise ConfigError(
            f"{location} is a server; bring an export into an empty one: 'quantlab ledger import'."
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    with _aside(file) as copy:
        _fill(copy, source)
        with _opened(copy) as restored:
            head = maintenance.require_sound(restored, str(source)).head
        with write_lock(location):
            kept = _set_aside(location, file, now, force=force)
            copy.replace(file)
    sync_folder(file.parent)
    return head, kept


def _fill(copy: Path, source: Path) -> None:
    try:
        with source.open("rb") as handle:
            magic = handle.read(len(SQLITE_MAGIC))
            if magic != SQLITE_MAGIC:
                handle.seek(0)
                with open_store(Location(root=None, file=copy)) as store:
                    maintenance.import_export(store, handle, str(source))
                return
    except OSError as error:
        raise ConfigError(f"The backup {source} can't be read: {error.strerror}.") from error
    try:
        migrate.copy_database(source, copy)
        migrate.upgrade_copy(copy)
    except sqlite3.Error as error:
        raise ConfigError(
            f"The backup {source} is damaged ({error}); nothing was changed. Use another."
        ) from error


def _set_aside(location: Location, file: Path, now: datetime, *, force: bool) -> Path | None:
    """Keep what is there under a dated name; the place itself is never empty for long enough to be filled anew."""
    if not file.exists():
        return None
    if not force and _verifies(location):
        raise ConfigError(
            f"The ledger {location} verifies; nothing was restored. Give --force to replace it all the same "
            "(it is kept beside, under a dated name)."
        )
    _require_alone(location, file)
    kept = file.with_name(f"{file.name}.before-restore-{now:%Y%m%dT%H%M%S%fZ}")
    for suffix in ("-wal", ""):
        part = file.with_name(file.name + suffix)
        if part.exists():
            # A log left beside the restored file would be replayed into it.
            part.replace(kept.with_name(kept.name + suffix)) if suffix else os.link(part, kept)
    file.with_name(f"{file.name}-shm").unlink(missing_ok=True)
    return kept


def _require_alone(location: Location, file: Path) -> None:
    """Refuse while another process has the ledger open: what it appends would go to the file that is set aside."""
    connection = sqlite3.connect(sqlite_uri(file, "rw"), uri=True, timeout=1, isolation_level=None)
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise LedgerBusyError(
                f"Another process has the ledger {location} open; nothing was restored. Stop the sessions first."
            ) from error
    except sqlite3.DatabaseError:
        pass  # so damaged that nobody can have it open
    finally:
        connection.close()


def _verifies(location: Location) -> bool:
    try:
        with open_store(location, create=False, upgrade=False) as store:
            return not maintenance.verify(store).faults
    except LedgerError:
        return False


def _require_earlier(store: Store, target: Path) -> None:
    if not target.exists():
        return
    if store.location.is_sqlite and _is_earlier(store, target):
        return
    raise ConfigError(
        f"{target} exists and is no earlier backup of {store.location}; nothing was written. "
        "Name another file, or give --force to replace it."
    )


def _is_earlier(store: Store, target: Path) -> bool:
    try:
        with (
            open_store(Location(root=None, file=target), create=False, upgrade=False) as old,
            old.read() as held,
        ):
            earlier = transfer.read_header(held)
    except LedgerError:
        return False
    with store.read() as connection:
        same = transfer.ledger_id(connection) == earlier.ledger_id
        return same and transfer.hash_at(connection, earlier.sequence) == earlier.hash


def _export_to(store: Store, target: Path) -> Head:
    with writing_whole(target) as handle:
        handle.writelines(maintenance.export(store))
    with store.read() as connection:
        return read_head(connection)


@contextmanager
def _aside(file: Path) -> Iterator[Path]:
    aside = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        yield aside
    finally:
        for suffix in ("", "-wal", "-shm", ".lock"):
            aside.with_name(aside.name + suffix).unlink(missing_ok=True)


@contextmanager
def _opened(file: Path) -> Iterator[Store]:
    with open_store(Location(root=None, file=file), create=False, upgrade=False) as store:
        yield store
