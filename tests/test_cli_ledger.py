"""`quantlab ledger …` as an operator meets it: output, files and exit codes."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from both_engines import plain_client
from ledger_history import BEGINNING, CHECKOUT, entry, fill, forge, heartbeat, open_root, record, stored
from root_files import as_ordinary_user, unprivileged_root

from quantlab.cli import ledger as commands
from quantlab.cli.main import run
from quantlab.errors import ConfigError
from quantlab.sessions.backup import back_up, restore
from quantlab.signing import is_signed, read_key
from quantlab.store.location import locate

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _no_ledger_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QUANTLAB_LEDGER", raising=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    return fill(root)


@pytest.fixture
def root(file: Path) -> str:
    return str(file.parent)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    kept = tmp_path / "key"
    kept.write_bytes(b"k" * 40 + b"\n")
    kept.chmod(0o600)
    return kept


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    return Say(capsys)


class Say:
    """Runs a command line in this process; gives its code and what it said."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: object) -> tuple[int, str, str]:
        code = run(["ledger", *map(str, words)])
        said = self._capsys.readouterr()
        return code, said.out, said.err


def _append(file: Path) -> None:
    with open_root(file.parent) as store:
        record(store, [entry("s3", 4, heartbeat(9))])


def _cut(file: Path) -> None:
    forge(
        file,
        "DELETE FROM events WHERE sequence > 8",
        "UPDATE ledger_head SET (sequence, hash) = (SELECT sequence, hash FROM events WHERE sequence = 8)",
    )


def test_head_prints_the_ledger_s_head(root: str, say: Say, file: Path) -> None:
    ((ledger_id, digest),) = stored(file, "SELECT ledger_id, hash FROM ledger_head")
    assert say("head", root) == (0, f"ledger_id : {ledger_id}\nsequence : 10\nhash : {digest}\n", "")


def test_a_signed_head_is_signed_with_the_key(root: str, say: Say, key: Path) -> None:
    head = json.loads(say("head", root, "--sign-key", key, "--format", "json")[1])
    assert is_signed(read_key(key), head["ledger_id"], head["sequence"], head["hash"], head["signature"])


def test_a_ledger_may_be_named_by_its_url(file: Path, say: Say) -> None:
    assert say("head", f"sqlite:///{file}")[0] == 0


