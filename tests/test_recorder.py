"""THE FLOW: one transaction records and projects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.ledger_history import (
    aborted,
    adopted,
    entry,
    heartbeat,
    history,
    open_root,
    record,
    started,
    stored,
    succeeded,
)

from quantlab.base.errors import ConflictError, SessionEndedError
from quantlab.domain import events
from quantlab.ledger import projection
from quantlab.ledger.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from quantlab.ledger.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_root(tmp_path) as opened:
        yield opened


def _events(store: Store) -> list[tuple[object, ...]]:
    assert store.location.file is not None
    return stored(store.location.file, "SELECT sequence, session_id, session_version, type FROM events")


def test_an_event_and_its_row_are_recorded_together(store: Store) -> None:
    recorded, row = Recorder(store).record(entry("s1", 1, started()))
    with store.read() as connection:
        assert projection.read_row(connection, "s1") == row
    assert (recorded.sequence, row.last_sequence, row.status) == (1, 1, "running")


def test_a_session_keeps_its_id_whatever_its_folder_is_called(store: Store) -> None:
    record(store, [entry("s1", 1, started("elsewhere/s1")), entry("s1", 2, heartbeat(7))])
    with store.read() as connection:
        row = projection.read_row(connection, "s1")
    assert row is not None
    assert (row.session_id, row.path, row.bars_done) == ("s1", "elsewhere/s1", 7)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_the_same_entry_recorded_twice_is_one_event(store: Store, version: int) -> None:
    whole = history("s1", heartbeat(), succeeded())
    record(store, whole)
    again, row = Recorder(store).record(whole[version - 1])
    assert (again.session_version, row.status, len(_events(store))) == (version, "success", 3)


def test_another_event_for_a_place_that_is_taken_is_a_conflict(store: Store) -> None:
    record(store, history("s1", heartbeat(1)))
    with pytest.raises(ConflictError, match="taken by 'heartbeat'"):
        Recorder(store).record(entry("s1", 2, heartbeat(2)))
    assert len(_events(store)) == 2


def test_a_version_ahead_of_its_session_is_a_conflict(store: Store) -> None:
    record(store, history("s1"))
    with pytest.raises(ConflictError, match="ahead of it"):
        Recorder(store).record(entry("s1", 3, heartbeat(2)))


@pytest.mark.parametrize("late", [heartbeat(9), succeeded()])
@pytest.mark.parametrize("version", [2, 3])
def test_a_process_that_wakes_up_after_an_abort_changes_nothing(
    store: Store, late: events.Event, version: int
) -> None:
    record(store, [*history("s1"), entry("s1", 2, aborted(), actor=events.OPERATOR)])
    with pytest.raises(SessionEndedError, match=r"s1 has ended \(aborted"):
        Recorder(store).record(entry("s1", version, late))
    assert len(_events(store)) == 2


def test_an_ended_session_takes_annotations(store: Store) -> None:
    record(store, [*history("s1", succeeded()), entry("s1", 3, events.Vanished(folder="s1"))])
    with store.read() as connection:
        row = projection.read_row(connection, "s1")
    assert row is not None
    assert (row.status, row.report_present) == ("success", False)


def test_nothing_but_a_birth_begins_a_session(store: Store) -> None:
    with pytest.raises(ConflictError, match="does not exist"):
        Recorder(store).record(entry("s1", 1, heartbeat()))


def test_a_second_birth_is_a_conflict(store: Store) -> None:
    record(store, history("s1"))
    with pytest.raises(ConflictError, match="exists already"):
        Recorder(store).record(entry("s1", 2, started()))


def test_a_failing_projection_takes_its_event_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no room")

    monkeypatch.setattr(projection, "project", fail)
    with pytest.raises(RuntimeError):
        Recorder(store).record(entry("s1", 1, started()))
    assert _events(store) == []


def test_births_and_ends_leave_files_to_be_written(store: Store) -> None:
    record(store, [*history("s1", heartbeat(), succeeded()), *history("s2", heartbeat())])
    Recorder(store).files_written("s1")
    assert store.location.file is not None
    assert stored(store.location.file, "SELECT session_id FROM pending_files") == [("s2",)]


def test_many_births_are_recorded_at_once(store: Store) -> None:
    births = [entry(f"a{n}", 1, adopted(f"a{n}", status="success"), actor=events.IMPORT) for n in range(20)]
    Recorder(store).record_births(births)
    assert store.location.file is not None
    assert stored(store.location.file, "SELECT status, ready, sessions FROM session_counts") == [
        ("success", 0, 20)
    ]


def test_annotations_of_a_session_that_moved_on_are_left_out(store: Store) -> None:
    record(store, history("s1", succeeded()))
    late = entry("s1", 2, events.Vanished(folder="s1"), actor=events.OPERATOR)
    assert Recorder(store).record_annotations([late]) == []
    assert [row[3] for row in _events(store)] == ["started", "succeeded"]
