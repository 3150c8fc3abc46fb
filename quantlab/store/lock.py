"""A fair queue before SQLite's own lock.

SQLite's back-off starves some writers when eight wait at once; a file lock around the write transaction hands the
turn round. It is an aid and no guard: where a file system has no such locks, SQLite's own still hold the truth.
"""

from __future__ import annotations

import fcntl
import os
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from quantlab.store.location import Location

WAIT_SECONDS = 30.0


@contextmanager
def write_lock(location: Location) -> Iterator[None]:
    """Hold the turn to write to a SQLite ledger; on a server there is nothing to hold."""
    if location.file is None:
        yield
        return
    with file_lock(f"{location.file}.lock"):
        yield


@contextmanager
def file_lock(path: Path | str, wait_seconds: float = WAIT_SECONDS) -> Iterator[bool]:
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
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return _queue(handle, wait_seconds)
    except OSError:
        return False
    return True


def _queue(handle: int, wait_seconds: float) -> bool:
    """Wait in the system's own queue, which wakes one waiter at a time.

    That wait knows no time limit, so a thread keeps the place in the queue, on a handle of its own: once nobody waits
    for its turn any more, the turn ends as it comes.
    """
    had = threading.Event()
    threading.Thread(target=_take_turn, args=(os.dup(handle), had), daemon=True).start()
    return had.wait(wait_seconds)


def _take_turn(handle: int, had: threading.Event) -> None:
    with suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_EX)
    had.set()
    os.close(handle)
