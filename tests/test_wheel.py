"""A fresh wheel in a bare environment makes its ledger and runs from another folder."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest
from conftest import CLOSED_PROXY
from support.flow_program import PAPER, REPOSITORY, document, session_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(600)
_OURS = ("PYTHON", "QUANTLAB", "COV")


def checked(folder: Path, *words: str, registry: bool = False) -> str:
    """Run a command that has to succeed, with nothing of the checkout on its path.

    Only building and installing may reach the package registry; the program itself stays behind the tests' fence.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    if registry:
        clean = {name: value for name, value in clean.items() if value != CLOSED_PROXY}
    done = subprocess.run(
        words, cwd=folder, env=clean, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("wheel")
    checked(
        where,
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--outdir",
        str(where),
        str(REPOSITORY),
        registry=True,
    )
    (built,) = where.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def quantlab(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("bare")
    checked(where, sys.executable, "-m", "venv", str(where / "venv"))
    pip = (
        str(where / "venv" / "bin" / "python"),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    )
    checked(where, *pip, str(wheel), registry=True)
    return where / "venv" / "bin" / "quantlab"


def test_the_wheel_ships_the_migrations(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "quantlab/migrations/env.py" in names
    assert any(name.startswith("quantlab/migrations/versions/0001") for name in names)
    assert not any(name.startswith("tests/") for name in names)


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_the_wheel_ships_the_texts_of_guards_and_views(wheel: Path, engine: str) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    texts = [f"quantlab/ledger/sql/{engine}/{name}" for name in ("guards", "views", "alerts", "forward")]
    assert [text for text in texts if not {f"{text}.sql", f"{text}.json"} <= set(names)] == []


def test_the_wheel_ships_its_types_and_its_licence(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "quantlab/py.typed" in names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_an_installed_program_runs_a_session_and_proves_it(quantlab: Path, tmp_path: Path) -> None:
    checked(tmp_path, str(quantlab), *PAPER, "--report")
    session = session_of(tmp_path)
    assert document(session / "session_metadata.json")["git_commit"] is None
    assert "identical" in checked(tmp_path, str(quantlab), "paper-sessions", "prove", str(session))
    checked(tmp_path, "sh", "-c", document(session / "report.json")["reproduce"]["command"])
    assert len([one for one in session.parent.iterdir() if one.is_dir()]) == 2


def test_an_installed_program_reads_csv_and_says_what_parquet_needs(quantlab: Path, tmp_path: Path) -> None:
    session = "--ticker=AB", "--start=2023-01-01", "--end=2023-12-31"
    checked(tmp_path, str(quantlab), "run", *session, "--prices=synthetic", "--outdir=first")
    (prices,) = tmp_path.glob("first/runs/*/artifacts/prices.csv")
    checked(tmp_path, str(quantlab), "run", *session, f"--prices={prices}")
    (tmp_path / "bars").write_bytes(b"PAR1")
    done = subprocess.run(
        [quantlab, "run", "--prices=bars"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert "pip install 'quantlab-sessions[parquet]'" in done.stderr


def test_an_installed_program_is_fit(quantlab: Path, tmp_path: Path) -> None:
    assert '"status": "ok"' in checked(tmp_path, str(quantlab), "--check")
