"""Write a fresh ledger's definitions, which questions hold ledgers against: run it after a migration."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from quantlab.ledger import definitions
from quantlab.ledger.location import locate
from quantlab.ledger.store import open_store


def text() -> str:
    """Return what the file has to say."""
    with tempfile.TemporaryDirectory() as folder:
        location = locate(Path(folder), None)
        open_store(location).close()
        with closing(sqlite3.connect(str(location.file))) as connection:
            return definitions.as_text(connection.execute(definitions.STORED).fetchall())


if __name__ == "__main__":
    definitions.FILE.write_text(text(), encoding="utf-8")
