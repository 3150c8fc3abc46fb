"""The border of the program: groups, errors, exit codes, pipes."""

from __future__ import annotations

import importlib
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import click
import pytest
from support import flow_program as program
from support.flow_program import said
from support.ledger_history import open_root

from quantlab import __version__
from quantlab.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_no_words_show_the_help(tmp_path: Path) -> None:
    done = said(tmp_path)
    assert done.code == 0
    assert all(name in done.out for name in ("run", "request", "paper-sessions", "runs", "ledger", "check"))


@pytest.mark.parametrize("words", [("--version",)])
def test_the_version_is_told(tmp_path: Path, words: tuple[str, ...]) -> None:
    assert said(tmp_path, *words).out == f"quantlab {__version__}\n"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("rnu",), "No such command 'rnu'; did you mean 'run'? Try 'quantlab --help'."),
        (("paper-session",), "did you mean 'paper-sessions'?"),
        (("paper-sessions", "lst", "x"), "No such command 'lst'; did you mean 'list'?"),
        (
            ("zzzzzz",),
            "expected one of run, request, paper-sessions, runs, strategies, ledger, completion, check.",
        ),
        (("",), "No such command ''"),
        (("check", "--outdri", "x"), "No such option '--outdri'; did you mean '--outdir'?"),
        (("check", "extra"), "unexpected extra argument (extra)"),
        (
            ("runs",),
            "Missing command; expected one of best, compare, list, show. Try 'quantlab runs --help'.",
        ),
        (("paper-sessions",), "Missing command; expected one of list, show, compare, why, health,"),
        (("paper-sessions", "--", "-x"), "No such option '-x'. Try 'quantlab paper-sessions --help'."),
        (("--paper-sessions-list", "R", "extra"), "unexpected extra argument (extra)"),
        (("paper-sessions", "list", "R", "--exit_code"), "No such option '--exit-code'"),
        (("request",), "Missing argument 'JSON'. Try 'quantlab request --help'."),
    ],
)
def test_a_mistyped_command_names_its_neighbour(tmp_path: Path, words: tuple[str, ...], why: str) -> None:
    done = said(tmp_path, *words)
    assert done.code == 2
    assert why in done.error


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def command(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(main.cli, "main", command)


def test_a_defect_is_one_line_and_names_the_way_to_its_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raising(monkeypatch, RuntimeError("a\nb"))
    done = said(tmp_path, "check")
    assert done.code == 1
    assert done.error.startswith("Unexpected RuntimeError: a b.")


def test_a_traceback_is_shown_to_who_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, RuntimeError("a"))
    monkeypatch.setenv("QUANTLAB_TRACEBACK", "1")
    done = said(tmp_path, "check")
    assert done.err.startswith("Traceback")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interrupt_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    raising(monkeypatch, error)
    done = said(tmp_path, "check")
    assert (done.code, done.error) == (1, "Interrupted.")


def test_a_pipe_that_breaks_when_the_work_is_done_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main, "_unread", lambda: 0)  # what it opens is open until the process ends
    raising(monkeypatch, BrokenPipeError())
    assert said(tmp_path, "check").code == 0


@pytest.mark.parametrize(("code", "told"), [(0, 0), (2, 2), ("text", 1)])
def test_an_exit_keeps_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int | str, told: int
) -> None:
    raising(monkeypatch, SystemExit(code))
    assert said(tmp_path, "check").code == told


