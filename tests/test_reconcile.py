"""What `index` finds between ledger and disk: folders that come, go and move, files behind or unreadable."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from support.legacy_root import make_legacy_root, make_legacy_session
from support.permissions import folder_of_ones_own, permissions_bind
from support.root_files import (
    ONE,
    TWO,
    edit,
    finished,
    living_process,
    made,
    reconciled,
    row,
    running,
    types,
    write_documents,
)
from support.sessions_builder import NOW, Sessions, ago

from quantlab.base.errors import ConfigError
from quantlab.folders.healing import places_of
from quantlab.folders.reconcile import Reconciled, reconcile
from quantlab.ledger import projection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOTHING = Reconciled()


@pytest.fixture
def sessions(tmp_path: Path) -> Iterator[Sessions]:
    with Sessions(tmp_path / "root") as built:
        yield built


def test_a_root_as_it_was_left_has_nothing_to_find(sessions: Sessions) -> None:
    finished(sessions)
    running(sessions)
    assert reconciled(sessions) == NOTHING


def test_new_folders_are_adopted(sessions: Sessions) -> None:
    ids = make_legacy_root(sessions.root, 4)
    assert reconciled(sessions).adopted == ids


def test_a_second_call_finds_nothing(sessions: Sessions) -> None:
    make_legacy_root(sessions.root, 4)
    edit(finished(sessions) / "session_status.json", status="failed")
    reconciled(sessions)
    assert reconciled(sessions) == NOTHING


def test_a_file_that_is_behind_its_ledger_is_made_anew_and_no_edit(sessions: Sessions) -> None:
    folder = finished(sessions)
    write_documents(sessions, ONE, upto=2)
    found = reconciled(sessions)
    assert (found.amended, sorted(found.remade[ONE])) == (
        [],
        ["metadata.json", "session_metadata.json", "session_status.json"],
    )
    assert (folder / "session_status.json").read_bytes() == made(sessions, ONE)["session_status.json"]


def test_a_file_that_shows_one_of_many_heartbeats_is_behind(sessions: Sessions) -> None:
    sessions.started(TWO, ago(hours=9), host=os.uname().nodename, pid=2**22 + 1)
    for minutes in range(50, 10, -1):
        sessions.beat(TWO, ago(minutes=minutes), done=100 - minutes)
    (sessions.root / TWO).mkdir()
    write_documents(sessions, TWO, upto=20)
    assert reconciled(sessions).remade == {TWO: ["session_status.json"]}


def test_a_missing_file_that_the_ledger_can_make_is_made(sessions: Sessions) -> None:
    folder = finished(sessions)
    (folder / "report.json").unlink()
    assert reconciled(sessions).remade == {ONE: ["report.json"]}
    assert (folder / "report.json").read_bytes() == made(sessions, ONE)["report.json"]


def test_a_folder_of_ours_that_lost_every_file_gets_its_documents_back(sessions: Sessions) -> None:
    folder = finished(sessions)
    shutil.rmtree(folder)
    folder.mkdir()
    found = reconciled(sessions)
    assert (found.vanished, "session_metadata.json" in found.remade[ONE]) == ([], True)


def test_a_file_that_became_unreadable_is_named_and_keeps_what_was_known(sessions: Sessions) -> None:
    (finished(sessions) / "session_status.json").write_bytes(b'{"status": "fai')
    found = reconciled(sessions)
    shown = row(sessions, ONE)
    assert found.unreadable == {ONE: ["session_status.json"]}
    assert (shown["status"], shown["unreadable"], shown["promotion_ready"]) == (
        "success",
        "session_status.json",
        0,
    )
    assert reconciled(sessions) == NOTHING


def test_an_unreadable_file_that_is_restored_blocks_nothing_any_more(sessions: Sessions) -> None:
    path = finished(sessions) / "session_status.json"
    original = path.read_bytes()
    path.write_bytes(b"")
    reconciled(sessions)
    path.write_bytes(original)
    reconciled(sessions)
    shown = row(sessions, ONE)
    assert (shown["unreadable"], shown["promotion_ready"], reconciled(sessions)) == (None, 1, NOTHING)


def test_an_unreadable_file_that_is_removed_is_made_anew(sessions: Sessions) -> None:
    path = finished(sessions) / "session_status.json"
    path.write_bytes(b"")
    reconciled(sessions)
    path.unlink()
    assert reconciled(sessions).remade == {ONE: ["session_status.json"]}
    assert (row(sessions, ONE)["unreadable"], reconciled(sessions)) == (None, NOTHING)


def test_a_vanished_folder_is_marked_and_still_listed(sessions: Sessions) -> None:
    shutil.rmtree(finished(sessions))
    assert reconciled(sessions).vanished == [ONE]
    assert (row(sessions, ONE)["status"], reconciled(sessions)) == ("success", NOTHING)


def test_a_folder_that_is_back_is_found(sessions: Sessions, tmp_path: Path) -> None:
    folder = finished(sessions)
    folder.rename(tmp_path / "away")
    reconciled(sessions)
    (tmp_path / "away").rename(folder)
    (found,) = reconciled(sessions).found
    assert (found.session_id, row(sessions, ONE)["vanished_at"]) == (ONE, None)


def test_a_renamed_folder_is_the_same_session_under_its_new_name(sessions: Sessions) -> None:
    finished(sessions).rename(sessions.root / "my best")
    (found,) = reconciled(sessions).found
    assert (found.folder, row(sessions, ONE)["path"], reconciled(sessions)) == ("my best", "my best", NOTHING)


def test_a_copy_is_named_and_not_adopted(sessions: Sessions) -> None:
    shutil.copytree(finished(sessions), sessions.root / "copy")
    found = reconciled(sessions)
    assert ([tuple(copy) for copy in found.copies], found.adopted) == ([("copy", ONE)], [])


def test_a_copy_takes_the_place_of_a_folder_that_vanished(sessions: Sessions) -> None:
    folder = finished(sessions)
    shutil.copytree(folder, sessions.root / "copy")
    shutil.rmtree(folder)
    (found,) = reconciled(sessions).found
    assert found.folder == "copy"


def test_a_session_at_work_is_left_alone(sessions: Sessions) -> None:
    with living_process() as process:
        process.pop("popen")
        folder = running(sessions, **process)
        edit(folder / "session_status.json", status="success")
        shutil.rmtree(folder)
        assert reconciled(sessions) == Reconciled(at_work=[TWO])


def test_a_session_of_another_host_is_left_alone_while_it_may_run(sessions: Sessions) -> None:
    running(sessions, host="another")
    assert reconciled(sessions).at_work == [TWO]


def test_files_of_a_dead_running_session_are_brought_up_to_its_last_event(sessions: Sessions) -> None:
    running(sessions)
    write_documents(sessions, TWO, upto=1)
    assert reconciled(sessions).remade == {TWO: ["session_status.json"]}


def test_an_adopted_folder_without_any_of_its_files_has_vanished(sessions: Sessions) -> None:
    (session_id,) = make_legacy_root(sessions.root, 1)
    reconciled(sessions)
    shutil.rmtree(sessions.root / session_id)
    (sessions.root / session_id).mkdir()
    assert reconciled(sessions).vanished == [session_id]


def test_the_row_equals_what_its_events_make_after_everything(sessions: Sessions) -> None:
    make_legacy_root(sessions.root, 4)
    folder = finished(sessions)
    reconciled(sessions)
    edit(folder / "session_status.json", status="failed", pid="x")
    folder.rename(sessions.root / "other")
    reconciled(sessions)
    with sessions.store.read() as connection:
        folded = {one.session_id: one for one in projection.fold_all(connection)}
        assert folded == {name: projection.read_row(connection, name) for name in folded}


def test_a_session_that_moved_on_meanwhile_is_left_for_the_next_call(sessions: Sessions) -> None:
    folder = finished(sessions)
    edit(folder / "session_status.json", status="failed")
    places = places_of(sessions.store, sessions.root)
    sessions.proved(ONE, NOW)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("quantlab.folders.reconcile.places_of", lambda *_: places)
        assert reconciled(sessions).amended == []
    assert len(reconciled(sessions).amended) == 1


def test_a_path_out_of_the_root_is_not_followed(sessions: Sessions, tmp_path: Path) -> None:
    make_legacy_session(tmp_path / "outside")
    sessions.adopted("evil", NOW, path="../outside")
    (trouble,) = reconciled(sessions).troubles
    assert "'../outside' is not right inside" in trouble


def test_a_root_that_cannot_be_listed_says_so(tmp_path: Path) -> None:
    with Sessions(tmp_path / "root") as sessions, pytest.raises(ConfigError, match="can't be listed"):
        reconcile(sessions.store, tmp_path / "nowhere", now=NOW)


def test_a_folder_that_may_not_be_looked_into_is_named_and_the_rest_goes_on() -> None:
    with folder_of_ones_own() as root:
        with permissions_bind(), Sessions(root) as sessions:
            first, second = make_legacy_root(root, 2)
            reconciled(sessions)
            (root / first).chmod(0)
            edit(root / second / "config.json", ticker="SOL-USD")
            found = reconciled(sessions)
            (root / first).chmod(0o755)
            assert (len(found.troubles), found.vanished, len(found.amended)) == (1, [], 1)


def test_a_file_that_may_not_be_written_is_named_and_the_rest_goes_on() -> None:
    with folder_of_ones_own() as root:
        with permissions_bind(), Sessions(root) as sessions:
            for session_id in (ONE, TWO):
                (finished(sessions, session_id) / "report.json").unlink()
            (root / ONE).chmod(0o555)
            found = reconciled(sessions)
            (root / ONE).chmod(0o755)
            assert (len(found.troubles), list(found.remade)) == (1, [TWO])


def test_a_file_that_may_not_be_read_is_named_once() -> None:
    with folder_of_ones_own() as root:
        with permissions_bind(), Sessions(root) as sessions:
            folder = finished(sessions)
            (folder / "trades.csv").chmod(0)
            (folder / "config.json").chmod(0)
            first, second = reconciled(sessions), reconciled(sessions)
            assert first.unreadable == {ONE: ["config.json", "trades.csv"]}
            assert second == NOTHING


def test_events_of_the_operator_are_annotations(sessions: Sessions) -> None:
    shutil.rmtree(finished(sessions))
    reconciled(sessions)
    assert types(sessions, ONE)[-2:] == ["succeeded", "vanished"]