def test_a_ledger_may_be_named_by_the_environment(
    file: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUANTLAB_LEDGER", f"sqlite:///{file}")
    assert say("head")[0] == 0


@pytest.mark.parametrize("word", ["head", "verify", "rebuild", "export", "migrate"])
def test_a_root_that_is_missing_or_a_file_is_bad_usage(word: str, file: Path, say: Say) -> None:
    for bad in (file, file.parent / "missing"):
        code, out, err = say(word, bad)
        assert (code, out, err.count("\n")) == (2, "", 1)


def test_a_root_without_a_ledger_is_told(tmp_path: Path, say: Say) -> None:
    code, _, err = say("verify", tmp_path)
    assert (code, "There is no ledger at" in err) == (1, True)


@pytest.mark.parametrize(
    ("content", "mode", "told"),
    [
        (b"k" * 31, 0o600, "has 31 bytes"),
        (b"k" * 5000, 0o600, "bytes; expected a file of 32"),
        (b"k" * 40, 0o644, "chmod 600"),
        (None, 0o600, "can't be read"),
    ],
)
def test_a_key_that_is_none_is_refused(
    content: bytes | None, mode: int, told: str, root: str, tmp_path: Path, say: Say
) -> None:
    kept = tmp_path / "other-key"
    if content is not None:
        kept.write_bytes(content)
        kept.chmod(mode)
    code, _, err = say("head", root, "--sign-key", kept)
    assert (code, told in err) == (2, True)


def test_a_folder_is_no_key(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(ConfigError, match="has 0 bytes"):
        read_key(tmp_path)


def test_verify_exits_0_when_all_holds(root: str, say: Say) -> None:
    code, out, _ = say("verify", root)
    assert (code, out.splitlines()[-1]) == (0, f"{root}/ledger.db: all holds.")


def test_verify_exits_1_and_names_the_first_bad_sequence(root: str, file: Path, say: Say) -> None:
    forge(file, "UPDATE events SET actor = 'operator' WHERE sequence = 4")
    code, out, _ = say("verify", root)
    assert (code, out.splitlines()[-1]) == (1, f"{file}: does not hold; the first bad sequence is 4.")
    assert re.search(r"^FAULT chain", out, re.MULTILINE)


def test_verify_says_no_sequence_where_none_is_bad(root: str, file: Path, say: Say) -> None:
    with closing(sqlite3.connect(file)) as client, client:
        client.execute("DROP TRIGGER events_guard_update")
    code, out, _ = say("verify", root)
    assert (code, out.splitlines()[-1]) == (1, f"{file}: does not hold.")


def test_verify_answers_machines_in_json(root: str, say: Say) -> None:
    code, out, _ = say("verify", root, "--format", "json")
    assert (code, json.loads(out)["holds"]) == (0, True)


def test_verify_with_a_key_and_nothing_signed_is_bad_usage(root: str, key: Path, say: Say) -> None:
    assert say("verify", root, "--sign-key", key)[0] == 2


def _witnesses(root: str, file: Path, folder: Path, say: Say, key: Path) -> dict[str, str]:
    ((digest,),) = stored(file, "SELECT hash FROM ledger_head")
    index = {"ledger_sequence": 10, "ledger_hash": digest}
    kept = {
        "head.txt": say("head", root)[1],
        "head.json": say("head", root, "--format", "json")[1],
        "signed.json": say("head", root, "--format", "json", "--sign-key", key)[1],
        "index.json": json.dumps({"n_sessions": 3, **index, "sessions": []}),
        "index.csv": f"session_id,ledger_sequence,ledger_hash\ns1,10,{digest}\n",
    }
    for name, text in kept.items():
        (folder / name).write_text(text)
    say("export", root, "--output", folder / "ledger.jsonl")
    return {**{name: str(folder / name) for name in (*kept, "ledger.jsonl")}, "pair": f"10:{digest}"}


WITNESSES = ["head.txt", "head.json", "signed.json", "index.json", "index.csv", "ledger.jsonl", "pair"]


@pytest.mark.parametrize("witness", WITNESSES)
def test_a_ledger_that_went_on_holds_against_what_was_kept(
    witness: str, root: str, file: Path, tmp_path: Path, say: Say, key: Path
) -> None:
    kept = _witnesses(root, file, tmp_path, say, key)[witness]
    _append(file)
    assert say("verify", root, "--against", kept)[0] == 0


@pytest.mark.parametrize("witness", WITNESSES)
def test_a_cut_tail_does_not_hold_against_what_was_kept(
    witness: str, root: str, file: Path, tmp_path: Path, say: Say, key: Path
) -> None:
    kept = _witnesses(root, file, tmp_path, say, key)[witness]
    _cut(file)
    say("rebuild", root)
    assert say("verify", root)[0] == 0
    code, out, _ = say("verify", root, "--against", kept)
    assert (code, "the first bad sequence is 9" in out) == (1, True)


def test_an_exported_ledger_names_the_very_event_that_was_rewritten(
    root: str, file: Path, tmp_path: Path, say: Say, key: Path
) -> None:
    kept = _witnesses(root, file, tmp_path, say, key)["ledger.jsonl"]
    forge(file, "UPDATE events SET hash = '" + "0" * 64 + "' WHERE sequence = 7")
    code, out, _ = say("verify", root, "--against", kept)
    assert (code, "FAULT against: sequence 7: not what" in out) == (1, True)


def test_an_exported_ledger_that_is_damaged_itself_is_told(
    root: str, file: Path, tmp_path: Path, say: Say, key: Path
) -> None:
    kept = _witnesses(root, file, tmp_path, say, key)["ledger.jsonl"]
    lines = (tmp_path / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "ledger.jsonl").write_bytes(b"".join([*lines[:4], *lines[5:]]))
    code, out, _ = say("verify", root, "--against", kept)
    assert (code, "does not follow from the line before it" in out) == (1, True)


@pytest.mark.parametrize(
    ("witness", "code"), [("signed.json", 0), ("head.json", 1), ("head.txt", 1), ("pair", 1)]
)
def test_with_a_key_only_a_signed_head_will_do(
    witness: str, code: int, root: str, file: Path, tmp_path: Path, say: Say, key: Path
) -> None:
    kept = _witnesses(root, file, tmp_path, say, key)[witness]
    assert say("verify", root, "--against", kept, "--sign-key", key)[0] == code


def test_a_head_signed_with_another_key_does_not_hold(
    root: str, file: Path, tmp_path: Path, say: Say, key: Path
) -> None:
    kept = _witnesses(root, file, tmp_path, say, key)["signed.json"]
    key.write_bytes(b"x" * 40)
    code, out, _ = say("verify", root, "--against", kept, "--sign-key", key)
    assert (code, "signed with another key" in out) == (1, True)


def test_another_ledger_s_head_is_told(root: str, tmp_path: Path, say: Say) -> None:
    other = tmp_path / "other"
    other.mkdir()
    fill(other)
    (tmp_path / "head.json").write_text(say("head", other, "--format", "json")[1])
    code, out, _ = say("verify", root, "--against", tmp_path / "head.json")
    assert (code, "is of ledger" in out) == (1, True)


@pytest.mark.parametrize("content", [None, "", "{}", "[1]", "nothing", '{"hash": 1}'])
def test_what_holds_no_head_is_bad_usage(content: str | None, root: str, tmp_path: Path, say: Say) -> None:
    if content is not None:
        (tmp_path / "kept.json").write_text(content)
    code, _, err = say("verify", root, "--against", tmp_path / "kept.json")
    assert (code, "expected SEQUENCE:HASH" in err) == (2, True)


def test_an_index_without_rows_holds_no_head(root: str, tmp_path: Path, say: Say) -> None:
    (tmp_path / "index.csv").write_text("session_id,ledger_sequence,ledger_hash\n")
    assert say("verify", root, "--against", tmp_path / "index.csv")[0] == 2


def test_rebuild_says_what_it_made(root: str, say: Say) -> None:
    code, out, _ = say("rebuild", root)
    assert (code, out.splitlines()[0]) == (0, f"3 sessions projected anew in {root}/ledger.db.")


def test_a_backup_is_a_ledger_that_verifies(root: str, tmp_path: Path, say: Say) -> None:
    assert say("backup", root, tmp_path / "backup.db")[0] == 0
    assert say("verify", f"sqlite:///{tmp_path / 'backup.db'}")[0] == 0
    assert {path.name for path in tmp_path.iterdir()} == {"root", "backup.db"}


def test_a_backup_is_replaced_by_a_later_one(root: str, file: Path, tmp_path: Path, say: Say) -> None:
    say("backup", root, tmp_path / "backup.db")
    _append(file)
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
    _cut(file)
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
    _append(file)
    code, _, err = say("restore", root, tmp_path / "saved")
    assert (code, "verifies; nothing was restored" in err) == (2, True)
    assert stored(file, "SELECT sequence FROM ledger_head") == [(11,)]


def test_force_restores_over_a_ledger_that_verifies(root: str, file: Path, tmp_path: Path, say: Say) -> None:
    say("backup", root, tmp_path / "saved")
    _append(file)
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
    with unprivileged_root() as outer:
        outer.chmod(0o777)
        with as_ordinary_user():
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


def test_an_export_goes_to_standard_output_byte_for_byte(root: str, tmp_path: Path, say: Say) -> None:
    say("export", root, "--output", tmp_path / "out.jsonl")
    done = subprocess.run(
        [sys.executable, "main.py", "ledger", "export", root], cwd=CHECKOUT, capture_output=True, check=True
    )
    assert done.stdout == (tmp_path / "out.jsonl").read_bytes()


def test_an_import_says_what_it_brought(root: str, tmp_path: Path, say: Say) -> None:
    say("export", root, "--output", tmp_path / "out.jsonl")
    code, out, _ = say("import", tmp_path / "new" / "root", tmp_path / "out.jsonl")
    assert (code, "10 events imported, up to 10:" in out) == (0, True)
    assert say("verify", tmp_path / "new" / "root", "--against", tmp_path / "out.jsonl")[0] == 0


@pytest.fixture
def exported(root: str, tmp_path: Path, say: Say) -> Path:
    say("export", root, "--output", tmp_path / "out.jsonl")
    return tmp_path / "out.jsonl"


@pytest.fixture
def on_server(exported: Path, postgres_url: str, say: Say) -> str:
    """Bring the ledger to a server; returns the URL that leads to it."""
    code, out, _ = say("import", postgres_url, exported)
    assert (code, "10 events imported, up to 10:" in out) == (0, True)
    return postgres_url


def test_a_ledger_that_moved_to_a_server_holds_there(
    on_server: str, root: str, tmp_path: Path, say: Say
) -> None:
    (tmp_path / "head.json").write_text(say("head", root, "--format", "json")[1])
    code, out, _ = say("verify", on_server, "--against", tmp_path / "head.json")
    assert (code, "integrity" in out, "left to the server" in out) == (0, True, True)


def test_a_ledger_that_moved_to_a_server_holds_against_the_export_that_brought_it(
    on_server: str, exported: Path, say: Say
) -> None:
    assert say("verify", on_server, "--against", exported)[0] == 0


def test_a_server_s_backup_is_its_export(on_server: str, exported: Path, tmp_path: Path, say: Say) -> None:
    code, out, _ = say("backup", on_server, tmp_path / "backup.jsonl")
    assert (code, "export, which is a server's backup" in out) == (0, True)
    assert (tmp_path / "backup.jsonl").read_bytes() == exported.read_bytes()


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("DROP TRIGGER events_guard_update ON events", "events_guard_update is missing"),
        ("ALTER TABLE events DISABLE TRIGGER events_guard_update", "events_guard_update was altered"),
        ("CREATE VIEW mine AS SELECT 1 AS one", "mine is none of ours"),
    ],
)
def test_a_rebuild_on_a_server_puts_right_what_a_verification_names(
    statement: str, told: str, on_server: str, say: Say
) -> None:
    plain_client(locate(None, on_server), statement)
    code, out, _ = say("verify", on_server)
    assert (code, told in out) == (1, True)
    code, out, _ = say("rebuild", on_server)
    assert (code, out.count("\n"), out.startswith("3 sessions projected anew in ")) == (0, 1, True)
    assert say("verify", on_server)[0] == 0


