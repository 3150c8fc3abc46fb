"""What systems do each in their own way: locks on files, signals that stop, opening a file, facts of processes.

All that only POSIX systems have stands in this module, each beside what Windows gets instead; nothing else asks which
system this is. Whether `fcntl` can be imported decides: so the second way can be tried on Linux, by taking it away. On
Windows locks are filelock's and facts of processes psutil's, which are installed there alone.
"""

from __future__ import annotations

import errno
import os
import signal
import threading
import warnings
from contextlib import contextmanager, suppress
from functools import cache
from typing import IO, TYPE_CHECKING, Any

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment] # asked for by `_IS_POSIX` alone

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

_IS_POSIX = fcntl is not None
_TURN_SECONDS = 0.005
"""How often filelock asks for a lock that another holds; it has no queue to wait in."""

STOP_SIGNALS: tuple[signal.Signals, ...] = tuple(
    signal.Signals(getattr(signal, name))
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    if hasattr(signal, name)
)
"""The signals by which a person or the system asks a process to stop. SIGBREAK is Windows' Ctrl-Break."""

_EXTRA = getattr(os, "O_CLOEXEC", 0) | getattr(
    os, "O_BINARY", 0
)  # without O_BINARY Windows rewrites line ends
_UNHURRIED = getattr(os, "O_NONBLOCK", 0)  # a pipe that nobody fills or reads must not hold anybody up
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


def open_to_read(path: str) -> int:
    """Open a file that is no link, without waiting for the other end of a pipe.

    Raises:
        OSError: it can't be opened; with `errno.ELOOP` where it is a link.
    """
    if not _NO_LINK and os.path.islink(path):  # noqa: PTH114 - asked for every file of a root: plain strings
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
    return os.open(path, os.O_RDONLY | _NO_LINK | _UNHURRIED | _EXTRA)


def open_to_append(path: Path) -> int:
    """Open a file such that each write lands at its end, whoever else writes.

    Raises:
        OSError: it can't be opened.
    """
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | _UNHURRIED | _EXTRA, 0o666)


def place_of(handle: int) -> str | None:
    """Return the path that an open file has now, with a word behind it where it was deleted; None if unknown."""
    try:
        return os.readlink(f"/proc/self/fd/{handle}")  # noqa: PTH115 - for every event
    except OSError:
        return None


def flush_folder(folder: Path) -> None:
    """Flush a folder's entries, so that a rename survives a power cut. Windows opens no folders, and needs none."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def mark_in_use(handle: IO[bytes]) -> None:
    """Keep `remove_unused` from a file while it is open; the kernel unlocks what a killed process held."""
    if _IS_POSIX:
        with suppress(OSError):  # a file system without such locks
            fcntl.flock(handle, fcntl.LOCK_EX)


def put_in_place(handle: IO[bytes], aside: Path, path: Path) -> None:
    """Rename an open file, and close it.

    A file that is marked in use is closed last, or a sweeper might take it first; Windows renames no open file.

    Raises:
        OSError: it can't be renamed.
    """
    if not _IS_POSIX:
        handle.close()
    aside.replace(path)
    handle.close()


def remove_unused(aside: Path, writer: int) -> None:
    """Remove a file that nobody has open: where locks don't tell, a living writer's files stay, and Windows sees to it.

    Raises:
        OSError: it is in use, or can't be removed.
    """
    if not _IS_POSIX and exists(writer):
        return
    if not _IS_POSIX:
        aside.unlink()
        return
    with aside.open("rb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        aside.unlink()


def exists(pid: int) -> bool:
    """Tell whether there is a process of this number, a zombie included."""
    if not _IS_POSIX:  # there, `os.kill(pid, 0)` would send Ctrl-C
        return _psutil().pid_exists(pid)  # type: ignore[no-any-return] # psutil has no types
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it lives, as somebody else's
    return True


def ask_to_stop(pid: int) -> None:
    """Ask a process to end. Windows knows no asking: there it is ended at once.

    Raises:
        ProcessLookupError: there is none.
        PermissionError: it is somebody else's.
    """
    if _IS_POSIX:
        os.kill(pid, signal.SIGTERM)
        return
    psutil = _psutil()
    try:
        psutil.Process(pid).terminate()
    except psutil.NoSuchProcess as error:
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH)) from error
    except psutil.AccessDenied as error:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM)) from error


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process that was started in a session of its own, and what it started."""
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def began(pid: int) -> str | None:
    """Return what tells a process from a later one with its number, for systems without /proc; None if unknown."""
    if _IS_POSIX:
        return None
    psutil = _psutil()
    try:
        return f"began:{psutil.Process(pid).create_time():.3f}"
    except psutil.Error:
        return None


