"""Sessions that fail: the exit code, and the same failure in every file, the ledger and the signals."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

import pytest
from support import flow_program as program
from support.flow_program import PAPER, SYNTHETIC, document, said, session_of

from quantlab.base.errors import LedgerGoneError
from quantlab.domain.events import Recorded, Started
from quantlab.ledger.recorder import Recorder
from quantlab.ledger.sqlite import holders, writing
from quantlab.sessions import abort

if TYPE_CHECKING:
    from pathlib import Path

    from quantlab.domain.session import Session
    from quantlab.ledger.log import Entry


def test_a_session_whose_start_cannot_be_recorded_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert said(tmp_path, *PAPER).code == 0
    before = program.sessions_of(tmp_path)
    monkeypatch.setattr(holders, "TOLD_AFTER_SECONDS", 0.05)
    monkeypatch.setattr(writing, "BUSY_TIMEOUT_SECONDS", 0.1)
    monkeypatch.setattr("quantlab.ledger.sqlite.writing.BUSY_TIMEOUT_SECONDS", 0.05)
    with contextlib.closing(sqlite3.connect(program.root_of(tmp_path) / "ledger.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        done = said(tmp_path, *PAPER)
    assert done.code == 1
    assert "another process holds it" in done.err
    assert program.sessions_of(tmp_path) == before


def test_a_ledger_that_is_none_leaves_no_session_folder(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no ledger")
    done = said(tmp_path, *PAPER, "--ledger", f"sqlite:///{tmp_path}/notes.txt")
    assert done.code == 1
    assert "notes.txt is damaged" in done.error
    assert program.sessions_of(tmp_path) == []


def test_missing_prices_fail_the_session(tmp_path: Path) -> None:
    done = said(tmp_path, "--paper", "--prices", "nowhere.csv", "--signal-file", "signals.jsonl")
    assert done.code == 3
    assert "nowhere.csv" in done.error
    assert_failed(tmp_path, "DataError", 3)


def test_too_few_bars_fail_the_session_and_say_how_many_came(tmp_path: Path) -> None:
    words = ("--prices", "synthetic", "--paper", "--start", "2023-01-01", "--end", "2023-02-01")
    done = said(tmp_path, *words, "--signal-file", "signals.jsonl")
    assert done.code == 3
    assert "31 bars" in done.error
    assert_failed(tmp_path, "DataError", 3)


def test_a_strategy_that_fails_fails_the_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from quantlab.base.errors import StrategyError
    from quantlab.trading.simulation import Replay

    def broken(replay: Replay, bar: int) -> None:
        raise StrategyError("The strategy divided by zero at bar 7.")

    monkeypatch.setattr(Replay, "advance", broken)
    done = said(tmp_path, *PAPER, "--signal-file", "signals.jsonl")
    assert done.code == 4
    assert_failed(tmp_path, "StrategyError", 4)


def test_a_defect_fails_the_session_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from quantlab.trading.simulation import Replay

    def broken(replay: Replay, bar: int) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Replay, "advance", broken)
    done = said(tmp_path, *PAPER, "--signal-file", "signals.jsonl")
    assert done.code == 1
    assert "Unexpected ZeroDivisionError" in done.error
    assert_failed(tmp_path, "ZeroDivisionError", 1)


def test_a_session_whose_folder_is_deleted_fails_in_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    from quantlab.trading.simulation import Replay

    real = Replay.advance

    def deleting(replay: Replay, bar: int) -> None:
        shutil.rmtree(session_of(tmp_path), ignore_errors=True)
        real(replay, bar)

    monkeypatch.setattr(Replay, "advance", deleting)
    done = said(tmp_path, *PAPER)
    assert done.code == 1
    assert "WARNING" in done.err
    assert program.kinds_of(tmp_path)[-1] == "failed"


def test_a_ledger_that_takes_no_more_leaves_a_running_session_and_says_how_to_close_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from quantlab.base.errors import LedgerError
    from quantlab.ledger.recorder import Recorder

    real = Recorder.record

    def full(recorder: Recorder, entry: Entry) -> tuple[Recorded, Session]:
        if isinstance(entry.event, Started):
            return real(recorder, entry)
        raise LedgerError("The ledger is on a full disk; nothing was recorded.")

    monkeypatch.setattr(Recorder, "record", full)
    done = said(tmp_path, *PAPER)
    assert done.code == 1
    assert "stands as running" in done.error
    assert "quantlab paper-sessions abort" in done.error
    assert program.kinds_of(tmp_path) == ["started"]


def test_a_session_that_its_operator_closed_stops_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from quantlab.trading.simulation import Replay

    real = Replay.advance
    closings = []

    def closed(replay: Replay, bar: int) -> None:
        session = str(session_of(tmp_path))
        closings.append(said(tmp_path, "paper-sessions", "abort", session, "--reason", "a drill"))
        real(replay, bar)

    # To the operator, on another machine, the process looks dead.
    monkeypatch.setattr(abort, "is_alive", lambda *_: False)
    monkeypatch.setattr(Replay, "advance", closed)
    done = said(tmp_path, *PAPER, "--signal-file", "signals.jsonl")
    assert done.code == 1
    assert [one.code for one in closings] == [0], closings[0].err
    assert "has ended" in done.error
    assert program.kinds_of(tmp_path)[-1] == "aborted"
    assert "a drill" in document(session_of(tmp_path) / "session_status.json")["message"]
    assert program.signals_in(tmp_path / "signals.jsonl")[-1]["event"] == "SESSION_FAILED"


def assert_failed(folder: Path, error_type: str, code: int) -> None:
    """Status file, metadata, ledger, index and signals tell the same failure."""
    session = session_of(folder)
    status = document(session / "session_status.json")
    assert (status["status"], status["terminal"], status["status_reason"]) == ("failed", True, "exception")
    assert status["error_type"] == error_type
    assert status["message"]
    assert document(session / "session_metadata.json")["status"] == "failed"
    assert program.kinds_of(folder)[-1] == "failed"
    (row,) = document(program.root_of(folder) / "paper_sessions_index.json")["sessions"]
    assert (row["status"], row["error_type"]) == ("failed", error_type)
    last = program.signals_in(folder / "signals.jsonl")[-1]
    assert (last["event"], last["status"], last["exit_code"], last["error_type"]) == (
        "SESSION_FAILED", "error", code, error_type,
    )  # fmt: skip
    assert last["message"] == status["message"]
    assert not (session / "report.json").exists()


@pytest.mark.parametrize("words", [PAPER, SYNTHETIC], ids=["paper", "run"])
def test_what_cannot_even_begin_is_signalled(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "file").write_text("")
    done = said(tmp_path, *words, "--outdir", "file", "--signal-file", "signals.jsonl")
    (line,) = program.signals_in(tmp_path / "signals.jsonl")
    assert (done.code, line["event"], line["exit_code"]) == (2, "SESSION_FAILED", 2)
    assert (line["error_type"], line["message"]) == ("ConfigError", done.error)


def test_a_ledger_that_cannot_be_opened_or_written_is_signalled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notes.txt").write_text("no ledger")
    signalled = (*PAPER, "--signal-file", "signals.jsonl")
    assert said(tmp_path, *signalled, "--ledger", f"sqlite:///{tmp_path}/notes.txt").code == 1
    monkeypatch.setattr(holders, "TOLD_AFTER_SECONDS", 0.05)
    monkeypatch.setattr(writing, "BUSY_TIMEOUT_SECONDS", 0.1)
    assert said(tmp_path, *PAPER).code == 0
    with contextlib.closing(sqlite3.connect(program.root_of(tmp_path) / "ledger.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        assert said(tmp_path, *signalled).code == 1
    lines = program.signals_in(tmp_path / "signals.jsonl")
    assert [line["error_type"] for line in lines] == ["LedgerDamagedError", "LedgerBusyError"]


def test_a_server_that_stayed_away_is_not_asked_once_more_for_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Recorder.record
    asked: list[str] = []

    def record(recorder: Recorder, entry: Entry) -> tuple[Recorded, Session]:
        asked.append(type(entry.event).__name__)
        if len(asked) > 1:
            raise LedgerGoneError("The server is away.")
        return real(recorder, entry)

    monkeypatch.setattr(Recorder, "record", record)
    done = said(tmp_path, *PAPER, "--signal-file", "signals.jsonl")
    assert (done.code, asked) == (1, ["Started", "Heartbeat"])
    assert program.kinds_of(tmp_path) == ["started"]
    assert program.signals_in(tmp_path / "signals.jsonl")[-1]["error_type"] == "LedgerGoneError"


def test_a_defect_before_the_start_is_told_as_one_and_signals_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("quantlab.sessions.launch.new_folder", break_down)
    done = said(tmp_path, *PAPER, "--signal-file", "signals.jsonl")
    assert (done.code, "This is a defect of quantlab" in done.error) == (1, True)
    assert not (tmp_path / "signals.jsonl").exists()