def test_a_missing_export_is_bad_usage(root: str, tmp_path: Path, say: Say) -> None:
    assert say("import", root, tmp_path / "missing.jsonl")[0] == 2


def test_migrate_leaves_a_current_ledger_as_it_is(root: str, say: Say) -> None:
    code, out, _ = say("migrate", root)
    assert (code, "which is this program's" in out) == (0, True)


def test_progress_is_told_once_it_takes_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tell = commands._progress("events verified")
    tell(1000)
    monkeypatch.setattr(commands, "PROGRESS_AFTER_SECONDS", 0.0)
    tell(20000)
    assert capsys.readouterr().err == "20,000 events verified …\n"


_CHECK = re.compile(r"```python\n(.*?)```", re.DOTALL)


def _documented_check(export: Path) -> subprocess.CompletedProcess[str]:
    found = _CHECK.search((CHECKOUT / "docs" / "ledger.md").read_text())
    assert found is not None
    return subprocess.run(
        [sys.executable, "-I", "-c", found[1], str(export)], capture_output=True, text=True, check=False
    )


def test_the_documented_lines_find_an_export_whole(root: str, tmp_path: Path, say: Say) -> None:
    say("export", root, "--output", tmp_path / "out.jsonl")
    done = _documented_check(tmp_path / "out.jsonl")
    assert (done.returncode, done.stdout.startswith("10 events hold, up to 10:")) == (0, True)


@pytest.mark.parametrize("line", [3, 10])
def test_the_documented_lines_name_the_first_bad_sequence(
    line: int, root: str, tmp_path: Path, say: Say
) -> None:
    say("export", root, "--output", tmp_path / "out.jsonl")
    lines = (tmp_path / "out.jsonl").read_text().splitlines(keepends=True)
    lines[line] = lines[line].replace('"actor":"session"', '"actor":"operator"')
    (tmp_path / "out.jsonl").write_text("".join(lines))
    done = _documented_check(tmp_path / "out.jsonl")
    assert (done.returncode, f"sequence {line} " in done.stderr) == (1, True)


def test_the_documented_lines_find_a_cut_tail(root: str, tmp_path: Path, say: Say) -> None:
    say("export", root, "--output", tmp_path / "out.jsonl")
    lines = (tmp_path / "out.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "out.jsonl").write_text("".join(lines[:-1]))
    assert _documented_check(tmp_path / "out.jsonl").returncode == 1
