from __future__ import annotations

import contextlib
import os
import resource
import shutil
import sqlite3
import tempfile
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from support.permissions import folder_of_ones_own, permissions_bind
from support.sessions_builder import NOW, Sessions, ago

from quantlab.base.errors import LedgerBusyError, LedgerDamagedError, LedgerError, LedgerOlderError
from quantlab.folders.roots import open_root
from quantlab.ledger.location import Location, locate
from quantlab.ledger.reader import Reader, open_reader
from quantlab.ledger.revision import HEAD_REVISION
from quantlab.ledger.sqlite import memory
from quantlab.queries.health import health

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Sessions]:
    with Sessions(tmp_path / "root") as built:
        yield built.success("one", ago(hours=1))


def total(reader: Reader) -> int:
    return int(health(reader)["total_sessions"])


def test_a_snapshot_stays_as_it_was_while_sessions_are_added(ledger: Sessions) -> None:
    with ledger.reader() as reader:
        before = total(reader)
        ledger.started("two", NOW)
        assert (before, total(reader)) == (1, 1)


def test_the_first_row_of_nothing_is_none(ledger: Sessions) -> None:
    with ledger.reader() as reader:
        assert reader.row("SELECT 1 AS one WHERE 1 = 0") is None


def test_reading_leaves_the_file_and_its_folder_as_they_were(ledger: Sessions) -> None:
    ledger.store.close()
    before = {file.name: file.read_bytes() for file in ledger.root.iterdir()}
    with ledger.reader() as reader:
        total(reader)
    assert {file.name: file.read_bytes() for file in ledger.root.iterdir()} == before


def test_what_a_crash_left_in_the_wal_is_read(ledger: Sessions, tmp_path: Path) -> None:
    left = tmp_path / "left"
    left.mkdir()
    for name in ("ledger.db", "ledger.db-wal"):
        shutil.copyfile(ledger.root / name, left / name)
    assert (left / "ledger.db-wal").stat().st_size > 0
    with open_reader(locate(left, None)) as reader:
        assert total(reader) == 1


def test_a_missing_ledger_is_named(tmp_path: Path) -> None:
    with pytest.raises(LedgerError) as caught:
        open_reader(locate(tmp_path, None))
    assert "There is no ledger at" in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"", b"not a database, but long enough to look at" * 40], ids=["zero", "text"]
)
def test_a_file_that_is_no_ledger_is_called_damaged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ledger.db").write_bytes(content)
    with pytest.raises(LedgerDamagedError) as caught:
        open_reader(locate(tmp_path, None))
    assert "quantlab ledger restore" in str(caught.value)


