"""The signal file: append-only JSON Lines that other programs wait for (contract 10)."""

from __future__ import annotations

import errno
import json
import logging
import os
from typing import TYPE_CHECKING

from quantlab.base import platform
from quantlab.base.clock import iso
from quantlab.base.files import belongs_to_database
from quantlab.base.remedies import Setting
from quantlab.domain.names import SCHEMA_VERSION

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from quantlab.base.errors import QuantlabError

logger = logging.getLogger(__name__)

STARTED, COMPLETED, FAILED = "SESSION_STARTED", "SESSION_COMPLETED", "SESSION_FAILED"
PAUSED, RESUMED = "SESSION_PAUSED", "SESSION_RESUMED"
_STATUS = {
    STARTED: "running",
    PAUSED: "running",
    RESUMED: "running",
    COMPLETED: "success",
    FAILED: "error",
}


class SignalFile:
    """Where signals of one execution go; without a file they go nowhere."""

    def __init__(self, path: Path | None, request_id: str | None) -> None:
        self._path = path
        self._request_id = request_id

    def emit(self, event: str, *, at: datetime, **details: object) -> None:
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
            logger.warning(
                "the signal file %s can't be written (%s); the session goes on without it. Choose another with %s.",
                self._path,
                error.strerror or error,
                Setting("signal_file"),
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
    if belongs_to_database(path):
        raise OSError(errno.EINVAL, "it belongs to a database")
    handle = platform.open_to_append(path)  # each line is one write, so lines of several sessions never mix
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
