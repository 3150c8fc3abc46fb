"""One mistake at each flag: the exit code says who erred, and one line what was expected."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from support.asked_program import Said

if TYPE_CHECKING:
    from pathlib import Path

UNSET = "it is empty; expected a"
CHECK = ("strategies", "check", "rsi_ma_cross_v2")
SHOW = ("strategies", "show", "rsi_ma_cross_v2")


Ask = Callable[..., Said]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a root in which nothing has run, and a folder where a file would be."""
    (tmp_path / "outputs" / "paper_sessions").mkdir(parents=True)
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def ask(folder: Path, capsys: pytest.CaptureFixture[str]) -> Ask:
    """The program, called in that folder."""
    return lambda *words: Said(capsys, *words)


def told(said: Said, code: int) -> str:
    """The one line of an error; anything beside it is a fault."""
    assert (said.code, said.out, said.err[:7], said.err.count("\n")) == (code, "", "ERROR: ", 1)
    return said.err


@pytest.mark.parametrize(
    "words",
    [
        ("paper-sessions", "list", "--ticker="),
        ("paper-sessions", "list", "--strategy="),
        ("paper-sessions", "list", "--request-id="),
        ("paper-sessions", "list", "--status="),
        ("paper-sessions", "alerts", "--expect-every", "26h", "--ticker="),
        ("ledger", "export", "--output="),
        ("ledger", "head", "--sign-key="),
        ("ledger", "verify", "--against="),
        ("ledger", "backup", ""),
    ],
    ids=" ".join,
)
def test_an_unset_shell_variable_is_no_value(ask: Ask, words: tuple[str, ...]) -> None:
    assert UNSET in told(ask(*words), 2)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("paper-sessions", "page", "-o", "folder"), "folder is a folder; expected a file."),
        (("paper-sessions", "page", "-o", "away/page.html"), "Make "),
        (("ledger", "head", "--sign-key", "folder"), "The key folder is a folder; expected a file"),
        (("ledger", "verify", "--against", "folder"), "(Is a directory); expected SEQUENCE:HASH"),
        (("strategies", "new", "away/mine.py"), "expected a file in a folder that is there"),
        (("run", "--like", "folder"), "(No such file or directory); expected a session's or run's folder"),
        (("paper-sessions", "step", "folder"), "folder holds neither a ledger nor a session"),
        (
            ("paper-sessions", "list", "--columns", "zzz"),
            "expected one such as trades; docs/sql.md names all.",
        ),
        (("runs", "show", "sqlite:///x.db"), "RUN_DIR: sqlite:///x.db is a URL; expected a path."),
        ((*CHECK, "--seed", "-1"), "-1 is not in the range"),
        ((*CHECK, "--strategy-seconds", "0"), "expected a number above 0"),
        ((*SHOW, "--strategy-seconds", "nan"), "expected a number above 0"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, tuple) else "",
)
def test_a_mistake_is_told_in_one_line(ask: Ask, words: tuple[str, ...], expected: str) -> None:
    assert expected in told(ask(*words), 2)


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (("paper-sessions", "list", "--limit"), "paper-sessions list"),
        (("--paper-sessions-alerts", "folder", "--paper-stale-minutes"), "paper-sessions alerts"),
        (("runs", "best", "--metric"), "runs best"),
        (("request", "{}", "--signal-file"), "request"),
        (("--ticker",), "run"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, tuple) else "",
)
def test_an_option_without_its_value_names_its_own_command(
    ask: Ask, words: tuple[str, ...], command: str
) -> None:
    expected = f"Option '{words[-1]}' requires an argument. Try 'quantlab {command} --help'."
    assert expected in told(ask(*words), 2)


def test_a_picture_goes_into_no_folder(folder: Path, ask: Ask) -> None:
    (folder / "equity.svg").mkdir()
    line = told(ask("runs", "compare", "a", "b", "--overlay", "equity.svg"), 2)
    assert "is a folder; expected a file" in line


@pytest.mark.slow  # a run asks git which code it is
def test_a_research_run_says_that_no_ledger_records_it(ask: Ask) -> None:
    run = ("run", "--prices", "synthetic", "--no-charts", "--quiet")
    done = ask(*run, "--ledger", "sqlite:///a.db")
    assert (done.code, done.err.count("\n")) == (0, 1)
    assert done.err.startswith("WARNING: no ledger records a research run")
    assert ask(*run).err == ""


@pytest.mark.slow  # a strategy's code runs in a process of its own
def test_a_check_on_prices_that_are_not_there_says_so(ask: Ask) -> None:
    assert "No such price file: away.csv" in told(ask(*CHECK, "--prices", "away.csv"), 3)
