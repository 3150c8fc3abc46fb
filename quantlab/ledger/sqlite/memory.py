"""Copy a ledger that can't be opened where it lies (SQLite's WAL needs to write beside it) into memory."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from quantlab.base.errors import LedgerBusyError, LedgerError
from quantlab.ledger.sqlite.opening import open_file, open_in_memory

if TYPE_CHECKING:
    import sqlite3

ATTEMPTS = 5


def copied(file: Path) -> sqlite3.Connection:
    """Return an in-memory database that holds the file's content, its WAL included.

    Raises:
        LedgerBusyError: somebody wrote to it during every attempt.
        LedgerError: the file can't be read.
    """
    memory = open_in_memory()
    try:
        with _temporary_folder(file) as folder:
            _back_up(_copy_still(file, Path(folder)), memory)
    except BaseException:
        memory.close()
        raise
    return memory


def _temporary_folder(file: Path) -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="quantlab-read-", ignore_cleanup_errors=True)
    except OSError as error:
        raise LedgerError(
            f"The ledger {file} can only be read from a copy, and no temporary folder can be had for it "
            f"({error.strerror or error}); name one by TMPDIR."
        ) from error


def _copy_still(file: Path, folder: Path) -> Path:
    """Copy database and WAL while neither changes: a checkpoint between the two would tear the copy."""
    for _attempt in range(ATTEMPTS):
        before = _state(file)
        try:
            _copy(file, folder)
        except OSError as error:
            raise LedgerError(
                f"The ledger {file} can't be read: {error.strerror or error}; check its permissions."
            ) from error
        if _state(file) == before:
            return folder / file.name
    raise LedgerBusyError(
        f"The ledger {file} was written to while it was read, {ATTEMPTS} times in a row; try again."
    )


def _copy(file: Path, folder: Path) -> None:
    shutil.copyfile(file, folder / file.name)
    beside, target = _wal(file), folder / _wal(file).name
    target.unlink(missing_ok=True)
    if beside.exists():
        shutil.copyfile(beside, target)


def _state(file: Path) -> tuple[tuple[int, int] | None, ...]:
    return tuple(_stamp(one) for one in (file, _wal(file)))


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns


def _wal(file: Path) -> Path:
    return file.with_name(f"{file.name}-wal")


def _back_up(file: Path, memory: sqlite3.Connection) -> None:
    source = open_file(file)
    try:
        source.backup(memory)
    finally:
        source.close()
