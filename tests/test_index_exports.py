"""The root's index in csv, json and Markdown."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from support.csv_cells import csv_cell_value
from support.index_files import as_csv, as_json, markdown_rows
from support.root_files import ONE, REPOSITORY
from support.sessions_builder import NOW, Sessions, ago, one_of_each

from quantlab.base.text import markdown_cell, without_controls
from quantlab.domain.events import GENESIS_HASH
from quantlab.domain.session import CONTRACT
from quantlab.exports import index
from quantlab.exports.index import CSV, MARKDOWN, NAMES, write
from quantlab.folders.adoption import shared_home
from quantlab.ledger.location import locate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOSTILE = [
    "=1+1",
    "+1+1",
    "-1+2",
    "@SUM(A1)",
    "'quoted",
    "a|b",
    "a\nb",
    "`code`",
    "_under_",
    "a__b",
    " blank ",
    "\x1b[31m",
    "ünï",
    "1. one",
    "://x",
]


@pytest.fixture
def sessions(tmp_path: Path) -> Iterator[Sessions]:
    with Sessions(tmp_path / "root") as built:
        yield built


def test_the_contracts_columns_come_first_and_in_its_order(sessions: Sessions) -> None:
    write(sessions.store, sessions.root)
    header = (sessions.root / CSV).read_text().splitlines()[0].split(",")
    assert header[:13] == [
        "session_id",
        "status",
        "created_at",
        "started_at",
        "updated_at",
        "finished_at",
        "terminal",
        "status_reason",
        "duration_seconds",
        "request_id",
        "error_type",
        "report_contract_type",
        "path",
    ]


def test_json_has_the_contracts_fields_and_the_head(sessions: Sessions) -> None:
    one_of_each(sessions)
    mark = write(sessions.store, sessions.root)
    document = as_json(sessions.root)
    rows = document.pop("sessions")
    with sessions.reader() as reader:
        (head,) = reader.rows("SELECT occurred_at FROM events ORDER BY sequence DESC LIMIT 1")
        (ledger,) = reader.rows("SELECT ledger_id FROM ledger_head")
    assert document == {
        "generated_at": head["occurred_at"],
        "root_dir": str(sessions.root),
        "n_sessions": len(rows),
        "ledger_sequence": mark.sequence,
        "ledger_hash": mark.hash,
        "ledger_id": ledger["ledger_id"],
    }
    assert tuple(rows[0])[:13] == CONTRACT


def test_sessions_come_by_id(sessions: Sessions) -> None:
    one_of_each(sessions)
    write(sessions.store, sessions.root)
    ids = [row["session_id"] for row in as_json(sessions.root)["sessions"]]
    assert (len(ids), ids) == (10, sorted(ids))


def test_csv_and_json_hold_the_same(sessions: Sessions) -> None:
    one_of_each(sessions)
    write(sessions.store, sessions.root)
    cells = [
        {name: "" if value is None else str(value) for name, value in row.items()}
        for row in as_json(sessions.root)["sessions"]
    ]
    kept = [
        {name: csv_cell_value(cell) for name, cell in row.items() if not name.startswith("ledger_")}
        for row in as_csv(sessions)
    ]
    assert kept == cells


def test_pandas_reads_the_csv(sessions: Sessions) -> None:
    one_of_each(sessions)
    mark = write(sessions.store, sessions.root)
    frame = pd.read_csv(sessions.root / CSV)
    assert (len(frame), set(frame["ledger_sequence"]), set(frame["ledger_hash"])) == (
        10,
        {mark.sequence},
        {mark.hash},
    )


def test_floats_read_back_equal(sessions: Sessions) -> None:
    sessions.started(ONE, ago(hours=1)).succeeded(ONE, ago(minutes=1), total_return=0.1 + 0.2, win_rate=2 / 3)
    write(sessions.store, sessions.root)
    (row,) = as_json(sessions.root)["sessions"]
    (cells,) = as_csv(sessions)
    assert (row["total_return"], float(cells["total_return"]), row["win_rate"]) == (
        0.1 + 0.2,
        0.1 + 0.2,
        2 / 3,
    )


def test_paths_are_absolute(sessions: Sessions) -> None:
    sessions.success(ONE, ago(hours=1))
    write(sessions.store, sessions.root)
    assert as_json(sessions.root)["sessions"][0]["path"] == str(sessions.root / ONE)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_reads_back_equal_and_is_no_formula(sessions: Sessions, text: str) -> None:
    sessions.adopted("s", NOW, path="s", status=text, message=text, request_id=text)
    write(sessions.store, sessions.root)
    (cells,) = as_csv(sessions)
    assert not cells["message"].lstrip().startswith(("=", "+", "-", "@"))
    assert [csv_cell_value(cells[name]) for name in ("status", "message", "request_id")] == [
        without_controls(text)
    ] * 3
    assert as_json(sessions.root)["sessions"][0]["message"] == text


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_stays_in_its_markdown_cell(sessions: Sessions, text: str) -> None:
    sessions.adopted(text, NOW, path=text, status=text, request_id=text)
    write(sessions.store, sessions.root)
    (line,) = markdown_rows(sessions)
    cells = line[2:-2].split(" | ")
    assert (cells[0], cells[1], cells[9]) == (markdown_cell(text),) * 3
    assert cells[12] == markdown_cell(f"{sessions.root}/{text}")


def test_markdown_has_the_head_and_a_line_each(sessions: Sessions) -> None:
    one_of_each(sessions)
    mark = write(sessions.store, sessions.root)
    text = (sessions.root / MARKDOWN).read_text()
    assert (f"- ledger_hash: {mark.hash}\n" in text, len(markdown_rows(sessions))) == (True, 10)


def test_an_empty_ledger_gives_empty_exports(sessions: Sessions) -> None:
    write(sessions.store, sessions.root)
    document = as_json(sessions.root)
    assert (document["generated_at"], document["ledger_hash"], document["sessions"]) == (
        None,
        GENESIS_HASH,
        [],
    )
    assert as_csv(sessions) == []


def test_more_rows_than_are_held_at_once_all_come_out(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "_ROWS_AT_A_TIME", 3)
    one_of_each(sessions)
    write(sessions.store, sessions.root)
    assert (len(as_json(sessions.root)["sessions"]), len(as_csv(sessions))) == (10, 10)


def test_the_same_ledger_gives_the_same_bytes(sessions: Sessions) -> None:
    one_of_each(sessions)
    write(sessions.store, sessions.root)
    first = [(sessions.root / name).read_bytes() for name in NAMES]
    write(sessions.store, sessions.root)
    assert [(sessions.root / name).read_bytes() for name in NAMES] == first


def test_in_a_shared_ledger_a_root_exports_its_own_sessions(tmp_path: Path) -> None:
    with Sessions(tmp_path / "ledgers") as sessions:
        root = tmp_path / "root"
        root.mkdir()
        home = shared_home(sessions.location, root)
        sessions.adopted("mine", NOW, path="mine", **home)
        sessions.adopted("theirs", NOW, path="theirs", **home | {"root": "/elsewhere"})
        write(sessions.store, root)
    document = as_json(root)
    assert (document["n_sessions"], [row["session_id"] for row in document["sessions"]]) == (1, ["mine"])


def test_a_server_s_sessions_are_exported_as_a_file_s_are(tmp_path: Path, postgres_url: str) -> None:
    root, home = tmp_path / "root", tmp_path / "home"
    rows = []
    for url in (None, postgres_url):
        with Sessions(root if url is None else home, url) as sessions:
            sessions.adopted("s1", NOW, path="s1", **shared_home(locate(None, "sqlite:////none"), root))
            write(sessions.store, root)
        rows.append(as_json(root)["sessions"])
    assert rows[0] == rows[1] != []


def test_memory_stays_flat_however_many_rows(tmp_path: Path) -> None:
    code = """
