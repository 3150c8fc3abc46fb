"""What brings a ledger back, from a backup or from an export: verified, and whole or not at all."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from quantlab.base.errors import ConfigError, LedgerBusyError, LedgerDamagedError, QuantlabError
from quantlab.base.files import SQLITE_MAGIC
from quantlab.base.platform import flush_folder
from quantlab.base.remedies import BACK_UP, EXPORT_LEDGER, IMPORT_LEDGER, Setting
from quantlab.ledger import maintenance, migrate, placing, transfer
from quantlab.ledger.backup import LONGEST_HEADER, aside, opened
from quantlab.ledger.location import Location
from quantlab.ledger.sqlite.locks import write_lock
from quantlab.ledger.sqlite.opening import open_file
from quantlab.ledger.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from quantlab.ledger.log import Head


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
        LedgerError: what is there can't be looked at, such as a ledger of another schema, and `force` is False.
    """
    file = location.file
    if file is None:
        raise ConfigError(f"{location} is a server; bring an export into an empty one: ", IMPORT_LEDGER, ".")
    with _at_rest(source) as kept_source, _folder_made(file.parent), aside(file) as copy:
        _fill(copy, kept_source, str(source))
        with opened(copy) as restored:
            head = maintenance.require_sound(restored, str(source)).head
        with write_lock(location):
            kept = _set_aside(location, file, now, force=force)
            copy.replace(file)
    flush_folder(file.parent)
    return head, kept


def import_export(
    location: Location, source: Path, progress: Callable[[int], None] = lambda _count: None
) -> tuple[int, Head]:
    """Bring an exported ledger into an empty one or one that holds its first events, or make a new one of it.

    Returns:
        The events added, and the head.

    Raises:
        ConfigError: it is no export, or the ledger holds something else.
        LedgerDamagedError: the export is not whole, or its chain does not hold; nothing was imported.
    """
    with _at_rest(source) as kept, _export_at(kept, str(source)) as lines:
        file = location.file
        if file is None or file.exists():
            return _imported(location, lines, source, progress)
        with _folder_made(file.parent), aside(file) as copy:
            done = _imported(Location(root=None, file=copy), lines, source, progress)
            with write_lock(location):
                if not placing.put_in_place(copy, file):
                    raise ConfigError(
                        f"A ledger was made at {file} meanwhile; nothing was imported. Try again."
                    )
    flush_folder(file.parent)
    return done


def _imported(
    location: Location, lines: IO[bytes], source: Path, progress: Callable[[int], None]
) -> tuple[int, Head]:
    with open_store(location) as store:
        done = maintenance.import_export(store, lines, str(source), progress)
        maintenance.require_sound(store, f"{location}, with {source} in it,", "Restore a backup.")
        return done


@contextmanager
def _at_rest(source: Path) -> Iterator[Path]:
    """Give a file that can be read from its beginning more than once: what a pipe brings is kept aside meanwhile."""
    if not source.exists() or source.is_file() or source.is_dir():
        yield source
        return
    with tempfile.TemporaryDirectory(prefix="quantlab-") as folder:
        kept = Path(folder) / "source"
        try:
            with source.open("rb") as pipe, kept.open("wb") as handle:
                shutil.copyfileobj(pipe, handle)
        except OSError as error:
            raise QuantlabError(
                f"What {source} brings can't be kept in {folder} meanwhile: {error.strerror or error}. "
                "Write it to a file first, and name that."
            ) from error
        yield kept


@contextmanager
def _export_at(file: Path, where: str) -> Iterator[IO[bytes]]:
    """Open an export, at its beginning, once its first line says that it is one."""
    try:
        lines = file.open("rb")
    except OSError as error:
        raise ConfigError(f"The export {where} can't be read: {error.strerror or error}.") from error
    with lines:
        transfer.parse_header(lines.readline(LONGEST_HEADER), where)
        lines.seek(0)
        yield lines


@contextmanager
def _folder_made(folder: Path) -> Iterator[None]:
    """Make a ledger's folder where there is none; it goes again where nothing comes to lie in it."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"The folder {folder} can't be made: {error.strerror or error}; expected a folder for a ledger."
        ) from error
    try:
        yield
    except BaseException:
        for one in missing:
            with suppress(OSError):
                one.rmdir()
        raise


def _fill(copy: Path, file: Path, where: str) -> None:
    try:
        with file.open("rb") as handle:
            magic = handle.read(len(SQLITE_MAGIC))
            if magic != SQLITE_MAGIC:
                handle.seek(0)
                with open_store(Location(root=None, file=copy)) as store:
                    maintenance.import_export(store, handle, where)
                return
    except OSError as error:
        raise ConfigError(f"The backup {where} can't be read: {error.strerror}.") from error
    try:
        placing.copy_database(file, copy)
        migrate.upgrade_copy(copy)
    except sqlite3.Error as error:
        raise ConfigError(
            f"The backup {where} is damaged ({error}); nothing was changed. Use another."
        ) from error
    if migrate.revision_of_file(copy) is None:
        raise ConfigError(f"{where} is no ledger; expected a file of ", BACK_UP, " or ", EXPORT_LEDGER, ".")


def _set_aside(location: Location, file: Path, now: datetime, *, force: bool) -> Path | None:
    """Keep what is there under a dated name; the place itself is never empty for long enough to be filled anew."""
    if not file.exists():
        placing.set_log_aside(file)
        return None
    if not force and _verifies(location):
        raise ConfigError(
            f"The ledger {location} verifies; nothing was restored. Give ",
            Setting("force"),
            " to replace it all the same (it is kept beside, under a dated name).",
        )
    _require_alone(location, file)
    kept = file.with_name(f"{file.name}.before-restore-{now:%Y%m%dT%H%M%S%fZ}")
    for suffix in ("-wal", ""):
        part = file.with_name(file.name + suffix)
        if part.exists():
            _keep_as(kept.with_name(kept.name + suffix), part, gone=bool(suffix))
    file.with_name(f"{file.name}-shm").unlink(missing_ok=True)
    return kept


def _keep_as(kept: Path, part: Path, *, gone: bool) -> None:
    if not gone:
        with suppress(OSError):  # a file system without hard links: for a moment its place is empty
            os.link(part, kept)
            return
    # A log left beside the restored file would be replayed into it.
    part.replace(kept)


def _require_alone(location: Location, file: Path) -> None:
    """Refuse while another process has the ledger open: what it appends would go to the file that is set aside."""
    if file.stat().st_size == 0:
        return  # nobody can have it open, and SQLite would delete the log beside it
    connection = open_file(file, patience=1)
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
    except LedgerDamagedError:
        return False
