"""Ledgers that a drill reads as a plain client does: the SQLite of a root, or a schema on a PostgreSQL server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import psycopg
from support.ledger_history import stored
from support.postgres_server import plain

from quantlab.ledger.location import LEDGER_FILE, Location, locate

if TYPE_CHECKING:
    from pathlib import Path

Rows = list[tuple[object, ...]]


class Drilled(Protocol):
    """A ledger of one session.

    Attributes:
        words: What a command is told of it.
        location: Where it is.
    """

    words: tuple[str, ...]
    location: Location

    def rows(self, query: str) -> Rows:
        """Return what a query gives; nothing before there is a ledger."""


class OnFile:
    """The SQLite of a root."""

    words: tuple[str, ...] = ()

    def __init__(self, root: Path) -> None:
        self.location = Location(root=root, file=root / LEDGER_FILE)
        self._file = root / LEDGER_FILE

    def rows(self, query: str) -> Rows:
        """Return what a query gives; nothing before there is a ledger."""
        if not self._file.exists() or not stored(
            self._file, "SELECT 1 FROM sqlite_master WHERE name = 'session_bars'"
        ):
            return []
        return stored(self._file, query)


class OnServer:
    """A schema of its own on a PostgreSQL server."""

    def __init__(self, root: Path, url: str) -> None:
        self.words: tuple[str, ...] = ("--ledger", url)
        self.location = locate(root, url)
        self._url = plain(url)

    def rows(self, query: str) -> Rows:
        """Return what a query gives; nothing before there is a ledger."""
        with psycopg.connect(self._url) as connection:
            if connection.execute("SELECT to_regclass('session_bars')").fetchone() == (None,):
                return []
            return connection.execute(query.encode()).fetchall()
