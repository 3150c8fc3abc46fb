"""Forgery: what the database refuses to any client, and what verification finds without the guards."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from support.ledger_history import fill, forge, open_root, stored

from quantlab.base.errors import ConflictError, SessionEndedError
from quantlab.ledger import maintenance
from quantlab.ledger.log import Head
from quantlab.ledger.signing import signature
from quantlab.ledger.sql import guards
from quantlab.ledger.witness import Witness

if TYPE_CHECKING:
    from pathlib import Path

    from quantlab.ledger.store import Store
    from quantlab.ledger.verify import Fault

COLUMNS = "sequence, session_id, session_version, type, schema_version, occurred_at, actor, payload"
COLUMNS += ", previous_hash, hash"


def _insert(**changed: object) -> str:
    """An insert as a client would type it: event 11, legal but for what is changed."""
    values = {
        "verb": "INSERT",
        "sequence": 11,
        "session_id": "'s3'",
        "session_version": 4,
        "type": "'heartbeat'",
        "previous": "(SELECT hash FROM ledger_head)",
        **changed,
    }
    return (
        "{verb} INTO events ("
        + COLUMNS
        + ") VALUES ({sequence}, {session_id}, {session_version}, {type}, 1, "
        "'2026-03-01T12:00:09.000000+00:00', 'session', '{{\"stage\":\"x\",\"bars_done\":1}}', {previous}, "
        "'" + "a" * 64 + "')"
    ).format(**values)


FORGERIES = {
    "an update of an event": ("UPDATE events SET payload = '{}' WHERE sequence = 3", guards.APPEND_ONLY),
    "an update that ignores conflicts": ("UPDATE OR IGNORE events SET actor = 'x'", guards.APPEND_ONLY),
    "an update that replaces": (
        "UPDATE OR REPLACE events SET sequence = 3 WHERE sequence = 4",
        guards.APPEND_ONLY,
    ),
    "a deleted event": ("DELETE FROM events WHERE sequence = 10", guards.APPEND_ONLY),
    "all events deleted": ("DELETE FROM events", guards.APPEND_ONLY),
    "an insert that replaces an event": (
        _insert(verb="INSERT OR REPLACE", sequence=3),
        guards.OUT_OF_SEQUENCE,
    ),
    "an insert that replaces a session's version": (
        _insert(verb="REPLACE", session_version=3),
        guards.OUT_OF_VERSION,
    ),
    "an insert that ignores conflicts": (
        _insert(verb="INSERT OR IGNORE", sequence=3),
        guards.OUT_OF_SEQUENCE,
    ),
    "an upsert": (
        _insert(sequence=3) + " ON CONFLICT (sequence) DO UPDATE SET payload = 'x'",
        guards.OUT_OF_SEQUENCE,
    ),
    "a gap in the ledger": (_insert(sequence=12), guards.OUT_OF_SEQUENCE),
    "an event before the first": (_insert(sequence=0), guards.OUT_OF_SEQUENCE),
    "an event without a sequence": (_insert(sequence="NULL"), guards.OUT_OF_SEQUENCE),
    "a gap in a session": (_insert(session_version=5), guards.OUT_OF_VERSION),
    "a previous hash that is not the head's": (_insert(previous="'" + "b" * 64 + "'"), guards.WRONG_PREVIOUS),
    "an unknown type": (_insert(type="'paused'"), guards.UNKNOWN_TYPE),
    "a heartbeat after the end": (_insert(session_id="'s1'", session_version=5), guards.ENDED),
    "a second end": (_insert(session_id="'s2'", session_version=4, type="'succeeded'"), guards.ENDED),
    "a second start": (_insert(type="'started'"), guards.WRONG_BIRTH),
    "a session that begins with its end": (
        _insert(session_id="'new'", session_version=1, type="'succeeded'"),
        guards.WRONG_BIRTH,
    ),
    "a head moved forward": ("UPDATE ledger_head SET sequence = 11", guards.HEAD_MOVES_BY_EVENTS),
    "a head moved back": ("UPDATE ledger_head SET sequence = 9", guards.HEAD_MOVES_BY_EVENTS),
    "a head of another hash": (
        "UPDATE ledger_head SET hash = '" + "0" * 64 + "'",
        guards.HEAD_MOVES_BY_EVENTS,
    ),
    "a ledger of another name": ("UPDATE ledger_head SET ledger_id = 'mine'", guards.HEAD_MOVES_BY_EVENTS),
    "a deleted head": ("DELETE FROM ledger_head", guards.HEAD_MOVES_BY_EVENTS),
    "a replaced head": (
        "REPLACE INTO ledger_head (id, ledger_id, sequence, hash) VALUES (1, 'x', 0, '" + "0" * 64 + "')",
        guards.HEAD_MOVES_BY_EVENTS,
    ),
}


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of ten events, to be copied."""
    return fill(tmp_path_factory.mktemp("pristine"))


