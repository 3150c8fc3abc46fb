"""Signals at every stage, to real processes and to sessions in this one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from support import flow_program as program
from support.flow_program import document, said, session_of

from quantlab.sessions import abort
from quantlab.sessions.paper import PaperSession

if not hasattr(signal, "SIGHUP"):
    pytest.skip("these signals are POSIX's", allow_module_level=True)

if TYPE_CHECKING:
    from pathlib import Path

    from quantlab.domain.events import Event
    from quantlab.domain.session import Session

HALF_A_YEAR = ("--start", "2022-01-01", "--end", "2022-07-01", "--prices", "synthetic", "--paper")
SLOWLY = ("--pace", "0.2", "--heartbeat-seconds", "0.05", "--signal-file", "signals.jsonl")
STAGES = ("prices_loaded", "simulating", "simulated", "reported")


def assert_aborted(folder: Path, name: str) -> None:
    """Status file, metadata, ledger, index and signals tell the same end."""
    session = session_of(folder)
    status = document(session / "session_status.json")
    assert (status["status"], status["terminal"], status["status_reason"]) == (
        "aborted",
        True,
        "operator_abort",
    )
    assert name in status["message"]
    assert status["error_type"]
    assert document(session / "session_metadata.json")["status"] == "aborted"
    assert document(session / "config.json")["paper"] is True
    assert program.kinds_of(folder)[-1] == "aborted"
    (row,) = document(program.root_of(folder) / "paper_sessions_index.json")["sessions"]
    assert row["status"] == "aborted"
    last = program.signals_in(folder / "signals.jsonl")[-1]
    assert (last["event"], last["status"], last["exit_code"]) == ("SESSION_FAILED", "error", 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_bars_go_by_aborts_the_session(tmp_path: Path, number: signal.Signals) -> None:
    with program.running(tmp_path, *HALF_A_YEAR, *SLOWLY) as process:
        program.until(lambda: program.stage_of(tmp_path) == "simulating", "bars go by")
        process.send_signal(number)
        done = program.ended(process)
    assert done.code == 1
    assert f"was stopped by {number.name}; it is recorded as aborted." in done.err.splitlines()[-1]
    assert "Traceback" not in done.err
    assert_aborted(tmp_path, number.name)


@pytest.mark.parametrize("stage", STAGES)
def test_a_signal_at_a_stage_aborts_the_session(
    tmp_path: Path, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = PaperSession.reach

    def signalled(paper: PaperSession, name: str, **facts: Any) -> None:
        if name == stage:
            os.kill(os.getpid(), signal.SIGTERM)
        real(paper, name, **facts)

    monkeypatch.setattr(PaperSession, "reach", signalled)
    words = ("--pace", "0.00001", "--heartbeat-seconds", "0.0001", "--signal-file", "signals.jsonl")
    done = said(tmp_path, *HALF_A_YEAR, *words)
    assert done.code == 1
    assert_aborted(tmp_path, "SIGTERM")


def test_a_signal_while_the_start_is_recorded_aborts_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = PaperSession._write_documents

    def signalled(paper: PaperSession, session: Session, last: Event) -> bool:
        if session.last_version == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return real(paper, session, last)

    monkeypatch.setattr(PaperSession, "_write_documents", signalled)
    assert said(tmp_path, *HALF_A_YEAR, "--signal-file", "signals.jsonl").code == 1
    assert_aborted(tmp_path, "SIGINT")


def test_a_signal_before_the_start_leaves_no_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from quantlab.sessions import launch

    def signalled(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(launch, "open_root_store", lambda *_, **__: signalled())
    done = said(tmp_path, *HALF_A_YEAR)
    assert done.code == 1
    assert "Interrupted" in done.err
    assert program.sessions_of(tmp_path) == []


def test_a_signal_while_the_success_is_recorded_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = PaperSession.succeed

    def signalled(paper: PaperSession, event: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        real(paper, event)

    monkeypatch.setattr(PaperSession, "succeed", signalled)
    done = said(tmp_path, *HALF_A_YEAR, "--signal-file", "signals.jsonl")
    assert (done.code, done.err) == (0, "")
    assert program.status_of(tmp_path) == "success"
    assert program.signals_in(tmp_path / "signals.jsonl")[-1]["event"] == "SESSION_COMPLETED"


def test_a_second_signal_does_not_cut_the_first_ones_recording_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = PaperSession.abort

    def signalled(paper: PaperSession, name: str) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        real(paper, name)

    monkeypatch.setattr(PaperSession, "abort", signalled)
    stage = PaperSession.reach

    def first(paper: PaperSession, name: str, **facts: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        stage(paper, name, **facts)

    monkeypatch.setattr(PaperSession, "reach", first)
    assert said(tmp_path, *HALF_A_YEAR, "--signal-file", "signals.jsonl").code == 1
    assert_aborted(tmp_path, "SIGINT")


def test_a_session_that_was_closed_and_is_stopped_too_hears_that_it_was_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = PaperSession.reach

    def closed_and_stopped(paper: PaperSession, name: str, **facts: Any) -> None:
        if name == "simulated":
            words = ("paper-sessions", "abort", str(session_of(tmp_path)), "--reason", "seen as dead")
            assert said(tmp_path, *words).code == 0
            os.kill(os.getpid(), signal.SIGTERM)
        real(paper, name, **facts)

    monkeypatch.setattr(abort, "is_alive", lambda *_: False)
    monkeypatch.setattr(PaperSession, "reach", closed_and_stopped)
    done = said(tmp_path, *HALF_A_YEAR)
    assert done.code == 1
    assert "has ended" in done.error
    assert program.kinds_of(tmp_path).count("aborted") == 1
    assert "seen as dead" in document(session_of(tmp_path) / "session_status.json")["message"]


def test_a_hangup_that_was_ignored_stays_ignored(tmp_path: Path) -> None:
    words = [sys.executable, str(program.MAIN), *HALF_A_YEAR, *SLOWLY]
    nohup = ["nohup", *words]
    with subprocess.Popen(
        nohup,
        cwd=tmp_path,
        env=program.environment(tmp_path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        program.until(lambda: program.stage_of(tmp_path) == "simulating", "bars go by")
        process.send_signal(signal.SIGHUP)
        beats = len(program.kinds_of(tmp_path))
        program.until(lambda: len(program.kinds_of(tmp_path)) > beats + 2, "heartbeats after the hangup")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=program.WAIT_SECONDS)
    assert_aborted(tmp_path, "SIGTERM")


def test_a_kill_leaves_a_session_that_says_running(tmp_path: Path) -> None:
    with program.running(tmp_path, *HALF_A_YEAR, *SLOWLY) as process:
        program.until(lambda: program.stage_of(tmp_path) == "simulating", "bars go by")
        process.kill()
        program.ended(process)
    assert program.status_of(tmp_path) == "running"
    assert set(program.kinds_of(tmp_path)) == {"started", "heartbeat"}
    closed = said(tmp_path, "--paper-sessions-abort", str(session_of(tmp_path)), "--reason", "it was killed")
    assert closed.code == 0, closed.err
    assert program.status_of(tmp_path) == "aborted"


def test_a_process_whose_session_was_closed_stops_at_its_next_append(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(abort, "is_alive", lambda *_: False)
    with program.running(tmp_path, *HALF_A_YEAR, *SLOWLY) as process:
        program.until(lambda: program.stage_of(tmp_path) == "simulating", "bars go by")
        closed = said(
            tmp_path, "--paper-sessions-abort", str(session_of(tmp_path)), "--reason", "seen as dead"
        )
        assert closed.code == 0, closed.err
        done = program.ended(process)
    assert done.code == 1
    assert done.err.splitlines()[-1].startswith("ERROR: ")
    assert "has ended" in done.err.splitlines()[-1]
    assert program.kinds_of(tmp_path).count("aborted") == 1
    assert "seen as dead" in document(session_of(tmp_path) / "session_status.json")["message"]


def test_status_follows_the_bars(tmp_path: Path) -> None:
    with program.running(tmp_path, *HALF_A_YEAR, *SLOWLY):
        program.until(lambda: program.stage_of(tmp_path) == "simulating", "bars go by")
        status = document(session_of(tmp_path) / "session_status.json")
    assert (status["status"], status["terminal"], status["status_reason"]) == ("running", False, "active")
    assert status["bars_done"] > 0
    assert status["updated_at"] > status["started_at"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_aborts_a_research_run(tmp_path: Path, number: signal.Signals) -> None:
    words = [word for word in HALF_A_YEAR if word != "--paper"]
    runs = tmp_path / "outputs" / "runs"
    with program.running(tmp_path, *words, *SLOWLY) as process:
        program.until(lambda: any(runs.glob("*/artifacts/prices.csv")), "prices are loaded")
        process.send_signal(number)
        done = program.ended(process)
    assert done.code == 1
    assert f"was stopped by {number.name}" in done.err.splitlines()[-1]
    metadata = document(program.run_of(tmp_path) / "metadata.json")
    assert (metadata["status"], metadata["error_type"]) == ("aborted", "SessionAbortedError")
    assert program.signals_in(tmp_path / "signals.jsonl")[-1]["exit_code"] == 1
