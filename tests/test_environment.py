"""What a result was made with, and what is said where that can't be found out."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING

import pytest
from support.ledger_history import CHECKOUT

from quantlab.runner import environment as module
from quantlab.runner.environment import code, environment, source_digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    """Let each test ask for itself: a process asks once."""
    environment.cache_clear()
    code.cache_clear()
    yield
    environment.cache_clear()
    code.cache_clear()


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
    monkeypatch.setattr(module, "PACKAGE", tmp_path / "quantlab")
    assert environment().git_commit is None


def test_where_there_is_no_git_no_commit_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(module, "PACKAGE", tmp_path / "quantlab")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment().git_commit is None


def test_a_package_that_is_missing_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PACKAGES", ("msgspec", "no-such-package"))
    assert environment().packages["no-such-package"] == "not installed"


def git(folder: Path, *words: str) -> None:
    settings = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *settings, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    package = tmp_path / "quantlab"
    package.mkdir()
    (package / "engine.py").write_text("FEE = 0.002\n")
    (tmp_path / "notes.txt").write_text("mine\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    monkeypatch.setattr(module, "PACKAGE", package)
    return tmp_path


def test_a_clean_checkout_runs_its_commit(checkout: Path) -> None:
    found = code()
    assert found.git_commit is not None
    assert (found.git_dirty, found.modified) == (False, False)
    (checkout / "notes.txt").write_text("changed, and no code\n")
    code.cache_clear()
    assert code() == found


def test_an_edited_tree_is_not_its_commit(checkout: Path) -> None:
    before = code()
    (checkout / "quantlab/engine.py").write_text("FEE = 0.0\n")
    code.cache_clear()
    after = code()
    assert (after.git_commit, after.git_dirty, after.modified) == (before.git_commit, True, True)
    assert after.digest != before.digest


def test_a_file_that_git_has_not_seen_is_an_edit_too(checkout: Path) -> None:
    (checkout / "quantlab/peeking.py").write_text("LOOK = 2\n")
    assert code().git_dirty is True


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_an_edit_that_git_was_told_to_pass_over_is_an_edit_too(checkout: Path, flag: str) -> None:
    (checkout / "quantlab/engine.py").write_text("FEE = 0.0\n")
    git(checkout, "update-index", flag, "quantlab/engine.py")
    assert code().git_dirty is True


def test_an_excluded_source_is_an_edit_too(checkout: Path) -> None:
    (checkout / ".git/info/exclude").write_text("peeking.py\n")
    (checkout / "quantlab/peeking.py").write_text("LOOK = 2\n")
    assert code().git_dirty is True


def test_line_ends_of_another_system_are_no_edit(checkout: Path) -> None:
    git(checkout, "config", "core.autocrlf", "true")
    (checkout / "quantlab/engine.py").unlink()
    git(checkout, "checkout", "--", "quantlab/engine.py")
    assert (checkout / "quantlab/engine.py").read_bytes() == b"FEE = 0.002\r\n"
    assert code().git_dirty is False


def test_a_hook_s_variables_name_no_other_repository(
    checkout: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = code().git_commit
    git(tmp_path_factory.mktemp("other"), "init", "-q")
    monkeypatch.setenv("GIT_DIR", str(tmp_path_factory.getbasetemp() / "other0/.git"))
    code.cache_clear()
    assert (code().git_commit, code().git_dirty) == (before, False)


def test_the_digest_is_of_paths_and_bytes_alone(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub/a.py").write_text("A = 1\n")
        (tmp_path / name / "b.sql").write_text("SELECT 1\n")
    (tmp_path / "other/__pycache__").mkdir()
    (tmp_path / "other/__pycache__/a.pyc").write_bytes(b"made")
    assert source_digest(tmp_path / "one") == source_digest(tmp_path / "other")
    (tmp_path / "other/sub/a.py").rename(tmp_path / "other/a.py")
    assert source_digest(tmp_path / "one") != source_digest(tmp_path / "other")


def test_a_wheel_s_files_are_held_against_its_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "quantlab"
    package.mkdir()
    (package / "engine.py").write_text("FEE = 0.002\n")
    digest = urlsafe_b64encode(hashlib.sha256((package / "engine.py").read_bytes()).digest()).decode()
    facts = tmp_path / "quantlab_sessions-0.2.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: installed-for-a-test\nVersion: 0.2.0\n")
    (facts / "RECORD").write_text(f"quantlab/engine.py,sha256={digest.rstrip('=')},12\n")
    facts.rename(tmp_path / "installed_for_a_test-0.2.0.dist-info")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(module, "PACKAGE", package)
    monkeypatch.setattr(module, "DISTRIBUTION", "installed-for-a-test")
    assert (code().git_commit, code().modified) == (None, False)
    (package / "engine.py").write_text("FEE = 0.0\n")
    code.cache_clear()
    assert code().modified is True
    (package / "engine.py").write_text("FEE = 0.002\n")
    (package / "more.py").write_text("X = 1\n")
    code.cache_clear()
    assert code().modified is True
