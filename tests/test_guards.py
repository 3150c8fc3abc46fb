"""The guards' texts agree with the events that there are; what they do is shown in faults/test_forgery.py."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from support.ledger_history import adopted, entry, fill, history, open_root, record, stored, succeeded

from quantlab.base.errors import ConflictError, SessionEndedError
from quantlab.domain import events
from quantlab.ledger.sql import guards

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("text", [guards.of_sqlite()[0], guards.of_postgres()[0]], ids=["sqlite", "postgres"])
@pytest.mark.parametrize("kind", events.TYPES)
def test_the_insert_guard_knows_every_type(text: str, kind: str) -> None:
    assert f"'{kind}'" in text.split(guards.UNKNOWN_TYPE, maxsplit=1)[0]


def test_a_session_s_end_is_found_by_the_index_of_ends(tmp_path: Path) -> None:
    plan = "EXPLAIN QUERY PLAN SELECT 1 FROM events WHERE session_id = 's1' AND "
    assert "USING INDEX events_one_end (session_id=?)" in str(
        stored(fill(tmp_path), plan + guards.ENDS_A_SESSION)
    )


def test_an_adopted_session_that_had_ended_takes_no_end(tmp_path: Path) -> None:
    with open_root(tmp_path) as store:
        record(store, [entry("a1", 1, adopted(status="success"), actor=events.IMPORT)])
        with pytest.raises(SessionEndedError):
            record(store, [entry("a1", 2, succeeded())])


def test_the_database_itself_holds_an_adopted_session_ended(tmp_path: Path) -> None:
    with open_root(tmp_path) as store:
        record(store, [entry("a1", 1, adopted(status="success"), actor=events.IMPORT)])
    late = "INSERT INTO events SELECT 2, session_id, 2, 'failed', 1, occurred_at, actor, '{}', hash, hash FROM events"
    with (
        closing(sqlite3.connect(tmp_path / "ledger.db")) as client,
        pytest.raises(sqlite3.IntegrityError) as told,
    ):
        client.execute(late)
    assert str(told.value) == guards.ENDED


def test_an_adopted_session_that_runs_can_be_ended(tmp_path: Path) -> None:
    with open_root(tmp_path) as store:
        record(
            store, [entry("a1", 1, adopted(terminal=False, status="running")), entry("a1", 2, succeeded())]
        )
    assert stored(tmp_path / "ledger.db", "SELECT status FROM paper_sessions") == [("success",)]


def test_counts_follow_the_sessions(tmp_path: Path) -> None:
    file = fill(tmp_path)
    assert stored(file, "SELECT status, ready, sessions FROM session_counts ORDER BY status") == [
        ("failed", 0, 1),
        ("running", 0, 1),
        ("success", 1, 1),
    ]


def test_counts_follow_deleted_rows(tmp_path: Path) -> None:
    file = fill(tmp_path)
    with closing(sqlite3.connect(file)) as client, client:
        client.execute("DELETE FROM paper_sessions WHERE status = 'failed'")
    assert ("failed",) not in stored(file, "SELECT status FROM session_counts")


def test_an_empty_ledger_may_take_another_s_identity(tmp_path: Path) -> None:
    with open_root(tmp_path) as store, store.write() as connection:
        connection.exec_driver_sql("UPDATE ledger_head SET ledger_id = 'other'")
    assert stored(tmp_path / "ledger.db", "SELECT ledger_id FROM ledger_head") == [("other",)]


def test_a_ledger_with_events_keeps_its_identity(tmp_path: Path) -> None:
    with open_root(tmp_path) as store:
        record(store, history("s1"))
        with (
            pytest.raises(ConflictError, match="the head moves with the events alone"),
            store.write() as connection,
        ):
            connection.exec_driver_sql("UPDATE ledger_head SET ledger_id = 'other'")