@pytest.fixture
def file(pristine: Path, tmp_path: Path) -> Path:
    copy = tmp_path / pristine.name
    shutil.copy(pristine, copy)
    return copy


def _all(file: Path) -> list[list[tuple[object, ...]]]:
    return [stored(file, f"SELECT * FROM {table} ORDER BY 1") for table in ("events", "ledger_head")]


@pytest.mark.parametrize("forgery", FORGERIES)
def test_python_s_own_client_is_refused(file: Path, forgery: str) -> None:
    statement, message = FORGERIES[forgery]
    before = _all(file)
    with closing(sqlite3.connect(file)) as client, pytest.raises(sqlite3.IntegrityError) as refusal:
        client.execute(statement)
    assert (str(refusal.value), _all(file)) == (message, before)


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="no sqlite3 command on this machine")
@pytest.mark.parametrize("forgery", FORGERIES)
def test_the_sqlite3_command_is_refused(file: Path, forgery: str) -> None:
    statement, message = FORGERIES[forgery]
    before = _all(file)
    client = subprocess.run(["sqlite3", file], input=statement, capture_output=True, text=True, check=False)
    assert message in client.stderr
    assert _all(file) == before


def test_the_insert_that_the_forgeries_vary_is_itself_legal(file: Path) -> None:
    with closing(sqlite3.connect(file)) as client:
        assert client.execute(_insert()).rowcount == 1


def test_a_guard_s_refusal_through_the_store_is_a_conflict(file: Path) -> None:
    with open_root(file.parent) as store, pytest.raises(ConflictError, match="nothing was recorded"):
        _execute(store, _insert(sequence=12))


def test_a_guard_s_refusal_after_an_end_says_that_the_session_has_ended(file: Path) -> None:
    with open_root(file.parent) as store, pytest.raises(SessionEndedError, match="the session has ended"):
        _execute(store, _insert(session_id="'s1'", session_version=5))


def _execute(store: Store, statement: str) -> None:
    with store.write() as connection:
        connection.exec_driver_sql(statement)


UNGUARDED = {
    "a changed payload": (
        5,
        ["UPDATE events SET payload = replace(payload, 'x', 'y') || ' ' WHERE sequence = 5"],
    ),
    "a changed time": (5, ["UPDATE events SET occurred_at = '2020-01-01' WHERE sequence = 5"]),
    "a changed session": (5, ["UPDATE events SET session_id = 's9' WHERE sequence = 5"]),
    "a changed hash": (5, ["UPDATE events SET hash = '" + "e" * 64 + "' WHERE sequence = 5"]),
    "a changed first event": (1, ["UPDATE events SET actor = 'operator' WHERE sequence = 1"]),
    "a changed last event": (10, ["UPDATE events SET actor = 'operator' WHERE sequence = 10"]),
    "a removed event": (5, ["DELETE FROM events WHERE sequence = 5"]),
    "a removed first event": (1, ["DELETE FROM events WHERE sequence = 1"]),
    "a removed event, the gap closed": (
        5,
        [
            "DELETE FROM events WHERE sequence = 5",
            "UPDATE events SET sequence = sequence - 1 WHERE sequence > 5",
        ],
    ),
    "an inserted event": (
        5,
        [
            "UPDATE events SET sequence = -sequence - 1 WHERE sequence >= 5",
            "UPDATE events SET sequence = -sequence WHERE sequence < 0",
            _insert(sequence=5, previous="(SELECT hash FROM events WHERE sequence = 4)"),
        ],
    ),
    "two events that changed places": (
        5,
        [
            "UPDATE events SET sequence = -6 WHERE sequence = 5",
            "UPDATE events SET sequence = 5 WHERE sequence = 6",
            "UPDATE events SET sequence = 6 WHERE sequence = -6",
        ],
    ),
    "a cut tail": (8, ["DELETE FROM events WHERE sequence >= 8"]),
    "a head set back": (
        10,
        ["UPDATE ledger_head SET (sequence, hash) = (SELECT sequence, hash FROM events WHERE sequence = 9)"],
    ),
}


