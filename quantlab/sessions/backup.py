"""Backups of a ledger: copied while it is written to, and verified before they take their place."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from quantlab import transfer
from quantlab.errors import ConfigError
from quantlab.exports.files import sync_folder, writing_whole
from quantlab.ledger import Head
from quantlab.sessions import maintenance
from quantlab.sessions.copies import LONGEST_HEADER, SQLITE_MAGIC, aside, opened
from quantlab.store import placing
from quantlab.store.location import sqlite_uri

if TYPE_CHECKING:
    from quantlab.store.engine import Store
    from quantlab.store.location import Location


def back_up(store: Store, target: Path, *, force: bool = False) -> Head:
    """Copy a ledger to a file, verify the copy, and only then put it in place; a server's backup is its export.

    Raises:
        ConfigError: the target is the ledger itself or no regular file, or holds something that is no earlier backup
            of this ledger and `force` is False, or it can't be written.
        LedgerDamagedError: the copy does not verify.
    """
    target = require_target(store.location, target)
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
    sync_folder(target.parent)
    return head


def require_target(location: Location, target: Path) -> Path:
    """Return the file that a backup or an export may be written to: what a link leads to, not the link.

    Raises:
        ConfigError: the target is the ledger that is read, or is there and no regular file, or can't be made.
    """
    file, end = location.file, Path(os.path.realpath(target))
    if end.is_dir():
        raise ConfigError(f"{target} is a folder; expected a file. Name one in it.")
    if os.path.lexists(end) and not end.is_file():
        raise ConfigError(
            f"{target} is no regular file; expected one, or a name that is free. To write into a pipe or a device: "
            "'quantlab ledger export ROOT > FILE'."
        )
    if file is not None and end.exists() and file.exists() and end.samefile(file):
        raise ConfigError(f"{target} is the ledger itself; expected another file. Nothing was written.")
    if not end.parent.is_dir():
        raise ConfigError(
            f"{target} can't be written: No such file or directory; expected a file in a folder that is there. "
            f"Make {end.parent} first."
        )
    if not os.access(end.parent, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise ConfigError(
            f"{target} can't be written: Permission denied; expected a file in a folder that can be written."
        )
    return end


def _require_earlier(store: Store, target: Path) -> None:
    if not target.exists() or _is_earlier(store, target):
        return
    raise ConfigError(
        f"{target} exists and is no earlier backup of {store.location}; nothing was written. "
        "Name another file, or give --force to replace it."
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
        with closing(sqlite3.connect(sqlite_uri(file, "rw"), uri=True)) as connection:
            held = connection.execute("SELECT ledger_id, sequence, hash FROM ledger_head").fetchone()
    except (OSError, sqlite3.Error, ConfigError):
        return None
    return None if held is None else transfer.Header(ledger_id=held[0], sequence=held[1], hash=held[2])


def _export_to(store: Store, target: Path) -> Head:
    with writing_whole(target) as handle:
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
