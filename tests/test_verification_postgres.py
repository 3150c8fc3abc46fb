"""Guards and views that somebody changed on a server are found by `verify`, and put right by `rebuild`."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import psycopg
import pytest
from support.both_engines import beat, birth, plain_client, record_all
from support.postgres_server import plain

from quantlab.base.errors import LedgerBusyError
from quantlab.ledger import maintenance
from quantlab.ledger.location import locate
from quantlab.ledger.recorder import Recorder
from quantlab.ledger.store import Store, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

INSERT = "events_guard_insert"
REMADE = f"DROP TRIGGER {INSERT} ON events; CREATE TRIGGER {INSERT}"
CALL = "EXECUTE FUNCTION quantlab_events_insert()"
NOOP = "CREATE FUNCTION noop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
NEUTERED = {
    "a condition that never holds": (
        INSERT,
        f"{REMADE} BEFORE INSERT ON events FOR EACH ROW WHEN (false) {CALL}",
    ),
    "another function": (
        INSERT,
        f"{NOOP}; {REMADE} BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION noop()",
    ),
    "another function of the same name": (
        INSERT,
        "CREATE SCHEMA {schema}_b; CREATE FUNCTION {schema}_b.quantlab_events_insert() RETURNS trigger"
        " LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        f" {REMADE} BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION {{schema}}_b.quantlab_events_insert()",
    ),
    "another event": (INSERT, f"{REMADE} BEFORE UPDATE ON events FOR EACH ROW {CALL}"),
    "one event of two": (
        "events_guard_update",
        "DROP TRIGGER events_guard_update ON events; CREATE TRIGGER events_guard_update BEFORE UPDATE ON events"
        " FOR EACH ROW EXECUTE FUNCTION quantlab_events_refuse()",
    ),
    "one column alone": (
        "events_guard_update",
        "DROP TRIGGER events_guard_update ON events; CREATE TRIGGER events_guard_update"
        " BEFORE UPDATE OF actor OR DELETE ON events FOR EACH ROW EXECUTE FUNCTION quantlab_events_refuse()",
    ),
    "another time": (INSERT, f"{REMADE} AFTER INSERT ON events FOR EACH ROW {CALL}"),
    "another level": (INSERT, f"{REMADE} BEFORE INSERT ON events FOR EACH STATEMENT {CALL}"),
    "another table": (INSERT, f"{REMADE} BEFORE INSERT ON pending_files FOR EACH ROW {CALL}"),
    "a second of its name": (
        INSERT,
        f"CREATE TRIGGER {INSERT} BEFORE INSERT ON pending_files FOR EACH ROW {CALL}",
    ),
    "switched off": (INSERT, f"ALTER TABLE events DISABLE TRIGGER {INSERT}"),
    "a function without its path": (
        "quantlab_events_insert",
        "ALTER FUNCTION quantlab_events_insert() RESET search_path",
    ),
    "a function with another path": (
        "quantlab_events_insert",
        "ALTER FUNCTION quantlab_events_insert() SET search_path = pg_temp, {schema}",
    ),
    "a function with its owner's rights": (
        "quantlab_events_insert",
        "ALTER FUNCTION quantlab_events_insert() SECURITY DEFINER",
    ),
    "a function with another body": (
        "quantlab_events_refuse",
        "CREATE OR REPLACE FUNCTION quantlab_events_refuse() RETURNS trigger LANGUAGE plpgsql"
        " SET search_path = {schema}, pg_temp AS 'BEGIN RETURN NEW; END'",
    ),
    "a view that shows nothing": (
        "session_alerts",
        "DO $$ BEGIN EXECUTE 'CREATE OR REPLACE VIEW session_alerts AS SELECT * FROM ('"
        " || rtrim(pg_get_viewdef('session_alerts'::regclass), ';') || ') AS shown WHERE false'; END $$",
    ),
}


@pytest.fixture
def store(postgres_url: str) -> Iterator[Store]:
    with open_store(locate(None, postgres_url)) as opened:
        record_all(Recorder(opened), [birth("a"), beat("a", 2)])
        yield opened


def change(store: Store, statements: str) -> None:
    ((schema,),) = plain_client(store.location, "SELECT current_schema()")
    plain_client(store.location, statements.replace("{schema}", schema))


def faults(store: Store) -> list[str]:
    return [fault.what for fault in maintenance.verify(store).faults]


def guards_checked(store: Store) -> str:
    return dict(maintenance.verify(store).checked)["guards"]


def test_guards_and_views_that_nobody_touched_hold(store: Store) -> None:
    assert (faults(store), guards_checked(store)) == ([], "tables, indexes, triggers and views")


@pytest.mark.parametrize(("name", "statements"), NEUTERED.values(), ids=NEUTERED.keys())
def test_a_guard_or_view_that_was_neutered_is_named(store: Store, name: str, statements: str) -> None:
    change(store, statements)
    assert faults(store) == [f"{name} was altered"]


REMADE_READY = (
    "ALTER TABLE paper_sessions DROP COLUMN promotion_ready CASCADE;"
    " ALTER TABLE paper_sessions ADD COLUMN promotion_ready integer GENERATED ALWAYS AS (1) STORED"
)
ALTERED = {
    "a generated column": (REMADE_READY, {"the table paper_sessions was altered"}),
    "a plain index for a unique one": (
        "DROP INDEX events_one_end; CREATE INDEX events_one_end ON events (session_id)"
        " WHERE type <> 'heartbeat' AND type IN ('succeeded', 'failed', 'aborted')",
        {"the index events_one_end was altered"},
    ),
    "an index of fewer rows": (
        "DROP INDEX events_one_end; CREATE UNIQUE INDEX events_one_end ON events (session_id) WHERE type = 'failed'",
        {"the index events_one_end was altered"},
    ),
    "an index that is none of ours": (
        "CREATE UNIQUE INDEX mine ON events (session_id, occurred_at)",
        {"the index mine is none of ours"},
    ),
    "a key that is gone": (
        "ALTER TABLE events DROP CONSTRAINT events_pkey",
        {"the table events was altered", "the index events_pkey is missing"},
    ),
    "a constraint that is gone": (
        "ALTER TABLE events DROP CONSTRAINT events_hash_length",
        {"the table events was altered"},
    ),
    "a constraint that was never checked": (
        "ALTER TABLE ledger_head DROP CONSTRAINT ledger_head_one_row;"
        " ALTER TABLE ledger_head ADD CONSTRAINT ledger_head_one_row CHECK (id = 1) NOT VALID",
        {"the table ledger_head was altered"},
    ),
    "a column that may be empty": (
        "ALTER TABLE events ALTER COLUMN hash DROP NOT NULL",
        {"the table events was altered"},
    ),
    "another order of words": (
        'ALTER TABLE pending_files ALTER COLUMN session_id TYPE text COLLATE "default"',
        {"the table pending_files was altered"},
    ),
    "a rule": (
        "CREATE RULE quiet AS ON INSERT TO events DO INSTEAD NOTHING",
        {"the rule quiet on events is none of ours"},
    ),
    "row security": (
        "ALTER TABLE events ENABLE ROW LEVEL SECURITY",
        {"the table events has row security, which may hide rows"},
    ),
    "a policy in waiting": (
        "CREATE POLICY hiding ON paper_sessions USING (false)",
        {"the table paper_sessions has row security, which may hide rows"},
    ),
    "a table that a crash empties": (
        "ALTER TABLE events SET UNLOGGED",
        {"the table events is not kept over a crash (it is not an ordinary, logged table)"},
    ),
    "a child that adds rows": (
        "CREATE TABLE more () INHERITS (events)",
        {"the table events is part of another"},
    ),
}


@pytest.mark.parametrize(("statements", "told"), ALTERED.values(), ids=ALTERED.keys())
def test_a_definition_that_is_not_a_fresh_ledger_s_is_named(
    store: Store, statements: str, told: set[str]
) -> None:
    change(store, statements)
    assert told <= set(faults(store))


def test_an_owner_that_is_not_the_ledger_s_is_named(store: Store) -> None:
    ((schema,),) = plain_client(store.location, "SELECT current_schema()")
    plain_client(
        store.location, f"CREATE ROLE owner_{schema}; ALTER VIEW session_list OWNER TO owner_{schema}"
    )
    try:
        assert faults(store) == [f"session_list belongs to owner_{schema}, the ledger to quantlab"]
    finally:
        plain_client(store.location, f"DROP OWNED BY owner_{schema}; DROP ROLE owner_{schema}")


def test_triggers_that_are_switched_off_for_the_database_are_told(postgres_url: str, store: Store) -> None:
    url = f"{postgres_url}%20-csession_replication_role%3Dreplica"
    with open_store(locate(None, url)) as opened:
        assert faults(opened) == [
            "triggers are switched off for this role or database (session_replication_role)"
        ]


def test_a_rebuild_puts_an_index_right_that_somebody_made_plain(store: Store) -> None:
    change(store, ALTERED["a plain index for a unique one"][0])
    maintenance.rebuild(store)
    assert faults(store) == []


@pytest.mark.parametrize("statements", [one for _, one in NEUTERED.values()], ids=NEUTERED.keys())
def test_a_rebuild_puts_a_neutered_guard_or_view_right(store: Store, statements: str) -> None:
    change(store, statements)
    maintenance.rebuild(store)
    assert faults(store) == []


def test_views_that_came_back_from_a_dump_hold(store: Store) -> None:
    """A dump holds what the server made of a view's text, and so does the server that reads it."""
    change(
        store,
        "DO $$ DECLARE one record; BEGIN FOR one IN SELECT relname, pg_get_viewdef(oid) AS text FROM pg_class"
        " WHERE relkind = 'v' AND relnamespace = current_schema()::regnamespace LOOP"
        " EXECUTE format('DROP VIEW %I', one.relname);"
        " EXECUTE format('CREATE VIEW %I AS %s', one.relname, one.text); END LOOP; END $$",
    )
    assert faults(store) == []


