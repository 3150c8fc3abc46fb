"""The flow from a command line to files and ledger, as contract 3 has it, field by field."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
import sqlite3
from typing import TYPE_CHECKING

import flow_program as program
import pytest
from flow_program import PAPER, SYNTHETIC, UTC_TIME, document, said, session_of

from quantlab.events import Recorded, Started
from quantlab.sessions import closing
from quantlab.store import engine

if TYPE_CHECKING:
    from pathlib import Path

    from quantlab.ledger import Entry
    from quantlab.lifecycle import Row

PROMISED = (
    "session_metadata.json", "metadata.json", "session_status.json", "config.json", "metrics.json",
    "report.json", "run_report.md", "trades.csv", "artifacts/equity.png", "artifacts/prices.csv",
)  # fmt: skip
STAGES = ["prices_loaded", "simulating", "simulated", "reported"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("flow")
    done = said(where, *PAPER, "--report", "--request-id", "req_7", "--signal-file", "logs/signals.jsonl")
    assert done.code == 0, done.err
    return where


@pytest.fixture(scope="module")
def session(folder: Path) -> Path:
    return session_of(folder)


@pytest.mark.parametrize("name", PROMISED)
def test_a_session_leaves(session: Path, name: str) -> None:
    assert (session / name).stat().st_size > 0


def test_the_id_is_time_and_hash(session: Path) -> None:
    assert re.fullmatch(r"\d{8}_\d{6}_paper_[0-9a-f]{12}", session.name)


def test_metadata_has_the_contracts_fields(session: Path) -> None:
    metadata = document(session / "session_metadata.json")
    assert list(metadata)[:13] == [
        "session_id", "run_id", "mode", "command", "status", "created_at", "git_commit", "python_executable",
        "python_version", "config_path", "config_hash", "request_id", "code_version",
    ]  # fmt: skip
    assert metadata["session_id"] == metadata["run_id"] == session.name
    assert (metadata["mode"], metadata["command"], metadata["status"]) == ("paper", "paper", "success")
    assert (metadata["config_path"], metadata["request_id"]) == ("inline_cli", "req_7")
    assert re.fullmatch(r"[0-9a-f]{64}", metadata["config_hash"])
    assert metadata["summary"] == document(session / "metrics.json")["summary"]


def test_metadata_names_the_prices_by_their_hash(session: Path) -> None:
    data = document(session / "session_metadata.json")["data"]
    assert data["source"] == "synthetic"
    assert re.fullmatch(r"[0-9a-f]{64}", data["hash"])
    assert (data["asked_start"], data["asked_end"]) == ("2022-01-01", "2023-12-31")


def test_the_older_metadata_is_an_exact_copy(session: Path) -> None:
    assert (session / "metadata.json").read_bytes() == (session / "session_metadata.json").read_bytes()


def test_status_has_the_contracts_fields(session: Path) -> None:
    status = document(session / "session_status.json")
    told = {name: status[name] for name in ("session_id", "mode", "command", "status", "request_id")}
    assert told == {
        "session_id": session.name, "mode": "paper", "command": "paper", "status": "success", "request_id": "req_7",
    }  # fmt: skip
    assert (status["terminal"], status["status_reason"]) == (True, "completed")
    assert isinstance(status["duration_seconds"], float)
    assert status["duration_seconds"] > 0
    assert not {"error_type", "message"} & status.keys()


def test_times_have_an_offset(session: Path) -> None:
    status = document(session / "session_status.json")
    times = [status[name] for name in ("started_at", "updated_at", "finished_at")]
    times.append(document(session / "session_metadata.json")["created_at"])
    assert all(UTC_TIME.fullmatch(one) for one in times)


def test_config_is_what_is_computed_and_nothing_else(session: Path) -> None:
    assert document(session / "config.json") == {
        "ticker": "ETH-USD", "start": "2022-01-01", "end": "2023-12-31", "interval": "1d", "fee": 0.002,
        "rsi_buy_max": 60.0, "rsi_sell_min": 75.0, "cooldown_days": 0, "paper": True, "initial_cash": 1000.0,
        "slippage_bps": 8.0, "slippage_mode": "fixed", "k_atr": 0.05, "prices": "synthetic", "fill": "next_open",
    }  # fmt: skip


def test_metrics_have_the_contracts_fields(session: Path) -> None:
    metrics = document(session / "metrics.json")
    assert (metrics["mode"], metrics["command"], metrics["status"]) == ("paper", "paper", "success")
    assert metrics["leaderboard_size"] == 1
    assert set(metrics["summary"]) == {"total_return", "sharpe_simple", "max_drawdown", "trades", "win_rate"}
    more = {
        "days",
        "trade_trades",
        "win_rate_trades",
        "profit_factor",
        "expectancy_net",
        "avg_holding_days",
        "exposure",
    }
    assert set(metrics["best_result"]) >= set(metrics["summary"]) | more
    assert metrics["summary"]["trades"] > 0
    assert -1 < metrics["summary"]["max_drawdown"] < 0


def test_the_report_has_the_contracts_fields(session: Path) -> None:
    report = document(session / "report.json")
    assert (report["schema_version"], report["artifact_type"]) == ("1.0", "quantlab_run_report")
    assert list(report["header"]) == [
        "run_id", "mode", "created_at", "git_commit", "python_version", "config_path", "config_hash", "request_id",
    ]  # fmt: skip
    assert report["config_resolved"] == document(session / "config.json")
    assert report["summary"] == document(session / "metrics.json")["summary"]
    assert report["results"] == [document(session / "metrics.json")["best_result"]]


def test_the_machine_contract_is_a_paper_result(session: Path) -> None:
    contract = document(session / "report.json")["machine_contract"]
    assert (contract["schema_version"], contract["contract_type"]) == ("1.0", "quantlab.paper.result")
    assert (contract["mode"], contract["command"], contract["status"]) == ("paper", "paper", "success")
    assert (contract["request_id"], contract["run_id"]) == ("req_7", session.name)
    assert contract["artifacts"] == {
        "metadata": "session_metadata.json", "status": "session_status.json", "config": "config.json",
        "metrics": "metrics.json", "report": "report.json", "trades": "trades.csv",
    }  # fmt: skip


def test_the_report_lists_true_sizes(session: Path) -> None:
    listed = {one["file_name"]: one["size_bytes"] for one in document(session / "report.json")["artifacts"]}
    assert {"trades.csv", "run_report.md", "artifacts/equity.png", "artifacts/prices.csv"} <= listed.keys()
    assert listed == {name: (session / name).stat().st_size for name in listed}


def test_trades_are_one_row_a_fill(session: Path) -> None:
    rows = list(csv.DictReader(io.StringIO((session / "trades.csv").read_text())))
    assert list(rows[0]) == [
        "timestamp", "side", "close", "exec_price", "qty", "fee", "equity_after", "slippage", "reason",
        "signal_timestamp", "cash_after", "position_after",
    ]  # fmt: skip
    assert {row["side"] for row in rows} == {"BUY", "SELL"} or {row["side"] for row in rows} == {
        "buy",
        "sell",
    }
    assert all(float(row["qty"]) > 0 for row in rows)
    assert all(row["signal_timestamp"] < row["timestamp"] for row in rows)


def test_the_ledger_holds_the_life_of_the_session(folder: Path) -> None:
    kinds = program.kinds_of(folder)
    assert kinds[0] == "started"
    assert kinds[-1] == "succeeded"
    assert set(kinds[1:-1]) == {"heartbeat"}


def test_there_is_a_heartbeat_at_each_stage(folder: Path) -> None:
    stages = [
        json.loads(payload)["stage"] for kind, payload in program.events_of(folder) if kind == "heartbeat"
    ]
    assert [stage for stage in stages if stage != "simulating"] == [
        one for one in STAGES if one != "simulating"
    ]


def test_the_index_shows_the_session(folder: Path, session: Path) -> None:
    (row,) = document(program.root_of(folder) / "paper_sessions_index.json")["sessions"]
    assert (row["session_id"], row["status"], row["report_contract_type"]) == (
        session.name, "success", "quantlab.paper.result",
    )  # fmt: skip


def test_a_session_writes_nothing_under_runs(folder: Path) -> None:
    assert [one.name for one in (folder / "outputs").iterdir()] == ["paper_sessions"]


def test_nothing_is_left_aside(folder: Path) -> None:
    assert list(folder.rglob("*.tmp")) == []


def test_signals_tell_start_and_end(folder: Path, session: Path) -> None:
    first, last = program.signals_in(folder / "logs" / "signals.jsonl")
    assert (first["event"], first["status"]) == ("SESSION_STARTED", "running")
    assert (last["event"], last["status"], last["run_id"]) == ("SESSION_COMPLETED", "success", session.name)
    assert last["artifacts_path"] == str(session)
    assert last["report_path"] == str(session / "report.json")
    assert last["summary"] == document(session / "metrics.json")["summary"]


def test_a_paced_session_gives_the_same_digest_and_beats_while_bars_go_by(
    session: Path, tmp_path: Path
) -> None:
    done = said(tmp_path, *PAPER, "--pace", "0.0001", "--heartbeat-seconds", "0.05")
    assert done.code == 0, done.err
    assert digest(session_of(tmp_path)) == digest(session)
    stages = [json.loads(text)["stage"] for kind, text in program.events_of(tmp_path) if kind == "heartbeat"]
    assert stages.count("simulating") >= 2
    assert list(dict.fromkeys(stages)) == STAGES


def test_a_session_whose_start_cannot_be_recorded_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert said(tmp_path, *PAPER).code == 0
    before = program.sessions_of(tmp_path)
    monkeypatch.setattr(engine, "PRAGMAS", ("PRAGMA busy_timeout = 50",))
    with contextlib.closing(sqlite3.connect(program.root_of(tmp_path) / "ledger.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        done = said(tmp_path, *PAPER)
    assert done.code == 1
    assert "another process holds it" in done.error
    assert program.sessions_of(tmp_path) == before


def test_the_reproduce_command_reproduces_a_synthetic_session(tmp_path: Path) -> None:
    assert said(tmp_path, *PAPER, "--initial_cash", "2500", "--cooldown_days", "2").code == 0
    (first,) = program.sessions_of(tmp_path)
    command = document(first / "report.json")["reproduce"]["command"]
    again = program.in_shell(tmp_path, command)
    assert again.code == 0, again.err
    first, second = sorted(program.sessions_of(tmp_path), key=lambda one: one.stat().st_mtime)
    assert digest(first) == digest(second)


def test_the_reproduce_command_reproduces_a_session_on_a_file_in_another_outdir(
    session: Path, tmp_path: Path
) -> None:
    prices = tmp_path / "the prices.csv"
    prices.write_bytes((session / "artifacts" / "prices.csv").read_bytes())
    words = (
        "--ticker",
        "ETH-USD",
        "--start",
        "2022-01-01",
        "--end",
        "2023-12-31",
        "--paper",
        "--prices",
        str(prices),
    )
    assert said(tmp_path, *words, "--outdir", "my out").code == 0
    root = tmp_path / "my out" / "paper_sessions"
    (first,) = (one for one in root.iterdir() if one.is_dir())
    prices.unlink()
    again = program.in_shell(tmp_path, document(first / "report.json")["reproduce"]["command"])
    assert again.code == 0, again.err
    digests = {digest(one) for one in root.iterdir() if one.is_dir()}
    assert len([one for one in root.iterdir() if one.is_dir()]) == 2
    assert len(digests) == 1


def test_launches_in_one_second_have_ids_of_their_own(tmp_path: Path) -> None:
    processes = [program.started(tmp_path, *PAPER) for _ in range(3)]
    ends = [program.ended(process) for process in processes]
    assert [end.code for end in ends] == [0, 0, 0], [end.err for end in ends]
    assert len(program.sessions_of(tmp_path)) == 3
    index = document(program.root_of(tmp_path) / "paper_sessions_index.json")
    assert [row["status"] for row in index["sessions"]] == ["success"] * 3


def test_trades_of_a_session_without_any_are_the_header_alone(tmp_path: Path) -> None:
    assert said(tmp_path, *PAPER, "--rsi_buy_max", "0").code == 0
    lines = (session_of(tmp_path) / "trades.csv").read_text().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("timestamp,side,close,exec_price,qty,fee,equity_after,slippage,reason")


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
    from quantlab.errors import StrategyError
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
    from quantlab.errors import LedgerError
    from quantlab.sessions.recorder import Recorder

    real = Recorder.record

    def full(recorder: Recorder, entry: Entry) -> tuple[Recorded, Row]:
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
    monkeypatch.setattr(closing, "is_alive", lambda *_: False)
    monkeypatch.setattr(Replay, "advance", closed)
    done = said(tmp_path, *PAPER, "--signal-file", "signals.jsonl")
    assert done.code == 1
    assert [one.code for one in closings] == [0], closings[0].err
    assert "has ended" in done.error
    assert program.kinds_of(tmp_path)[-1] == "aborted"
    assert "a drill" in document(session_of(tmp_path) / "session_status.json")["message"]
    assert program.signals_in(tmp_path / "signals.jsonl")[-1]["event"] == "SESSION_FAILED"


def test_a_ledger_elsewhere_holds_the_session(tmp_path: Path) -> None:
    done = said(tmp_path, *PAPER, "--ledger", f"sqlite:///{tmp_path}/elsewhere.db")
    assert done.code == 0, done.err
    assert (tmp_path / "elsewhere.db").exists()
    assert not (program.root_of(tmp_path) / "ledger.db").exists()


def test_a_ledger_that_is_none_leaves_no_session_folder(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no ledger")
    done = said(tmp_path, *PAPER, "--ledger", f"sqlite:///{tmp_path}/notes.txt")
    assert done.code == 1
    assert "notes.txt is damaged" in done.error
    assert program.sessions_of(tmp_path) == []


def test_a_price_plot_is_drawn_where_it_is_asked_for(tmp_path: Path) -> None:
    assert said(tmp_path, *PAPER, "--save_price_plot").code == 0
    assert (session_of(tmp_path) / "artifacts" / "price.png").exists()


def test_the_report_flag_names_the_report(tmp_path: Path) -> None:
    done = said(tmp_path, "--report", *SYNTHETIC, "--paper")
    assert done.code == 0
    assert str(session_of(tmp_path).relative_to(tmp_path) / "run_report.md") in done.out


def digest(session: Path) -> str:
    return str(document(session / "metrics.json")["result_digest"])


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
