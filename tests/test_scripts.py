"""Benchmarks and drills find what they are made of when they are started as their pages say."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support.shown_pages import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

TESTS = REPOSITORY / "tests"
SCRIPTS = [*TESTS.glob("benchmarks/*.py"), *TESTS.glob("faults/*drill.py")]
READ = (
    "import runpy, sys; folder, script = sys.argv[1:]; sys.path[0] = folder; "
    "runpy.run_path(script, run_name='read')"
)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_finds_what_it_is_made_of_from_any_folder(script: Path, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    read = subprocess.run(
        [sys.executable, "-c", READ, str(script.parent), str(script)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (read.returncode, read.stderr) == (0, "")
