"""One configuration run again: the same result at any pace and from the reproduce command, and an id of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from support import flow_program as program
from support.flow_program import PAPER, STAGES, digest, document, said, session_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return program.reported_session(tmp_path_factory.mktemp("flow"))


def test_a_paced_session_gives_the_same_digest_and_beats_while_bars_go_by(
    session: Path, tmp_path: Path
) -> None:
    done = said(tmp_path, *PAPER, "--pace", "0.0001", "--heartbeat-seconds", "0.05")
    assert done.code == 0, done.err
    assert digest(session_of(tmp_path)) == digest(session)
    stages = [json.loads(text)["stage"] for kind, text in program.events_of(tmp_path) if kind == "heartbeat"]
    assert stages.count("simulating") >= 2
    assert list(dict.fromkeys(stages)) == STAGES


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
