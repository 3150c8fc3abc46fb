"""Locks on files beside a ledger: while it is made, moved or copied, and around what only one may write at a time.

They are an aid and no guard: where a file system has no such locks, SQLite's own still hold the truth.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from quantlab.base import platform
from quantlab.ledger.advice import BUSY_TIMEOUT_SECONDS
from quantlab.ledger.sqlite import holders

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from quantlab.base.platform import FileLock, LibraryLock
    from quantlab.ledger.location import Location

WAIT_SECONDS = BUSY_TIMEOUT_SECONDS
CAN_NOT_LOCK = (OSError, RuntimeError)
"""A file system without locks; a machine without room for a thread."""


@contextmanager
def write_lock(location: Location) -> Iterator[None]:
    """Keep all writers from a SQLite ledger, for as long as it takes; on a server there is nothing to hold."""
    if location.file is None:
        yield
        return
    with file_lock(location.file.with_name(f"{location.file.name}.lock")):
        yield


@contextmanager
def file_lock(path: Path, wait_seconds: float = WAIT_SECONDS) -> Iterator[bool]:
    """Hold an exclusive lock on a file beside the one it guards; yields whether it was had in time.

    After the time it goes on without: a stopped holder must not stop everybody.
    """
    lock = platform.file_lock(str(path))
    try:
        yield _wait(lock, wait_seconds, str(path).removesuffix(".lock"))
    finally:
        lock.close()


def _wait(lock: FileLock | LibraryLock, seconds: float, guarded: str) -> bool:
    """Wait for a lock; whoever has it for long is named, once."""
    silent = min(seconds, holders.TOLD_AFTER_SECONDS)
    try:
        if lock.wait(silent):
            return True
        if silent < seconds:
            holders.tell(guarded, seconds - silent)
        return silent < seconds and lock.wait(seconds - silent)
    except CAN_NOT_LOCK:
        return False
