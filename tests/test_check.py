"""`check`: whether an installation is fit to run."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from support.flow_program import said
from support.ledger_history import fill, stored

from quantlab.cli import check
from quantlab.ledger.location import locate
from quantlab.ledger.revision import HEAD_REVISION
from quantlab.ledger.store import open_store

if TYPE_CHECKING:
    from pathlib import Path


def test_a_sound_installation_is_ok(tmp_path: Path) -> None:
    done = said(tmp_path, "--check")
    facts = json.loads(done.out)
    assert (done.code, done.err) == (0, "")
    assert (facts["status"], facts["problems"]) == ("ok", [])
    assert (facts["sqlite"], facts["ledger_revision"]) == (sqlite3.sqlite_version, HEAD_REVISION)
    assert all(facts["packages"].values())
    assert facts["folders"] == {"outputs": {"exists": False, "writable": True}}


def test_the_ledger_that_sessions_would_record_in_is_looked_at(tmp_path: Path) -> None:
    assert json.loads(said(tmp_path, "check").out)["ledger"] == {
        "place": "outputs/paper_sessions/ledger.db",
        "exists": False,
        "revision": None,
    }
    root = tmp_path / "outputs" / "paper_sessions"
    root.mkdir(parents=True)
    fill(root)
    assert json.loads(said(tmp_path, "check").out)["ledger"] == {
        "place": "outputs/paper_sessions/ledger.db",
        "exists": True,
        "revision": HEAD_REVISION,
    }


def test_an_older_ledger_is_told_of_and_left_as_it_is(tmp_path: Path) -> None:
    file = fill(tmp_path)
    with closing(sqlite3.connect(file)) as client, client:
        client.execute("UPDATE alembic_version SET version_num = '0001'")
    facts = json.loads(said(tmp_path, "check", "--ledger", f"sqlite:///{file}").out)
    assert (facts["status"], facts["ledger"]["revision"]) == ("ok", "0001")
    assert any(
        "has schema 0001; the first command that opens it upgrades it" in one for one in facts["warnings"]
    )
    assert stored(file, "SELECT version_num FROM alembic_version") == [("0001",)]


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("sqlite:///newer.db", "newer than this program's"),
        ("sqlite:///text.db", "file is not a database"),
        ("sqlite:///empty.db", "is no QuantLab ledger"),
        ("sqlite:///orders.db", "is no QuantLab ledger"),
        ("postgresql://somebody:secret@127.0.0.1:1/none", "can't be reached"),
        ("mysql://host/db", "expected sqlite:///FILE"),
    ],
)
def test_a_ledger_that_cannot_be_used_is_a_problem(tmp_path: Path, url: str, told: str) -> None:
    with closing(sqlite3.connect(fill(tmp_path).rename(tmp_path / "newer.db"))) as client, client:
        client.execute("UPDATE alembic_version SET version_num = '9999'")
    (tmp_path / "text.db").write_text("no database at all")
    (tmp_path / "empty.db").touch()
    with closing(sqlite3.connect(tmp_path / "orders.db")) as client, client:
        client.execute("CREATE TABLE orders (id)")
    done = said(tmp_path, "check", "--ledger", url)
    facts = json.loads(done.out)
    assert (done.code, facts["ledger"]) == (2, None)
    assert told in facts["problems"][0]
    assert "secret" not in done.out


def test_a_server_s_ledger_is_looked_at(tmp_path: Path, postgres_url: str) -> None:
    empty = json.loads(said(tmp_path, "check", "--ledger", postgres_url).out)
    open_store(locate(None, postgres_url)).close()
    full = json.loads(said(tmp_path, "check", "--ledger", postgres_url).out)
    assert [facts["ledger"]["revision"] for facts in (empty, full)] == [None, HEAD_REVISION]


def test_check_writes_nothing(tmp_path: Path) -> None:
    said(tmp_path, "check")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = said(tmp_path, "check", "--outdir", "file/below")
    facts = json.loads(done.out)
    assert done.code == 2
    assert facts["status"] == "error"
    assert "can't be written; choose another folder with --outdir" in facts["problems"][0]


def test_a_missing_package_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "PACKAGES", ("click", "no-such-package"))
    done = said(tmp_path, "check")
    assert done.code == 2
    assert json.loads(done.out)["problems"] == ["package no-such-package is missing; install quantlab again"]


def test_an_empty_folder_name_is_refused(tmp_path: Path) -> None:
    done = said(tmp_path, "--check", "--outdir", "")
    assert done.code == 2
    assert "it is empty" in done.error


def test_an_older_sqlite_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 51, 2))
    assert "rare fault" in check._warnings()[0]


def test_a_mended_sqlite_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 51, 3))
    assert check._warnings() == []
