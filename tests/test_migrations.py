"""Migrations make what the models say; guards and views are those of the program."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from support.ledger_history import CHECKOUT, open_root, stored

from quantlab.base.errors import LedgerError
from quantlab.ledger import migrate
from quantlab.ledger.revision import HEAD_REVISION, migrations_folder
from quantlab.ledger.schema import metadata
from quantlab.ledger.sql import guards, views

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GUARDS_OF_REVISION = {
    "0001": "a5672b71d5c4a46801ae46b1f2379769d5eb4f18bdc701fe83c3a594ec7775b8",
    "0002": "01e625e1ddf67db76bc3e10480a93545306a67ff806dec5bcdc9e372ae2c5056",
    "0003": "8d404a785630c49ce96b2b0c7620c176857e66844336bbfd67eb482d464ba1d7",
    "0004": "1e3692512b60f4f8cf1816b5b144f0f56f3c1e9c58ef96b3ba7aab40edecf164",
    "0005": "bde556ea1c70a06433d7fcaa13800584b806df3892e9fc7d7c70a839c2bf0fe4",
    "0006": "34110d0ea9435f98db7ca23e298dac5d17c979b666354796c794d552d9626623",
    "0007": "34110d0ea9435f98db7ca23e298dac5d17c979b666354796c794d552d9626623",
    "0008": "34110d0ea9435f98db7ca23e298dac5d17c979b666354796c794d552d9626623",
}
"""Revision -> the texts of guards that it made. A change of a text needs a migration, or ledgers keep the old one."""


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sa.Connection]:
    with open_root(tmp_path) as store, store.read() as opened:
        yield opened


def test_the_migrated_schema_is_that_of_the_models(connection: sa.Connection) -> None:
    assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def _described(connection: sa.Connection) -> dict[str, tuple[str, str]]:
    rows = connection.exec_driver_sql(
        "SELECT name, type, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' AND type IN ('table', 'index')"
    )
    return {name: (kind, " ".join(text.split())) for name, kind, text in rows if name != "alembic_version"}


def test_indexes_are_word_for_word_those_of_the_models(connection: sa.Connection) -> None:
    with sa.create_engine("sqlite://").begin() as fresh:
        metadata.create_all(fresh)
        modelled = {name: text for name, (kind, text) in _described(fresh).items() if kind == "index"}
    assert {
        name: text for name, (kind, text) in _described(connection).items() if kind == "index"
    } == modelled


@pytest.mark.parametrize("table", sorted(metadata.tables))
def test_columns_are_word_for_word_those_of_the_models(connection: sa.Connection, table: str) -> None:
    columns = f"SELECT name, type, \"notnull\", pk, hidden FROM pragma_table_xinfo('{table}') ORDER BY name"
    with sa.create_engine("sqlite://").begin() as fresh:
        metadata.create_all(fresh)
        modelled = fresh.exec_driver_sql(columns).all()
    assert connection.exec_driver_sql(columns).all() == modelled


def test_triggers_and_views_are_word_for_word_those_of_the_program(connection: sa.Connection) -> None:
    found = connection.exec_driver_sql(
        "SELECT sql FROM sqlite_master WHERE type IN ('trigger', 'view')"
    ).scalars()
    assert sorted(found) == sorted((*guards.of_sqlite(), *views.of(sqlite=True).values()))


def test_the_program_s_revision_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", migrations_folder())
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD_REVISION


def test_the_guards_texts_are_those_of_the_revision() -> None:
    texts = "\n".join((*guards.of_sqlite(), *guards.of_postgres()))
    assert hashlib.sha256(texts.encode()).hexdigest() == GUARDS_OF_REVISION[HEAD_REVISION]


def test_a_ledger_of_the_first_revision_gets_todays_guards(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    open_root(tmp_path).close()
    file = sqlite3.connect(tmp_path / "ledger.db")
    with file:
        file.execute("UPDATE alembic_version SET version_num = '0001'")
        file.execute("DROP TRIGGER events_guard_insert")
    file.close()
    open_root(tmp_path).close()
    found = stored(tmp_path / "ledger.db", "SELECT sql FROM sqlite_master WHERE name = 'events_guard_insert'")
    assert found == [(guards.of_sqlite()[0],)]
    assert "as it is now it is kept as ledger.db.before-0008-from-0001" in caplog.text


def test_the_migrations_lie_beside_the_package_in_a_checkout() -> None:
    assert migrations_folder() == str(CHECKOUT / "migrations")


def _alembic(*arguments: str, ledger: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "alembic", *arguments],
        cwd=CHECKOUT,
        env={**os.environ, "QUANTLAB_LEDGER": f"sqlite:///{ledger}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_alembic_upgrade_head_makes_a_ledger_from_a_checkout(tmp_path: Path) -> None:
    ledger = tmp_path / "new" / "ledger.db"
    done = _alembic("upgrade", "head", ledger=ledger)
    assert (done.returncode, stored(ledger, "SELECT sequence FROM ledger_head")) == (0, [(0,)])


def test_alembic_upgrade_head_leaves_a_current_ledger_as_it_is(tmp_path: Path) -> None:
    open_root(tmp_path).close()
    before = stored(tmp_path / "ledger.db", "SELECT * FROM ledger_head")
    assert _alembic("upgrade", "head", ledger=tmp_path / "ledger.db").returncode == 0
    assert stored(tmp_path / "ledger.db", "SELECT * FROM ledger_head") == before


def test_alembic_downgrade_is_refused_and_the_ledger_stays(tmp_path: Path) -> None:
    open_root(tmp_path).close()
    before = stored(tmp_path / "ledger.db", "SELECT * FROM ledger_head")
    done = _alembic("downgrade", "base", ledger=tmp_path / "ledger.db")
    assert done.returncode != 0
    assert "A ledger only moves forward" in done.stderr
    assert stored(tmp_path / "ledger.db", "SELECT * FROM ledger_head") == before


@pytest.mark.parametrize("revision", ["0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008"])
def test_no_migration_can_be_undone(revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", migrations_folder())
    script = ScriptDirectory.from_config(config).get_revision(revision)
    with pytest.raises(NotImplementedError, match="restore the backup"):
        script.module.downgrade()


def test_alembic_offers_no_offline_sql(tmp_path: Path) -> None:
    done = _alembic("upgrade", "head", "--sql", ledger=tmp_path / "ledger.db")
    assert done.returncode != 0
    assert "run against a ledger" in done.stderr


_OPEN = """
import sys
from pathlib import Path
from support.ledger_history import entry, open_root, started
from quantlab.ledger.recorder import Recorder
root, name, gate = Path(sys.argv[1]), sys.argv[2], sys.stdin.readline()
with open_root(root) as store:
    Recorder(store).record(entry(name, 1, started(name)))
