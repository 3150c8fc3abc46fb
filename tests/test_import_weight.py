"""What answers at once loads nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support.flow_program import PAPER, environment, said, session_of

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = ("pandas", "numpy", "yfinance", "matplotlib", "alembic", "pyarrow", "sqlalchemy")
PROBE = (
    "import sys; from quantlab.cli.main import run; code = run(sys.argv[2:]); "
    "loaded = [one for one in sys.argv[1].split(',') if one in sys.modules]; "
    "print(loaded, file=sys.stderr); sys.exit(code)"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("weight")
    assert said(where, *PAPER).code == 0
    return where


def unmeasured(folder: Path) -> dict[str, str]:
    """Return a process's variables without those that start the measuring of coverage, which itself loads SQLite."""
    return {name: value for name, value in environment(folder).items() if not name.startswith("COVERAGE_")}


def loaded(folder: Path, modules: tuple[str, ...], *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, ",".join(modules), *words],
        cwd=folder,
        env=unmeasured(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "words", [("--help",), ("run", "--help"), ("paper-sessions", "--help"), ("--version",)]
)
def test_help_and_version_load_nothing_heavy(folder: Path, words: tuple[str, ...]) -> None:
    assert loaded(folder, (*HEAVY, "sqlite3", "msgspec", "difflib"), *words) == "[]"


def test_hardly_anything_is_loaded_before_somebody_listens_for_ctrl_c(tmp_path: Path) -> None:
    probe = "import sys; import quantlab.cli; print([one for one in ('typing', 're', 'click') if one in sys.modules])"
    command = [sys.executable, "-S", "-c", probe]  # without what the site's own .pth files load
    done = subprocess.run(command, env=unmeasured(tmp_path), capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("question", ["list", "health", "alerts", "promotion"])
def test_questions_load_nothing_heavy(folder: Path, question: str) -> None:
    assert loaded(folder, HEAVY, f"--paper-sessions-{question}", "outputs/paper_sessions") == "[]"


def test_showing_a_session_loads_nothing_heavy(folder: Path) -> None:
    assert loaded(folder, HEAVY, "--paper-sessions-show", str(session_of(folder))) == "[]"


def test_check_loads_nothing_heavy(folder: Path) -> None:
    assert loaded(folder, HEAVY, "--check") == "[]"


@pytest.mark.parametrize("words", [("ledger", "verify"), ("paper-sessions", "prove", "latest")])
def test_nothing_but_drawing_loads_matplotlib(folder: Path, words: tuple[str, ...]) -> None:
    root = ("outputs/paper_sessions",) if words[0] == "ledger" else ()
    assert loaded(folder, ("matplotlib",), *words, *root) == "[]"


def test_a_session_without_charts_loads_no_matplotlib(folder: Path) -> None:
    assert loaded(folder, ("matplotlib",), *PAPER, "--no-charts") == "[]"


def test_a_synthetic_session_loads_no_client_and_no_frames(folder: Path) -> None:
    heavy = ("pandas", "yfinance", "alembic", "pyarrow", "matplotlib.pyplot")
    assert loaded(folder, heavy, *PAPER) == "[]"
