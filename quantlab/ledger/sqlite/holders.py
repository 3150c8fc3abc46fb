"""Who holds a SQLite ledger, as far as the system says: on Linux, by its table of locks."""

from __future__ import annotations

import logging
import os
from pathlib import Path

logger = logging.getLogger(__name__)

LOCKS = Path("/proc/locks")
TOLD_AFTER_SECONDS = 2.0
"""For so long whoever waits for a lock says nothing."""
_SIDES = ("", "-shm", ".lock")
"""The files that locks are taken on: the database, SQLite's index of its log, and the queue of our own writers."""


def tell(file: str, left: float, *, called: str = "") -> None:
    """Warn that a file is held, by whom, and for how long it is waited for; `called` where the path is no name."""
    logger.warning("%s is held by %s; waiting for up to %.0f s.", called or file, holders_of(file), left)


def holders_of(file: str) -> str:
    """Return who keeps others from a ledger, in words that go on from "held by"."""
    found = sorted(_holders(file))
    if not found:
        return "another process, which the system does not name"
    names = " and ".join(f"process {pid}{_named(pid)}" for pid in found[:3])
    return names if len(found) <= 3 else f"{names} and {len(found) - 3} more"  # noqa: PLR2004 - as many as a line takes


def _holders(file: str) -> set[int]:
    inodes = {inode for side in _SIDES if (inode := _inode(f"{file}{side}")) is not None}
    try:
        lines = LOCKS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:  # another system, or one that does not say
        return set()
    return {pid for line in lines if (pid := _holding(line, inodes)) not in (None, os.getpid())}


def _inode(path: str) -> int | None:
    try:
        return os.stat(path).st_ino  # noqa: PTH116 - a text, as given
    except OSError:
        return None


def _holding(line: str, inodes: set[int]) -> int | None:
    """Return the process that a line of the table is about, where it is a writer's lock on one of the files."""
    words = line.split()
    try:
        kind, access, pid, place = words[1], words[3], int(words[4]), int(words[5].rpartition(":")[2])
    except (IndexError, ValueError):
        return None
    # Behind an arrow stands one who waits; a process of another container has no number here.
    held = kind != "->" and access == "WRITE" and pid > 0 and place in inodes
    return pid if held else None


def _named(pid: int) -> str:
    """Return the program's own short name; its arguments may hold a password."""
    try:
        name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
    from quantlab.base.text import printable  # its patterns cost more than most questions

    return f" ({printable(name)})"
