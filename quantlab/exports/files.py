"""Files that others may read appear whole, or not at all."""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any

from quantlab.errors import QuantlabError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ASIDE = re.compile(r"\..+\.[0-9]+\.[0-9a-f]{8}\.tmp")


def write_whole(path: Path, data: bytes) -> None:
    """Write a file aside, flush it to the disk and rename it into place.

    Raises:
        QuantlabError: the file can't be written; the old one, if any, is untouched.
    """
    with writing_whole(path) as handle:
        handle.write(data)


def json_bytes(document: dict[str, Any]) -> bytes:
    """Return strict JSON for people: two spaces, field order kept, UTF-8, a newline at the end."""
    return (json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


@contextmanager
def writing_whole(path: Path) -> Iterator[IO[bytes]]:
    """Yield a handle to a file aside, which takes the path's place once everything is on the disk.

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
            os.fsync(handle.fileno())
            aside.replace(path)
        sync_folder(path.parent)
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
            if _ASIDE.fullmatch(name):
                _remove_unlocked(folder / name)


def _open_aside(path: Path) -> tuple[Path, IO[bytes]]:
    """Make a file aside and lock it for as long as it is open; the kernel unlocks what a killed process held."""
    while True:
        aside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
        handle = aside.open("xb")
        with suppress(OSError):  # a file system without such locks: its leftovers stay
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle.fileno()).st_nlink > 0:
            return aside, handle
        handle.close()  # taken for a leftover before it was locked


def _remove_unlocked(aside: Path) -> None:
    with suppress(OSError), aside.open("rb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        aside.unlink()


def _cannot_write(path: Path, error: OSError) -> QuantlabError:
    return QuantlabError(
        f"{path} can't be written: {error.strerror or error}. The old file, if any, is untouched."
    )


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries, so that a rename survives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
