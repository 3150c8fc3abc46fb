"""The database's own guards on SQLite and PostgreSQL: what they refuse whoever connects, and what they let through."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from support.both_engines import birth, end, entry, plain_client, record_all

from quantlab.domain.events import Adopted
from quantlab.ledger import log
from quantlab.ledger.location import locate
from quantlab.ledger.recorder import Recorder
from quantlab.ledger.store import Store, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quantlab.ledger.location import Location

REFUSALS = (sqlite3.DatabaseError, psycopg.Error)
FORGED = (
    "INSERT INTO events (sequence, session_id, session_version, type, schema_version, occurred_at, actor, payload,"
    " previous_hash, hash) SELECT {sequence}, '{session}', {version}, '{type}', 1, 't', 'x', '{payload}', {previous},"
    " '" + "f" * 64 + "' FROM ledger_head"
)


@pytest.fixture
def store(any_location: Location) -> Iterator[Store]:
    with open_store(any_location) as opened:
        yield opened


@pytest.fixture
def recorder(store: Store) -> Recorder:
    return Recorder(store)


def forged(**changed: Any) -> str:
    """Return a plain client's insert of a heartbeat of `a` in its right place, but for what is changed."""
    place = {
        "sequence": "sequence + 1",
        "session": "a",
        "version": 2,
        "type": "heartbeat",
        "previous": "hash",
    }
    return FORGED.format(**({"payload": "{}"} | place | changed))


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (forged(sequence="sequence + 2"), "next sequence"),
        (forged(sequence="sequence"), "next sequence"),
        (forged(previous="'" + "0" * 64 + "'"), "hash of the head"),
        (forged(type="bought"), "unknown event type"),
        (forged(session="new"), "begins once"),
        (forged(type="started"), "begins once"),
        (forged(version=3), "next version"),
        (forged(version=1), "next version"),
        (forged(session="done", version=3), "has ended"),
        (forged(session="done", version=3, type="aborted"), "has ended"),
        (forged(session="old", version=2), "has ended"),
        ("UPDATE events SET actor = 'x'", "append-only"),
        ("DELETE FROM events", "append-only"),
        ("UPDATE ledger_head SET hash = '" + "f" * 64 + "'", "moves with the events"),
        ("UPDATE ledger_head SET ledger_id = 'x'", "moves with the events"),
        ("DELETE FROM ledger_head", "moves with the events"),
        ("INSERT INTO ledger_head VALUES (1, 'x', 0, 'x')", "moves with the events"),
    ],
)
def test_the_database_refuses_whoever_connects(
    store: Store, recorder: Recorder, sql: str, message: str
) -> None:
    adopted = Adopted(
        folder="old", terminal=True, fields={"status": "x"}, documents={}, digests={}, unreadable=[]
    )
    record_all(recorder, [birth("a"), birth("done"), end("done", 2), entry("old", 1, adopted)])
    with pytest.raises(REFUSALS, match=message):
        plain_client(store.location, sql)


def test_a_plain_client_that_keeps_the_rules_may_append(store: Store, recorder: Recorder) -> None:
    recorder.record(birth("a"))
    plain_client(store.location, forged())
    with store.read() as connection:
        assert log.read_head(connection) == log.Head(2, "f" * 64)


def test_a_schema_s_other_views_and_triggers_are_left_alone(postgres_url: str) -> None:
    location = locate(None, postgres_url)
    for statement in (
        "CREATE TABLE orders (id integer)",
        "CREATE VIEW open_orders AS SELECT id FROM orders",
        "CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE TRIGGER audit BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION audit()",
    ):
        plain_client(location, statement)
    open_store(location).close()
    assert plain_client(location, "SELECT count(*) FROM open_orders") == [(0,)]
    assert plain_client(location, "SELECT tgname FROM pg_trigger WHERE tgname = 'audit'") == [("audit",)]
