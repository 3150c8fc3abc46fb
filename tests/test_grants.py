"""Roles with the least rights on a real PostgreSQL: what each can do, what none can, and what could still be forged."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import psycopg
import pytest
from support.both_engines import beat, birth, end, plain_client
from support.ledger_history import BEGINNING, heartbeat, history, record, succeeded
from support.postgres_server import plain

from quantlab.base.errors import LedgerDamagedError
from quantlab.cli.main import run
from quantlab.ledger import maintenance, making
from quantlab.ledger.location import locate
from quantlab.ledger.postgres import grants
from quantlab.ledger.reader import open_reader
from quantlab.ledger.recorder import Recorder
from quantlab.ledger.store import Store, open_store
from quantlab.queries.promotion import promotion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from quantlab.ledger.location import Location

    As = Callable[[str], Location]

REFUSED = {
    "events rewritten": "UPDATE events SET payload = '{}'",
    "events deleted": "DELETE FROM events",
    "events emptied": "TRUNCATE events",
    "a guard dropped": "DROP TRIGGER events_guard_update ON events",
    "guards switched off": "ALTER TABLE events DISABLE TRIGGER ALL",
    "guards passed by": "SET session_replication_role = replica",
    "a guard's function replaced": (
        "CREATE OR REPLACE FUNCTION quantlab_events_refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN RETURN NEW; END'"
    ),
    "a table dropped": "DROP TABLE events CASCADE",
    "a view replaced": "CREATE OR REPLACE VIEW session_list AS SELECT 1",
    "the ledger's name changed": "UPDATE ledger_head SET ledger_id = 'mine'",
    "the head taken away": "DELETE FROM ledger_head",
    "a rule made": "CREATE RULE quiet AS ON INSERT TO events DO INSTEAD NOTHING",
    "the schema's revision changed": "UPDATE alembic_version SET version_num = '9999'",
    "a session's row given another name": "UPDATE paper_sessions SET session_id = 'other'",
    "rows emptied": "TRUNCATE paper_sessions",
}
HEAD_MOVED = "UPDATE ledger_head SET sequence = sequence + 1"


@pytest.fixture
def owner(postgres_url: str) -> Iterator[Store]:
    with open_store(locate(None, postgres_url)) as store:
        record(store, history("s1", heartbeat(1, data={"source": "file", "hash": "h"}), succeeded()))
        yield store


@pytest.fixture
def as_role(owner: Store, postgres_server_url: str, capsys: pytest.CaptureFixture[str]) -> Iterator[As]:
    """Make a role of the database by what `quantlab ledger grant` prints; returns the ledger as that role sees it."""
    made: list[str] = []

    def location(role: str) -> Location:
        name = f"{role}_{secrets.token_hex(4)}"
        made.append(name)
        assert run(["ledger", "grant", owner.location.url or "", "--role", role, "--to", name]) == 0
        plain_client(owner.location, f"CREATE ROLE {name} LOGIN PASSWORD 'role'; {capsys.readouterr().out}")
        place = (owner.location.url or "").rpartition("@")[2]
        return locate(None, f"postgresql://{name}:role@{place}")

    yield location
    for name in made:
        with psycopg.connect(plain(postgres_server_url), autocommit=True) as server:
            server.execute(f"DROP OWNED BY {name}".encode())
            server.execute(f"DROP ROLE {name}".encode())


def test_a_session_s_role_records_a_session_from_its_start_to_its_end(as_role: As) -> None:
    with open_store(as_role("session")) as store:
        recorder = Recorder(store)
        recorder.record(birth("a"))
        recorder.record(beat("a", 2))
        recorder.record(end("a", 3))
        recorder.files_written("a")
        assert maintenance.verify(store).faults == []


def test_an_operator_s_role_makes_the_projection_anew_and_leaves_the_guards(
    as_role: As, caplog: pytest.LogCaptureFixture
) -> None:
    with open_store(as_role("operator")) as store:
        recorder = Recorder(store)
        recorder.record(birth("a"))
        recorder.record(beat("a", 2))
        assert maintenance.rebuild(store) == 2
        assert maintenance.verify(store).faults == []
    assert "only the role that owns them" in caplog.text


def test_a_reader_s_role_asks_and_verifies_and_records_nothing(as_role: As) -> None:
    location = as_role("reader")
    with open_reader(location) as reader:
        assert [row["session_id"] for row in promotion(reader, now=BEGINNING)["ready_candidates"]] == ["s1"]
    with open_store(location) as store:
        assert maintenance.verify(store).faults == []
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        plain_client(location, "INSERT INTO pending_files VALUES ('a')")


@pytest.mark.parametrize("role", ["session", "operator", "reader"])
def test_no_role_can_rewrite_history_or_drop_a_guard(as_role: As, owner: Store, role: str) -> None:
    location = as_role(role)
    for what, statement in REFUSED.items():
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            plain_client(location, statement)
            pytest.fail(what)
    with pytest.raises(psycopg.Error, match=r"permission denied|the head moves with the events alone"):
        plain_client(location, HEAD_MOVED)
    assert maintenance.verify(owner).faults == []


def test_what_a_session_s_role_can_still_forge_is_found_by_promotion(as_role: As) -> None:
    location = as_role("session")
    plain_client(location, "UPDATE paper_sessions SET total_return = 9.0")
    with (
        open_reader(location) as reader,
        pytest.raises(LedgerDamagedError, match=r"total_return of session s1 is 9\.0"),
    ):
        promotion(reader, now=BEGINNING)


def test_a_rebuild_and_a_migration_keep_what_was_granted(as_role: As, owner: Store) -> None:
    location = as_role("reader")
    with owner.read() as connection:
        before = sorted(grants.given(connection))
    maintenance.rebuild(owner)
    with owner.alone() as connection:
        making.rebuild_guards_and_views(connection)
    with owner.read() as connection:
        assert sorted(grants.given(connection)) == before != []
    with open_reader(location) as reader:
        assert reader.rows("SELECT total_sessions FROM session_health") == [{"total_sessions": 1}]


def test_a_file_has_no_roles_and_a_name_is_one_that_needs_no_quotes(
    tmp_path: Path, owner: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    open_store(locate(tmp_path, None)).close()
    assert run(["ledger", "grant", str(tmp_path), "--role", "reader"]) == 2
    assert "is a SQLite file, which has no roles" in capsys.readouterr().err
    odd = ["--role", "reader", "--to", "a; DROP TABLE events"]
    assert run(["ledger", "grant", owner.location.url or "", *odd]) == 2
    assert "is no role's name" in capsys.readouterr().err
