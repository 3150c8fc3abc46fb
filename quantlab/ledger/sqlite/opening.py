"""The only place that opens SQLite. Questions start with this, so it loads nothing else."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from quantlab.ledger.advice import BUSY_TIMEOUT_SECONDS
from quantlab.ledger.location import sqlite_uri

if TYPE_CHECKING:
    from pathlib import Path

PRAGMAS = (
    f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT_SECONDS * 1000)}",
    # With a log beside the file NORMAL would lose the last commits in a power cut.
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    # Else what INSERT OR REPLACE replaces fires no DELETE trigger, and slips past the guards.
    "PRAGMA recursive_triggers = ON",
)


def open_file(file: Path, mode: str = "rw", *, patience: float | None = None) -> sqlite3.Connection:
    """Open a database that exists, to read or copy it; in autocommit mode, so that transactions are said.

    Args:
        file: Its place.
        mode: SQLite's `rw` or `ro`. Readers open for writing too where they can: SQLite then cleans up behind itself.
        patience: Seconds for which it waits for others; the usual ones where None.

    Raises:
        sqlite3.OperationalError: there is none, or it can't be opened.
    """
    # Never `rwc`: a ledger that was deleted would come back empty, and nobody would notice.
    timeout = BUSY_TIMEOUT_SECONDS if patience is None else patience
    return sqlite3.connect(
        sqlite_uri(file, mode), uri=True, timeout=timeout, isolation_level=None, check_same_thread=False
    )


def open_without_log(file: Path) -> sqlite3.Connection:
    """Open a database to read what its file alone holds, whatever the log beside it says; takes no lock.

    A page that somebody writes meanwhile may be read half.

    Raises:
        sqlite3.OperationalError: there is none, or it can't be opened.
    """
    return sqlite3.connect(f"{sqlite_uri(file, 'ro')}&immutable=1", uri=True, isolation_level=None)


def open_to_write(file: Path) -> sqlite3.Connection:
    """Open a ledger that exists, to append to it: every commit is on the disk before it is answered."""
    connection = open_file(file)
    for pragma in PRAGMAS:
        connection.execute(pragma)
    return connection


def open_in_memory() -> sqlite3.Connection:
    """Open a database that is gone with its connection."""
    return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
