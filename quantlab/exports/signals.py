"""The signal file: append-only JSON Lines that other programs wait for (contract 10)."""

from __future__ import annotations

import errno
import json
import os
from typing import TYPE_CHECKING, Any

from quantlab.clock import iso
from quantlab.exports.names import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from quantlab.errors import QuantlabError

STARTED, COMPLETED, FAILED = "SESSION_STARTED", "SESSION_COMPLETED", "SESSION_FAILED"
_STATUS = {STARTED: "running", COMPLETED: "success", FAILED: "error"}


class SignalFile:
    """Where signals of one execution go; without a file they go nowhere."""

    def __init__(self, path: Path | None, request_id: str | None, warn: Callable[[str], None]) -> None:
        self._path = path
        self._request_id = request_id
        self._warn = warn

    def emit(self, event: str, *, at: datetime, **details: Any) -> None:
        """Append one line; a line that can't be written is a warning and never stops the session."""
        if self._path is None:
            return
        line = {
            "schema_version": SCHEMA_VERSION,
            "event": event,
            "status": _STATUS[event],
            "mode": "run",
            "request_id": self._request_id,
            "timestamp": iso(at),
            **details,
        }
        try:
            _append_line(self._path, json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")
        except OSError as error:
            self._warn(
                f"WARNING: the signal file {self._path} can't be written ({error.strerror or error}); the session goes "
                "on without it. Choose another with --signal-file."
            )

    def refused(self, error: QuantlabError, *, at: datetime) -> None:
        """Tell whoever waits that nothing has begun, and why."""
        self.emit(
            FAILED,
            at=at,
            exit_code=error.exit_code,
            error_type=type(error).__name__,
            message=str(error),
        )


def _append_line(path: Path, line: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # One write to a file opened for appending: lines of several sessions never mix. A pipe that nobody reads must
    # not hold the session up.
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
    handle = os.open(path, flags, 0o666)
    try:
        # Half a character, which UTF-8 can't hold, becomes JSON's own escape of it.
        data = (b"\n" if _ends_torn(path) else b"") + line.encode(errors="backslashreplace")
        if os.write(handle, data) < len(data):
            raise OSError(errno.ENOSPC, "only a part of the line could be written")
    finally:
        os.close(handle)


def _ends_torn(path: Path) -> bool:
    """Tell whether a full disk or a kill cut the last line of a file short: the next one must not be lost with it."""
    if not path.is_file() or path.stat().st_size == 0:
        return False
    try:
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read() != b"\n"
    except OSError:  # it may be appended to and not read
        return False
