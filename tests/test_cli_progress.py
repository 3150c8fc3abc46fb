"""How far the work has come, as a person sees it on stderr."""

from __future__ import annotations

import errno
import io
import logging
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from quantlab.base.levels import PROGRESS
from quantlab.cli import progress
from quantlab.cli.progress import LINES, Progress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

logger = logging.getLogger("quantlab.somewhere")


@pytest.fixture(autouse=True)
def shown() -> Iterator[None]:
    with LINES.shown():
        yield


class Terminal(io.StringIO):
    """A stream that a person is watching."""

    def isatty(self) -> bool:
        return True


def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Put stderr on a terminal, before work that is told of from its first moment."""
    for name in ("QUIET_SECONDS", "EVERY_SECONDS_IN_PLACE"):
        monkeypatch.setattr(progress, name, 0.0)
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


class Full(Terminal):
    """A terminal that is gone."""

    def write(self, _text: str) -> int:
        raise OSError(errno.EIO, "Input/output error")


def test_work_goes_on_where_stderr_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    on_a_terminal(monkeypatch)
    monkeypatch.setattr(sys, "stderr", Full())
    told = Progress()
    told.watch("simulating", 1, 2)
    logger.warning("nobody hears this")
    told.close()
    logger.info("NOTE: nor this")


def test_how_something_stands_is_told_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, mail = on_a_terminal(monkeypatch), io.StringIO()
    Progress().status("seen to 10:00Z")
    monkeypatch.setattr(sys, "stderr", mail)
    Progress().status("seen to 11:00Z")
    assert (terminal.getvalue(), mail.getvalue()) == ("\r\x1b[Kseen to 10:00Z", "")


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
    logger.warning("the disk is full.")
    assert terminal.getvalue().endswith("simulating: 1 of 2 bars\nWARNING: the disk is full.\n")


def test_a_line_that_was_ended_is_not_ended_again(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_a_terminal(monkeypatch)
    told = Progress()
    told.watch("simulating", 1, 2)
    told.close()
    told.close()
    assert terminal.getvalue().count("\n") == 1


def test_how_it_stands_is_told_on_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Progress().status("seen to 2026-01-02")
    assert capsys.readouterr() == ("", "")
    terminal = on_a_terminal(monkeypatch)
    Progress(quiet=True).status("seen to 2026-01-02")
    assert terminal.getvalue() == ""
    Progress().status("seen to 2026-01-02")
    assert terminal.getvalue() == "\r\x1b[Kseen to 2026-01-02"


def test_a_line_that_is_written_over_stays_within_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    terminal = on_a_terminal(monkeypatch)
    Progress().status("seen to 2024-05-02 00:00Z, next due 2024-05-03 00:00Z")
    assert terminal.getvalue() == "\r\x1b[Kseen to 2024-05-02 00:00Z, next due ..."


def test_short_work_is_not_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    Progress().watch("simulating", 1, 2)
    assert capsys.readouterr() == ("", "")


def test_where_nobody_watches_progress_is_not_told_and_a_warning_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("QUIET_SECONDS", "EVERY_SECONDS_IN_LINES"):
        monkeypatch.setattr(progress, name, 0.0)
    told = Progress()
    told.watch("simulating", 1, 2)
    logger.log(PROGRESS, "loading prices from yahoo")
    logger.log(PROGRESS, "Adopting root: 2 of 1,000 folders.")
    logger.warning("the disk is full.")
    assert capsys.readouterr().err == "WARNING: the disk is full.\n"


def test_quiet_tells_warnings_alone_on_a_terminal_too(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_a_terminal(monkeypatch)
    told = Progress(quiet=True)
    told.watch("simulating", 1, 2)
    logger.log(PROGRESS, "loading prices from yahoo")
    logger.warning("the disk is full.")
    assert terminal.getvalue() == "WARNING: the disk is full.\n"


def test_a_terminal_is_told_what_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_a_terminal(monkeypatch)
    logger.log(PROGRESS, "Adopting root: 2 of 1,000 folders.")
    logger.log(PROGRESS, "loading prices from yahoo")
    assert terminal.getvalue() == "Adopting root: 2 of 1,000 folders.\nloading prices from yahoo\n"


def test_a_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_a_terminal(monkeypatch)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(progress, "EVERY_SECONDS_IN_LINES", 0.0)
    told = Progress()
    told.watch("simulating", 1, 2)
    told.watch("simulating", 2, 2)
    assert terminal.getvalue() == "simulating: 1 of 2 bars\nsimulating: 2 of 2 bars\n"


def test_what_other_libraries_log_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("matplotlib", "yfinance", "alembic", "sqlalchemy.engine", "quantlabs"):
        assert LINES not in [*logging.getLogger(name).handlers, *logging.getLogger().handlers]
    logger.warning("of ours")
    assert capsys.readouterr().err == "WARNING: of ours\n"


def test_a_warning_is_one_line_that_commands_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    logger.warning("a\nb\x1b[2J %s", "c\rd")
    assert capsys.readouterr().err == "WARNING: a b\\x1b[2J c d\n"


def test_commands_beside_each_other_show_each_line_once(capsys: pytest.CaptureFixture[str]) -> None:
    with LINES.shown():
        logger.warning("within")
    logger.warning("after")
    assert capsys.readouterr().err == "WARNING: within\nWARNING: after\n"


def test_a_command_leaves_logging_as_it_was() -> None:
    package, before = logging.getLogger("quantlab"), logging.getLogger("quantlab").level
    assert LINES in package.handlers
    handler = progress.Lines()
    with handler.shown():
        assert handler in package.handlers
    assert (handler in package.handlers, package.level) == (False, before)


@pytest.mark.slow
def test_a_library_prints_nothing(tmp_path: Path) -> None:
    (tmp_path / "a_session").mkdir()
    (tmp_path / "a_session" / "session_status.json").write_text('{"status": "strange"}')
    (tmp_path / os.fsdecode(b"\xff")).mkdir()
    (tmp_path / os.fsdecode(b"\xff") / "session_status.json").write_text("{}")
    code = f"import quantlab; print(len(quantlab.open({str(tmp_path)!r}).sessions()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")
