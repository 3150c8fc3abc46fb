"""The signal file (contract 10)."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.flow_program import PAPER, said, signals_in
from support.ledger_history import history, open_root, record
from support.permissions import folder_of_ones_own, permissions_bind

from quantlab.runner.signals import COMPLETED, FAILED, STARTED, SignalFile

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_a_line_has_the_contracts_fields(tmp_path: Path) -> None:
    SignalFile(tmp_path / "s", "r").emit(STARTED, at=AT)
    assert signals_in(tmp_path / "s") == [
        {
            "schema_version": "1.0",
            "event": "SESSION_STARTED",
            "status": "running",
            "mode": "run",
            "request_id": "r",
            "timestamp": "2026-01-02T03:04:05.000000+00:00",
        }
    ]


@pytest.mark.parametrize(
    ("event", "status"), [(STARTED, "running"), (COMPLETED, "success"), (FAILED, "error")]
)
def test_each_event_has_its_status(tmp_path: Path, event: str, status: str) -> None:
    SignalFile(tmp_path / "s", None).emit(event, at=AT)
    assert signals_in(tmp_path / "s")[0]["status"] == status


def test_lines_are_appended_and_folders_are_made(tmp_path: Path) -> None:
    signals = SignalFile(tmp_path / "a" / "b" / "s", "r")
    signals.emit(STARTED, at=AT)
    signals.emit(FAILED, at=AT, exit_code=3, error_type="DataError", message="ä\nb")
    assert [line["event"] for line in signals_in(tmp_path / "a" / "b" / "s")] == [STARTED, FAILED]
    assert signals_in(tmp_path / "a" / "b" / "s")[1]["message"] == "ä\nb"


def test_without_a_file_nothing_is_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    SignalFile(None, "r").emit(STARTED, at=AT)
    assert (list(tmp_path.iterdir()), caplog.messages) == ([], [])


def test_a_full_disk_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    SignalFile(Path("/dev/full"), "r").emit(STARTED, at=AT)
    assert "can't be written (No space left on device); the session goes on" in caplog.text


def test_a_line_that_was_written_in_part_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(os, "write", lambda *_: 1)
    SignalFile(tmp_path / "s", "r").emit(STARTED, at=AT)
    assert "only a part of the line" in caplog.text


def test_a_pipe_that_nobody_reads_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    os.mkfifo(tmp_path / "pipe")
    SignalFile(tmp_path / "pipe", "r").emit(STARTED, at=AT)
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("suffix", ["", "-wal"])
def test_a_ledger_is_no_signal_file(tmp_path: Path, caplog: pytest.LogCaptureFixture, suffix: str) -> None:
    with open_root(tmp_path) as store:
        record(store, history("s1"))
        file = tmp_path / f"ledger.db{suffix}"
        before = file.read_bytes()
        SignalFile(file, None).emit(STARTED, at=AT)
        assert file.read_bytes() == before
    assert "can't be written (it belongs to a database); the session goes on without it" in caplog.text


def test_an_unwritable_file_does_not_stop_the_session(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = said(tmp_path, *PAPER, "--signal-file", "file/signals.jsonl")
    assert done.code == 0
    assert done.err.count("WARNING: the signal file file/signals.jsonl can't be written") == 2


def test_a_line_is_strict_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        SignalFile(tmp_path / "s", "r").emit(COMPLETED, at=AT, summary={"x": float("nan")})


def test_a_line_that_was_cut_short_does_not_swallow_the_next(tmp_path: Path) -> None:
    (tmp_path / "s").write_text('{"schema_version": "1.0", "eve')
    for event in (STARTED, COMPLETED):
        SignalFile(tmp_path / "s", None).emit(event, at=AT)
    lines = (tmp_path / "s").read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines[1:]] == [STARTED, COMPLETED]


def test_a_file_that_may_only_be_appended_to_gets_its_line(caplog: pytest.LogCaptureFixture) -> None:
    with folder_of_ones_own() as root:
        file = root / "s"
        file.write_text("{}\n")
        file.chmod(0o222)
        with permissions_bind():
            SignalFile(file, None).emit(STARTED, at=AT)
        file.chmod(0o644)
        assert (caplog.messages, len(file.read_text().splitlines())) == ([], 2)
