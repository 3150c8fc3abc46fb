"""The command that reproduces a session begins with the program that its reader has."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from quantlab.cli.reproduce import reproducer
from quantlab.domain.config import RunConfig

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Return the place of an installed program."""
    program = tmp_path / "bin" / "quantlab"
    program.parent.mkdir()
    program.touch(mode=0o755)
    return program


def first_word(folder: Path) -> str:
    spell = reproducer(folder / "outputs")
    return spell(RunConfig(prices="synthetic"), folder).split()[0]


def test_an_installed_program_that_is_found_is_called_by_its_name(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [str(installed)])
    monkeypatch.setenv("PATH", str(installed.parent))
    assert first_word(installed.parent) == "quantlab"


def test_an_installed_program_that_is_not_found_is_called_by_its_place(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [str(installed)])
    monkeypatch.setenv("PATH", "")
    assert first_word(installed.parent) == str(installed)


def test_where_another_program_of_that_name_is_found_its_place_is_told(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other" / "quantlab"
    other.parent.mkdir()
    other.touch(mode=0o755)
    monkeypatch.setattr(sys, "argv", [str(installed)])
    monkeypatch.setenv("PATH", str(other.parent))
    assert first_word(installed.parent) == str(installed)
