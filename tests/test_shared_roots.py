"""A root of a ledger that several share, under more names than one: reached by a link, or moved."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest
from support.flow_program import PAPER, said, session_of

if TYPE_CHECKING:
    from pathlib import Path

LEDGER = ("--ledger", "sqlite:///shared.db")


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """One session of a root whose ledger lies elsewhere."""
    assert said(tmp_path, *PAPER, *LEDGER).code == 0
    return session_of(tmp_path)


def exported(root: Path) -> list[str]:
    with (root / "paper_sessions_index.csv").open(newline="") as file:
        return [row["path"] for row in csv.DictReader(file)]


def test_a_root_that_is_reached_by_a_link_keeps_its_sessions(tmp_path: Path, session: Path) -> None:
    (tmp_path / "link").symlink_to("outputs")
    done = said(tmp_path, "paper-sessions", "index", "link/paper_sessions", *LEDGER)
    assert "Ledger and folders agree" in done.out
    assert exported(session.parent) == [str(tmp_path / "link" / "paper_sessions" / session.name)]


def test_a_session_that_was_run_through_a_link_is_the_root_s_too(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert said(tmp_path, *PAPER, *LEDGER, "--outdir", "link").code == 0
    assert "agree" in said(tmp_path, "paper-sessions", "index", "real/paper_sessions", *LEDGER).out
    assert len(exported(tmp_path / "real" / "paper_sessions")) == 1


def test_sessions_of_a_root_that_was_moved_are_found_where_it_is_now(tmp_path: Path, session: Path) -> None:
    (tmp_path / "outputs").rename(tmp_path / "moved")
    root = tmp_path / "moved" / "paper_sessions"
    done = said(tmp_path, "paper-sessions", "index", "moved/paper_sessions", *LEDGER)
    assert done.out.splitlines()[:2] == ["Found: 1", f"  {session.name} in {session.name}"]
    assert exported(root) == [str(root / session.name)]
    assert "identical" in said(tmp_path, "paper-sessions", "prove", session.name, *LEDGER).out
    assert "agree" in said(tmp_path, "paper-sessions", "index", "moved/paper_sessions", *LEDGER).out
    assert said(tmp_path, "ledger", "verify", *LEDGER).code == 0


def test_a_root_s_own_ledger_can_be_carried_into_a_shared_one(tmp_path: Path) -> None:
    assert said(tmp_path, *PAPER).code == 0
    session = session_of(tmp_path)
    root, older = session.parent, "20260105_080000_paper_5f3a9c0d1e2b"
    (root / older).mkdir()
    (root / older / "session_status.json").write_text('{"status": "failed", "terminal": true}')
    assert said(tmp_path, "paper-sessions", "index", str(root)).code == 0
    assert said(tmp_path, "ledger", "export", str(root), "--output", "old.jsonl").code == 0
    assert said(tmp_path, "ledger", "import", *LEDGER, "old.jsonl").code == 0
    done = said(tmp_path, "paper-sessions", "index", str(root), *LEDGER)
    assert done.out.splitlines()[:2] == ["Found: 1", f"  {older} in {older}"]
    assert exported(root) == [str(root / older), str(root / session.name)]
    assert "agree" in said(tmp_path, "paper-sessions", "index", str(root), *LEDGER).out
    assert said(tmp_path, "ledger", "verify", *LEDGER).code == 0


def test_a_copy_of_a_root_that_is_still_there_is_a_copy(tmp_path: Path, session: Path) -> None:
    copy = tmp_path / "backup" / session.name
    copy.mkdir(parents=True)
    (copy / "session_status.json").write_bytes((session / "session_status.json").read_bytes())
    done = said(tmp_path, "paper-sessions", "index", "backup", *LEDGER)
    assert done.out.splitlines()[0] == "Copies, left out: 1"
    assert exported(tmp_path / "backup") == []


def test_a_ledger_that_is_named_by_its_url_is_the_root_s_own_all_the_same(tmp_path: Path) -> None:
    assert said(tmp_path, *PAPER).code == 0
    (tmp_path / "outputs").rename(tmp_path / "moved")
    (folder,) = (tmp_path / "moved" / "paper_sessions").glob("*_paper_*[0-9a-f]/")
    url = f"sqlite:///{tmp_path / 'moved' / 'paper_sessions' / 'ledger.db'}"
    done = said(tmp_path, "paper-sessions", "show", str(folder), "--ledger", url)
    assert f"moved/paper_sessions/{folder.name}\n" in done.out
