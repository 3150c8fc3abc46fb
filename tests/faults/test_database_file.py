"""The database file damaged, missing, newer, older, or left by a crash: each named, with the way out."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest
from support.later_program import LATER, become_later
from support.ledger_history import (
    BEGINNING,
    CHECKOUT,
    entry,
    fill,
    heartbeat,
    history,
    open_root,
    record,
    stored,
)

from quantlab.base.errors import LedgerDamagedError, LedgerError
from quantlab.ledger import maintenance, migrate
from quantlab.ledger.backup import back_up
from quantlab.ledger.location import Location
from quantlab.ledger.recorder import Recorder
from quantlab.ledger.restore import restore
from quantlab.ledger.revision import HEAD_REVISION
from quantlab.ledger.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return fill(tmp_path)


def _grown(file: Path) -> Path:
    """The ledger with enough events for many pages."""
    with open_root(file.parent) as store:
        record(store, history("long", *(heartbeat(n) for n in range(200))))
    return file


@pytest.mark.parametrize("left", [1, 50, 99, 100, 4096])
def test_a_file_that_was_cut_short_is_damaged_and_says_what_to_do(file: Path, left: int) -> None:
    os.truncate(file, left)
    with pytest.raises(LedgerDamagedError, match="quantlab ledger restore"):
        open_root(file.parent)


def test_a_file_of_zero_bytes_is_no_ledger(file: Path) -> None:
    os.truncate(file, 0)
    with pytest.raises(LedgerDamagedError, match=r"no QuantLab ledger \(0 bytes"):
        open_root(file.parent)


def test_a_file_of_zero_bytes_stays_as_it_is(file: Path) -> None:
    os.truncate(file, 0)
    with pytest.raises(LedgerDamagedError):
        open_root(file.parent)
    assert file.stat().st_size == 0


def test_a_text_file_is_no_database(file: Path) -> None:
    file.write_text("session_id,status\n" * 500)
    with pytest.raises(LedgerDamagedError, match="not a database"):
        open_root(file.parent)


def test_another_program_s_database_is_no_ledger(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE notes (text)")
    with pytest.raises(LedgerDamagedError, match="no QuantLab ledger"):
        open_root(file.parent)


def test_another_program_s_schema_of_the_same_name_is_told(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("ALTER TABLE alembic_version RENAME COLUMN version_num TO version")
    with pytest.raises(LedgerError, match="no such column: version_num"):
        open_root(file.parent)


def test_a_folder_in_the_file_s_place_is_told(file: Path) -> None:
    file.unlink()
    file.mkdir()
    with pytest.raises(LedgerError, match="can't be read or written"):
        open_root(file.parent)


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="check that its folder exists"):
        open_root(tmp_path / "nowhere")


def test_a_missing_ledger_does_not_come_back_empty(tmp_path: Path) -> None:
    location = Location(root=tmp_path, file=tmp_path / "ledger.db")
    with pytest.raises(LedgerError, match="There is no ledger at"):
        open_store(location, create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_ledger_deleted_beneath_an_open_store_does_not_come_back_empty(file: Path) -> None:
    with open_root(file.parent) as store:
        file.unlink()
        with pytest.raises(LedgerError, match="can't be read or written"):
            Recorder(store).record(entry("s3", 4, heartbeat()))
    assert not file.exists()


def _overwrite(file: Path, start: int) -> None:
    with file.open("r+b") as handle:
        handle.seek(start)
        handle.write(b"\xa5" * (file.stat().st_size - 4096 - start))


def test_events_that_were_overwritten_do_not_verify(file: Path) -> None:
    pages_before_growth = file.stat().st_size
    _overwrite(_grown(file), pages_before_growth)
    with open_root(file.parent) as store:
        findings = maintenance.verify(store)
    assert {"integrity", "chain"} <= {fault.check for fault in findings.faults}
    assert findings.first_bad_sequence is not None


def test_a_write_to_a_file_overwritten_in_the_middle_is_refused(file: Path) -> None:
    _overwrite(_grown(file), 8 * 4096)
    with pytest.raises(LedgerDamagedError, match="malformed"), open_root(file.parent) as store:
        Recorder(store).record(entry("s3", 4, heartbeat()))


def test_one_flipped_byte_in_a_payload_is_found(file: Path) -> None:
    content = file.read_bytes()
    assert content.count(b"no prices") >= 1
    file.write_bytes(content.replace(b"no prices", b"no prizes"))
    with open_root(file.parent) as store:
        findings = maintenance.verify(store)
    assert (findings.first_bad_sequence, findings.faults[0].check) == (8, "chain")


def _set_revision(file: Path, revision: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))


def test_a_newer_schema_is_refused_naming_both(file: Path) -> None:
    _set_revision(file, "0999")
    with pytest.raises(LedgerError, match=rf"schema 0999, newer than this program's {HEAD_REVISION}"):
        open_root(file.parent)


def test_a_ledger_left_by_a_killed_writer_has_every_event_that_was_acknowledged(tmp_path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(tmp_path)], cwd=CHECKOUT, stdout=subprocess.PIPE, env=_env()
    )
    assert writer.stdout is not None
    acknowledged = [int(writer.stdout.readline()) for _ in range(30)][-1]
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    assert (tmp_path / "ledger.db-wal").exists()
    with open_root(tmp_path) as store:
        findings = maintenance.verify(store)
    assert findings.faults == []
    assert findings.head.sequence >= acknowledged


def _env() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join((str(CHECKOUT), str(CHECKOUT / "tests")))}


_WRITER = """
import sys
from pathlib import Path
from support.ledger_history import entry, heartbeat, open_root, started
from quantlab.ledger.recorder import Recorder
recorder = Recorder(open_root(Path(sys.argv[1])))
version = 0
while True:
    version += 1
    recorded, _ = recorder.record(entry("s1", version, started() if version == 1 else heartbeat(version)))
    print(recorded.sequence, flush=True)