"""


@pytest.mark.parametrize("round_", range(3))
def test_eight_processes_that_open_an_empty_root_at_once_all_succeed(tmp_path: Path, round_: int) -> None:
    paths = os.pathsep.join((str(CHECKOUT), str(CHECKOUT / "tests")))
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _OPEN, str(tmp_path), f"s{n}"],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": paths},
            cwd=CHECKOUT,
        )
        for n in range(8)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    said = [process.communicate()[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0] * 8, said
    assert stored(tmp_path / "ledger.db", "SELECT count(*), max(sequence) FROM events") == [(8, 8)]


def test_opening_leaves_nothing_but_the_ledger_and_its_lock(tmp_path: Path) -> None:
    with open_root(tmp_path) as store, store.write():
        pass
    assert {path.name for path in tmp_path.iterdir()} <= {"ledger.db", "ledger.db.lock"}


def test_a_ledger_is_in_wal_mode(tmp_path: Path) -> None:
    open_root(tmp_path).close()
    assert stored(tmp_path / "ledger.db", "PRAGMA journal_mode") == [("wal",)]


def test_a_file_system_without_hard_links_gets_its_ledger_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    open_root(tmp_path).close()
    assert stored(tmp_path / "ledger.db", "SELECT sequence FROM ledger_head") == [(0,)]


def test_without_hard_links_a_ledger_that_another_process_made_meanwhile_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_root(tmp_path).close()
    before = stored(tmp_path / "ledger.db", "SELECT ledger_id FROM ledger_head")

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    migrate.create_file(tmp_path / "ledger.db")
    assert stored(tmp_path / "ledger.db", "SELECT ledger_id FROM ledger_head") == before


def test_a_place_where_no_ledger_can_be_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(LedgerError, match=r"could not be made \(Input/output error\)"):
        open_root(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_ledger_that_another_process_made_meanwhile_is_kept(tmp_path: Path) -> None:
    open_root(tmp_path).close()
    before = stored(tmp_path / "ledger.db", "SELECT ledger_id FROM ledger_head")
    migrate.create_file(tmp_path / "ledger.db")
    assert stored(tmp_path / "ledger.db", "SELECT ledger_id FROM ledger_head") == before
