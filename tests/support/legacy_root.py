"""Roots as an older QuantLab leaves them: naive local times, no ledger, status files without heartbeats.

And a root of a hundred folders that are broken, each in its own way.
"""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

Document = dict[str, Any]

FIRST = datetime(2025, 3, 1, 9, 0, 0)  # noqa: DTZ001 - older programs wrote local times without an offset
STATUSES = ("success", "success", "failed", "aborted", "success", "running")
REASONS = {"success": "completed", "failed": "exception", "aborted": "operator_abort", "running": "active"}
SUMMARY_TRADES = 4
SUMMARY = {
    "total_return": 0.125,
    "sharpe_simple": 1.5,
    "max_drawdown": -0.08,
    "trades": SUMMARY_TRADES,
    "win_rate": 0.5,
}


def legacy_id(number: int) -> str:
    moment = FIRST + timedelta(minutes=number)
    return f"{moment:%Y%m%d_%H%M%S}_paper_{number:07x}"


def make_legacy_root(root: Path, sessions: int) -> list[str]:
    """Make a root of so many sessions, their statuses in turn; returns their ids in order."""
    root.mkdir(parents=True, exist_ok=True)
    ids = [legacy_id(number) for number in range(sessions)]
    for number, session_id in enumerate(ids):
        make_legacy_session(root / session_id, number)
    return ids


