"""A server that goes away and cuts connections: nothing is lost, nothing is recorded twice."""

from __future__ import annotations

import re
import signal
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import sqlalchemy as sa
from support.both_engines import beat, birth, entry, plain_client, record_all, start_writer
from support.drilled_server import own_location, own_server, running
from support.flow_program import PACED, PAPER, ended, ran, stage_of, started, status_of, until
from support.postgres_server import PASSWORD, plain

from quantlab.base.errors import LedgerAwayError, LedgerError, LedgerGoneError
from quantlab.domain.events import Found, Vanished
from quantlab.ledger import log, projection
from quantlab.ledger.location import Location
from quantlab.ledger.postgres import patience
from quantlab.ledger.postgres.connections import PATIENCE_SECONDS
from quantlab.ledger.recorder import Recorder
from quantlab.ledger.store import Store, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.postgres_server import PostgresServer


@pytest.fixture(scope="module")
def _server() -> Iterator[PostgresServer]:
    with own_server() as started:
        yield started


@pytest.fixture
def server(_server: PostgresServer) -> PostgresServer:
    """A server of this module's own, running, that a test may stop."""
    return running(_server)


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
def frozen(server: PostgresServer, recorder: Recorder) -> Iterator[PostgresServer]:
    """The server, frozen once the session was recorded."""
    assert recorder.store.location.url
    server.freeze()
    yield server
    server.thaw()


@pytest.fixture
def recorder(store: Store) -> Recorder:
    recorder = Recorder(store)
    recorder.record(birth("a"))
    return recorder


def versions(store: Store) -> list[int]:
    with store.read() as connection:
        assert list(projection.differences(connection)) == []
        return [one.session_version for one in log.read_events(connection, "a")]


def cut_others(location: Location) -> int:
    """Have the server end every other connection; returns how many there were."""
    found = plain_client(
        location,
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND application_name = 'quantlab'",
    )
    return int(found[0][0])


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["restarted", "crashed"])
def test_a_session_goes_on_after_the_server_was_restarted_between_events(
    server: PostgresServer, store: Store, recorder: Recorder, how: signal.Signals
) -> None:
    server.restart(how)
    recorder.record(beat("a", 2))
    assert versions(store) == [1, 2]


def test_a_reader_goes_on_after_the_server_was_restarted(
    server: PostgresServer, store: Store, recorder: Recorder
) -> None:
    recorder.record(beat("a", 2))
    server.restart()
    assert versions(store) == [1, 2]