def test_a_database_of_something_else_is_no_ledger(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as client, client:
        client.execute("CREATE TABLE orders (id)")
    with pytest.raises(LedgerDamagedError, match="is no QuantLab ledger"):
        open_reader(locate(tmp_path, None))


def test_a_truncated_ledger_is_called_damaged(ledger: Sessions) -> None:
    ledger.store.close()
    file = ledger.root / "ledger.db"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(LedgerDamagedError), ledger.reader() as reader:
        total(reader)


def test_a_ledger_whose_schema_s_revision_is_overwritten_is_called_damaged(ledger: Sessions) -> None:
    ledger.store.close()
    file = ledger.root / "ledger.db"
    with contextlib.closing(sqlite3.connect(file)) as connection:
        ((page,),) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'alembic_version'")
    with file.open("r+b") as handle:
        handle.seek((page - 1) * 4096)
        handle.write(b"\xa5" * 4096)
    with pytest.raises(LedgerDamagedError, match="malformed"):
        ledger.reader()


@contextmanager
def few_handles(left: int) -> Iterator[None]:
    """Let this process open only so many files more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = [os.open(os.devnull, os.O_RDONLY)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (held[0] + 16, hard))
    try:
        with suppress(OSError):
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        for _ in range(left):
            os.close(held.pop())
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for handle in held:
            os.close(handle)


@pytest.mark.parametrize("left", range(3))
def test_a_process_out_of_file_handles_cannot_read_and_says_so(ledger: Sessions, left: int) -> None:
    ledger.store.close()
    with few_handles(left), pytest.raises(LedgerError, match="can't be read"):
        ledger.reader()


def test_a_newer_ledger_is_refused_by_both_revisions(ledger: Sessions) -> None:
    set_revision(ledger, "9999")
    with pytest.raises(LedgerError) as caught:
        ledger.reader()
    assert "9999, newer than this program's" in str(caught.value)


def test_an_unknown_table_is_no_damage(ledger: Sessions) -> None:
    with ledger.reader() as reader, pytest.raises(LedgerError) as caught:
        reader.rows("SELECT * FROM nothing")
    assert not isinstance(caught.value, LedgerDamagedError)


@pytest.mark.slow
def test_a_ledger_that_another_process_holds_is_busy(
    ledger: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.store.close()
    monkeypatch.setattr("quantlab.ledger.reader.BUSY_TIMEOUT_SECONDS", 0.05)
    holder = sqlite3.connect(ledger.root / "ledger.db", isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(LedgerBusyError):
            ledger.reader()
    finally:
        holder.close()


def test_a_reader_over_an_open_connection_asks_that_one(ledger: Sessions) -> None:
    connection = memory.copied(ledger.root / "ledger.db")
    with Reader.over(connection, ledger.location) as reader:
        assert (total(reader), reader.in_memory, reader.is_sqlite) == (1, True, True)


def test_a_copy_that_is_written_to_all_the_time_gives_up(
    ledger: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = memory._copy

    def copy_while_written(file: Path, folder: Path) -> None:
        copy(file, folder)
        ledger.beat("two", NOW)

    ledger.started("two", NOW)
    monkeypatch.setattr(memory, "_copy", copy_while_written)
    with pytest.raises(LedgerBusyError) as caught:
        memory.copied(ledger.root / "ledger.db")
    assert "5 times in a row" in str(caught.value)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    with folder_of_ones_own() as folder:
        yield folder


def read_only(folder: Path, *, with_wal: bool) -> Location:
    with Sessions(folder) as built:
        built.success("one", ago(hours=1))
        wal = (folder / "ledger.db-wal").read_bytes()
        database = (folder / "ledger.db").read_bytes()
    if with_wal:
        (folder / "ledger.db").write_bytes(database)
        (folder / "ledger.db-wal").write_bytes(wal)
    (folder / "ledger.db.lock").unlink(missing_ok=True)
    for file in folder.iterdir():
        file.chmod(0o444)
    folder.chmod(0o555)
    return locate(folder, None)


@pytest.mark.parametrize("with_wal", [False, True])
def test_a_ledger_that_cannot_be_written_beside_is_read_from_memory(
    open_folder: Path, with_wal: bool
) -> None:
    location = read_only(open_folder, with_wal=with_wal)
    with permissions_bind(), open_reader(location) as reader:
        assert (total(reader), reader.in_memory) == (1, True)


def test_an_older_ledger_that_cannot_be_written_says_so(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = read_only(open_folder, with_wal=False)
    monkeypatch.setattr("quantlab.ledger.reader.HEAD_REVISION", "9000")
    with pytest.raises(LedgerError) as caught, permissions_bind():
        open_reader(location)
    assert "copy it to a folder that you may write" in str(caught.value)


def test_a_ledger_that_cannot_be_read_says_so(open_folder: Path) -> None:
    location = read_only(open_folder, with_wal=False)
    (open_folder / "ledger.db").chmod(0o000)
    with pytest.raises(LedgerError) as caught, permissions_bind():
        open_reader(location)
    assert "check its permissions" in str(caught.value)


def test_an_older_ledger_is_upgraded_first(ledger: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    set_revision(ledger, "0000")
    upgraded: list[Location] = []

    def upgrade(location: Location, *, create: bool) -> None:
        assert not create
        upgraded.append(location)
        set_revision(ledger, HEAD_REVISION)

    monkeypatch.setattr("quantlab.ledger.migrate.prepare", upgrade)
    with open_root(ledger.location, now=NOW) as reader:
        assert (total(reader), upgraded) == (1, [ledger.location])


def test_an_older_ledger_is_not_upgraded_by_a_reader(ledger: Sessions) -> None:
    set_revision(ledger, "0000")
    with pytest.raises(LedgerOlderError, match="has schema 0000, older than this program's"):
        ledger.reader()


def set_revision(ledger: Sessions, revision: str) -> None:
    connection = sqlite3.connect(ledger.root / "ledger.db")
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    connection.close()


def test_a_ledger_that_can_only_be_read_from_a_copy_needs_a_temporary_folder(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = read_only(open_folder, with_wal=False)
    monkeypatch.setattr(tempfile, "tempdir", str(open_folder / "nowhere"))
    with pytest.raises(LedgerError, match="name one by TMPDIR"), permissions_bind():
        open_reader(location)


@pytest.mark.parametrize(
    "told", ["disk I/O error", "database or disk is full", "unable to open database file"]
)
def test_a_ledger_on_a_full_disk_is_read_from_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    with Sessions(tmp_path) as sessions:
        sessions.started("a", NOW)

    def refuse(_file: Path, _mode: str) -> sqlite3.Connection:
        raise sqlite3.OperationalError(told)

    monkeypatch.setattr("quantlab.ledger.reader._connect", refuse)
    with open_reader(locate(tmp_path, None)) as reader:
        assert reader.in_memory
        assert reader.rows("SELECT session_id FROM paper_sessions") == [{"session_id": "a"}]
