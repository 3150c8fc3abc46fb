"""What a verification checks, names and leaves alone; forged ledgers are in faults/test_forgery.py."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from ledger_history import adopted, entry, fill, forge, history, open_root, record

from quantlab import events, verification
from quantlab.errors import LedgerDamagedError
from quantlab.ledger import COLUMNS
from quantlab.sessions import maintenance
from quantlab.verification import Fault

if TYPE_CHECKING:
    from pathlib import Path

CHECKS = ["integrity", "guards", "chain", "head", "sessions", "projection"]


def _verify(root: Path) -> maintenance.Findings:
    with open_root(root) as store:
        return maintenance.verify(store)


def _change(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file)) as client, client:
        for statement in statements:
            client.execute(statement)


def test_a_ledger_that_nobody_touched_holds(tmp_path: Path) -> None:
    fill(tmp_path)
    findings = _verify(tmp_path)
    assert (findings.faults, findings.first_bad_sequence) == ([], None)


def test_an_empty_ledger_holds(tmp_path: Path) -> None:
    assert _verify(tmp_path).faults == []


def test_a_verification_says_what_it_checked_and_how_much(tmp_path: Path) -> None:
    fill(tmp_path)
    checked = _verify(tmp_path).checked
    assert [name for name, _ in checked] == CHECKS
    assert dict(checked)["sessions"] == "3 sessions of 10 events: versions, births, ends"


def test_a_verification_changes_nothing(tmp_path: Path) -> None:
    file = fill(tmp_path)
    before = file.read_bytes()
    _verify(tmp_path)
    assert file.read_bytes() == before


def test_a_verification_tells_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path)
    monkeypatch.setattr(verification, "STEP", 4)
    told: list[int] = []
    with open_root(tmp_path) as store:
        maintenance.verify(store, progress=told.append)
    assert told == [4, 8, 4, 8]


def test_findings_read_as_a_document(tmp_path: Path) -> None:
    fill(tmp_path)
    document = _verify(tmp_path).as_document("there")
    assert (document["ledger"], document["holds"], document["sequence"]) == ("there", True, 10)


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("DROP TRIGGER events_guard_update", "events_guard_update is missing"),
        ("CREATE TRIGGER mine AFTER INSERT ON events BEGIN SELECT 1; END", "mine is none of ours"),
        ("CREATE VIEW mine AS SELECT 1", "mine is none of ours"),
    ],
)
def test_a_missing_or_foreign_guard_is_named(tmp_path: Path, statement: str, what: str) -> None:
    _change(fill(tmp_path), statement)
    assert _verify(tmp_path).faults == [Fault("guards", what)]


def test_an_altered_guard_is_named(tmp_path: Path) -> None:
    _change(
        fill(tmp_path),
        "DROP TRIGGER events_guard_delete",
        "CREATE TRIGGER events_guard_delete BEFORE DELETE ON events BEGIN SELECT 1; END",
    )
    assert _verify(tmp_path).faults == [Fault("guards", "events_guard_delete was altered")]


def test_a_rebuild_puts_the_guards_back(tmp_path: Path) -> None:
    _change(fill(tmp_path), "DROP TRIGGER events_guard_update", "DROP TRIGGER paper_sessions_count_update")
    with open_root(tmp_path) as store:
        maintenance.rebuild(store)
    assert _verify(tmp_path).faults == []


def test_a_projection_that_is_not_what_the_events_make_is_named(tmp_path: Path) -> None:
    _change(fill(tmp_path), "UPDATE paper_sessions SET trades = 99 WHERE session_id = 's1'")
    (fault,) = _verify(tmp_path).faults
    assert fault.check == "projection"
    assert fault.what.startswith("s1, column trades: 99 is stored, the events make 3")


def test_an_index_that_lost_an_entry_is_found(tmp_path: Path) -> None:
    file = fill(tmp_path)
    with closing(sqlite3.connect(file)) as client, client:
        client.execute("PRAGMA writable_schema = ON")
        client.execute(
            "UPDATE sqlite_master SET sql = replace(sql, 'created_at', 'updated_at')"
            " WHERE name = 'paper_sessions_newest'"
        )
    assert "integrity" in {fault.check for fault in _verify(tmp_path).faults}


def test_a_check_that_the_database_cannot_carry_out_is_told(tmp_path: Path) -> None:
    """Somebody keeps a table of their own in the file, with a rule that only their program knows."""
    with closing(sqlite3.connect(fill(tmp_path))) as client, client:
        client.create_function("known", 1, lambda _value: 1, deterministic=True)
        client.execute("CREATE TABLE notes (text CHECK (known(text)))")
        client.execute("INSERT INTO notes VALUES ('mine')")
    assert _verify(tmp_path).faults == [Fault("integrity", "unknown function: known()")]


def test_a_payload_that_can_not_be_folded_is_told(tmp_path: Path) -> None:
    forge(fill(tmp_path), "UPDATE events SET payload = '[]' WHERE sequence = 1")
    checks = {fault.check: fault for fault in _verify(tmp_path).faults}
    assert "can't be folded" in checks["projection"].what


def test_a_gap_of_several_events_is_told_as_a_range(tmp_path: Path) -> None:
    forge(fill(tmp_path), "DELETE FROM events WHERE sequence IN (4, 5)")
    fault = next(fault for fault in _verify(tmp_path).faults if fault.check == "chain")
    assert fault.what == "sequence 4: missing (gap: 4 to 5)"


def test_a_copy_that_does_not_verify_is_refused(tmp_path: Path) -> None:
    forge(fill(tmp_path), "DELETE FROM events WHERE sequence = 10")
    with open_root(tmp_path) as store, pytest.raises(LedgerDamagedError, match="The copy does not verify"):
        maintenance.require_sound(store, "The copy")


def _watched(*rows: tuple[int, str, int, str, str]) -> Fault | None:
    lifecycles = verification.Lifecycles()
    place = {
        name: COLUMNS.index(name) for name in ("sequence", "session_id", "session_version", "type", "payload")
    }
    full_rows = []
    for row in rows:
        full: list[object] = [None] * len(COLUMNS)
        for name, value in zip(place, row, strict=True):
            full[place[name]] = value
        full_rows.append(full)
    assert list(lifecycles.watch(iter(full_rows))) == full_rows
    return lifecycles.fault


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        (
            [(1, "s", 1, "started", "{}"), (2, "s", 3, "heartbeat", "{}")],
            "has version 3 where 2 was expected",
        ),
        ([(1, "s", 1, "started", "{}"), (2, "s", 2, "paused", "{}")], "unknown event type 'paused'"),
        ([(1, "s", 1, "heartbeat", "{}")], "'heartbeat' at version 1"),
        ([(1, "s", 1, "started", "{}"), (2, "s", 2, "started", "{}")], "'started' at version 2"),
        (
            [(1, "s", 1, "started", "{}"), (2, "s", 2, "failed", "{}"), (3, "s", 3, "heartbeat", "{}")],
            "'heartbeat' after the end",
        ),
        (
            [(1, "s", 1, "adopted", '{"terminal":true}'), (2, "s", 2, "failed", "{}")],
            "'failed' after the end",
        ),
    ],
)
def test_an_illegal_history_is_named(rows: list[tuple[int, str, int, str, str]], what: str) -> None:
    fault = _watched(*rows)
    assert fault is not None
    assert what in fault.what


@pytest.mark.parametrize(
    "rows",
    [
        [(1, "s", 1, "adopted", '{"terminal":false}'), (2, "s", 2, "failed", "{}")],
        [(1, "s", 1, "adopted", "no JSON"), (2, "s", 2, "failed", "{}")],
        [(1, "s", 1, "adopted", "[]"), (2, "s", 2, "failed", "{}")],
        [(1, "s", 1, "started", "{}"), (2, "s", 2, "failed", "{}"), (3, "s", 3, "amended", "{}")],
    ],
)
def test_a_legal_history_has_no_fault(rows: list[tuple[int, str, int, str, str]]) -> None:
    assert _watched(*rows) is None


def test_of_two_illegal_histories_the_lower_sequence_is_named() -> None:
    fault = _watched(
        (5, "a", 1, "heartbeat", "{}"), (2, "b", 1, "heartbeat", "{}"), (9, "c", 1, "heartbeat", "{}")
    )
    assert fault is not None
    assert fault.sequence == 2


def test_a_ledger_of_adopted_folders_holds(tmp_path: Path) -> None:
    with open_root(tmp_path) as store:
        record(store, [entry("a1", 1, adopted(status="success"), actor=events.IMPORT), *history("s1")])
    assert _verify(tmp_path).faults == []
