"""Promotion answers only on a ledger whose rows are what their events make; a glance tells when to verify."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from support.both_engines import plain_client
from support.ledger_history import BEGINNING, forge, heartbeat, history, open_root, record, succeeded

from quantlab.base.errors import LedgerDamagedError
from quantlab.cli.main import run
from quantlab.ledger import trust
from quantlab.ledger.reader import Reader, open_reader
from quantlab.ledger.sqlite.memory import copied
from quantlab.ledger.store import open_store
from quantlab.queries.promotion import promotion

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from quantlab.ledger.location import Location

    Say = Callable[..., tuple[int, str, str]]

READY = heartbeat(1, data={"source": "file", "hash": "h"}), succeeded()
FORGED_ROWS = {
    "a figure": ("UPDATE paper_sessions SET total_return = 9.0", "total_return of session s1 is 9.0"),
    "a flag": (
        "UPDATE paper_sessions SET data_doubts = NULL, trades = 77",
        "trades of session s1 is 77, its events make 3",
    ),
    "what no event told": (
        "UPDATE paper_sessions SET proved_outcome = 'identical'",
        "proved_outcome of session s1 is 'identical', its events make None",
    ),
    "a session that never was": (
        "UPDATE paper_sessions SET session_id = 's9'",
        "session s9 has no events",
    ),
}


@pytest.fixture
def quantlab(capsys: pytest.CaptureFixture[str]) -> Say:
    """Run a command line in this process; gives its code and what it said."""

    def say(*words: str) -> tuple[int, str, str]:
        code = run(list(words))
        said = capsys.readouterr()
        return code, said.out, said.err

    return say


@pytest.fixture
def ready(any_location: Location) -> Location:
    """A ledger of one session that is ready, on each engine in turn."""
    with open_store(any_location) as store:
        record(store, history("s1", *READY))
    return any_location


def asked(location: Location) -> list[str]:
    with open_reader(location) as reader:
        return [row["session_id"] for row in promotion(reader, now=BEGINNING)["ready_candidates"]]


def doubted(location: Location) -> list[str]:
    with open_reader(location) as reader:
        return trust.doubts(reader)


def test_a_ledger_that_nobody_touched_is_trusted(ready: Location) -> None:
    assert (asked(ready), doubted(ready)) == (["s1"], [])


@pytest.mark.parametrize(("statement", "told"), FORGED_ROWS.values(), ids=FORGED_ROWS.keys())
def test_a_row_that_its_events_do_not_make_is_not_called_ready(
    ready: Location, statement: str, told: str
) -> None:
    plain_client(ready, statement)
    with pytest.raises(LedgerDamagedError, match=told):
        asked(ready)


def test_a_guard_that_was_neutered_is_refused_and_told_at_a_glance(ready: Location) -> None:
    plain_client(
        ready,
        "DROP TRIGGER events_guard_update" + ("" if ready.is_sqlite else " ON events"),
    )
    with pytest.raises(LedgerDamagedError, match="events_guard_update"):
        asked(ready)
    assert "events_guard_update is not as this program made it" in doubted(ready)[0]


def test_counts_that_are_not_those_of_the_rows_are_told_at_a_glance(ready: Location) -> None:
    plain_client(ready, "UPDATE session_counts SET sessions = 5")
    assert doubted(ready) == ["its counts are not those of its rows"]


def test_beyond_ten_thousand_sessions_a_glance_does_not_count(
    ready: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain_client(ready, "UPDATE session_counts SET sessions = 5")
    monkeypatch.setattr(trust, "MOST_COUNTED", 0)
    assert doubted(ready) == []


def test_a_count_beyond_ten_thousand_that_no_rows_have_is_told(ready: Location) -> None:
    plain_client(ready, "UPDATE session_counts SET sessions = 20000")
    assert doubted(ready) == ["its counts are not those of its rows"]


def test_a_row_that_was_removed_is_missed(ready: Location) -> None:
    with open_store(ready) as store:
        record(store, history("s2", *READY))
    plain_client(ready, "DELETE FROM paper_sessions WHERE session_id = 's2'")
    told = "it tells of 1 sessions, its events of 2"
    assert told in doubted(ready)
    with pytest.raises(LedgerDamagedError, match=told):
        asked(ready)


def test_an_earlier_row_that_was_removed_is_missed_too(ready: Location) -> None:
    with open_store(ready) as store:
        record(store, history("s2", *READY))
    plain_client(ready, "DELETE FROM paper_sessions WHERE session_id = 's1'")
    assert doubted(ready) == ["it tells of 1 sessions, its events of 2"]


def test_beyond_a_hundred_thousand_events_a_glance_counts_no_sessions(
    ready: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(ready) as store:
        record(store, history("s2", *READY))
    plain_client(ready, "DELETE FROM paper_sessions WHERE session_id = 's1'")
    monkeypatch.setattr(trust, "MOST_EVENTS", 5)
    assert doubted(ready) == []


def test_trials_that_were_removed_are_missed(ready: Location) -> None:
    plain_client(ready, "DELETE FROM session_trials")
    with pytest.raises(LedgerDamagedError, match="missing in session_trials"):
        asked(ready)


def test_an_expression_that_was_edited_on_a_server_is_refused(postgres_url: str) -> None:
    from quantlab.ledger.location import locate

    location = locate(None, postgres_url)
    with open_store(location) as store:
        record(store, history("s1", *READY))
    plain_client(
        location,
        "ALTER TABLE paper_sessions DROP COLUMN promotion_ready CASCADE;"
        " ALTER TABLE paper_sessions ADD COLUMN promotion_ready integer GENERATED ALWAYS AS (1) STORED;"
        " CREATE VIEW session_promotion AS SELECT paper_sessions.*, promotion_ready AS broker_promotion_ready,"
        " '' AS broker_promotion_reasons, '' AS broker_promotion_blockers FROM paper_sessions",
    )
    with pytest.raises(LedgerDamagedError, match=r"is missing|was altered"):
        asked(location)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with open_root(tmp_path) as store:
        record(store, history("s1", *READY))
    return tmp_path / "ledger.db"


@pytest.mark.parametrize(
    "statement",
    [
        """UPDATE events SET payload = replace(payload, '"trades":3', '"trades":4') WHERE sequence = 3""",
        "UPDATE events SET occurred_at = replace(occurred_at, '2026', '2025') WHERE sequence = 1",
        "UPDATE events SET previous_hash = hash WHERE sequence = 2",
        "UPDATE events SET session_version = 7 WHERE sequence = 3",
    ],
)
def test_an_event_that_was_changed_in_place_is_refused(
    tmp_path: Path, file: Path, statement: str, quantlab: Say
) -> None:
    forge(file, statement)
    code, out, err = quantlab("paper-sessions", "promotion", str(tmp_path))
    assert (code, out) == (1, "")
    assert "was changed. Run 'quantlab ledger verify'" in err
    assert err.count("\n") == 1


def test_an_event_that_no_program_wrote_is_refused_in_one_line(
    file: Path, tmp_path: Path, quantlab: Say
) -> None:
    from quantlab.domain.events.event import event_hash

    columns = "sequence, session_id, session_version, type, schema_version, occurred_at, actor"
    with closing(sqlite3.connect(file)) as client:
        *fields, previous = client.execute(
            f"SELECT {columns}, previous_hash FROM events WHERE sequence = 3"
        ).fetchone()
    forge(
        file,
        f"UPDATE events SET payload = '[]', hash = '{event_hash(previous, (*fields, '[]'))}' WHERE sequence = 3",
    )
    code, _out, err = quantlab("paper-sessions", "promotion", str(tmp_path))
    assert (code, "says what no event can" in err) == (1, True)


def test_a_ledger_that_can_only_be_read_is_held_to_the_same(file: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(file)) as client, client:
        client.execute("UPDATE paper_sessions SET total_return = 9.0")
    with open_root(tmp_path) as store:
        location = store.location
    with (
        Reader.over(copied(file), location) as reader,
        pytest.raises(LedgerDamagedError, match="can't be trusted with this answer: total_return"),
    ):
        promotion(reader, now=BEGINNING)


def test_an_expression_that_was_edited_in_the_schema_is_refused(
    file: Path, tmp_path: Path, quantlab: Say
) -> None:
    with closing(sqlite3.connect(file)) as client, client:
        client.execute("PRAGMA writable_schema = ON")
        client.execute(
            "UPDATE sqlite_master SET sql = replace(sql, 'THEN 1 ELSE 0 END', 'THEN 1 ELSE 1 END')"
            " WHERE name = 'paper_sessions'"
        )
    code, _out, err = quantlab("paper-sessions", "promotion", str(tmp_path))
    assert (code, "paper_sessions is not as this program made it" in err) == (1, True)


@pytest.mark.parametrize("question", ["health", "list"])
def test_health_and_list_say_in_one_line_that_verify_is_wanted(
    file: Path, tmp_path: Path, question: str, quantlab: Say
) -> None:
    forge(file, "DELETE FROM events WHERE sequence = 3")
    code, _out, err = quantlab("paper-sessions", question, str(tmp_path))
    told = [line for line in err.splitlines() if "ledger verify" in line]
    assert (code, len(told)) == (0, 1)
    assert "its head is at 3, its last event at 2" in told[0]


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (
            "UPDATE ledger_head SET hash = (SELECT previous_hash FROM events WHERE sequence = 3)",
            "another hash",
        ),
        ("UPDATE paper_sessions SET last_version = 2", "has not reached its last event"),
        ("DELETE FROM ledger_head", "its head is missing"),
    ],
)
def test_a_head_that_is_not_the_last_event_s_is_told(
    file: Path, tmp_path: Path, statement: str, told: str
) -> None:
    forge(file, statement)
    with open_root(tmp_path) as store:
        location = store.location
    assert told in doubted(location)[0]


def test_the_definitions_are_those_that_are_kept_so_a_glance_makes_no_ledger(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_root(tmp_path) as store:
        location = store.location
    monkeypatch.setattr("quantlab.ledger.installed.fresh", lambda: pytest.fail("a fresh ledger was made"))
    with open_reader(location) as reader:
        assert trust.differing_definitions(reader) == []