@pytest.mark.parametrize("forgery", UNGUARDED)
def test_with_the_guards_dropped_verification_names_the_first_bad_sequence(file: Path, forgery: str) -> None:
    first_bad, statements = UNGUARDED[forgery]
    forge(file, *statements)
    with open_root(file.parent) as store:
        assert maintenance.verify(store).first_bad_sequence == first_bad


def _cut_cleanly(file: Path) -> None:
    """Cut the tail, and set the head back as if it had never been."""
    forge(
        file,
        "DELETE FROM events WHERE sequence > 8",
        "UPDATE ledger_head SET (sequence, hash) = (SELECT sequence, hash FROM events WHERE sequence = 8)",
    )
    with open_root(file.parent) as store:
        maintenance.rebuild(store)


def _rewrite(file: Path, from_sequence: int) -> None:
    """Change an event and hash everything after it anew, as somebody would who knows how."""
    with closing(sqlite3.connect(file)) as client:
        rows = client.execute(f"SELECT {COLUMNS} FROM events ORDER BY sequence").fetchall()
    statements, previous = [], "0" * 64
    for row in rows:
        actor = "operator" if row[0] == from_sequence else row[6]
        fields = (*row[:6], actor, row[7])
        digest = hashlib.sha256("\n".join((previous, *map(str, fields))).encode()).hexdigest()
        statements.append(
            f"UPDATE events SET actor = '{actor}', previous_hash = '{previous}', hash = '{digest}' "
            f"WHERE sequence = {row[0]}"
        )
        previous = digest
    forge(file, *statements, f"UPDATE ledger_head SET hash = '{previous}'")


def _head(file: Path) -> tuple[str, Head]:
    ((ledger_id, sequence, digest),) = stored(file, "SELECT ledger_id, sequence, hash FROM ledger_head")
    assert isinstance(sequence, int)
    return str(ledger_id), Head(sequence, str(digest))


def _faults(file: Path, witness: Witness) -> list[Fault]:
    with open_root(file.parent) as store:
        return maintenance.verify(store, [witness]).faults


def test_a_tail_that_was_cut_cleanly_holds_in_itself(file: Path) -> None:
    _cut_cleanly(file)
    with open_root(file.parent) as store:
        assert maintenance.verify(store).faults == []


def test_a_tail_that_was_cut_cleanly_does_not_hold_against_a_kept_head(file: Path) -> None:
    _, head = _head(file)
    _cut_cleanly(file)
    (fault,) = _faults(file, Witness(told="the kept head", sequence=head.sequence, hash=head.hash))
    assert (fault.check, fault.sequence) == ("against", 9)


def test_a_chain_that_was_rewritten_holds_in_itself(file: Path) -> None:
    _rewrite(file, 6)
    with open_root(file.parent) as store:
        assert maintenance.verify(store).faults == []


def test_a_chain_that_was_rewritten_does_not_hold_against_a_kept_head(file: Path) -> None:
    _, head = _head(file)
    _rewrite(file, 6)
    (fault,) = _faults(file, Witness(told="the kept head", sequence=head.sequence, hash=head.hash))
    assert (fault.check, fault.sequence) == ("against", 10)


def test_a_forger_who_rewrites_the_kept_head_too_can_not_sign_it(file: Path) -> None:
    key = b"k" * 32
    ledger_id, head = _head(file)
    signed = signature(key, ledger_id, head.sequence, head.hash)
    _rewrite(file, 6)
    _, forged = _head(file)
    witness = Witness(
        told="the kept head",
        sequence=forged.sequence,
        hash=forged.hash,
        ledger_id=ledger_id,
        signature=signed,
        key=key,
    )
    (fault,) = _faults(file, witness)
    assert "signed with another key, or was changed" in fault.what
