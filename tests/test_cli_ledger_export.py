"""`ledger export|import`: to a file, to a server, and the lines in docs/ledger.md that check an export."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest
from support.both_engines import plain_client
from support.flow_program import in_shell, said
from support.ledger_commands import Say, filled_root
from support.ledger_history import CHECKOUT
from support.postgres_server import plain

from quantlab.base.errors import ConfigError
from quantlab.ledger import log
from quantlab.ledger.location import locate
from quantlab.ledger.postgres import connections
from quantlab.ledger.reader import open_reader
from quantlab.ledger.sql import views
from quantlab.ledger.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from quantlab.ledger.location import Location


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return filled_root(tmp_path)


@pytest.fixture
def root(file: Path) -> str:
    return str(file.parent)


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    return Say(capsys)


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


def test_an_export_goes_to_standard_output_byte_for_byte(root: str, tmp_path: Path, say: Say) -> None:
    say("export", root, "--output", tmp_path / "out.jsonl")
    done = subprocess.run(
        [sys.executable, "main.py", "ledger", "export", root], cwd=CHECKOUT, capture_output=True, check=True
    )
    assert done.stdout == (tmp_path / "out.jsonl").read_bytes()


def test_a_program_that_calls_it_in_process_gets_the_export_as_text(
    root: str, tmp_path: Path, say: Say
) -> None:
    say("export", root, "--output", tmp_path / "out.jsonl")
    called = said(tmp_path, "ledger", "export", root)
    assert (called.code, called.out) == (0, (tmp_path / "out.jsonl").read_text(encoding="utf-8"))


def test_an_import_says_what_it_brought(root: str, tmp_path: Path, say: Say) -> None:
    say("export", root, "--output", tmp_path / "out.jsonl")
    code, out, _ = say("import", tmp_path / "new" / "root", tmp_path / "out.jsonl")
    assert (code, "10 events imported, up to 10:" in out) == (0, True)
    assert say("verify", tmp_path / "new" / "root", "--against", tmp_path / "out.jsonl")[0] == 0


def test_a_missing_export_is_bad_usage(root: str, tmp_path: Path, say: Say) -> None:
    assert say("import", root, tmp_path / "missing.jsonl")[0] == 2


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
        (
            "CREATE TRIGGER mine BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION quantlab_events_refuse()",
            "mine is none of ours",
        ),
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


def test_a_rebuild_on_a_server_waits_for_a_reader_and_lets_it_read_on(on_server: str, say: Say) -> None:
    with open_reader(locate(None, on_server)) as reader, ThreadPoolExecutor() as pool:
        held = reader.rows("SELECT session_id FROM paper_sessions ORDER BY session_id")
        rebuilding = pool.submit(say, "rebuild", on_server)
        time.sleep(
            1.0
        )  # the rebuild waits for what the reader has locked, and holds nothing that it asks for next
        for view in views.of(sqlite=False):
            reader.rows(f"SELECT 1 FROM {view}")
        assert [reader.rows("SELECT session_id FROM events ORDER BY 1") != [], len(held)] == [True, 3]
        assert not rebuilding.done()
        reader.close()
        assert rebuilding.result(timeout=60)[0] == 0


def test_a_reader_of_a_server_may_take_its_time(on_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections.SETTINGS, "idle_in_transaction_session_timeout", "200ms")
    with open_reader(locate(None, on_server)) as reader, open_store(locate(None, on_server)) as store:
        before = reader.rows("SELECT session_id FROM paper_sessions")
        with store.read() as connection:
            time.sleep(0.6)
            assert log.read_head(connection).sequence == 10
        assert reader.rows("SELECT session_id FROM paper_sessions") == before


def test_a_database_that_cannot_hold_every_text_is_refused(on_server: str) -> None:
    made = "CREATE DATABASE odd ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    with psycopg.connect(plain(on_server), autocommit=True) as server:
        server.execute(made.encode())
        try:
            with pytest.raises(ConfigError, match=r"SQL_ASCII.*expected UTF8"):
                open_store(locate(None, re.sub(r"/[^/?]+(\?.*)?$", "/odd", on_server)))
        finally:
            server.execute(b"DROP DATABASE odd WITH (FORCE)")


def test_what_else_stands_in_a_server_s_schema_is_nobody_s_fault(on_server: str, say: Say) -> None:
    place = locate(None, on_server)
    for statement in ("CREATE TABLE mine (id integer)", "CREATE VIEW of_mine AS SELECT id FROM mine"):
        plain_client(place, statement)
    assert [say("verify", on_server)[0], say("rebuild", on_server)[0]] == [0, 0]
    assert plain_client(place, "SELECT count(*) FROM of_mine") == [(0,)]


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


@pytest.mark.parametrize("spoilt", ["head", "tail", "middle"])
def test_a_refused_import_makes_no_ledger(exported: Path, tmp_path: Path, say: Say, spoilt: str) -> None:
    lines = exported.read_text().splitlines(keepends=True)
    kept = {"head": lines[1:], "tail": lines[:-1], "middle": [*lines[:4], *lines[5:]]}[spoilt]
    (tmp_path / "spoilt.jsonl").write_text("".join(kept))
    code, _, err = say("import", tmp_path / "new", tmp_path / "spoilt.jsonl")
    assert (code != 0, err.startswith("ERROR: ")) == (True, True)
    assert not (tmp_path / "new" / "ledger.db").exists()


def test_a_ledger_that_was_made_while_another_was_imported_is_kept(
    exported: Path, tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = tmp_path / "new" / "ledger.db"

    @contextmanager
    def after_another(_location: Location) -> Iterator[None]:
        new.write_bytes(b"another's")
        yield

    monkeypatch.setattr("quantlab.ledger.restore.write_lock", after_another)
    code, _, err = say("import", new.parent, exported)
    assert (code, "meanwhile" in err, new.read_bytes()) == (2, True, b"another's")


def test_an_import_from_nowhere_is_told(tmp_path: Path, say: Say) -> None:
    code, _, err = say("import", tmp_path / "new", tmp_path / "none.jsonl")
    assert (code, "can't be read: No such file or directory" in err) == (2, True)


def test_an_export_is_imported_through_a_pipe(root: str, tmp_path: Path, say: Say) -> None:
    program = f"{sys.executable} {CHECKOUT / 'main.py'} ledger"
    done = in_shell(tmp_path, f"{program} export {root} | {program} import new /dev/stdin")
    assert (done.code, "10 events imported, up to 10:" in done.out) == (0, True)


def test_a_pipe_that_brings_nothing_is_refused(tmp_path: Path) -> None:
    program = f"{sys.executable} {CHECKOUT / 'main.py'} ledger"
    done = in_shell(tmp_path, f"true | {program} import new /dev/stdin")
    assert (done.code, "/dev/stdin is no exported ledger" in done.error) == (2, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("line", [1, 2])
def test_an_export_nested_beyond_reason_is_refused(
    exported: Path, tmp_path: Path, say: Say, line: int
) -> None:
    lines = exported.read_text().splitlines(keepends=True)
    lines[line - 1] = '{"x": ' + "[" * 20_000 + "\n"
    exported.write_text("".join(lines))
    code, _, err = say("import", tmp_path / "new", exported)
    assert (code, "defect" in err) == ({1: 2, 2: 1}[line], False)
    assert not (tmp_path / "new").exists()
