"""What `index` records of files that were edited by hand, in folders of ours and in adopted ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from support.legacy_root import make_legacy_root, make_legacy_session
from support.root_files import ONE, TWO, digest, edit, finished, reconciled, row, running
from support.sessions_builder import Sessions, ago

from quantlab.domain.events import Heartbeat
from quantlab.folders.reconcile import Reconciled
from quantlab.ledger.log import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOTHING = Reconciled()


@pytest.fixture
def sessions(tmp_path: Path) -> Iterator[Sessions]:
    with Sessions(tmp_path / "root") as built:
        yield built


def test_an_edited_field_is_recorded_with_what_it_was_before(sessions: Sessions) -> None:
    edit(finished(sessions) / "session_status.json", status_reason="fine")
    (found,) = reconciled(sessions).amended
    assert found.changes == {"status_reason": {"before": "completed", "after": "fine"}}


def test_an_edited_lifecycle_field_blocks_promotion(sessions: Sessions) -> None:
    edit(finished(sessions) / "session_status.json", message="all well")
    before = row(sessions, ONE)["promotion_ready"]
    reconciled(sessions)
    assert (before, row(sessions, ONE)["promotion_ready"]) == (1, 0)


def test_an_edited_status_shows_in_the_row(sessions: Sessions) -> None:
    folder = finished(sessions)
    edit(folder / "session_status.json", status="failed", error_type="DataError")
    reconciled(sessions)
    shown = row(sessions, ONE)
    assert (shown["status"], shown["error_type"], shown["amendments"]) == ("failed", "DataError", 1)


def test_an_edit_that_is_no_lifecycle_field_blocks_nothing(sessions: Sessions) -> None:
    edit(finished(sessions) / "config.json", note="my favourite")
    (found,) = reconciled(sessions).amended
    assert (found.lifecycle, row(sessions, ONE)["promotion_ready"]) == (False, 1)


def test_an_edit_of_the_reports_contract_type_is_one_of_the_lifecycle(sessions: Sessions) -> None:
    path = finished(sessions) / "report.json"
    contract = json.loads(path.read_bytes())["machine_contract"]
    edit(path, machine_contract=contract | {"contract_type": "other"})
    (found,) = reconciled(sessions).amended
    assert (found.lifecycle, row(sessions, ONE)["report_contract_type"]) == (True, "other")


def test_a_removed_field_is_recorded_without_an_after(sessions: Sessions) -> None:
    path = finished(sessions) / "config.json"
    document = json.loads(path.read_bytes())
    del document["interval"]
    path.write_text(json.dumps(document))
    (found,) = reconciled(sessions).amended
    assert found.changes == {"interval": {"before": "1d"}}


def test_an_edit_taken_back_is_recorded_as_another(sessions: Sessions) -> None:
    path = finished(sessions) / "session_status.json"
    original = path.read_bytes()
    edit(path, status_reason="fine")
    reconciled(sessions)
    path.write_bytes(original)
    (found,) = reconciled(sessions).amended
    assert found.changes == {"status_reason": {"before": "fine", "after": "completed"}}


def test_one_number_for_another_of_the_same_value_is_an_edit(sessions: Sessions) -> None:
    edit(finished(sessions) / "session_status.json", terminal=1)
    (found,) = reconciled(sessions).amended
    assert found.changes == {"terminal": {"before": True, "after": 1}}
    assert row(sessions, ONE)["unreadable"] == "session_status.json: terminal"


def test_a_file_that_was_only_formatted_is_recorded_once_and_changes_nothing(sessions: Sessions) -> None:
    path = finished(sessions) / "session_status.json"
    before = digest(path)
    path.write_text(json.dumps(json.loads(path.read_bytes())))
    (found,) = reconciled(sessions).amended
    assert found.changes == {"sha256": {"before": before, "after": digest(path)}}
    assert (found.lifecycle, reconciled(sessions)) == (False, NOTHING)


def test_a_table_that_was_edited_is_recorded_by_its_digest(sessions: Sessions) -> None:
    path = finished(sessions) / "trades.csv"
    before = digest(path)
    path.write_bytes(b"better")
    (found,) = reconciled(sessions).amended
    assert (found.file, found.changes) == (
        "trades.csv",
        {"sha256": {"before": before, "after": digest(path)}},
    )


def test_a_removed_artifact_is_recorded_once(sessions: Sessions) -> None:
    (finished(sessions) / "artifacts" / "equity.png").unlink()
    (found,) = reconciled(sessions).amended
    assert ("after" not in found.changes["sha256"], reconciled(sessions)) == (True, NOTHING)


def test_an_edit_outlasts_what_the_session_records_after_it(sessions: Sessions) -> None:
    path = running(sessions) / "session_status.json"
    edit(path, note="mine")
    reconciled(sessions)
    later = Heartbeat(stage="simulating", bars_done=300, bars_expected=730)
    sessions.recorder.record(
        Entry(session_id=TWO, session_version=4, event=later, occurred_at=ago(minutes=1))
    )
    found = reconciled(sessions)
    status = json.loads(path.read_bytes())
    assert (found.amended, found.remade) == ([], {TWO: ["session_status.json"]})
    assert (status["bars_done"], status["note"]) == (300, "mine")


def test_an_edit_of_an_adopted_folder_is_recorded_and_the_row_keeps_what_was_found(
    sessions: Sessions,
) -> None:
    (session_id,) = make_legacy_root(sessions.root, 1)
    reconciled(sessions)
    edit(sessions.root / session_id / "config.json", ticker="SOL-USD")
    (found,) = reconciled(sessions).amended
    assert found.changes == {"ticker": {"before": "ETH-USD", "after": "SOL-USD"}}
    assert (row(sessions, session_id)["ticker"], reconciled(sessions)) == ("ETH-USD", NOTHING)


def test_a_field_removed_from_an_adopted_file_is_removed_once(sessions: Sessions) -> None:
    (session_id,) = make_legacy_root(sessions.root, 1)
    reconciled(sessions)
    path = sessions.root / session_id / "config.json"
    path.write_text(json.dumps({"ticker": "ETH-USD"}))
    reconciled(sessions)
    edit(path, ticker="SOL-USD")
    (found,) = reconciled(sessions).amended
    assert found.changes == {"ticker": {"before": "ETH-USD", "after": "SOL-USD"}}


def test_a_file_removed_from_an_adopted_folder_is_recorded_and_what_it_said_falls_back(
    sessions: Sessions,
) -> None:
    (session_id,) = make_legacy_root(sessions.root, 1)
    reconciled(sessions)
    (sessions.root / session_id / "report.json").unlink()
    (found,) = reconciled(sessions).amended
    shown = row(sessions, session_id)
    assert (found.lifecycle, shown["report_present"], shown["report_contract_type"]) == (True, 0, None)
    assert reconciled(sessions) == NOTHING


def test_a_file_that_an_adopted_folder_gains_is_recorded(sessions: Sessions) -> None:
    folder = sessions.root / "hand made"
    folder.mkdir()
    (folder / "session_status.json").write_text('{"status": "success"}')
    reconciled(sessions)
    (folder / "config.json").write_text('{"ticker": "ETH-USD"}')
    (found,) = reconciled(sessions).amended
    assert found.changes == {"ticker": {"after": "ETH-USD"}}


def test_edits_of_several_files_count_each_and_add_up(sessions: Sessions) -> None:
    folder = sessions.root / "old"
    make_legacy_session(folder, 0, "failed")
    reconciled(sessions)
    edit(folder / "session_status.json", status="success")
    edit(folder / "config.json", ticker="SOL-USD")
    reconciled(sessions)
    shown = row(sessions, "old")
    assert (shown["amendments"], shown["status"], shown["ticker"]) == (2, "success", "ETH-USD")


def exact_copy(folder: Path) -> bool:
    return (folder / "metadata.json").read_bytes() == (folder / "session_metadata.json").read_bytes()


@pytest.mark.parametrize("indent", [2, None], ids=["as we write it", "as another program does"])
def test_one_index_records_an_edit_of_the_metadata_and_makes_its_exact_copy(
    sessions: Sessions, indent: int | None
) -> None:
    folder = finished(sessions)
    path = folder / "session_metadata.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"python_version": "3"}, indent=indent) + "\n")
    edited = path.read_bytes()
    found = reconciled(sessions)
    assert ([one.file for one in found.amended], found.remade) == (
        ["session_metadata.json"],
        {ONE: ["metadata.json"]},
    )
    assert (path.read_bytes(), exact_copy(folder), reconciled(sessions)) == (edited, True, NOTHING)


def test_an_edit_of_the_metadata_taken_back_is_copied_too(sessions: Sessions) -> None:
    folder = finished(sessions)
    original = (folder / "session_metadata.json").read_bytes()
    edit(folder / "session_metadata.json", python_version="3")
    reconciled(sessions)
    (folder / "session_metadata.json").write_bytes(original)
    reconciled(sessions)
    assert ((folder / "metadata.json").read_bytes(), reconciled(sessions)) == (original, NOTHING)


def test_the_same_edit_of_the_metadata_and_its_copy_is_one_edit(sessions: Sessions) -> None:
    folder = finished(sessions)
    for name in ("session_metadata.json", "metadata.json"):
        edit(folder / name, python_version="3")
    found = reconciled(sessions)
    assert ([one.file for one in found.amended], found.remade) == (["session_metadata.json"], {})
    assert reconciled(sessions) == NOTHING


def test_an_edit_of_the_copy_alone_stays_when_the_metadata_is_edited(sessions: Sessions) -> None:
    folder = finished(sessions)
    edit(folder / "metadata.json", note="mine")
    reconciled(sessions)
    edit(folder / "session_metadata.json", python_version="3")
    assert reconciled(sessions).remade == {}
    assert (json.loads((folder / "metadata.json").read_bytes())["note"], reconciled(sessions)) == (
        "mine",
        NOTHING,
    )


def test_metadata_that_holds_no_json_is_not_copied(sessions: Sessions) -> None:
    folder = finished(sessions)
    kept = (folder / "metadata.json").read_bytes()
    (folder / "session_metadata.json").write_bytes(b"{")
    assert reconciled(sessions).remade == {}
    assert ((folder / "metadata.json").read_bytes(), reconciled(sessions)) == (kept, NOTHING)


@pytest.mark.parametrize("broken", [False, True])
def test_a_lost_copy_of_edited_metadata_is_made_of_what_can_be_read(sessions: Sessions, broken: bool) -> None:
    folder = finished(sessions)
    path = folder / "session_metadata.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"python_version": "3"}))
    reconciled(sessions)
    (folder / "metadata.json").unlink()
    if broken:
        path.write_bytes(b"{")
    assert reconciled(sessions).remade == {ONE: ["metadata.json"]}
    assert json.loads((folder / "metadata.json").read_bytes())["python_version"] == "3"
    assert (exact_copy(folder), reconciled(sessions)) == (not broken, NOTHING)
