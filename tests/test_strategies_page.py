"""The page about strategies: its examples run, are sound and read as typed Python."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.flow_program import said, session_of

import quantlab

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = (REPOSITORY / "docs" / "strategies.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
EXAMPLES = [block for block in BLOCKS if block.startswith('"""')]
NOTEBOOK = next(block for block in BLOCKS if "quantlab.open" in block)


def test_there_are_three_worked_examples() -> None:
    assert len(EXAMPLES) == 3


@pytest.mark.parametrize("number", range(3))
def test_an_example_runs_as_a_session_and_is_sound(tmp_path: Path, number: int) -> None:
    (tmp_path / "mine.py").write_text(EXAMPLES[number])
    checked = said(tmp_path, "strategies", "check", "mine.py")
    assert checked.code == 0, checked.err
    years = ("--start", "2019-01-01", "--end", "2024-01-01", "--prices", "synthetic")
    done = said(tmp_path, "run", "--paper", "--strategy", "mine.py", *years)
    assert done.code == 0, done.err
    metadata = json.loads((session_of(tmp_path) / "session_metadata.json").read_text())
    assert metadata["strategy"]["name"] == "mine"
    assert metadata["summary"]["trades"] >= 1


def test_the_first_minute_goes_as_it_is_typed(tmp_path: Path) -> None:
    made = said(tmp_path, "run", "--prices", "synthetic", "--start", "2021-01-01", "--end", "2023-01-01")
    assert made.code == 0, made.err
    (run,) = (tmp_path / "outputs" / "runs").glob("2*")
    (tmp_path / "my.csv").write_bytes((run / "artifacts" / "prices.csv").read_bytes())
    assert said(tmp_path, "strategies", "new", "mine.py").code == 0
    assert said(tmp_path, "strategies", "check", "mine.py", "--prices", "my.csv").code == 0
    done = said(tmp_path, "run", "--paper", "--strategy", "mine.py", "--prices", "my.csv")
    assert done.code == 0, done.err
    config = json.loads((session_of(tmp_path) / "config.json").read_text())
    assert (config["ticker"], config["start"], config["end"]) == ("MY", "2021-01-01", "2023-01-01")


def test_the_notebook_s_lines_run(tmp_path: Path) -> None:
    assert said(tmp_path, "run", "--paper", "--prices", "synthetic").code == 0
    check = f"{NOTEBOOK}\nassert len(sessions) == 1 and len(trades) and len(equity) == 365\n"
    done = subprocess.run(
        [sys.executable, "-c", check], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_examples_and_what_new_writes_are_typed(tmp_path: Path) -> None:
    from quantlab.trading.strategies.example import TEXT

    for number, text in enumerate([*EXAMPLES, TEXT, NOTEBOOK]):
        (tmp_path / f"example_{number}.py").write_text(text)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--ignore-missing-imports"),
            *("--config-file=", f"--cache-dir={tmp_path / 'cache'}"),
            *map(str, sorted(tmp_path.glob("*.py"))),
        ],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_public_face_is_lazy_and_whole() -> None:
    probe = (
        "import sys, quantlab; heavy = {'numpy', 'pandas', 'sqlalchemy', 'msgspec'} & set(sys.modules); "
        "from quantlab import *; print(sorted(heavy), open is not quantlab.open)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] True"
    assert all(callable(getattr(quantlab, name)) for name in [*quantlab.__all__, "open"])
    assert set(quantlab.__all__) <= set(dir(quantlab))
    with pytest.raises(AttributeError, match="no attribute 'smaa'"):
        quantlab.smaa  # noqa: B018


def test_the_wheel_says_that_it_is_typed() -> None:
    assert (REPOSITORY / "quantlab" / "py.typed").is_file()