@pytest.fixture
def bare_role(store: Store, postgres_server_url: str) -> Iterator[Store]:
    """The ledger, by a role that may make no temporary view."""
    ((schema, database),) = plain_client(store.location, "SELECT current_schema(), current_database()")
    role = f"bare_{schema}"
    with psycopg.connect(plain(postgres_server_url), autocommit=True) as server:
        for statement in (
            f"CREATE ROLE {role} LOGIN PASSWORD 'bare'",
            f"GRANT USAGE ON SCHEMA {schema} TO {role}",
            f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {role}",
            f"REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC",
        ):
            server.execute(statement.encode())
    user, _at, place = (store.location.url or "").rpartition("@")
    try:
        url = f"{user.partition('//')[0]}//{role}:bare@{place}"
        with open_store(locate(None, url), create=False) as opened:
            yield opened
    finally:
        with psycopg.connect(plain(postgres_server_url), autocommit=True) as server:
            for statement in (
                f"GRANT TEMPORARY ON DATABASE {database} TO PUBLIC",
                f"DROP OWNED BY {role}",
                f"DROP ROLE {role}",
            ):
                server.execute(statement.encode())


def test_where_no_temporary_view_may_be_made_views_are_looked_for_by_name_and_it_is_said(
    store: Store, bare_role: Store
) -> None:
    assert faults(bare_role) == []
    assert "tables, indexes and views by name only" in guards_checked(bare_role)
    change(store, "DROP VIEW session_alerts")
    assert faults(bare_role) == ["session_alerts is missing"]