def test_a_session_waits_for_a_server_that_is_away(
    server: PostgresServer, store: Store, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    server.stop()
    recording = threading.Thread(target=recorder.record, args=(beat("a", 2),))
    recording.start()
    until(lambda: bool(caplog.records), "the operator is told")
    server.start()
    recording.join()
    assert versions(store) == [1, 2]
    assert [record.message.count("Waiting for up to") for record in caplog.records] == [1]


def test_a_connection_cut_in_the_middle_of_a_transaction_is_asked_again(
    location: Location, store: Store, recorder: Recorder
) -> None:
    cut = cut_once_after(location, "INSERT INTO events", store)
    recorder.record(beat("a", 2))
    assert cut == [1]
    assert versions(store) == [1, 2]


def test_a_server_restarted_in_the_middle_of_a_transaction_is_asked_again(
    server: PostgresServer, store: Store, recorder: Recorder
) -> None:
    done = do_once_after("UPDATE paper_sessions", store, lambda: server.restart(signal.SIGQUIT))
    recorder.record(beat("a", 2))
    assert done == [1]
    assert versions(store) == [1, 2]


def cut_once_after(location: Location, words: str, store: Store) -> list[int]:
    """Cut every connection once, right after a statement that begins with these words."""
    return do_once_after(words, store, lambda: cut_others(location))


def do_once_after(words: str, store: Store, action: Any) -> list[int]:
    done: list[int] = []

    def after(*arguments: Any) -> None:
        if arguments[2].startswith(words) and not done:
            done.append(1)
            action()

    sa.event.listen(store._engine, "after_cursor_execute", after)
    return done


@pytest.mark.parametrize("batch", [False, True], ids=["one event", "a batch"])
def test_an_answer_lost_after_the_commit_does_not_record_twice(
    store: Store, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, batch: bool
) -> None:
    lose_one_answer(store, monkeypatch)
    if batch:
        record_all(recorder, [beat("a", 2), beat("a", 3)])
    else:
        recorder.record(beat("a", 2))
        recorder.record(beat("a", 3))
    assert versions(store) == [1, 2, 3]


def lose_one_answer(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commit for real, then fail as a connection does that breaks before the answer."""
    real = psycopg.Connection.commit
    lost: list[int] = []

    def commit(connection: psycopg.Connection[Any]) -> None:
        real(connection)
        if not lost:
            lost.append(1)
            connection.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(psycopg.Connection, "commit", commit)


def test_births_whose_answer_was_lost_are_not_recorded_twice(
    store: Store, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_one_answer(store, monkeypatch)
    assert recorder.record_births([birth("b"), birth("c")]) == ["b", "c"]
    with store.read() as connection:
        assert log.read_head(connection).sequence == 3


def test_annotations_whose_answer_was_lost_are_told_as_recorded(
    store: Store, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = [entry("a", 2, Vanished(folder="a")), entry("a", 3, Found(folder="a"))]
    lose_one_answer(store, monkeypatch)
    assert recorder.record_annotations(noted) == noted
    assert versions(store) == [1, 2, 3]


@pytest.mark.parametrize("state", ["40001", "40P01", "57P01"])
def test_a_transaction_refused_in_the_middle_is_asked_again(
    location: Location, store: Store, recorder: Recorder, state: str
) -> None:
    plain_client(
        location,
        f"""
        CREATE SEQUENCE refusals;
        CREATE FUNCTION refuse_twice() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          IF nextval('refusals') <= 2 THEN RAISE EXCEPTION 'refused for the drill' USING ERRCODE = '{state}'; END IF;
          RETURN NEW; END $$;
        CREATE TRIGGER refuse_twice BEFORE UPDATE ON paper_sessions
          FOR EACH ROW EXECUTE FUNCTION refuse_twice();
        """,
    )
    recorder.record(beat("a", 2))
    assert versions(store) == [1, 2]


def test_a_cycle_of_locks_ends_with_both_recorded(
    location: Location, store: Store, recorder: Recorder
) -> None:
    recorder.record(birth("b"))
    held, go = threading.Event(), threading.Event()

    def other_client() -> None:
        with psycopg.connect(plain(location.url or "")) as connection:
            connection.execute("UPDATE paper_sessions SET pid = 8 WHERE session_id = 'a'")
            held.set()
            go.wait()
            connection.execute("SELECT 1 FROM ledger_head FOR UPDATE")

    client = threading.Thread(target=run_quietly, args=(other_client,))
    client.start()
    held.wait()
    go_soon = threading.Timer(0.3, go.set)
    go_soon.start()
    recorder.record(beat("a", 2))
    client.join()
    go_soon.join()
    with store.read() as connection:
        assert [one.session_version for one in log.read_events(connection, "a")] == [1, 2]


def run_quietly(work: Any) -> None:
    """Run a client that the server may choose as the deadlock's victim."""
    try:
        work()
    except psycopg.errors.DeadlockDetected:
        return


def test_a_server_that_stays_away_ends_in_an_error_that_says_what_to_do(
    server: PostgresServer, store: Store, recorder: Recorder
) -> None:
    server.stop()
    store.patience_seconds = 0.5
    began = time.monotonic()
    with pytest.raises(LedgerError, match="not known") as failure:
        recorder.record(beat("a", 2))
    assert time.monotonic() - began < PATIENCE_SECONDS / 2
    assert re.search(r"It was asked for \d+ s", str(failure.value))
    shown = "".join(traceback.format_exception(failure.value))
    assert PASSWORD not in shown
    assert "p%40ss" not in shown


def test_a_server_that_freezes_is_waited_for_with_a_word_and_goes_on(
    frozen: PostgresServer, store: Store, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    thawing = threading.Thread(target=thaw_once_told, args=(frozen, caplog))
    thawing.start()
    recorder.record(beat("a", 2))
    thawing.join()
    assert versions(store) == [1, 2]
    assert [record.message.count("has not answered for 5 s") for record in caplog.records] == [1]


def thaw_once_told(frozen: PostgresServer, caplog: pytest.LogCaptureFixture) -> None:
    until(lambda: bool(caplog.records), "the operator is told")
    frozen.thaw()


def test_a_server_that_stays_frozen_is_left_when_the_patience_ends(
    frozen: PostgresServer, store: Store, recorder: Recorder
) -> None:
    store.patience_seconds = 1.5
    began = time.monotonic()
    with pytest.raises(LedgerGoneError, match=r"no answer.*It was asked for \d+ s"):
        recorder.record(beat("a", 2))
    assert time.monotonic() - began < PATIENCE_SECONDS / 2
    frozen.thaw()
    assert versions(store) in ([1], [1, 2])


def test_a_frozen_server_is_left_soon_once_somebody_asks_to_stop(
    frozen: PostgresServer, store: Store, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "LAST_SECONDS", 0.5)
    store.waiting.asked_to_stop = lambda: True
    began = time.monotonic()
    with pytest.raises(LedgerGoneError, match="no answer"):
        recorder.record(beat("a", 2))
    assert time.monotonic() - began < store.patience_seconds / 2


def test_a_question_of_a_session_that_shall_stop_leaves_a_frozen_server_soon(
    frozen: PostgresServer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "LAST_SECONDS", 0.5)
    store.waiting.asked_to_stop = lambda: True
    began = time.monotonic()
    with pytest.raises(LedgerAwayError):
        versions(store)
    assert time.monotonic() - began < 30


def test_ctrl_c_is_heard_while_a_session_waits_for_a_frozen_server(
    server: PostgresServer, location: Location, tmp_path: Path
) -> None:
    session = started(tmp_path, *PAPER, *PACED, QUANTLAB_LEDGER=location.url or "")
    until(lambda: stage_of(tmp_path) == "simulating", "the session simulates")
    server.freeze()
    assert session.stderr is not None
    assert next(line for line in session.stderr if line.startswith("WARNING:"))
    session.send_signal(signal.SIGINT)
    asked = time.monotonic()
    done = ended(session)
    server.thaw()
    assert time.monotonic() - asked < 30
    (error,) = done.err.splitlines()
    assert (done.code, error[:6]) == (1, "ERROR:")
    (close,) = re.findall(r"quantlab (paper-sessions abort .+) --ledger URL --reason TEXT", error)
    closed = ran(tmp_path, *close.split(), "--ledger", location.url or "", "--reason", "frozen")
    assert (closed.code, closed.err) == (0, "")
    assert status_of(tmp_path) == "aborted"


def test_a_question_to_a_frozen_server_ends(
    frozen: PostgresServer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "STATEMENT_SECONDS", 1.0)
    with pytest.raises(LedgerAwayError, match="can't be reached"):
        versions(store)


def test_writers_outlive_a_crash_of_the_server(
    server: PostgresServer, location: Location, store: Store
) -> None:
    shared = Location(root=Path(), file=None, url=location.url)
    writers = [start_writer(shared, f"s{n}", 60) for n in range(3)]
    all_at_work = "SELECT 1 FROM events HAVING count(DISTINCT session_id) = 3 AND max(sequence) > 20"
    while not plain_client(location, all_at_work):
        time.sleep(0.05)
    server.restart(signal.SIGQUIT)
    for writer in writers:
        said = writer.communicate(timeout=120)
        assert writer.returncode == 0, said
    with store.read() as connection:
        assert log.read_head(connection).sequence == 3 * 61
        assert list(projection.differences(connection)) == []
