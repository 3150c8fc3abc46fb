"""A fair queue before SQLite's own lock.

SQLite's back-off starves some writers when eight wait at once; file locks around the write transaction hand the turn
round. They are an aid and no guard: where a file system has no such locks, SQLite's own still hold the truth.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from quantlab.store.advice import BUSY_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from quantlab.store.location import Location

WAIT_SECONDS = BUSY_TIMEOUT_SECONDS
SLICE_SECONDS = 0.008
"""For how long a writer that goes straight on may take turn after turn before it queues up again."""
POLL_SECONDS = 0.0005
_MADE = os.O_RDWR | os.O_CREAT


class Turns:
    """One writer's turns at a SQLite ledger; where it lies in memory there is nothing to take.

    A writer that goes straight on keeps its turn for a time slice: its pages and its code are still in the caches then,
    and an append takes half as long as after another process's. Then it queues up behind those who wait.
    """

    def __init__(self, location: Location) -> None:
        file = location.file
        self._file = None if file is None else f"{file}.lock"
        self._folder = "" if file is None else str(file.parent)
        self._handle: int | None = None
        self._slice_ends = 0.0

    def take(self) -> None:
        """Take the turn to write."""
        try:
            if not self._goes_straight_on():
                self._begin_a_slice()
        except BaseException:
            self.give_back()
            raise

    def give_back(self) -> None:
        """Let the next one write."""
        if self._handle is not None:
            with suppress(OSError):
                fcntl.flock(self._handle, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the lock's file, which is kept open in between."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _goes_straight_on(self) -> bool:
        handle = self._handle
        return handle is not None and time.monotonic() < self._slice_ends and _taken(handle, _try)

    def _begin_a_slice(self) -> None:
        handle = self._opened()
        if handle is not None and _taken(handle, lambda lock: _queue_up(lock, self._folder)):
            self._slice_ends = time.monotonic() + SLICE_SECONDS

    def _opened(self) -> int | None:
        """Return a handle on the lock's file: on the one that is there now, should somebody have deleted it."""
        if self._file is None:
            return None
        if self._handle is not None and not os.fstat(self._handle).st_nlink:
            self.close()
        if self._handle is None:
            with suppress(OSError):
                self._handle = os.open(self._file, _MADE | os.O_CLOEXEC, 0o666)
        return self._handle


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
    with _held(path, _MADE, lambda handle: _wait(handle, wait_seconds)) as had:
        yield had


@contextmanager
def _held(path: Path | str, flags: int, take: Callable[[int], bool]) -> Iterator[bool]:
    try:
        handle = os.open(path, flags | os.O_CLOEXEC, 0o666)
    except OSError:
        yield False
        return
    try:
        yield _taken(handle, take)
    finally:
        os.close(handle)


def _taken(handle: int, take: Callable[[int], bool]) -> bool:
    try:
        return take(handle)
    except (OSError, RuntimeError):  # a file system without locks; a machine without room for a thread
        return False


def _queue_up(handle: int, folder: str) -> bool:
    """Take a lock behind all who queue up by a lock on the folder; only the first of them asks for it again."""
    deadline = time.monotonic() + WAIT_SECONDS
    with _held(folder, os.O_RDONLY, lambda place: _wait(place, WAIT_SECONDS)):
        while not (had := _try(handle)) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
    return had


def _try(handle: int) -> bool:
    """Take the lock if nobody else holds it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait(handle: int, wait_seconds: float) -> bool:
    """Take the lock, or wait for it in the system's own queue, which wakes one waiter at a time.

    That wait knows no time limit, so a thread keeps the place in the queue, on a handle of its own: once nobody waits
    for its turn any more, the turn ends as it comes.
    """
    if _try(handle):
        return True
    had, place = threading.Event(), os.dup(handle)
    try:
        threading.Thread(target=_take_turn, args=(place, had), daemon=True).start()
    except RuntimeError:
        os.close(place)
        raise
    return had.wait(wait_seconds)


def _take_turn(handle: int, had: threading.Event) -> None:
    with suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_EX)
    had.set()
    os.close(handle)
