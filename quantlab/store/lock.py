"""A fair queue before SQLite's own lock.

SQLite's back-off starves some writers when eight wait at once; a file lock around the write transaction hands the
turn round. It is an aid and no guard: where a file system has no such locks, SQLite's own still hold the truth.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from quantlab.store.location import Location

WAIT_SECONDS = 30.0
POLL_SECONDS = 0.0005
LONGEST_PAUSE_SECONDS = 0.05


@contextmanager
def write_lock(location: Location) -> Iterator[None]:
    """Hold the turn to write to a SQLite ledger; on a server there is nothing to hold."""
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
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError:
        yield False
        return
    try:
        yield _acquire(handle, wait_seconds)
    finally:
        os.close(handle)


def _acquire(handle: int, wait_seconds: float) -> bool:
    began = time.monotonic()
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        waited = time.monotonic() - began
        if waited >= wait_seconds:
            return False
        time.sleep(_pause(waited))


def _pause(waited: float) -> float:
    """Ask often for a second, then less and less: a hundred who wait must not fill the cores."""
    return min(LONGEST_PAUSE_SECONDS, max(POLL_SECONDS, (waited - 1.0) / 20))
