"""One suite for SQLite and PostgreSQL: what a ledger promises to whoever records and reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from support.both_engines import (
    T0,
    assert_one_chain,
    assert_projection_equals_rebuild,
    beat,
    birth,
    end,
    entry,
    events_of,
    events_since,
    plain_client,
    record_all,
)
from support.later_program import LATER, become_later

from quantlab.base.errors import ConflictError, LedgerError, SessionEndedError
from quantlab.domain.events import GENESIS_HASH, Aborted, Adopted, Amended, Succeeded
from quantlab.ledger import log, projection
from quantlab.ledger.recorder import Recorder
from quantlab.ledger.sql import views
from quantlab.ledger.store import Store, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from quantlab.domain.session import Session
    from quantlab.ledger.location import Location
    from quantlab.ledger.log import Entry


@pytest.fixture
def store(any_location: Location) -> Iterator[Store]:
    with open_store(any_location) as opened:
        yield opened


@pytest.fixture
def recorder(store: Store) -> Recorder:
    return Recorder(store)


def row_of(store: Store, session_id: str) -> Session | None:
    with store.read() as connection:
        return projection.read_row(connection, session_id)


def success(session_id: str, version: int) -> Entry:
    event = Succeeded(
        summary={"total_return": 0.1 + 0.2, "trades": 3},
        best_result={},
        figures={"final_equity": 1e300 / 3},
        result_digest="d" * 64,
        bars=100,
        artifacts=[],
        warnings=[],
    )
    return entry(session_id, version, event)


def test_a_new_ledger_is_empty_and_has_an_identity(store: Store) -> None:
    with store.read() as connection:
        assert log.read_head(connection) == log.Head(0, GENESIS_HASH)
        assert connection.execute(sa.text("SELECT length(ledger_id) FROM ledger_head")).scalar_one() == 32


def test_a_ledger_that_must_exist_is_not_made(any_location: Location) -> None:
    with pytest.raises(LedgerError, match="There is no ledger"):
        open_store(any_location, create=False)


def test_a_newer_ledger_is_refused(store: Store) -> None:
    plain_client(store.location, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(LedgerError, match="has schema 9999, newer than this program's"):
        open_store(store.location)


def test_an_older_ledger_is_upgraded_with_its_events(
    recorder: Recorder, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    recorder.record(birth("a"))
    become_later(monkeypatch, tmp_path / "migrations")
    with open_store(store.location) as upgraded:
        assert [one.session_id for one in events_of(upgraded)] == ["a"]
    assert plain_client(store.location, "SELECT version_num FROM alembic_version") == [(LATER,)]


def test_an_older_ledger_that_must_not_be_upgraded_is_refused(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    become_later(monkeypatch, tmp_path / "migrations")
    with pytest.raises(LedgerError, match="Run 'quantlab ledger migrate'"):
        open_store(store.location, create=False, upgrade=False)


def test_an_opened_ledger_is_opened_again_as_it_is(store: Store, recorder: Recorder) -> None:
    recorder.record(birth("a"))
    with open_store(store.location, create=False) as again:
        assert [one.session_id for one in events_of(again)] == ["a"]


def test_events_of_several_sessions_make_one_chain(store: Store, recorder: Recorder) -> None:
    for one in (birth("a"), birth("b"), beat("a", 2), beat("b", 2), end("a", 3)):
        recorder.record(one)
    assert_one_chain(store)


def test_the_row_that_record_returns_is_the_row_that_stands(store: Store, recorder: Recorder) -> None:
    recorder.record(birth("a"))
    _recorded, row = recorder.record(beat("a", 2))
    assert row_of(store, "a") == row


def test_a_figure_comes_back_to_the_last_bit(store: Store, recorder: Recorder) -> None:
    recorder.record(birth("a"))
    recorder.record(success("a", 2))
    row = row_of(store, "a")
    assert row is not None
    assert (row.total_return, row.final_equity) == (0.1 + 0.2, 1e300 / 3)


def test_an_entry_recorded_twice_is_recorded_once(store: Store, recorder: Recorder) -> None:
    recorder.record(birth("a"))
    first, _row = recorder.record(beat("a", 2))
    again, _row = recorder.record(beat("a", 2))
    assert again == first
    assert len(events_of(store)) == 2


def test_another_event_in_a_taken_place_is_a_conflict(recorder: Recorder) -> None:
    recorder.record(birth("a"))
    recorder.record(beat("a", 2))
    with pytest.raises(ConflictError, match="version 2 is taken by 'heartbeat'"):
        recorder.record(end("a", 2))


def test_an_ended_session_takes_no_heartbeat(store: Store, recorder: Recorder) -> None:
    recorder.record(birth("a"))
    recorder.record(end("a", 2))
    with pytest.raises(SessionEndedError, match="has ended"):
        recorder.record(beat("a", 3))
    assert len(events_of(store)) == 2


def test_a_recorder_sees_what_another_appended_meanwhile(store: Store, recorder: Recorder) -> None:
    recorder.record(birth("a"))
    Recorder(store).record(entry("a", 2, Aborted(message="dead host")))
    with pytest.raises(SessionEndedError, match="dead host"):
        recorder.record(beat("a", 2))


def test_a_recorder_goes_on_after_it_was_refused(store: Store, recorder: Recorder) -> None:
    recorder.record(birth("a"))
    Recorder(store).record(beat("a", 2))
    with pytest.raises(ConflictError):
        recorder.record(end("a", 2))
    recorder.record(end("a", 3))
    assert_projection_equals_rebuild(store)


def test_births_and_ends_leave_files_to_be_written(store: Store, recorder: Recorder) -> None:
    record_all(recorder, [birth("a"), birth("b"), end("b", 2)])
    assert sorted(plain_client(store.location, "SELECT session_id FROM pending_files")) == [("a",), ("b",)]


def test_adopted_sessions_that_are_known_stay_as_they_are(store: Store, recorder: Recorder) -> None:
    recorder.record(birth("a", folder="elsewhere"))
    adopted = Adopted(
        folder="b", terminal=True, fields={"status": "success"}, documents={}, digests={}, unreadable=[]
    )
    assert recorder.record_births([birth("a"), entry("b", 1, adopted)]) == ["b"]
    assert_projection_equals_rebuild(store)


def test_an_adopted_document_with_a_nul_can_be_asked_for_and_closed(store: Store, recorder: Recorder) -> None:
    odd = {"session_status.json": {"note": "a\x00b", "literally": "\\u0000"}}
    adopted = Adopted(
        folder="a", terminal=False, fields={"status": "running"}, documents=odd, digests={}, unreadable=[]
    )
    recorder.record_births([entry("a", 1, adopted)])
    recorder.record(entry("a", 2, Aborted(message="closed")))
    told = plain_client(store.location, "SELECT type, message FROM session_timeline ORDER BY session_version")
    assert [kind for kind, _message in told] == ["adopted", "aborted"]
    with store.read() as connection:
        adoption, _abortion = log.read_events(connection, "a")
        assert adoption.event == adopted
    with pytest.raises(SessionEndedError):
        recorder.record(entry("a", 3, Aborted(message="closed again")))


def test_a_terminal_adopted_session_with_a_nul_is_over(recorder: Recorder) -> None:
    adopted = Adopted(
        folder="a",
        terminal=True,
        fields={"status": "failed"},
        documents={"x": {"n": "\x00"}},
        digests={},
        unreadable=[],
    )
    recorder.record_births([entry("a", 1, adopted)])
    with pytest.raises(SessionEndedError):
        recorder.record(entry("a", 2, Aborted(message="too late")))


def test_an_annotation_follows_an_end(store: Store, recorder: Recorder) -> None:
    record_all(recorder, [birth("a"), end("a", 2)])
    amended = Amended(
        file="config.json", changes={"fee": {"before": 0, "after": 1}}, fields={}, lifecycle=False
    )
    recorder.record_annotations([entry("a", 3, amended)])
    row = row_of(store, "a")
    assert row is not None
    assert row.amendments == 1


def test_an_ends_files_stand_as_written_once_they_are(store: Store, recorder: Recorder) -> None:
    record_all(recorder, [birth("a"), end("a", 2)])
    recorder.files_written("a")
    assert plain_client(store.location, "SELECT session_id FROM pending_files") == []


def test_counts_follow_the_rows(store: Store, recorder: Recorder) -> None:
    record_all(recorder, [birth(name) for name in "abc"])
    recorder.record(end("a", 2))
    recorder.record(success("b", 2))
    counts = plain_client(store.location, "SELECT status, ready, sessions FROM session_counts")
    assert sorted(counts) == [("failed", 0, 1), ("running", 0, 1), ("success", 1, 1)]


def test_the_database_computes_promotion(store: Store, recorder: Recorder) -> None:
    record_all(recorder, [birth("a"), success("a", 2), birth("b")])
    ready = plain_client(store.location, "SELECT session_id, promotion_ready FROM paper_sessions ORDER BY 1")
    assert ready == [("a", 1), ("b", 0)]


def test_a_rebuild_makes_the_same_rows(store: Store, recorder: Recorder) -> None:
    record_all(recorder, [birth("a"), success("a", 2), birth("b"), beat("b", 2)])
    before = (row_of(store, "a"), row_of(store, "b"))
    with store.write() as connection:
        assert projection.rebuild(connection) == 2
    assert (row_of(store, "a"), row_of(store, "b")) == before


def test_a_payload_is_kept_byte_for_byte(store: Store, recorder: Recorder) -> None:
    odd = {"z": 1.10, "a": "Ünïcode \\u2603 ☃ 100 %s %(x)s", "n": None}
    recorded, _row = recorder.record(birth("a", config=odd))
    held = plain_client(store.location, "SELECT payload FROM events")
    assert held == [(recorded.payload,)]


def test_ids_and_times_sort_by_bytes(store: Store, recorder: Recorder) -> None:
    record_all(recorder, [birth(name) for name in ("b", "a_1", "B", "a1", "a-1")])
    found = plain_client(store.location, "SELECT session_id FROM paper_sessions ORDER BY session_id")
    assert [one for (one,) in found] == sorted(["b", "a_1", "B", "a1", "a-1"])


def test_every_view_answers(store: Store, recorder: Recorder) -> None:
    record_all(recorder, [birth("a"), success("a", 2), birth("b")])
    of_engine = views.of(sqlite=store.location.is_sqlite)
    assert of_engine
    for name in of_engine:
        plain_client(store.location, f"SELECT * FROM {name}")


def test_times_are_stored_in_one_width(store: Store, recorder: Recorder) -> None:
    recorder.record(birth("a"))
    assert plain_client(store.location, "SELECT length(occurred_at), occurred_at FROM events") == [
        (32, T0.replace(second=6).isoformat(timespec="microseconds"))
    ]


def test_what_is_read_is_of_one_moment(store: Store, recorder: Recorder, any_location: Location) -> None:
    recorder.record(birth("a"))
    with store.read() as connection, open_store(any_location) as other:
        before = log.read_head(connection)
        Recorder(other).record(birth("b"))
        assert (log.read_head(connection), len(events_since(connection, 0))) == (before, 1)


def test_reading_the_head_keeps_no_writer_waiting(store: Store, any_location: Location) -> None:
    with store.read() as connection, open_store(any_location) as other:
        log.read_head(connection)
        recorded, _row = Recorder(other).record(birth("a"))
    assert recorded.sequence == 1
