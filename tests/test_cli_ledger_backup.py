"""`ledger backup|restore`: what replaces what, and what is never overwritten."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from support.flow_program import in_shell
from support.ledger_commands import Say, append, cut, filled_root
from support.ledger_history import (
    BEGINNING,
    CHECKOUT,
    entry,
    fill,
    forge,
    heartbeat,
    open_root,
    record,
    stored,
)
from support.permissions import folder_of_ones_own, permissions_bind

from quantlab.base.files import remove_leftovers
from quantlab.ledger.backup import aside, back_up
from quantlab.ledger.location import locate
from quantlab.ledger.restore import restore
from quantlab.ledger.revision import HEAD_REVISION

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return filled_root(tmp_path)


@pytest.fixture
def root(file: Path) -> str:
    return str(file.parent)


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    return Say(capsys)


def test_a_backup_is_a_ledger_that_verifies(root: str, tmp_path: Path, say: Say) -> None:
    assert say("backup", root, tmp_path / "backup.db")[0] == 0
    assert say("verify", f"sqlite:///{tmp_path / 'backup.db'}")[0] == 0
    assert {path.name for path in tmp_path.iterdir()} == {"root", "backup.db"}


def test_a_backup_is_replaced_by_a_later_one(root: str, file: Path, tmp_path: Path, say: Say) -> None:
    say("backup", root, tmp_path / "backup.db")
    append(file)
    assert say("backup", root, tmp_path / "backup.db")[0] == 0
    assert stored(tmp_path / "backup.db", "SELECT sequence FROM ledger_head") == [(11,)]


def test_a_backup_of_an_empty_ledger_is_replaced_by_a_later_one(tmp_path: Path, say: Say) -> None:
    (tmp_path / "new").mkdir()
    open_root(tmp_path / "new").close()
    say("backup", tmp_path / "new", tmp_path / "backup.db")
    fill(tmp_path / "new")
    assert say("backup", tmp_path / "new", tmp_path / "backup.db")[0] == 0
    assert stored(tmp_path / "backup.db", "SELECT sequence FROM ledger_head") == [(10,)]


def test_a_backup_that_holds_more_is_not_replaced(root: str, file: Path, tmp_path: Path, say: Say) -> None:
    say("backup", root, tmp_path / "backup.db")
    cut(file)
    say("rebuild", root)
    code, _, err = say("backup", root, tmp_path / "backup.db")
    assert (code, "no earlier backup" in err) == (2, True)
    assert stored(tmp_path / "backup.db", "SELECT sequence FROM ledger_head") == [(10,)]


def test_a_file_that_is_no_backup_is_replaced_only_by_force(root: str, tmp_path: Path, say: Say) -> None:
    (tmp_path / "notes").write_text("mine")
    assert say("backup", root, tmp_path / "notes")[0] == 2
    assert say("backup", root, tmp_path / "notes", "--force")[0] == 0


def test_a_ledger_that_does_not_verify_makes_no_backup(
    root: str, file: Path, tmp_path: Path, say: Say
) -> None:
    forge(file, "DELETE FROM events WHERE sequence = 4")
    code, _, err = say("backup", root, tmp_path / "backup.db")
    assert (code, "does not verify" in err) == (1, True)
    assert {path.name for path in tmp_path.iterdir()} == {"root"}


@pytest.mark.parametrize("kind", ["backup", "export"])
def test_a_damaged_ledger_is_restored_and_kept_beside(
    kind: str, root: str, file: Path, tmp_path: Path, say: Say
) -> None:
    saved = tmp_path / "saved"
    say(*(("backup", root, saved) if kind == "backup" else ("export", root, "--output", saved)))
    rows = stored(file, "SELECT * FROM events")
    file.write_bytes(b"junk" * 5000)
    code, out, _ = say("restore", root, saved)
    assert (code, stored(file, "SELECT * FROM events")) == (0, rows)
    (kept,) = file.parent.glob("ledger.db.before-restore-*Z")
    assert (kept.read_bytes()[:8], str(kept) in out) == (b"junkjunk", True)


def test_a_missing_ledger_is_restored(root: str, file: Path, tmp_path: Path, say: Say) -> None:
    say("backup", root, tmp_path / "saved")
    shutil.rmtree(root)
    assert say("restore", root, tmp_path / "saved")[0] == 0
    assert say("verify", root)[0] == 0


def test_a_ledger_that_verifies_is_not_overwritten(root: str, file: Path, tmp_path: Path, say: Say) -> None:
    say("backup", root, tmp_path / "saved")
    append(file)
    code, _, err = say("restore", root, tmp_path / "saved")
    assert (code, "verifies; nothing was restored" in err) == (2, True)
    assert stored(file, "SELECT sequence FROM ledger_head") == [(11,)]


def test_force_restores_over_a_ledger_that_verifies(root: str, file: Path, tmp_path: Path, say: Say) -> None:
    say("backup", root, tmp_path / "saved")
    append(file)
    assert say("restore", root, tmp_path / "saved", "--force")[0] == 0
    assert stored(file, "SELECT sequence FROM ledger_head") == [(10,)]


def test_a_ledger_that_others_have_open_is_not_replaced(
    root: str, file: Path, tmp_path: Path, say: Say
) -> None:
    say("backup", root, tmp_path / "saved")
    with open_root(file.parent) as store:
        record(store, [entry("s3", 4, heartbeat(9))])
        code, _, err = say("restore", root, tmp_path / "saved", "--force")
    assert (code, "Stop the sessions first" in err) == (1, True)


def test_a_ledger_s_file_that_may_only_be_read_is_replaced_and_kept() -> None:
    with folder_of_ones_own() as outer:
        with permissions_bind():
            (outer / "root").mkdir()
            file = fill(outer / "root")
            with open_root(file.parent) as store:
                back_up(store, outer / "saved")
            file.chmod(0o444)
            _head, kept = restore(
                locate(None, f"sqlite:///{file}"), outer / "saved", now=BEGINNING, force=True
            )
            assert kept is not None
            assert stored(kept, "SELECT count(*) FROM events") == [(10,)]
            with open_root(file.parent) as store:
                record(store, [entry("s3", 4, heartbeat(9))])


@pytest.mark.parametrize("content", [b"junk", b"SQLite format 3\0" + b"x" * 5000, None])
def test_what_is_no_backup_changes_nothing(
    content: bytes | None, root: str, file: Path, tmp_path: Path, say: Say
) -> None:
    if content is not None:
        (tmp_path / "bad").write_bytes(content)
    code, _, err = say("restore", root, tmp_path / "bad", "--force")
    assert (code, err.count("\n")) == (2, 1)
    assert say("verify", root)[0] == 0


def test_a_server_is_not_restored_from_a_file(tmp_path: Path, say: Say) -> None:
    code, _, err = say("restore", "postgresql://ann:s3cret@127.0.0.1:1/db", tmp_path / "saved")
    assert (code, "quantlab ledger import" in err, "s3cret" in err) == (2, True, False)


def test_a_ledger_of_a_newer_program_is_not_replaced_unasked(file: Path, tmp_path: Path, say: Say) -> None:
    say("backup", file.parent, tmp_path / "backup.db")
    with closing(sqlite3.connect(file)) as client, client:
        client.execute("UPDATE alembic_version SET version_num = '9000'")
    before = file.read_bytes()
    code, _, err = say("restore", file.parent, tmp_path / "backup.db")
    assert (code, "newer than this program's" in err, file.read_bytes() == before) == (1, True, True)


def test_a_backup_of_an_earlier_schema_is_replaced_by_a_later_one(
    root: str, tmp_path: Path, say: Say
) -> None:
    say("backup", root, tmp_path / "backup.db")
    with closing(sqlite3.connect(tmp_path / "backup.db")) as client, client:
        client.execute("UPDATE alembic_version SET version_num = '0001'")
    assert say("backup", root, tmp_path / "backup.db")[0] == 0
    assert stored(tmp_path / "backup.db", "SELECT version_num FROM alembic_version") == [(HEAD_REVISION,)]


def test_a_folder_that_is_not_there_is_told(root: str, tmp_path: Path, say: Say) -> None:
    code, _, err = say("backup", root, tmp_path / "nowhere" / "backup.db")
    assert (code, "can't be written: No such file or directory" in err) == (2, True)


def test_a_root_that_cannot_be_made_is_told(root: str, tmp_path: Path, say: Say) -> None:
    say("backup", root, tmp_path / "backup.db")
    code, _, err = say("restore", tmp_path / "backup.db" / "root", tmp_path / "backup.db")
    assert (code, "can't be made" in err) == (2, True)


def test_what_is_no_ledger_is_named_when_it_is_restored(root: str, tmp_path: Path, say: Say) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as client, client:
        client.execute("CREATE TABLE other (id)")
    code, _, err = say("restore", root, tmp_path / "other.db", "--force")
    assert (code, f"{tmp_path / 'other.db'} is no ledger" in err) == (2, True)


def test_a_restored_ledger_can_be_written_by_whom_the_umask_lets(root: str, tmp_path: Path, say: Say) -> None:
    say("backup", root, tmp_path / "backup.db")
    before = os.umask(0o002)
    try:
        assert say("restore", tmp_path / "other", tmp_path / "backup.db")[0] == 0
    finally:
        os.umask(before)
    assert (tmp_path / "other" / "ledger.db").stat().st_mode & 0o777 == 0o664


def test_a_copy_under_way_is_nobody_s_leftover(tmp_path: Path) -> None:
    with aside(tmp_path / "ledger.db") as copy:
        copy.write_bytes(b"half")
        remove_leftovers(tmp_path)
        assert copy.exists()


def test_without_hard_links_the_ledger_before_is_kept_all_the_same(
    root: str, tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    say("backup", root, tmp_path / "backup.db")
    monkeypatch.setattr(os, "link", refuse)
    code, out, _ = say("restore", root, tmp_path / "backup.db", "--force")
    kept = next((tmp_path / "root").glob("ledger.db.before-restore-*"))
    assert (code, str(kept) in out, stored(kept, "SELECT count(*) FROM events")) == (0, True, [(10,)])


def test_a_shared_ledger_s_file_is_the_only_word_that_a_backup_needs(
    file: Path, tmp_path: Path, say: Say
) -> None:
    code, out, _ = say("backup", tmp_path / "backup.db", "--ledger", f"sqlite:///{file}")
    assert (code, out.startswith(f"{tmp_path / 'backup.db'}: backup of {file}")) == (0, True)
    code, _, err = say("backup", "--ledger", f"sqlite:///{file}")
    assert (code, "expected FILE, or ROOT and FILE" in err) == (2, True)


def test_a_server_s_backup_says_the_head_that_is_in_it(
    root: str, tmp_path: Path, postgres_url: str, say: Say
) -> None:
    say("export", root, "--output", tmp_path / "out.jsonl")
    say("import", postgres_url, tmp_path / "out.jsonl")
    for _again in range(2):
        code, out, _ = say("backup", postgres_url, tmp_path / "backup.jsonl")
        header = json.loads((tmp_path / "backup.jsonl").read_text().splitlines()[0])
        assert (code, f"up to {header['sequence']}:{header['hash']}, verified." in out) == (0, True)


@pytest.mark.parametrize("words", [("backup",), ("backup", "--force"), ("export", "--output")])
def test_a_ledger_is_not_written_over_by_its_own_copy(
    file: Path, root: str, say: Say, words: tuple[str, ...]
) -> None:
    before = file.read_bytes()
    command, *flags = words
    given = [*flags, file] if command == "export" else [file, *flags]
    code, _, err = say(command, root, *given)
    assert (code, "is the ledger itself" in err, file.read_bytes() == before) == (2, True, True)


def test_an_export_is_not_written_over_another_ledger(root: str, tmp_path: Path, say: Say) -> None:
    (tmp_path / "elsewhere").mkdir()
    other = filled_root(tmp_path / "elsewhere")
    before = other.read_bytes()
    code, _, err = say("export", root, "--output", other)
    assert (code, "belongs to a database; expected another file." in err) == (2, True)
    assert other.read_bytes() == before


def test_a_restored_ledger_is_not_given_the_log_of_one_that_was_taken_away(
    file: Path, root: str, tmp_path: Path, say: Say
) -> None:
    say("backup", root, tmp_path / "backup.db")
    with open_root(file.parent) as store:
        record(store, [entry("s3", 4, heartbeat(9))])
        log = file.with_name("ledger.db-wal").read_bytes()
    file.unlink()
    file.with_name("ledger.db-wal").write_bytes(log)
    assert say("restore", root, tmp_path / "backup.db")[0] == 0
    assert stored(file, "SELECT sequence FROM ledger_head") == [(10,)]


def test_an_empty_ledger_is_set_aside_with_its_log(file: Path, root: str, tmp_path: Path, say: Say) -> None:
    say("backup", root, tmp_path / "backup.db")
    file.write_bytes(b"")
    file.with_name("ledger.db-wal").write_bytes(b"log")
    assert say("restore", root, tmp_path / "backup.db")[0] == 0
    (kept,) = file.parent.glob("ledger.db.before-restore-*-wal")
    assert (kept.read_bytes(), stored(file, "SELECT sequence FROM ledger_head")) == (b"log", [(10,)])


def test_a_refused_restore_leaves_no_folder_behind(tmp_path: Path, say: Say) -> None:
    code, _, err = say("restore", tmp_path / "new" / "root", tmp_path / "missing")
    assert (code, "can't be read" in err, list(tmp_path.iterdir())) == (2, True, [])


@pytest.mark.parametrize("words", [("backup", "--force"), ("export", "--output")])
@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "loop"])
def test_what_is_no_regular_file_is_not_written_over(
    root: str, tmp_path: Path, say: Say, words: tuple[str, str], kind: str
) -> None:
    target = tmp_path / "target"
    match kind:
        case "folder":
            target.mkdir()
        case "pipe":
            os.mkfifo(target)
        case "device":
            target.symlink_to("/dev/null")
        case "loop":
            target.symlink_to(target)
    before = kind_and_age(target)
    code, _, err = say(words[0], root, *((target, words[1]) if words[0] == "backup" else (words[1], target)))
    assert (code, "expected a file" in err or "no regular file" in err) == (2, True)
    assert kind_and_age(target) == before


def kind_and_age(path: Path) -> tuple[int, int, int]:
    """Say what lies there since when; whether it was looked at is nobody's affair."""
    found = path.lstat()
    return found.st_ino, found.st_mode, found.st_mtime_ns