"""


@pytest.fixture
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The place of a later program's migrations."""
    return tmp_path_factory.mktemp("program") / "migrations"


def test_an_older_ledger_is_upgraded_with_all_its_events(
    file: Path, monkeypatch: pytest.MonkeyPatch, program: Path
) -> None:
    become_later(monkeypatch, program)
    with open_root(file.parent) as store:
        assert maintenance.verify(store).faults == []
    assert stored(file, "SELECT version_num FROM alembic_version") == [("9000",)]


def test_an_older_ledger_is_backed_up_before_it_is_upgraded(
    file: Path, monkeypatch: pytest.MonkeyPatch, program: Path
) -> None:
    older = HEAD_REVISION
    become_later(monkeypatch, program)
    open_root(file.parent).close()
    backup = file.with_name(f"ledger.db.before-9000-from-{older}")
    assert stored(backup, "SELECT version_num FROM alembic_version") == [(older,)]
    assert stored(backup, "SELECT count(*) FROM events") == [(10,)]


def test_of_two_that_find_an_older_ledger_the_second_leaves_the_upgraded_one_as_it_is(
    file: Path, monkeypatch: pytest.MonkeyPatch, program: Path
) -> None:
    become_later(monkeypatch, program)

    @contextmanager
    def after_the_first(_location: Location) -> Iterator[None]:
        migrate._migrate_sqlite(file)
        yield

    monkeypatch.setattr(migrate, "write_lock", after_the_first)
    open_root(file.parent).close()
    assert stored(file, "SELECT version_num FROM alembic_version") == [(LATER,)]
    assert not list(file.parent.glob("*before*"))


def test_an_older_backup_is_restored_and_upgraded(
    file: Path, monkeypatch: pytest.MonkeyPatch, program: Path, tmp_path: Path
) -> None:
    with open_root(file.parent) as store:
        back_up(store, tmp_path / "saved")
    become_later(monkeypatch, program)
    file.unlink()
    restore(Location(root=None, file=file), tmp_path / "saved", now=BEGINNING)
    assert stored(file, "SELECT version_num FROM alembic_version") == [(LATER,)]
    assert stored(tmp_path / "saved", "SELECT version_num FROM alembic_version") == [(HEAD_REVISION,)]


def test_a_command_that_only_reads_leaves_an_older_ledger_as_it_is(
    file: Path, monkeypatch: pytest.MonkeyPatch, program: Path
) -> None:
    become_later(monkeypatch, program)
    with pytest.raises(LedgerError, match="Run 'quantlab ledger migrate'"):
        open_store(Location(root=file.parent, file=file), create=False, upgrade=False)
    assert not list(file.parent.glob("*before*"))


def test_an_upgrade_that_fails_leaves_the_ledger_as_it_was(
    file: Path, monkeypatch: pytest.MonkeyPatch, program: Path
) -> None:
    become_later(monkeypatch, program)
    with (program / "versions" / "9000_later.py").open("a") as script:
        script.write("    op.execute('CREATE TABLE later (x)')\n")
    with pytest.raises(LedgerError, match="already exists"):
        open_root(file.parent)
    assert stored(file, "SELECT name FROM sqlite_master WHERE name = 'later'") == []


def test_a_full_disk_is_told_and_the_ledger_goes_on_when_there_is_room(file: Path) -> None:
    with open_root(file.parent) as store:
        with store.read() as connection:
            (pages,) = connection.exec_driver_sql("PRAGMA page_count").one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(LedgerError, match="full disk"):
            record(store, history("big", *(heartbeat(n, data={"x": "y" * 9000}) for n in range(50))))
        with store.read() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
        Recorder(store).record(entry("s3", 4, heartbeat()))
        assert maintenance.verify(store).faults == []