class FileLock:
    """An exclusive lock on a file, which is kept open in between; another process's, or another of these, excludes it.

    Methods that take it raise OSError where the file can't be opened or its file system has no locks, and RuntimeError
    where the machine has no room for a thread.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._handle: int | None = None

    def retake(self) -> bool:
        """Take it if nobody else holds it, by the file that was opened before; False if none was."""
        return self._handle is not None and _try(self._handle)

    def try_take(self) -> bool:
        """Take it if nobody else holds it: that of the file that is there now, should somebody have deleted it."""
        return _try(self._opened())

    def wait(self, seconds: float) -> bool:
        """Take it, or wait in the system's own queue, which wakes one waiter at a time."""
        handle = self._opened()
        return _try(handle) or _wait(handle, seconds)

    def release(self) -> None:
        """Let the next one have it."""
        if self._handle is not None:
            with suppress(OSError):
                fcntl.flock(self._handle, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the lock and of its file."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _opened(self) -> int:
        if self._handle is not None and not os.fstat(self._handle).st_nlink:
            self.close()
        if self._handle is None:
            self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | _EXTRA, 0o666)
        return self._handle


class LibraryLock:
    """The same by filelock, which knows how Windows locks."""

    def __init__(self, path: str) -> None:
        self._lock = _filelock().FileLock(path, thread_local=False)

    def retake(self) -> bool:
        """Take it if nobody else holds it."""
        return self.wait(0)

    def try_take(self) -> bool:
        """Take it if nobody else holds it."""
        return self.wait(0)

    def wait(self, seconds: float) -> bool:
        """Take it, or ask again and again."""
        try:
            self._lock.acquire(timeout=seconds, poll_interval=_TURN_SECONDS)
        except _filelock().Timeout:
            return False
        return True

    def release(self) -> None:
        """Let the next one have it."""
        self._lock.release(force=True)

    def close(self) -> None:
        """Let go of it."""
        self.release()


def file_lock(path: str) -> FileLock | LibraryLock:
    """Return a lock on a file beside the one that it guards, not taken yet."""
    return FileLock(path) if _IS_POSIX else LibraryLock(path)


@contextmanager
def queued_on(folder: str, seconds: float) -> Iterator[None]:
    """Be the first of those who queue up on a folder, or have waited for that; without `fcntl` there is no queue."""
    try:
        handle = os.open(folder, os.O_RDONLY | _EXTRA) if _IS_POSIX else None
    except OSError:
        handle = None
    if handle is None:
        yield
        return
    try:
        with suppress(OSError, RuntimeError):
            _ = _try(handle) or _wait(handle, seconds)
        yield
    finally:
        os.close(handle)


def _try(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait(handle: int, seconds: float) -> bool:
    """Wait for a lock in a thread, for that wait knows no time limit.

    The thread keeps the place in the queue, on a handle of its own: once nobody waits for its turn any more, the turn
    ends as it comes.
    """
    had, place = threading.Event(), os.dup(handle)
    try:
        threading.Thread(target=_take_turn, args=(place, had), daemon=True).start()
    except RuntimeError:
        os.close(place)
        raise
    return had.wait(seconds)


def _take_turn(handle: int, had: threading.Event) -> None:
    with suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_EX)
    had.set()
    os.close(handle)


@cache
def _filelock() -> Any:
    with warnings.catch_warnings():
        # Where neither fcntl nor Windows' locks are there, it falls back to files that exist or not, and says so.
        warnings.simplefilter("ignore")
        import filelock
    return filelock


@cache
def _psutil() -> Any:
    import psutil

    return psutil
