from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from quantlab.base import process

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


LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="namespaces of pids are Linux's")


@LINUX
def test_a_process_says_in_which_namespace_its_pid_counts() -> None:
    _host, _pid, mark = process.identity()
    assert mark is not None
    assert f"pid:[{mark.split(':')[2]}]" == os.readlink("/proc/self/ns/pid")  # noqa: PTH115


@LINUX
def test_of_a_process_in_another_namespace_nothing_can_be_told() -> None:
    host, pid, mark = process.identity()
    assert mark is not None
    boot, start, _namespace = mark.split(":")
    for there in (pid, 4_194_000):
        assert process.is_alive(host, there, f"{boot}:{start}:4026530000") is None


@LINUX
def test_a_process_of_an_earlier_version_is_known_by_boot_and_start() -> None:
    host, pid, mark = process.identity()
    assert mark is not None
    earlier = mark.rpartition(":")[0]
    assert process.is_alive(host, pid, earlier) is True
    assert (process.may_count_elsewhere(earlier), process.may_count_elsewhere(mark)) == (True, False)


@LINUX
def test_a_live_process_in_a_real_namespace_of_its_own_is_not_taken_for_dead() -> None:
    inside = "from quantlab.base import process; import time; print(*process.identity(), flush=True); time.sleep(60)"
    command = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", sys.executable, "-c", inside]
    try:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    except FileNotFoundError:
        pytest.skip("unshare is not installed")
    with child:
        assert child.stdout is not None
        told = child.stdout.readline().split()
        try:
            if not told:
                pytest.skip("no namespace may be made here")
            assert process.is_alive(told[0], int(told[1]), told[2]) is None
        finally:
            child.kill()  # unshare passes over a SIGTERM while it waits for what is inside
