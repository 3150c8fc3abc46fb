"""Folders from elsewhere in the ledger: what is recorded of each, once, and of which copy."""

from __future__ import annotations

import os
import shutil
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from support.legacy_root import break_folders, legacy_id, make_legacy_root, make_legacy_session
from support.root_files import row
from support.sessions_builder import NOW, Sessions

from quantlab.base.clock import iso
from quantlab.base.levels import PROGRESS
from quantlab.folders import adoption
from quantlab.folders.adoption import Adoption, adopt, shared_home
from quantlab.folders.places import session_folders
from quantlab.ledger.location import locate
from quantlab.ledger.recorder import Recorder

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def adopted(sessions: Sessions, *names: str, now: datetime = NOW) -> Adoption:
    names = names or tuple(session_folders(sessions.root))
    return adopt(Recorder(sessions.store), sessions.root, names, home={}, now=now)


def test_adopted_sessions_stand_in_the_ledger_as_their_files_say(tmp_path: Path) -> None:
    with Sessions(tmp_path) as sessions:
        ids = make_legacy_root(tmp_path, 6)
        assert adopted(sessions).adopted == ids
        statuses = [row(sessions, session_id)["status"] for session_id in ids]
        shown = row(sessions, ids[0])
    assert statuses == ["success", "success", "failed", "aborted", "success", "running"]
    began = datetime(2025, 3, 1, 9, 1, 30)  # noqa: DTZ001 - a local time, as the folder has it
    assert (shown["origin"], shown["path"], shown["updated_at"]) == (
        "adopted",
        ids[0],
        iso(began.astimezone()),
    )


def test_a_session_is_adopted_once(tmp_path: Path) -> None:
    with Sessions(tmp_path) as sessions:
        (session_id,) = make_legacy_root(tmp_path, 1)
        adopted(sessions)
        again = adopted(sessions, now=NOW + timedelta(seconds=1))
    assert (again.adopted, [tuple(one) for one in again.copies]) == ([], [(session_id, session_id)])


def test_of_copies_the_folder_that_bears_the_id_is_adopted(tmp_path: Path) -> None:
    with Sessions(tmp_path) as sessions:
        (session_id,) = make_legacy_root(tmp_path, 1)
        shutil.copytree(tmp_path / session_id, tmp_path / "0 copy")
        shutil.copytree(tmp_path / session_id, tmp_path / "zz copy")
        outcome = adopted(sessions)
        assert row(sessions, session_id)["path"] == session_id
    assert (outcome.adopted, [one.folder for one in outcome.copies]) == ([session_id], ["0 copy", "zz copy"])


def test_of_copies_that_all_have_other_names_the_first_is_adopted(tmp_path: Path) -> None:
    with Sessions(tmp_path) as sessions:
        (session_id,) = make_legacy_root(tmp_path, 1)
        shutil.copytree(tmp_path / session_id, tmp_path / "b")
        (tmp_path / session_id).rename(tmp_path / "a")
        outcome = adopted(sessions)
        assert row(sessions, session_id)["path"] == "a"
    assert [tuple(one) for one in outcome.copies] == [("b", session_id)]


def test_a_batch_ends_before_its_documents_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adoption, "_BATCH_BYTES", 1)
    with Sessions(tmp_path) as sessions:
        ids = make_legacy_root(tmp_path, 5)
        assert adopted(sessions).adopted == ids


def test_progress_is_said_once_a_second_and_not_before(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(PROGRESS, "quantlab")
    times = iter([0.0, 0.5, 1.5, 1.5, 2.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(times))
    progress = adoption.LoggedProgress("Adopting root", 1_000)
    for _ in range(3):
        progress.step()
    assert caplog.messages == ["Adopting root: 2 of 1,000 folders."]


def test_in_a_shared_ledger_sessions_tell_their_root_and_host(tmp_path: Path) -> None:
    root, other = tmp_path / "root", tmp_path / "ledgers"
    with Sessions(other) as sessions:
        make_legacy_root(root, 1)
        home = shared_home(sessions.location, root)
        adopt(Recorder(sessions.store), root, session_folders(root), home=home, now=NOW)
        shown = row(sessions, legacy_id(0))
    assert (shown["root"], shown["host"]) == (str(root), os.uname().nodename)


def test_in_its_own_ledger_a_root_needs_no_telling(tmp_path: Path) -> None:
    assert shared_home(locate(tmp_path, None), tmp_path) == {}


def test_a_folder_that_goes_before_it_is_read_is_not_adopted(tmp_path: Path) -> None:
    with Sessions(tmp_path) as sessions:
        (there,) = make_legacy_root(tmp_path, 1)
        outcome = adopted(sessions, "gone", there)
    assert (outcome.adopted, outcome.unreadable) == ([there], {})


def test_a_hundred_broken_folders_are_all_adopted_and_block_only_themselves(tmp_path: Path) -> None:
    with Sessions(tmp_path) as sessions:
        breaks = break_folders(tmp_path)
        make_legacy_session(tmp_path / "sound", 0, "success")
        outcome = adopted(sessions)
        with sessions.reader() as reader:
            ready = reader.rows("SELECT session_id FROM paper_sessions WHERE promotion_ready = 1")
    assert set(outcome.unreadable) == set(breaks)
    assert ready == [{"session_id": "sound"}]