@pytest.mark.parametrize("words", [("backup",), ("export", "--output")])
def test_a_link_s_target_is_written_and_not_the_link(
    root: str, tmp_path: Path, say: Say, words: tuple[str, ...]
) -> None:
    (tmp_path / "away").mkdir()
    (tmp_path / "link").symlink_to("away/saved")
    for _again in range(2):
        assert say(words[0], root, *words[1:], tmp_path / "link")[0] == 0
        assert (tmp_path / "link").readlink().name == "saved"
        assert say("verify", root, "--against", tmp_path / "link")[0] == (0 if words[0] == "export" else 2)


def test_an_export_into_no_folder_is_bad_usage(root: str, tmp_path: Path, say: Say) -> None:
    code, _, err = say("export", root, "--output", tmp_path / "none" / "out.jsonl")
    assert (code, f"Make {tmp_path / 'none'} first" in err) == (2, True)


def test_an_export_into_a_folder_that_may_not_be_written_is_bad_usage(say: Say) -> None:
    with folder_of_ones_own() as root:
        fill(root)
        say("verify", root)
        root.chmod(0o555)
        with permissions_bind():
            code, _, err = say("export", root, "--output", root / "out.jsonl")
        root.chmod(0o755)
    assert (code, "expected a file in a folder that can be written" in err) == (2, True)


@pytest.mark.parametrize("words", [("backup",), ("export", "--output")])
def test_what_comes_through_a_pipe_is_restored(
    root: str, file: Path, tmp_path: Path, say: Say, words: tuple[str, ...]
) -> None:
    say(words[0], root, *words[1:], tmp_path / "saved")
    program = f"{sys.executable} {CHECKOUT / 'main.py'}"
    done = in_shell(tmp_path, f"cat saved | {program} ledger restore new /dev/stdin")
    assert (done.code, "restored from /dev/stdin up to 10:" in done.out) == (0, True)
    assert stored(tmp_path / "new" / "ledger.db", "SELECT * FROM events") == stored(
        file, "SELECT * FROM events"
    )


def test_what_a_pipe_brings_and_nothing_can_keep_is_told(
    tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    code, _, err = say("import", tmp_path / "new", "/dev/null")
    assert (code, "No space left on device. Write it to a file first" in err) == (1, True)


def test_a_backup_that_finds_no_space_is_told(
    root: str, tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("quantlab.ledger.placing.copy_database", full)
    code, _, err = say("backup", root, tmp_path / "saved")
    assert (code, "can't be written: No space left on device" in err) == (2, True)
