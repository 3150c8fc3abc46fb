"""`check`: whether an installation is fit to run."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

from flow_program import said

from quantlab.cli import check
from quantlab.store.revision import HEAD_REVISION

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_sound_installation_is_ok(tmp_path: Path) -> None:
    done = said(tmp_path, "--check")
    facts = json.loads(done.out)
    assert (done.code, done.err) == (0, "")
    assert (facts["status"], facts["problems"]) == ("ok", [])
    assert (facts["sqlite"], facts["ledger_revision"]) == (sqlite3.sqlite_version, HEAD_REVISION)
    assert all(facts["packages"].values())
    assert facts["folders"] == {"outputs": {"exists": False, "writable": True}}


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
