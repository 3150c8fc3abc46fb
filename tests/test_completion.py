"""Completing a command line: what the shells read, and what they are then offered."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support.flow_program import environment, said
from test_import_weight import HEAVY, loaded

if TYPE_CHECKING:
    from pathlib import Path


def offered(folder: Path, *words: str) -> list[str]:
    """Ask as bash does; the last word is the one to be completed."""
    asked = environment(
        folder, _QUANTLAB_COMPLETE="bash_complete", COMP_WORDS=" ".join(words), COMP_CWORD=str(len(words) - 1)
    )
    done = subprocess.run(
        [sys.executable, "-m", "quantlab"], cwd=folder, env=asked, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_what_a_shell_reads_names_the_program_and_the_shell(tmp_path: Path, shell: str) -> None:
    done = said(tmp_path, "completion", shell)
    assert (done.code, done.err) == (0, "")
    assert f"_QUANTLAB_COMPLETE={shell}_complete" in done.out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_itself_takes_it(tmp_path: Path, shell: str) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    script = said(tmp_path, "completion", shell).out
    subprocess.run([program, "-n"], input=script, text=True, check=True, env=environment(tmp_path))


def test_another_shell_is_refused(tmp_path: Path) -> None:
    done = said(tmp_path, "completion", "tcsh")
    assert done.code == 2
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in done.error


def test_commands_and_options_are_offered(tmp_path: Path) -> None:
    assert offered(tmp_path, "quantlab", "pap") == ["plain,paper-sessions"]
    assert offered(tmp_path, "quantlab", "paper-sessions", "pro") == ["plain,promotion", "plain,prove"]
    assert offered(tmp_path, "quantlab", "run", "--slip") == ["plain,--slippage-bps", "plain,--slippage-mode"]
    assert offered(tmp_path, "quantlab", "run", "--fill", "c") == ["plain,close"]


def test_the_shell_is_asked_to_complete_paths(tmp_path: Path) -> None:
    for words in (
        ("paper-sessions", "list", "out"),
        ("paper-sessions", "show", "out"),
        ("run", "--outdir", "out"),
    ):
        assert offered(tmp_path, "quantlab", *words) == ["file,out"]


def test_a_broken_file_does_not_keep_the_shell_from_completing(tmp_path: Path) -> None:
    (tmp_path / "quantlab.toml").write_text("no toml at all")
    assert offered(tmp_path, "quantlab", "pap") == ["plain,paper-sessions"]
    assert said(tmp_path, "completion", "bash").code == 0


def test_nothing_heavy_is_loaded_for_it(tmp_path: Path) -> None:
    assert loaded(tmp_path, (*HEAVY, "sqlite3", "msgspec"), "completion", "bash") == "[]"
    asked = {
        **environment(tmp_path),
        "PYTHONPROFILEIMPORTTIME": "1",
        "_QUANTLAB_COMPLETE": "bash_complete",
        "COMP_WORDS": "quantlab ",
        "COMP_CWORD": "1",
    }
    kept = {name: value for name, value in asked.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(
        [sys.executable, "-m", "quantlab"], cwd=tmp_path, env=kept, capture_output=True, text=True, check=True
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "click" in imported
    assert not imported & {*HEAVY, "msgspec", "quantlab.cli.run"}