def make_legacy_session(folder: Path, number: int = 0, status: str | None = None) -> str:
    """Make one session's folder; returns its status."""
    status = status or STATUSES[number % len(STATUSES)]
    session_id = folder.name
    began = FIRST + timedelta(minutes=number)
    config = {
        "ticker": ("ETH-USD", "BTC-USD")[number % 2],
        "start": "2022-01-01",
        "end": "2023-12-31",
        "interval": "1d",
        "fee": 0.002,
        "paper": True,
        "initial_cash": 1000.0,
    }
    files = {
        "session_metadata.json": _metadata(session_id, status, began),
        "session_status.json": _status(session_id, status, began),
        "config.json": config,
    }
    folder.mkdir()
    (folder / "artifacts").mkdir()
    if status == "success":
        files |= _results(session_id, began, config)
        (folder / "trades.csv").write_text(_trades(began))
        (folder / "run_report.md").write_text(f"# {session_id}\n")
        (folder / "artifacts" / "equity.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(500))
    files["metadata.json"] = files["session_metadata.json"]
    for name, document in files.items():
        (folder / name).write_text(json.dumps(document, indent=2))
    return status


def break_folders(root: Path) -> dict[str, str]:
    """Make a root of a hundred broken folders; returns what is wrong with each, by folder."""
    root.mkdir(parents=True, exist_ok=True)
    breaks = list(_BREAKS.items())
    made: dict[str, str] = {}
    for number in range(100):
        what, spoil = breaks[number % len(breaks)]
        folder = root / legacy_id(number)
        make_legacy_session(folder, number, "success")
        spoil(folder)
        made[folder.name] = what
    return made


def _trades(began: datetime) -> str:
    fills = [
        f"{(began + timedelta(days=day)).isoformat()},{side},10,10,1,0,1000,0,cross"
        for day, side in enumerate(("buy", "sell") * SUMMARY_TRADES)
    ]
    head = "timestamp,side,close,exec_price,qty,fee,equity_after,slippage,reason"
    return "\n".join([head, *fills]) + "\n"


def _metadata(session_id: str, status: str, began: datetime) -> Document:
    metadata: Document = {
        "session_id": session_id,
        "run_id": session_id,
        "mode": "paper",
        "command": "paper",
        "status": status,
        "created_at": began.isoformat(),
        "git_commit": "0123abc",
        "python_version": "3.10.4",
        "config_path": "inline_cli",
        "config_hash": "c0ffee",
        "request_id": None,
    }
    return metadata | ({"summary": SUMMARY} if status == "success" else {})


def _status(session_id: str, status: str, began: datetime) -> Document:
    ended = began + timedelta(seconds=90)
    document: Document = {
        "session_id": session_id,
        "mode": "paper",
        "command": "paper",
        "status": status,
        "request_id": None,
        "started_at": began.isoformat(),
        "updated_at": (began if status == "running" else ended).isoformat(),
        "terminal": status != "running",
        "status_reason": REASONS[status],
    }
    if status != "running":
        document |= {"finished_at": ended.isoformat(), "duration_seconds": 90.0}
    if status == "failed":
        document |= {"error_type": "DataError", "message": "No prices."}
    return document


def _results(session_id: str, began: datetime, config: Document) -> dict[str, Document]:
    header = {"run_id": session_id, "mode": "paper", "created_at": began.isoformat(), "config_hash": "c0ffee"}
    contract = {
        "schema_version": "1.0",
        "contract_type": "quantlab.paper.result",
        "command": "paper",
        "status": "success",
        "request_id": None,
        "run_id": session_id,
        "mode": "paper",
        "summary": SUMMARY,
    }
    report = {
        "schema_version": "1.0",
        "artifact_type": "quantlab_run_report",
        "status": "success",
        "header": header,
        "config_resolved": config,
        "results": [SUMMARY],
        "summary": SUMMARY,
        "machine_contract": contract,
    }
    metrics = {
        "mode": "paper",
        "command": "paper",
        "status": "success",
        "summary": SUMMARY,
        "leaderboard_size": 1,
    }
    return {"report.json": report, "metrics.json": metrics}


def _put(name: str, data: bytes) -> Any:
    return lambda folder: (folder / name).write_bytes(data)


def _truncate(folder: Path) -> None:
    path = folder / "session_status.json"
    path.write_bytes(path.read_bytes()[:40])


def _link_out(folder: Path) -> None:
    (folder / "session_status.json").unlink()
    (folder / "session_status.json").symlink_to("/etc/hostname")


def _folder_for_file(folder: Path) -> None:
    (folder / "session_status.json").unlink()
    (folder / "session_status.json").mkdir()


def _pipe(folder: Path) -> None:
    (folder / "session_status.json").unlink()
    os.mkfifo(folder / "session_status.json")


def _huge(folder: Path) -> None:
    with (folder / "session_status.json").open("wb") as handle:
        handle.truncate(1 << 30)


_STATUS = "session_status.json"
_BREAKS: dict[str, Any] = {
    "truncated": _truncate,
    "empty": _put(_STATUS, b""),
    "no UTF-8": _put(_STATUS, b'{"status": "\xff\xfe"}'),
    "no JSON": _put(_STATUS, b"status: success"),
    "a list": _put(_STATUS, b'["success"]'),
    "a number": _put(_STATUS, b"42"),
    "null": _put(_STATUS, b"null"),
    "a status of the wrong type": _put(_STATUS, b'{"status": ["success"]}'),
    "no time": _put(_STATUS, b'{"status": "success", "updated_at": "yesterday"}'),
    "a time out of range": _put(_STATUS, b'{"status": "success", "updated_at": "0001-01-01T00:00:00+14:00"}'),
    "a number out of range": _put(_STATUS, b'{"status": "success", "pid": 1e300}'),
    "nested without end": _put(_STATUS, b'{"a":' * 50_000),
    "deep": _put(_STATUS, b'{"a":' * 500 + b"1" + b"}" * 500),
    "half a character": _put(_STATUS, b'{"status": "\\ud800"}'),
    "NUL": _put(_STATUS, b'{"status": "suc\\u0000cess"}'),
    "an id that is a path": _put(_STATUS, b'{"session_id": "../../etc/passwd", "status": "success"}'),
    "a digit too many": _put(_STATUS, b'{"duration_seconds": ' + b"9" * 5_000 + b"}"),
    "a link out": _link_out,
    "a folder": _folder_for_file,
    "a pipe": _pipe,
    "a gigabyte": _huge,
}
