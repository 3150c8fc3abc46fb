"""Who is running: this process as others may check it, and whether another one still lives."""

from __future__ import annotations

import os
from pathlib import Path

from quantlab.store.home import this_host

_PROC = Path("/proc")
_START_TIME_FIELD = 19
"""Place of the start time among the fields of /proc/PID/stat that follow the command's name (proc(5), field 22)."""


def identity() -> tuple[str, int, str | None]:
    """Return this process's host, pid and start mark; the mark is None where the system doesn't tell."""
    pid = os.getpid()
    return this_host(), pid, start_mark(pid)


def start_mark(pid: int) -> str | None:
    """Return what tells a process from a later one with the same pid: boot and start time, or None."""
    fields = _fields(pid)
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    return f"{boot}:{fields[_START_TIME_FIELD]}" if fields else None


def is_alive(host: str | None, pid: int | None, mark: str | None) -> bool | None:
    """Tell whether a recorded process still lives; None where it can't be told from here."""
    if host != this_host() or pid is None or pid <= 0:
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it lives, as somebody else's
    if _fields(pid)[:1] in (["Z"], ["X"]):
        return False  # a zombie: it has ended, and nobody has asked for its exit code yet
    return mark is None or start_mark(pid) in (None, mark)


def _fields(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on; empty where the system doesn't tell."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return []
    # The command's name stands in parentheses and may itself hold spaces and parentheses.
    return stat.rpartition(")")[2].split()
