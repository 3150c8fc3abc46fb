"""Files that others may read appear whole, or not at all; what killed commands left of them is swept."""

from __future__ import annotations

import json
import os
import re
import secrets
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from quantlab.base import platform, process
from quantlab.base.errors import ConfigError, QuantlabError
from quantlab.base.process import this_host

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quantlab.base.values import JsonObject

_ASIDE = re.compile(r"\..+\.(?P<pid>[0-9]+)\.[0-9a-f]{8}\.tmp")
SQLITE_MAGIC = b"SQLite format 3\x00"
SIDE_FILES = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database, by the ends of their names; without them the database may be lost."""
OLD_SECONDS = 86_400.0
"""A file aside that nobody has written to for so long is nobody's; whoever makes one writes all the time."""
_ENDING = (
    r"(?:\.(?P<pid>[0-9]+))?(?:\.[0-9a-f]{8})"
    r"(?:\.copy)?(?:\.[0-9a-f]{8})?(?:\.tmp)?(?:-wal|-shm|-journal|\.lock)?"
)


def write_whole(path: Path, data: bytes, *, flush: bool = True) -> None:
    """Write a file aside, flush it to the disk and rename it into place.

    Unflushed it is whole for every reader, but a power cut may take it: for what is written again soon, and can be
    made anew.

    Raises:
        QuantlabError: the file can't be written; the old one, if any, is untouched.
    """
    with writing_whole(path, flush=flush) as handle:
        handle.write(data)


def require_target(target: Path, *, may_be_database: bool = False) -> Path:
    """Return the file that may be written where somebody said so: what a link leads to, not the link.

    A database is nothing to be written over by mistake: it may be a ledger, this one or another root's.

    Raises:
        ConfigError: the target is there and no regular file, or a database, or can't be made.
    """
    end = Path(os.path.realpath(target))
    if end.is_dir():
        raise ConfigError(f"{target} is a folder; expected a file. Name one in it.")
    if os.path.lexists(end) and not end.is_file():
        raise ConfigError(f"{target} is no regular file; expected one, or a name that is free.")
    if not end.parent.is_dir():
        raise ConfigError(
            f"{target} can't be written: No such file or directory; expected a file in a folder that is there. "
            f"Make {end.parent} first."
        )
    if not os.access(end.parent, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise ConfigError(
            f"{target} can't be written: Permission denied; expected a file in a folder that can be written."
        )
    if not may_be_database:
        require_no_database(target)
    return end


def require_no_database(target: Path) -> None:
    """Refuse to write over a SQLite database, or over what SQLite keeps beside one.

    Raises:
        ConfigError: the target is one.
    """
    if belongs_to_database(target):
        raise ConfigError(f"{target} belongs to a database; expected another file. Nothing was written.")


def belongs_to_database(file: Path) -> bool:
    """Tell whether a file is a SQLite database, or stands beside one as SQLite's own."""
    end = os.path.realpath(file)
    beside = [Path(end.removesuffix(one)) for one in SIDE_FILES if end.endswith(one)]
    return any(_is_database(one) for one in (Path(end), *beside))


def _is_database(file: Path) -> bool:
    if not file.is_file():  # a pipe would be waited for
        return False
    try:
        with file.open("rb") as handle:
            return handle.read(len(SQLITE_MAGIC)) == SQLITE_MAGIC
    except OSError:
        return False


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of what a file holds.

    Raises:
        OSError: it can't be read.
    """
    import hashlib  # 2 ms, which most questions do without

    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def json_bytes(document: JsonObject) -> bytes:
    """Return strict JSON for people: two spaces, field order kept, UTF-8, a newline at the end."""
    return (json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


@contextmanager
def writing_whole(path: Path, *, flush: bool = True) -> Iterator[IO[bytes]]:
    """Yield a handle to a file aside, which takes the path's place once everything is on the disk.

    Without `flush` it takes the place once everything is written.

    Raises:
        QuantlabError: the file can't be written; the old one, if any, is untouched.
    """
    try:
        aside, handle = _open_aside(path)
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        with handle:
            yield handle
            handle.flush()
            if flush:
                os.fsync(handle.fileno())
            platform.put_in_place(handle, aside, path)
        if flush:
            platform.flush_folder(path.parent)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise _cannot_write(path, error) from error
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def remove_leftovers(folder: Path) -> None:
    """Remove the files aside that killed writers left in a folder; those of living writers are locked, and stay."""
    with suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208 - a root may hold a hundred thousand: plain strings
            if found := _ASIDE.fullmatch(name):
                with suppress(OSError):
                    platform.remove_unused(folder / name, int(found["pid"]))


def remove_abandoned(made: Path, of: Path) -> None:
    """Remove what was left beside a file by commands that were killed while they made it.

    SQLite's files can't be locked in the way that other files aside are: here age and the process in the name tell.

    Args:
        made: A file that was made just now in the same folder: its time is that of the folder's file system.
        of: The file whose making left them.
    """
    pattern = re.compile(rf"\.+{re.escape(of.name)}{_ENDING}")
    with suppress(OSError):
        now = made.stat().st_mtime
        for name in os.listdir(of.parent):  # noqa: PTH208 - a root may hold a hundred thousand: plain strings
            found = pattern.fullmatch(name)
            if found is not None and not _is_somebodys(found["pid"]):
                with suppress(OSError):
                    left = of.parent / name
                    if now - left.stat(follow_symlinks=False).st_mtime > OLD_SECONDS:
                        left.unlink()


def _open_aside(path: Path) -> tuple[Path, IO[bytes]]:
    """Make a file aside that `remove_leftovers` leaves alone for as long as it is open."""
    while True:
        aside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
        handle = aside.open("xb")
        platform.mark_in_use(handle)
        if os.fstat(handle.fileno()).st_nlink > 0:
            return aside, handle
        handle.close()  # taken for a leftover before it was locked


def _cannot_write(path: Path, error: OSError) -> QuantlabError:
    return QuantlabError(
        f"{path} can't be written: {error.strerror or error}. The old file, if any, is untouched."
    )


def _is_somebodys(pid: str | None) -> bool:
    """Tell whether a process of that number lives here; one elsewhere is told by the file's age alone."""
    return pid is not None and process.is_alive(this_host(), int(pid), None) is True
