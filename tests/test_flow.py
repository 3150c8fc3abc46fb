"""The flow from a command line to files and ledger, as contract 3 has it, field by field."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import TYPE_CHECKING

import pytest
from support import flow_program as program
from support.flow_program import PAPER, STAGES, SYNTHETIC, UTC_TIME, document, said, session_of

from quantlab.domain.documents import documents
from quantlab.ledger.location import locate
from quantlab.ledger.log import read_events
from quantlab.ledger.store import open_store

if TYPE_CHECKING:
    from pathlib import Path


PROMISED = (
    "session_metadata.json", "metadata.json", "session_status.json", "config.json", "metrics.json",
    "report.json", "run_report.md", "trades.csv", "artifacts/equity.png", "artifacts/prices.csv",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("flow")
    program.reported_session(where)
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
        "signal_timestamp", "cash_after", "position_after", "participation",
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


def test_a_session_of_many_heartbeats_folds_none_of_its_events_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folded: list[object] = []
    monkeypatch.setattr("quantlab.domain.lifecycle.fold", folded.append)
    assert said(tmp_path, *PAPER, "--pace", "0.0001", "--heartbeat-seconds", "0.000001").code == 0
    monkeypatch.undo()
    session = session_of(tmp_path)
    with open_store(locate(session.parent, None)) as store, store.read() as connection:
        recorded = read_events(connection, session.name)
    assert (len(recorded) > 100, folded) == (True, [])
    made = documents(recorded)
    assert {name: (session / name).read_bytes() for name in made} == made


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


def test_trades_of_a_session_without_any_are_the_header_alone(tmp_path: Path) -> None:
    assert said(tmp_path, *PAPER, "--rsi_buy_max", "0").code == 0
    lines = (session_of(tmp_path) / "trades.csv").read_text().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("timestamp,side,close,exec_price,qty,fee,equity_after,slippage,reason")


def test_a_ledger_elsewhere_holds_the_session(tmp_path: Path) -> None:
    done = said(tmp_path, *PAPER, "--ledger", f"sqlite:///{tmp_path}/elsewhere.db")
    assert done.code == 0, done.err
    assert (tmp_path / "elsewhere.db").exists()
    assert not (program.root_of(tmp_path) / "ledger.db").exists()


def test_a_price_plot_is_drawn_where_it_is_asked_for(tmp_path: Path) -> None:
    assert said(tmp_path, *PAPER, "--save_price_plot").code == 0
    assert (session_of(tmp_path) / "artifacts" / "price.png").exists()


def test_the_report_flag_names_the_report(tmp_path: Path) -> None:
    done = said(tmp_path, "--report", *SYNTHETIC, "--paper")
    assert done.code == 0
    assert str(session_of(tmp_path).relative_to(tmp_path) / "run_report.md") in done.out
