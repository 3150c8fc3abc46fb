"""What a verification checks, names and leaves alone; forged ledgers are in faults/test_forgery.py."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import make_definitions
import pytest
from support.ledger_history import adopted, entry, fill, forge, history, open_root, record

from quantlab.base.errors import LedgerDamagedError
from quantlab.domain import events
from quantlab.ledger import definitions, installed, maintenance, trust, verify
from quantlab.ledger.location import locate
from quantlab.ledger.log import COLUMNS
from quantlab.ledger.reader import open_reader
from quantlab.ledger.verify import Fault

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

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
    monkeypatch.setattr(verify, "STEP", 4)
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


def _rewrite(file: Path, name: str, old: str, new: str) -> None:
    """Edit a definition as somebody does who knows `writable_schema`."""
    with closing(sqlite3.connect(file)) as client, client:
        client.execute("PRAGMA writable_schema = ON")
        changed = client.execute(
            "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE name = ? AND instr(sql, ?)",
            (old, new, name, old),
        )
        assert changed.rowcount == 1


@pytest.mark.parametrize(
    ("name", "old", "new", "what"),
    [
        ("paper_sessions", "THEN 1 ELSE 0 END", "THEN 1 ELSE 1 END", "the table paper_sessions was altered"),
        ("events", "length(hash) = 64", "length(hash) > 0", "the table events was altered"),
        ("events", "payload TEXT NOT NULL", "payload TEXT", "the table events was altered"),
        ("events_one_end", "'failed', ", "", "the index events_one_end was altered"),
    ],
)
def test_a_definition_that_was_edited_in_the_schema_is_named(
    tmp_path: Path, name: str, old: str, new: str, what: str
) -> None:
    file = fill(tmp_path)
    _rewrite(file, name, old, new)
    assert Fault("guards", what) in _verify(tmp_path).faults


def test_events_made_anew_without_their_keys_are_named(tmp_path: Path) -> None:
    _change(
        fill(tmp_path),
        "PRAGMA legacy_alter_table = ON",
        "CREATE TABLE bare AS SELECT * FROM events",
        "DROP TABLE events",
        "ALTER TABLE bare RENAME TO events",
    )
    told = {fault.what for fault in _verify(tmp_path).faults}
    assert {"the table events was altered", "the index events_one_end is missing"} <= told


def test_a_plain_index_in_the_place_of_a_unique_one_is_named(tmp_path: Path) -> None:
    _change(
        fill(tmp_path),
        "DROP INDEX events_one_end",
        "CREATE INDEX events_one_end ON events (session_id)",
    )
    assert _verify(tmp_path).faults == [Fault("guards", "the index events_one_end was altered")]


def test_a_rebuild_makes_an_altered_index_anew(tmp_path: Path) -> None:
    _change(
        fill(tmp_path),
        "DROP INDEX events_one_end",
        "CREATE INDEX events_one_end ON events (session_id)",
        "CREATE UNIQUE INDEX mine ON events (hash)",
    )
    with open_root(tmp_path) as store:
        maintenance.rebuild(store)
    assert _verify(tmp_path).faults == []


def test_other_blanks_and_quotes_are_no_other_definition(tmp_path: Path) -> None:
    """Another version of the library that writes the tables may set its lines otherwise."""
    file = fill(tmp_path)
    _rewrite(file, "ledger_head", "sequence INTEGER NOT NULL", '"sequence"  INTEGER\nNOT NULL')
    assert _verify(tmp_path).faults == []


def test_another_wording_of_a_fresh_ledger_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kept digests are of one version's words; where they differ, a ledger made on the spot decides."""
    fill(tmp_path)
    monkeypatch.setattr(definitions, "known", dict)
    assert _verify(tmp_path).faults == []


def test_the_kept_definitions_are_those_of_a_fresh_ledger() -> None:
    assert definitions.known() == installed.fresh() != {}


def test_the_kept_text_means_what_a_fresh_ledger_says() -> None:
    """Other versions of SQLite may quote names in other places, which only costs a question some milliseconds."""
    kept = definitions.FILE.read_text(encoding="utf-8")
    assert definitions._normalised(kept) == definitions._normalised(make_definitions.text())


def test_a_ledger_that_is_spelled_as_a_fresh_one_needs_no_comparison(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(definitions, "FILE", tmp_path / "definitions.sql")
    definitions.FILE.write_text(make_definitions.text(), encoding="utf-8")
    fill(tmp_path)
    monkeypatch.setattr(definitions, "known", lambda: pytest.fail("was asked"))
    with open_reader(locate(tmp_path, None)) as reader:
        assert trust.differing_definitions(reader) == []


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
    lifecycles = verify.Lifecycles()
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
