"""A server that refuses or can't be had: what is said, at once, and without the password."""

from __future__ import annotations

import time
import traceback
from typing import TYPE_CHECKING
from urllib.parse import unquote

import psycopg
import pytest
from support.both_engines import birth, plain_client
from support.drilled_server import own_location, own_server
from support.postgres_server import own_schema, plain

from quantlab.base.errors import ConfigError, LedgerAwayError, LedgerError, LedgerGoneError
from quantlab.ledger import log
from quantlab.ledger.location import Location, locate
from quantlab.ledger.postgres import connections
from quantlab.ledger.postgres.connections import PATIENCE_SECONDS
from quantlab.ledger.recorder import Recorder
from quantlab.ledger.store import Store, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    import sqlalchemy as sa
    from support.postgres_server import PostgresServer


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with own_server() as started:
        yield started


@pytest.fixture
def location(server: PostgresServer) -> Iterator[Location]:
    with own_location(server) as place:
        yield place


@pytest.fixture
def store(location: Location) -> Iterator[Store]:
    with open_store(location) as opened:
        opened.patience_seconds = 20.0
        yield opened


@pytest.fixture
def recorder(store: Store) -> Recorder:
    recorder = Recorder(store)
    recorder.record(birth("a"))
    return recorder


def test_a_writer_that_waits_too_long_for_its_turn_is_told_so(
    location: Location, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"{location.url}%20-clock_timeout%3D200ms"
    with open_store(locate(None, url), create=False) as impatient:
        impatient.patience_seconds = 0.5
        recorder = Recorder(impatient)
        with store.write(), pytest.raises(LedgerGoneError, match="It was asked for"):
            recorder.record(birth("b"))
    assert "was busy for too long" in caplog.text


def test_a_writer_that_stops_in_its_transaction_gives_up_its_turn(location: Location, store: Store) -> None:
    url = f"{location.url}%20-cidle_in_transaction_session_timeout%3D300ms"
    with open_store(locate(None, url), create=False) as stopped:

        def stop_in_the_middle() -> None:
            with stopped.write() as connection:
                Recorder(store).record(birth("b"))
                connection.exec_driver_sql("SELECT 1")

        with pytest.raises(LedgerAwayError):
            stop_in_the_middle()


def test_a_wrong_password_is_said_at_once_and_not_shown(server: PostgresServer) -> None:
    began = time.monotonic()
    wrong = server.url(password="hunter2")
    with pytest.raises(LedgerError, match="password authentication failed") as failure:
        open_store(locate(None, wrong))
    assert time.monotonic() - began < PATIENCE_SECONDS / 2
    assert "hunter2" not in "".join(traceback.format_exception(failure.value))


def test_a_server_that_is_not_there_is_said_at_once() -> None:
    with pytest.raises(LedgerAwayError, match="can't be reached"):
        open_store(locate(None, "postgresql+psycopg://u:hunter2@127.0.0.1:9/x"))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://u:hun@ter2@127.0.0.1/x",
        "postgresql+psycopg://u:hunter2@127.0.0.1:port/x",
        "postgresql+psycopg://u:hunter2:9@[::1/x",
        "postgresql+psycopg2://u:hunter2@127.0.0.1/x",
    ],
)
def test_a_url_that_cannot_be_read_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError, match="can't be read") as failure:
        open_store(locate(None, url))
    shown = "".join(traceback.format_exception(failure.value))
    assert "ter2" not in shown
    assert "hun" not in shown


def test_a_machine_without_psycopg_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(
        ConfigError,
        match=r"\(the extra quantlab-sessions\[postgres\]\).* pip install 'psycopg\[binary\]>=3.3'",
    ):
        open_store(locate(None, "postgresql://u@127.0.0.1/x"))


def test_the_settings_in_the_url_win() -> None:
    location = locate(None, "postgresql://u@h/x?connect_timeout=3&options=-c%20lock_timeout%3D1s")
    arguments = connections._connect_arguments(connections.parsed(location))
    assert "connect_timeout" not in arguments
    assert arguments["options"].endswith("-c lock_timeout=1s")


def test_a_temporary_table_cannot_stand_in_for_the_head(location: Location, store: Store) -> None:
    with psycopg.connect(plain(location.url or "")) as client:
        client.execute(
            "CREATE TEMP TABLE ledger_head AS SELECT 1 AS id, '' AS ledger_id, 41 AS sequence, '' AS hash"
        )
        forged = (
            "INSERT INTO events VALUES (42, 'x', 1, 'started', 1, 't', 'x', '{}', '" + "0" * 64 + "', %s)"
        )
        with pytest.raises(psycopg.errors.RaiseException, match="next sequence"):
            client.execute(forged, ("f" * 64,))


@pytest.mark.parametrize("table", ["events", "ledger_head"])
def test_the_server_refuses_to_empty(location: Location, recorder: Recorder, table: str) -> None:
    with pytest.raises(psycopg.errors.RaiseException):
        plain_client(location, f"TRUNCATE {table}")


def test_the_environment_s_options_lead_to_the_ledger_as_the_url_s_do(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with own_schema(server.url()) as url:
        open_store(locate(None, url)).close()
        monkeypatch.setenv("PGOPTIONS", unquote(url.partition("options=")[2]))
        with open_store(locate(None, server.url()), create=False) as store, store.read() as connection:
            assert log.read_head(connection).sequence == 0


def test_work_that_a_server_cancels_says_how_to_let_it_take_longer(store: Store) -> None:
    with (
        pytest.raises(LedgerError, match=r"gave the work up .*-cstatement_timeout"),
        store.write() as connection,
    ):
        connection.exec_driver_sql("SET LOCAL statement_timeout = '20ms'")
        connection.exec_driver_sql("SELECT pg_sleep(5)")


def test_work_on_locked_tables_that_fails_is_not_tried_again(store: Store) -> None:
    tried: list[int] = []

    def divide(connection: sa.Connection) -> None:
        tried.append(1)
        connection.exec_driver_sql("SELECT 1 / 0")

    with pytest.raises(LedgerError, match="division by zero"), store.alone() as connection:
        connections.lock_in_short_tries(connection, lambda: divide(connection))
    assert tried == [1]