import resource, sys
from pathlib import Path
from quantlab.exports.index import write
from quantlab.ledger.store import open_store
from quantlab.ledger.location import locate
root = Path(sys.argv[1])
with open_store(locate(root, None)) as store:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    write(store, root)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    with Sessions(tmp_path) as sessions:
        sessions.success(ONE, ago(hours=1))
    connection = sqlite3.connect(tmp_path / "ledger.db")
    names = [row[1] for row in connection.execute("PRAGMA table_info(paper_sessions)")]
    others = ", ".join(name for name in names if name not in ("session_id", "promotion_ready"))
    connection.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) "
        f"INSERT INTO paper_sessions (session_id, {others}) SELECT 's' || i, {others} FROM paper_sessions, n"
    )
    connection.commit()
    connection.close()
    answer = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(answer.stdout) < 60 * 1024
    assert as_json(tmp_path)["n_sessions"] == 50_001


def test_no_export_holds_a_character_that_commands_a_terminal(sessions: Sessions) -> None:
    text = "a\x1b[31mb\x9b2Jc\x7fd"
    sessions.adopted(text, NOW, path=text, status=text, message=text)
    write(sessions.store, sessions.root)
    for name in NAMES:
        content = (sessions.root / name).read_text()
        assert not {"\x1b", "\x9b", "\x7f"} & set(content), name
    assert as_json(sessions.root)["sessions"][0]["message"] == text
    assert as_csv(sessions)[0]["message"] == "a\\x1b[31mb\\x9b2Jc\\x7fd"
