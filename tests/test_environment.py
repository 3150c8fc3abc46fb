"""What a result was made with, and what is said where that can't be found out."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from ledger_history import CHECKOUT

from quantlab.exports import environment as module
from quantlab.exports.environment import environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    """Let each test ask for itself: a process asks once."""
    environment.cache_clear()
    yield
    environment.cache_clear()


def commit_of_the_checkout() -> str | None:
    """Ask git itself; None where there is no git, or no repository."""
    if shutil.which("git") is None:
        return None
    asked = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or None


def test_in_a_checkout_its_commit_is_told() -> None:
    assert environment().git_commit == commit_of_the_checkout()


def test_an_installed_program_has_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "__file__", str(tmp_path / "quantlab" / "exports" / "environment.py"))
    assert environment().git_commit is None


def test_where_there_is_no_git_no_commit_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(module, "__file__", str(tmp_path / "quantlab" / "exports" / "environment.py"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment().git_commit is None


def test_a_package_that_is_missing_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PACKAGES", ("msgspec", "no-such-package"))
    assert environment().packages["no-such-package"] == "not installed"
