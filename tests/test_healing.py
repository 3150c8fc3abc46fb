"""Files that are behind their ledger after a crash."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from support.permissions import folder_of_ones_own, permissions_bind
from support.root_files import ONE, TWO, edit, finished, living_process, made, running, write_documents
from support.sessions_builder import NOW, Sessions, ago

from quantlab.folders.healing import heal, rebuild_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def sessions(tmp_path: Path) -> Iterator[Sessions]:
    with Sessions(tmp_path / "root") as built:
        yield built


def pending(sessions: Sessions) -> list[str]:
    with sessions.reader() as reader:
        return [row["session_id"] for row in reader.rows("SELECT session_id FROM pending_files ORDER BY 1")]


def killed_before_its_files(sessions: Sessions, session_id: str = ONE) -> Path:
    """Leave a session as a kill between the commit of its end and the files does."""
    folder = running(sessions, session_id)
    sessions.failed(session_id, ago(minutes=1))
    return folder


def test_the_files_of_an_ended_session_are_brought_up_to_its_end(sessions: Sessions) -> None:
    folder = killed_before_its_files(sessions)
    healed = heal(sessions.store, sessions.root)
    assert healed == {ONE: ["session_metadata.json", "session_status.json", "metadata.json"]}
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == made(sessions, ONE)


def test_a_healed_session_is_healed_no_more(sessions: Sessions) -> None:
    killed_before_its_files(sessions)
    before = pending(sessions)
    heal(sessions.store, sessions.root)
    assert (before, pending(sessions)) == ([ONE], [])


def test_a_session_killed_before_it_had_a_folder_gets_one(sessions: Sessions) -> None:
    shutil.rmtree(killed_before_its_files(sessions))
    heal(sessions.store, sessions.root)
    assert (sessions.root / ONE / "config.json").is_file()


def test_a_folder_known_to_be_gone_is_not_brought_back(sessions: Sessions) -> None:
    shutil.rmtree(killed_before_its_files(sessions))
    sessions.vanished(ONE, NOW)
    heal(sessions.store, sessions.root)
    assert (list(sessions.root.glob("2*")), pending(sessions)) == ([], [])


def test_an_edit_is_left_for_reconcile_to_record(sessions: Sessions) -> None:
    folder = killed_before_its_files(sessions)
    edit(folder / "session_status.json", message="edited")
    heal(sessions.store, sessions.root)
    assert b"edited" in (folder / "session_status.json").read_bytes()


def test_a_dead_running_session_shows_its_last_event_and_stays_pending(sessions: Sessions) -> None:
    folder = running(sessions)
    write_documents(sessions, TWO, upto=1)
    assert heal(sessions.store, sessions.root) == {TWO: ["session_status.json"]}
    assert (folder / "session_status.json").read_bytes() == made(sessions, TWO)["session_status.json"]
    assert pending(sessions) == [TWO]


def test_a_dead_running_session_without_a_folder_gets_none(sessions: Sessions) -> None:
    shutil.rmtree(running(sessions))
    assert heal(sessions.store, sessions.root) == {}


def test_a_living_session_is_left_to_its_process(sessions: Sessions) -> None:
    with living_process() as process:
        process.pop("popen")
        running(sessions, **process)
        write_documents(sessions, TWO, upto=1)
        assert heal(sessions.store, sessions.root) == {}


def test_a_folder_that_cannot_be_written_is_named_and_healed_later(caplog: pytest.LogCaptureFixture) -> None:
    with folder_of_ones_own() as root:
        with permissions_bind(), Sessions(root) as sessions:
            folder = killed_before_its_files(sessions, ONE)
            killed_before_its_files(sessions, TWO)
            folder.chmod(0o555)
            healed = heal(sessions.store, root)
            folder.chmod(0o755)
            assert (list(healed), pending(sessions)) == ([TWO], [ONE])
            assert caplog.messages[0].startswith(f"{ONE}: {folder}")
            assert list(heal(sessions.store, root)) == [ONE]


def test_a_folder_that_cannot_be_made_is_named(sessions: Sessions, caplog: pytest.LogCaptureFixture) -> None:
    folder = killed_before_its_files(sessions)
    shutil.rmtree(folder)
    folder.write_text("a file in its place")
    heal(sessions.store, sessions.root)
    assert "can't be made" in caplog.text


def test_every_file_can_be_made_anew(sessions: Sessions) -> None:
    folder = finished(sessions)
    before = {path.name: path.read_bytes() for path in folder.glob("*.json")}
    for name in before:
        (folder / name).unlink()
    remade = rebuild_files(sessions.store, sessions.root)
    assert {path.name: path.read_bytes() for path in folder.glob("*.json")} == before
    assert sorted(remade[ONE]) == sorted(before)


def test_the_files_of_some_sessions_can_be_made_anew(sessions: Sessions) -> None:
    for session_id in (ONE, TWO):
        (finished(sessions, session_id) / "report.json").unlink()
    assert list(rebuild_files(sessions.store, sessions.root, [TWO])) == [TWO]


def test_making_anew_passes_over_what_is_gone_at_work_or_out_of_the_root(sessions: Sessions) -> None:
    shutil.rmtree(finished(sessions))
    running(sessions, host="another")
    sessions.adopted("evil", NOW, path="..")
    sessions.adopted("fine", NOW, path="fine")
    (sessions.root / "fine").mkdir()
    assert rebuild_files(sessions.store, sessions.root) == {}


def test_making_anew_names_a_folder_that_cannot_be_written(caplog: pytest.LogCaptureFixture) -> None:
    with folder_of_ones_own() as root:
        with permissions_bind(), Sessions(root) as sessions:
            folder = finished(sessions)
            (folder / "report.json").unlink()
            folder.chmod(0o555)
            assert rebuild_files(sessions.store, root) == {}
            folder.chmod(0o755)
            assert "can't be written" in caplog.text
