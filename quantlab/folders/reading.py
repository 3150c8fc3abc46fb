"""Read the bytes of files that anybody may have written: bounded, and never beyond the root. Loads next to nothing."""

from __future__ import annotations

import errno
import os
import stat

from quantlab.base.platform import open_to_read
from quantlab.domain.names import SESSION_MARKERS

LARGEST_DOCUMENT = 32 * 1024 * 1024


class UnreadableError(Exception):
    """A file is there and can't be used; the message says why.

    Attributes:
        digest: SHA-256 of its bytes; None where they could not be read.
    """

    def __init__(self, why: str, digest: str | None = None) -> None:
        super().__init__(why)
        self.digest = digest


def read_bytes(file: str, root: str) -> bytes:
    """Return a file's bytes.

    Raises:
        FileNotFoundError: there is no such file.
        UnreadableError: it is no regular file inside the root, too large, or can't be read.
    """
    handle, size = open_regular(file, root)
    try:
        if size > LARGEST_DOCUMENT:
            raise UnreadableError(f"larger than {LARGEST_DOCUMENT >> 20} MiB")
        return os.read(handle, size)
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from error
    finally:
        os.close(handle)


def open_regular(file: str, root: str) -> tuple[int, int]:
    """Open a regular file inside the root; returns its handle and its size."""
    try:
        handle = open_to_read(file)
    except FileNotFoundError:
        raise
    except NotADirectoryError as error:
        raise FileNotFoundError(file) from error
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise UnreadableError(error.strerror or str(error)) from error
        handle = _open_link(file, root)
    state = os.fstat(handle)
    if not stat.S_ISREG(state.st_mode):
        os.close(handle)
        raise UnreadableError("not a regular file")
    return handle, state.st_size


def _open_link(file: str, root: str) -> int:
    target, inside = os.path.realpath(file), os.path.realpath(root)
    if not target.startswith(f"{inside}{os.sep}"):
        raise UnreadableError("a link out of the root", None)
    try:
        return open_to_read(target)
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from error


def is_session(folder: str) -> bool:
    """Tell whether a folder holds any of the files that make it a session's."""
    return any(os.path.lexists(f"{folder}/{name}") for name in SESSION_MARKERS)


def recorded_bytes(file: str, root: str, digest: str) -> tuple[bytes | None, str | None]:
    """Return a file's bytes if they are those that were recorded, and else why they are not to be used.

    Args:
        file: Its path.
        root: The root that it may not lead out of.
        digest: SHA-256, in hex, of what was recorded.
    """
    from hashlib import sha256

    try:
        data = read_bytes(file, root)
    except FileNotFoundError:
        return None, "not there"
    except UnreadableError as error:
        return None, f"can't be read ({error})"
    if sha256(data).hexdigest() != digest:
        return None, "not the one that was recorded"
    return data, None
