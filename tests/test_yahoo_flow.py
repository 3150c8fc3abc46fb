"""The whole program, unmodified, against a loopback server that speaks Yahoo's protocol."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from support import flow_program as program
from support.flow_program import document, session_of
from support.loopback_proxy import proxied
from support.yahoo_server import YahooServer, closed_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WORDS = ("--ticker", "ETH-USD", "--start", "2022-01-01", "--end", "2023-12-31", "--paper", "--report")


@pytest.fixture
def yahoo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[YahooServer]:
    with YahooServer(tmp_path_factory.mktemp("yahoo")) as server:
        yield server


def test_the_runbooks_command_runs_on_yahoos_prices(tmp_path: Path, yahoo: YahooServer) -> None:
    done = program.ran(tmp_path, *WORDS, **yahoo.environment)
    assert (done.code, done.err) == (0, "")
    data = document(session_of(tmp_path) / "session_metadata.json")["data"]
    assert data["source"] == "yahoo"
    assert yahoo.chart_requests
    digest = document(session_of(tmp_path) / "metrics.json")["result_digest"]

    asked = len(yahoo.requests)
    command = document(session_of(tmp_path) / "report.json")["reproduce"]["command"]
    again = program.in_shell(tmp_path, command)
    assert again.code == 0, again.err
    digests = {document(one / "metrics.json")["result_digest"] for one in program.sessions_of(tmp_path)}
    assert digests == {digest}
    assert len(program.sessions_of(tmp_path)) == 2
    assert len(yahoo.requests) == asked


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        ("unknown_ticker", "ETH-USD"),
        ("half", "ETH-USD"),
        ("negative", "ETH-USD"),
        ("wrong_shape", "Yahoo"),
    ],
)
def test_bad_prices_fail_the_session_and_name_the_cause(
    tmp_path: Path, yahoo: YahooServer, answer: str, cause: str
) -> None:
    yahoo.answer = answer
    assert_fails(tmp_path, cause, yahoo.environment)


def test_no_network_fails_the_session_after_some_attempts(tmp_path: Path) -> None:
    assert_fails(tmp_path, "4 attempts", proxied(closed_port()))


def test_a_limit_of_requests_fails_the_session_with_advice(tmp_path: Path, yahoo: YahooServer) -> None:
    yahoo.answer = "rate_limited"
    assert_fails(tmp_path, "attempts", yahoo.environment)


def test_a_failure_that_passes_is_tried_again(tmp_path: Path, yahoo: YahooServer) -> None:
    yahoo.script = ["server_error"]
    done = program.ran(tmp_path, *WORDS, **yahoo.environment)
    assert done.code == 0, done.err
    assert "Trying again" in done.err


def test_a_signal_while_yahoo_keeps_silent_aborts_the_session(tmp_path: Path, yahoo: YahooServer) -> None:
    yahoo.answer, yahoo.hang_seconds = "hang", 15.0
    process = program.started(tmp_path, *WORDS, **yahoo.environment)
    try:
        program.until(lambda: bool(yahoo.chart_requests), "a request reaches the server")
        process.send_signal(signal.SIGINT)
        done = program.ended(process)
    finally:
        process.kill()
    assert done.code == 1
    assert "it is recorded as aborted" in done.err
    assert program.status_of(tmp_path) == "aborted"


def assert_fails(folder: Path, cause: str, variables: dict[str, str]) -> None:
    done = program.ran(folder, *WORDS, **variables)
    assert done.code == 3
    last = done.err.splitlines()[-1]
    assert last.startswith("ERROR: ")
    assert cause in last
    assert all(line.startswith("ERROR: ") or "Trying again" in line for line in done.err.splitlines())
    status = document(session_of(folder) / "session_status.json")
    assert (status["status"], status["error_type"]) == ("failed", "DataError")
    assert f"ERROR: {status['message']}" == last