def test_a_verification_leaves_nothing_behind(store: Store) -> None:
    maintenance.verify(store)
    kinds = "SELECT count(*) FROM pg_class WHERE relkind = 'v' AND relnamespace::regnamespace::text LIKE 'pg_temp%'"
    assert plain_client(store.location, kinds) == [(0,)]


def test_a_table_that_somebody_keeps_locked_is_told_as_busy(store: Store, postgres_url: str) -> None:
    hasty = locate(None, f"{postgres_url}%20-clock_timeout%3D100ms")
    with open_store(hasty) as opened, psycopg.connect(plain(postgres_url)) as client:
        client.execute("LOCK TABLE paper_sessions")
        with pytest.raises(LedgerBusyError, match="was busy"):
            maintenance.verify(opened)


def test_a_writer_records_while_a_verification_is_under_way(store: Store) -> None:
    recorder = Recorder(store)
    writing = threading.Thread(target=recorder.record, args=(beat("a", 3),))

    def write_meanwhile(_count: int) -> None:
        writing.start()
        writing.join(timeout=20)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("quantlab.ledger.verify.STEP", 2)
        found = maintenance.verify(
            store, progress=lambda count: None if writing.ident else write_meanwhile(count)
        )
    assert (found.faults, found.head.sequence, writing.is_alive()) == ([], 2, False)
