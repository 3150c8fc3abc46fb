from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from quantlab.sessions import process

if TYPE_CHECKING:
    from pathlib import Path


def test_this_process_lives() -> None:
    assert process.is_alive(*process.identity()) is True


def test_an_ended_process_does_not() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    assert process.is_alive(socket.gethostname(), child.pid, None) is False


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="only /proc tells a zombie from a live process"
)
def test_a_zombie_does_not_live() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert process.is_alive(socket.gethostname(), child.pid, None) is False


def test_a_later_process_with_the_same_pid_is_another() -> None:
    host, pid, _ = process.identity()
    assert process.is_alive(host, pid, "another boot:1") is False


@pytest.mark.parametrize(("host", "pid"), [("elsewhere", 1), (None, 1), (socket.gethostname(), None)])
def test_what_cannot_be_seen_from_here_is_not_told(host: str | None, pid: int | None) -> None:
    assert process.is_alive(host, pid, None) is None


def test_no_process_is_zero_or_negative() -> None:
    assert process.is_alive(socket.gethostname(), -1, None) is None


def test_somebody_elses_process_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", forbidden)
    assert process.is_alive(*process.identity()) is True


def test_without_proc_there_is_no_mark(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(process, "_PROC", tmp_path)
    assert process.identity()[2] is None
    assert process.is_alive(*process.identity()) is True
