"""How far the work has come, as a person sees it on stderr."""

from __future__ import annotations

import errno
import io
import sys
from typing import TYPE_CHECKING

from quantlab.cli import asking, progress
from quantlab.cli.progress import Progress

if TYPE_CHECKING:
    import pytest


class Terminal(io.StringIO):
    """A stream that a person is watching."""

    def isatty(self) -> bool:
        return True


def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Put stderr on a terminal, before work that is told of from its first moment."""
    for name in ("QUIET_SECONDS", "EVERY_SECONDS_ON_A_TERMINAL"):
        monkeypatch.setattr(progress, name, 0.0)
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


class Full(io.StringIO):
    """A stream on a full disk."""

    def write(self, _text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_work_goes_on_where_stderr_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.0)
    monkeypatch.setattr(progress, "EVERY_SECONDS_ELSEWHERE", 0.0)
    monkeypatch.setattr(sys, "stderr", Full())
    told = Progress()
    told.watch("simulating", 1, 2)
    told.say("WARNING: nobody hears this")
    told.close()
    asking.say("NOTE: nor this")


def test_on_a_terminal_each_line_is_written_over_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_a_terminal(monkeypatch)
    told = Progress()
    told.watch("simulating", 1_000, 2_000)
    told.watch("price_chart", 0, None)
    assert terminal.getvalue() == "\r\x1b[Ksimulating: 1,000 of 2,000 bars\r\x1b[Kprice chart"


def test_a_warning_on_a_terminal_begins_on_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_a_terminal(monkeypatch)
    told = Progress()
    told.watch("simulating", 1, 2)
    told.say("WARNING: the disk is full.")
    assert terminal.getvalue().endswith("simulating: 1 of 2 bars\nWARNING: the disk is full.\n")


def test_a_line_that_was_ended_is_not_ended_again(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_a_terminal(monkeypatch)
    told = Progress()
    told.watch("simulating", 1, 2)
    told.close()
    told.close()
    assert terminal.getvalue().count("\n") == 1


def test_short_work_is_not_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    Progress().watch("simulating", 1, 2)
    assert capsys.readouterr() == ("", "")


def test_elsewhere_each_line_stays(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("QUIET_SECONDS", "EVERY_SECONDS_ELSEWHERE"):
        monkeypatch.setattr(progress, name, 0.0)
    told = Progress()
    told.watch("simulating", 1, 2)
    told.watch("simulating", 2, 2)
    assert capsys.readouterr().err == "simulating: 1 of 2 bars\nsimulating: 2 of 2 bars\n"
