"""Why an operator stops a session: left in its folder before the signal, and recorded by the session with its end."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from quantlab.base.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NAME = ".stop_note"
_LARGEST = 64 * 1024


@contextmanager
def left(folder: Path | None, reason: str) -> Iterator[None]:
    """Leave the operator's words in a session's folder for as long as its process is waited for.

    Args:
        folder: The session's; None where it is not to be found from here.
        reason: The words.

    Raises:
        QuantlabError: the folder can't be written.
    """
    if folder is None or not folder.is_dir():
        yield
        return
    write_whole(folder / _NAME, reason.encode())
    try:
        yield
    finally:
        with suppress(OSError):
            (folder / _NAME).unlink()


def read(folder: Path) -> str | None:
    """Return the words that were left in a session's folder; None where nobody left any."""
    try:
        with (folder / _NAME).open("rb") as file:
            return file.read(_LARGEST).decode(errors="replace").strip() or None
    except OSError:
        return None