def answer_to_nobody(folder: Path, *words: str, **environment: str) -> tuple[int, str]:
    """Run the program for a reader that has left already; returns the exit code and stderr."""
    with subprocess.Popen(
        [sys.executable, str(program.MAIN), *words],
        cwd=folder,
        env=program.environment(folder, **environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        code = process.wait(timeout=60)
        assert process.stderr is not None
        return code, process.stderr.read()


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    assert answer_to_nobody(tmp_path, "--help") == (0, "")


def test_a_reader_that_leaves_before_the_last_words_are_flushed_is_no_error(tmp_path: Path) -> None:
    open_root(tmp_path).close()
    assert answer_to_nobody(tmp_path, "ledger", "export", str(tmp_path), PYTHONUNBUFFERED="") == (0, "")


def test_what_alerts_can_t_tell_is_unknown_in_any_spelling(tmp_path: Path) -> None:
    for words in (
        ["--paper-sessions-alerts", "nowhere", "--exit_code"],
        ["paper-sessions", "alerts", "--exit_code"],
    ):
        assert said(tmp_path, *words).code == 3


def in_shell(folder: Path, words: str) -> program.Said:
    return program.in_shell(folder, f"{sys.executable} {program.MAIN} {words}")


@pytest.mark.parametrize("words", ["--help", "--version", "ledger export .", "paper-sessions health ."])
@pytest.mark.parametrize("python", ["", "PYTHONUNBUFFERED=1 "])
def test_an_answer_that_finds_no_space_is_one_line(tmp_path: Path, words: str, python: str) -> None:
    open_root(tmp_path).close()
    done = program.in_shell(tmp_path, f"{python}{sys.executable} {program.MAIN} {words} >/dev/full")
    assert (done.code, done.error) == (1, "The answer can't be written: No space left on device.")


@pytest.mark.parametrize("python", ["", "PYTHONUNBUFFERED=1 "])
def test_where_no_error_can_be_told_either_the_code_tells(tmp_path: Path, python: str) -> None:
    done = program.in_shell(tmp_path, f"{python}{sys.executable} {program.MAIN} rnu 2>/dev/full")
    assert done.code == 2


@pytest.mark.parametrize("words", ["--help", "ledger export .", "paper-sessions health .", "runs list ."])
@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_with_stdout_closed_a_command_works_and_prints_nowhere(
    tmp_path: Path, words: str, closed: str
) -> None:
    open_root(tmp_path).close()
    done = in_shell(tmp_path, f"{words} {closed}")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_a_mistake_with_every_stream_closed_keeps_its_code(tmp_path: Path) -> None:
    assert in_shell(tmp_path, "rnu <&- >&- 2>&-").code == 2


@pytest.fixture
def heard() -> Iterator[None]:
    """Let what is started hear SIGINT, which a background job would hand on as ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


AT_IMPORT = """
import atexit, importlib.abc, os, signal, sys
from quantlab.cli import entry

class Interrupting(importlib.abc.MetaPathFinder):
    wanted = sys.argv.pop(1)

    def find_spec(self, name, path, target=None):
        if name == self.wanted:
            self.wanted = None
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
atexit.register(os.kill, os.getpid(), signal.SIGINT)
entry()
"""


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize(
    "module", ["quantlab.cli.main", "click", "quantlab.cli.check", "quantlab.base.errors"]
)
def test_an_interrupt_among_the_imports_and_one_at_the_end_are_one_line(tmp_path: Path, module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", AT_IMPORT, module, "check"],
        cwd=tmp_path,
        env=program.environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "ERROR: Interrupted.\n")


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("gap", [0.0, 0.01, 0.05])
def test_two_interrupts_at_once_are_one_line(tmp_path: Path, gap: float) -> None:
    with program.running(tmp_path, *program.PAPER, *program.PACED) as process:
        program.until(lambda: program.stage_of(tmp_path) == "simulating", "bars go by")
        process.send_signal(signal.SIGINT)
        time.sleep(gap)
        process.send_signal(signal.SIGINT)
        done = program.ended(process)
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert done.error.endswith("it is recorded as aborted.")


def test_importing_the_module_that_is_run_runs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    importlib.import_module("quantlab.__main__")
    assert capsys.readouterr() == ("", "")


def test_the_package_runs_as_a_module(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "quantlab", "--version"],
        cwd=tmp_path,
        env=program.environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"quantlab {__version__}\n", "")


@pytest.mark.parametrize(
    "words",
    [
        ("--report", "postgresql://me:s3cret@host/db"),
        ("runs", "list", "postgresql://u@corp:s3cret@host/db"),
        ("ledger", "import", "out.jsonl", "postgresql://me:s3cret@host/db"),
        ("postgresql://me:s3cret@host/db",),
    ],
    ids=["report", "runs", "import", "command"],
)
def test_a_url_in_another_place_does_not_show_its_password(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert main.run(list(words)) != 0
    said = capsys.readouterr()
    assert ("s3cret" in said.out + said.err, "***" in said.err) == (False, True)


@pytest.mark.parametrize(
    "url", ["host=h password=s3cret", "postgresql://me@127.0.0.1:1/db?a=b;password=s3cret"]
)
@pytest.mark.parametrize("words", ["--paper --prices synthetic", "paper-sessions list", "ledger verify"])
def test_a_url_in_the_environment_does_not_show_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QUANTLAB_LEDGER", url)
    assert main.run(words.split()) != 0
    said = capsys.readouterr()
    assert ("s3cret" in said.out + said.err, "***" in said.err) == (False, True)


@pytest.mark.parametrize(
    "words",
    ["--paper --prices synthetic", "paper-sessions list .", "paper-sessions show x", "ledger verify ."],
)
def test_a_working_folder_whose_name_is_no_text_is_refused(tmp_path: Path, words: str) -> None:
    folder = tmp_path / b"\xff".decode(errors="surrogateescape")
    folder.mkdir()
    done = said(folder, *words.split())
    assert (done.code, "is not in UTF-8; expected a path" in done.error) == (2, True)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("words", ["--paper --prices synthetic", "paper-sessions list .", "check"])
def test_a_working_folder_that_is_gone_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert main.run(words.split()) == 2
    assert capsys.readouterr().err.startswith("ERROR: The working folder is gone; expected")


def test_another_file_that_is_not_found_is_a_defect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, FileNotFoundError(2, "No such file or directory", "x"))
    assert said(tmp_path, "check").error.startswith("Unexpected FileNotFoundError")


def test_a_missing_package_is_told_with_the_way_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "msgspec", None)
    monkeypatch.delitem(sys.modules, "quantlab.cli.launching", raising=False)
    assert main.run(["run", "--prices", "synthetic"]) == 1
    told = capsys.readouterr().err
    assert ("'msgspec' is not installed" in told, "pip install" in told, "defect" in told) == (
        True,
        True,
        False,
    )
