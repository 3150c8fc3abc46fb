"""A PostgreSQL ledger behind a transaction pooler, the real pgbouncer: recognised, and worked with."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from support.both_engines import assert_one_chain, beat, birth, end, start_writer
from support.flow_program import environment
from support.pooler import Pooler, ask, find_pgbouncer

from quantlab.base.errors import ConfigError, LedgerError
from quantlab.ledger import maintenance
from quantlab.ledger.location import locate
from quantlab.ledger.postgres import connections
from quantlab.ledger.reader import open_reader
from quantlab.ledger.recorder import Recorder
from quantlab.ledger.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POOLERS = {
    "refuses the settings": "",
    "passes over the settings": "ignore_startup_parameters = options",
}


@pytest.fixture(scope="module", params=list(POOLERS.values()), ids=list(POOLERS))
def pooler(request: pytest.FixtureRequest, postgres_server_url: str) -> Iterator[Pooler]:
    program = find_pgbouncer()
    if program is None:
        missing = "pgbouncer is not installed (Debian: apt-get install pgbouncer)"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(missing)
        pytest.skip(f"{missing}: nothing was tested behind a pooler")
    running = Pooler(program, postgres_server_url, request.param)
    yield running
    running.stop()


@pytest.fixture
def pooled_url(pooler: Pooler, postgres_server_url: str) -> Iterator[str]:
    """Lead through the pooler to a schema of this test's own."""
    schema = f"p{secrets.token_hex(6)}"
    ask(postgres_server_url, f"CREATE SCHEMA {schema}")
    yield pooler.url(f"options=-csearch_path%3D{schema}")
    ask(postgres_server_url, f"DROP SCHEMA {schema} CASCADE")


def test_a_ledger_is_made_written_read_verified_and_rebuilt_through_a_pooler(pooled_url: str) -> None:
    location = locate(None, pooled_url)
    with open_store(location) as store:
        recorder = Recorder(store)
        recorder.record(birth("a"))
        for version in range(2, 20):
            recorder.record(beat("a", version))
        recorder.record(end("a", 20))
        maintenance.rebuild(store)
        found = maintenance.verify(store)
        assert (found.faults, found.head.sequence) == ([], 20)
    with open_reader(location) as reader:
        assert reader.rows("SELECT total_sessions, failed FROM session_health") == [
            {"total_sessions": 1, "failed": 1}
        ]


def test_six_writers_at_once_share_three_connections_of_a_pooler(tmp_path: Path, pooled_url: str) -> None:
    location = locate(tmp_path, pooled_url)
    open_store(location).close()
    writers = [start_writer(location, f"s{n}", 12) for n in range(6)]
    said = [writer.communicate(timeout=240)[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 6, said
    with open_store(location) as store:
        assert_one_chain(store)
        assert maintenance.verify(store).faults == []


def test_a_session_and_a_question_work_through_a_pooler(tmp_path: Path, pooled_url: str) -> None:
    variables = environment(tmp_path) | {"QUANTLAB_LEDGER": pooled_url}
    program = [sys.executable, "-m", "quantlab"]
    for words in (["--prices", "synthetic", "--paper"], ["paper-sessions", "promotion", pooled_url]):
        done = subprocess.run(
            [*program, *words], cwd=tmp_path, env=variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_nothing_is_left_on_a_pooler_s_connections_for_others(pooled_url: str, pooler: Pooler) -> None:
    with open_store(locate(None, pooled_url)) as store:
        Recorder(store).record(birth("a"))
    for _ in range(6):
        (shown,) = ask(pooler.url(), "SELECT current_setting('lock_timeout'), current_setting('search_path')")
        assert shown == ("0", '"$user", public')


def test_the_operator_s_settings_reach_the_server_through_a_pooler(pooled_url: str) -> None:
    location = locate(None, f"{pooled_url}%20--statement-timeout%3D77s%20-c%20quantlab.note%3Da\\%20b")
    open_store(location).close()
    with open_reader(location) as reader:
        shown = reader.rows(
            "SELECT current_setting('statement_timeout') AS limit_, current_setting('quantlab.note') AS note"
        )
    assert shown == [{"limit_": "77s", "note": "a b"}]


def test_a_url_that_names_a_pooler_asks_no_further(pooled_url: str) -> None:
    location = locate(None, f"{pooled_url}&pgbouncer=true")
    with open_store(location) as store:
        Recorder(store).record(birth("a"))
        assert maintenance.verify(store).faults == []


def test_behind_a_pooler_no_statement_is_prepared(pooled_url: str) -> None:
    engine = connections.create_engine(locate(None, pooled_url))
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        assert driver.prepare_threshold is None
    engine.dispose()


def test_without_a_pooler_statements_are_prepared_and_nothing_is_set_in_transactions(
    postgres_url: str,
) -> None:
    engine = connections.create_engine(locate(None, postgres_url))
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        assert (driver.prepare_threshold, driver.begins_with) == (5, None)
    engine.dispose()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_any_spelling_of_the_scheme_is_taken(postgres_url: str, scheme: str) -> None:
    location = locate(None, f"{scheme}://{postgres_url.partition('://')[2]}")
    with open_store(location) as store:
        Recorder(store).record(birth("a"))


@pytest.mark.parametrize("parameter", ["prepared_statements=false", "schema=public", "connection_limit=1"])
def test_a_parameter_that_nobody_knows_is_refused_by_name(postgres_url: str, parameter: str) -> None:
    location = locate(None, f"{postgres_url}&{parameter}")
    with pytest.raises(ConfigError, match=f"{parameter.partition('=')[0]}.*does not know"):
        open_store(location)


def test_a_threshold_for_prepared_statements_is_taken_and_has_to_be_one(postgres_url: str) -> None:
    for told, meant in (("0", 0), ("none", None)):
        engine = connections.create_engine(locate(None, f"{postgres_url}&prepare_threshold={told}"))
        with engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            assert driver.prepare_threshold == meant
        engine.dispose()
    with pytest.raises(ConfigError, match="prepare_threshold is no whole number"):
        open_store(locate(None, f"{postgres_url}&prepare_threshold=often"))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:pa@Secret9?x@127.0.0.1:1/db",
        "postgresql://ann:pa@Secret9/x@127.0.0.1:1/db",
        "postgresql://ann:Secret9@127.0.0.1:1/Secret9",
    ],
)
def test_parts_of_a_password_in_the_driver_s_words_are_hidden(url: str) -> None:
    with pytest.raises((LedgerError, ConfigError)) as told:
        open_store(locate(None, url))
    assert "Secret9" not in str(told.value).replace("1/Secret9", "")
