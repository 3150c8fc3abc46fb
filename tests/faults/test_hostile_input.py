"""Names, links, junk and texts that mean harm: nothing obeys them, and nothing leads out of the root."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.csv_cells import csv_cell_value
from support.ledger_history import entry, heartbeat, open_root, record, started
from support.tame import assert_done_tame, assert_no_formulas, assert_tame, called

from quantlab.cli import output
from quantlab.domain.events import Failed

if TYPE_CHECKING:
    from support.fork_server import Server

PRICES_HEADER = b"time,open,high,low,close,volume\n"
NAMES = (
    b"=cmd()",
    b"new\nline",
    b"\x1b[31mred",
    b"\xff\xfe",
    b"x" * 255,
    b"-rf",
    b"@here",
    b" ",
    b"a|b",
    b"`id`",
    b"..x",
)


@pytest.fixture
def root_of_names(tmp_path: Path) -> Path:
    """Session folders with every kind of name that a file system lets be."""
    root = tmp_path / "root"
    root.mkdir()
    for place, name in enumerate(NAMES):
        folder = os.path.join(os.fsencode(root), name)  # noqa: PTH118 - names that are no text
        os.mkdir(folder)  # noqa: PTH102
        Path(os.fsdecode(folder + b"/session_status.json")).write_text(
            json.dumps(
                {
                    "status": "failed",
                    "message": "\x1b]0;owned\x07",
                    "error_type": "=1+1",
                    "request_id": f"@r{place}",
                }
            )
        )
    return root


@pytest.mark.parametrize("command", ["index", "list", "health", "alerts", "promotion"])
def test_folders_with_hostile_names_are_handled_tamely(
    server: Server, root_of_names: Path, command: str
) -> None:
    done = server.run("paper-sessions", command, str(root_of_names))
    assert_done_tame(done)
    assert done.code == 0


@pytest.mark.parametrize("command", ["list", "alerts", "promotion"])
def test_csv_obeys_nothing_on_a_terminal(
    root_of_names: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(output, "is_terminal", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert_tame(*called("paper-sessions", command, str(root_of_names), "--format", "csv"))


def test_csv_in_a_pipe_reads_back_as_it_was_told(server: Server, root_of_names: Path) -> None:
    done = server.run("paper-sessions", "list", str(root_of_names), "--format", "csv")
    ids = {csv_cell_value(row["session_id"]) for row in csv.DictReader(io.StringIO(done.out))}
    assert {"=cmd()", "new\nline", "@here", "-rf", "a|b"} <= ids


def test_exports_of_folders_with_hostile_names_hold_no_formula_and_read_back(
    server: Server, root_of_names: Path
) -> None:
    server.run("paper-sessions", "index", str(root_of_names))
    assert_no_formulas(root_of_names / "paper_sessions_index.csv")
    exported = json.loads((root_of_names / "paper_sessions_index.json").read_text())
    assert {"=cmd()", "-rf", "x" * 255} <= {one["session_id"] for one in exported["sessions"]}


@pytest.mark.parametrize(
    "session_id", ["../../escape", "/etc/escape", "..", "a\x00b", "x" * 5_000, "s/../../escape", "."]
)
def test_an_id_that_is_a_path_leads_nowhere_outside_the_root(
    server: Server, tmp_path: Path, session_id: str
) -> None:
    root = tmp_path / "outer" / "root"
    (root / "s").mkdir(parents=True)
    told = {"session_id": session_id, "status": "running", "created_at": "2024-01-01T00:00:00"}
    (root / "s" / "session_status.json").write_text(json.dumps(told))
    for words in (["index", str(root)], ["abort", str(root / "s"), "--reason", "old"], ["index", str(root)]):
        assert_done_tame(server.run("paper-sessions", *words))
    assert {path.name for path in (tmp_path / "outer").iterdir()} == {"root"}
    assert [path for path in root.iterdir() if path.is_dir()] == [root / "s"]


def test_links_out_of_the_root_are_not_followed(server: Server, tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('{"session_id": "stolen", "status": "success"}')
    root = tmp_path / "root"
    (root / "s").mkdir(parents=True)
    (root / "s" / "session_status.json").symlink_to(secret)
    (root / "loop").symlink_to(root)
    (root / "s" / "report.json").symlink_to(root / "s" / "report.json")
    done = server.run("paper-sessions", "index", str(root))
    assert_done_tame(done)
    assert "stolen" not in done.out + (root / "paper_sessions_index.json").read_text()


def test_gigabytes_of_junk_and_pipes_neither_fill_the_memory_nor_hang(server: Server, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "s").mkdir(parents=True)
    os.mkfifo(root / "s" / "session_status.json")
    for name in ("session_metadata.json", "report.json"):
        with (root / "s" / name).open("wb") as junk:
            junk.truncate(2 << 30)
    done = server.run("paper-sessions", "index", str(root), memory_bytes=512 << 20, seconds=30)
    assert_done_tame(done)
    assert done.code == 0
    assert "report.json" in server.run("paper-sessions", "health", str(root)).err
    shown = server.run("paper-sessions", "show", str(root / "s"), memory_bytes=512 << 20, seconds=30)
    assert_done_tame(shown)
    assert shown.code == 0


def test_a_hostile_price_file_fails_its_session_with_a_tame_message(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "\x1b[31m=prices.csv"
    file.write_bytes(PRICES_HEADER + b"\x1b]0;owned\x07,1,1,1,1,1\n" * 200)
    done = server.run("--paper", "--prices", str(file), "--outdir", str(tmp_path / "outputs"))
    assert_done_tame(done)
    assert done.code == 3


def test_escape_codes_in_recorded_texts_never_reach_the_terminal(server: Server, tmp_path: Path) -> None:
    hostile = "\x1b[2J\x1b]0;owned\x07\u202e"
    with open_root(tmp_path) as store:
        failed = Failed(error_type=f"Error{hostile}", message=f"no prices{hostile}", exit_code=3)
        record(
            store,
            [entry("s", 1, started("s", ticker=hostile)), entry("s", 2, heartbeat()), entry("s", 3, failed)],
        )
    for words in (
        ["list", str(tmp_path)],
        ["show", str(tmp_path / "s")],
        ["health", str(tmp_path)],
        ["alerts", str(tmp_path)],
    ):
        done = server.run("paper-sessions", *words)
        assert_done_tame(done)
        assert done.code == 0
    for form in ("table", "json"):
        assert_done_tame(server.run("paper-sessions", "list", str(tmp_path), "--format", form))


def test_an_unknown_command_with_escape_codes_is_named_without_them(server: Server) -> None:
    assert_done_tame(server.run("\x1b[31mpaper", "\x1b]0;owned\x07"))
