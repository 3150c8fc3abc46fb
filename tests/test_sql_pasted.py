"""Each `.sql` file can be pasted whole into a database that has the tables, and gives what migrations make."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

import sqlalchemy as sa
from support.postgres_server import find_binaries, plain

from quantlab.ledger import definitions, maintenance, making
from quantlab.ledger.location import locate
from quantlab.ledger.schema import metadata
from quantlab.ledger.sql import guards, texts, views
from quantlab.ledger.store import open_store

if TYPE_CHECKING:
    from pathlib import Path


def _files(engine: str) -> list[Path]:
    return [texts.FOLDER / engine / file for file in (guards.FILE, *views.FILES)]


def _definitions(connection: sqlite3.Connection) -> list[tuple[str, str, str, str]]:
    asked = f"{definitions.STORED} WHERE type IN ('trigger', 'view') ORDER BY name"
    return connection.execute(asked).fetchall()


def test_each_file_pasted_into_sqlite_gives_what_migrations_make(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "by_hand.db")) as by_hand:
        metadata.create_all(sa.create_engine("sqlite://", creator=lambda: by_hand, poolclass=sa.StaticPool))
        for file in _files("sqlite"):
            by_hand.executescript(file.read_text(encoding="utf-8"))
        pasted = _definitions(by_hand)
    open_store(locate(tmp_path, None)).close()
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as migrated:
        assert pasted == _definitions(migrated)


def test_each_file_pasted_into_psql_gives_what_migrations_make(postgres_url: str) -> None:
    psql = shutil.which("psql") or find_binaries() / "psql"
    with open_store(locate(None, postgres_url)) as store:
        with store.write() as connection:
            making.drop_guards_and_views(connection)
        files = [word for file in _files("postgres") for word in ("--file", str(file))]
        words = ["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", plain(postgres_url)]
        done = subprocess.run([psql, *words, *files], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert maintenance.verify(store).faults == []
