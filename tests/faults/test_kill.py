"""kill -9 at random instants: what was acknowledged is there, what is there is sound, what is behind is healed."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest
from kills import Kills, kill_at_random
from support import audit

if TYPE_CHECKING:
    from pathlib import Path

    from support.fork_server import Server

INSTANTS = 20
SEED = 20260301


@pytest.fixture(scope="module")
def kills(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Kills:
    return kill_at_random(server, tmp_path_factory.mktemp("kills"), INSTANTS, SEED)


def test_nothing_acknowledged_is_lost_and_nothing_is_torn_by_a_kill(kills: Kills) -> None:
    assert kills.faults == []


def test_the_kills_met_processes_at_work(kills: Kills) -> None:
    assert sum(kills.instants.values()) == INSTANTS
    assert kills.acknowledged >= INSTANTS


def test_a_killed_session_says_running_until_an_operator_closes_it(server: Server, tmp_path: Path) -> None:
    child = server.start("session", str(tmp_path), str(tmp_path / "acknowledged"), "--pace", "60")
    root = tmp_path / "paper_sessions"
    while len(audit.read_lines(tmp_path / "acknowledged")) < 2:
        time.sleep(0.01)
    child.kill()
    assert child.wait().code == -signal.SIGKILL
    (session_id,) = [folder.name for folder in root.iterdir() if folder.is_dir()]
    assert "running : 1" in " ".join(server.run("paper-sessions", "health", str(root)).out.split())
    closed = server.run("paper-sessions", "abort", str(root / session_id), "--reason", "it was killed")
    assert (closed.code, closed.out) == (0, f"{session_id} is aborted: it was killed\n")
    server.run("paper-sessions", "index", str(root))
    assert audit.healed_faults(root) == []


def test_the_fork_server_tells_how_a_child_ended(server: Server) -> None:
    assert server.run("--nonsense").code == 2
    hung = server.start("command", ["--paper", "--prices", "synthetic", "--pace", "60"]).wait(seconds=1.0)
    assert (hung.hung, hung.code) == (True, -signal.SIGKILL)
