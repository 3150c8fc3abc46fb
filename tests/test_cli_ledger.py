"""`quantlab ledger …` as an operator meets it: which ledger, its head, its key, rebuild and migrate."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
from support.ledger_commands import Say, filled_root, signing_key
from support.ledger_history import stored

from quantlab.base.errors import ConfigError
from quantlab.cli import ledger as commands
from quantlab.cli.progress import LINES
from quantlab.ledger.signing import is_signed, read_key

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return filled_root(tmp_path)


@pytest.fixture
def root(file: Path) -> str:
    return str(file.parent)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return signing_key(tmp_path)


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    return Say(capsys)


def test_head_prints_the_ledger_s_head(root: str, say: Say, file: Path) -> None:
    ((ledger_id, digest),) = stored(file, "SELECT ledger_id, hash FROM ledger_head")
    assert say("head", root) == (0, f"ledger_id : {ledger_id}\nsequence : 10\nhash : {digest}\n", "")


def test_a_signed_head_is_signed_with_the_key(root: str, say: Say, key: Path) -> None:
    head = json.loads(say("head", root, "--sign-key", key, "--format", "json")[1])
    assert is_signed(read_key(key), head["ledger_id"], head["sequence"], head["hash"], head["signature"])


def test_a_ledger_may_be_named_by_its_url(file: Path, say: Say) -> None:
    assert say("head", f"sqlite:///{file}")[0] == 0


def test_a_ledger_may_be_named_by_the_environment(
    file: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUANTLAB_LEDGER", f"sqlite:///{file}")
    assert say("head")[0] == 0


def test_a_root_s_own_ledger_that_the_environment_passes_over_is_named(
    file: Path, root: str, tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    other = filled_root(tmp_path / "elsewhere")
    monkeypatch.setenv("QUANTLAB_LEDGER", f"sqlite:///{other}")
    code, out, err = say("export", root, "--output", str(tmp_path / "old.jsonl"))
    assert (code, out) == (0, "")
    assert f"NOTE: this is about {other}, which QUANTLAB_LEDGER names" in err
    assert f"'--ledger sqlite:///{file}' reaches" in err
    assert say("head", root, "--ledger", f"sqlite:///{file}")[2] == ""
    assert say("head", str(tmp_path / "elsewhere"))[2] == ""
    (tmp_path / "without").mkdir()
    assert say("head", str(tmp_path / "without"))[2] == ""


@pytest.mark.parametrize("word", ["head", "verify", "rebuild", "export", "migrate"])
def test_a_root_that_is_missing_or_a_file_is_bad_usage(word: str, file: Path, say: Say) -> None:
    for bad in (file, file.parent / "missing"):
        code, out, err = say(word, bad)
        assert (code, out, err.count("\n")) == (2, "", 1)


def test_a_root_without_a_ledger_is_told(tmp_path: Path, say: Say) -> None:
    code, _, err = say("verify", tmp_path)
    assert (code, "There is no ledger at" in err) == (1, True)


@pytest.mark.parametrize(
    ("content", "mode", "told"),
    [
        (b"k" * 31, 0o600, "has 31 bytes"),
        (b"k" * 5000, 0o600, "bytes; expected a file of 32"),
        (b"k" * 40, 0o644, "chmod 600"),
        (None, 0o600, "can't be read"),
    ],
)
def test_a_key_that_is_none_is_refused(
    content: bytes | None, mode: int, told: str, root: str, tmp_path: Path, say: Say
) -> None:
    kept = tmp_path / "other-key"
    if content is not None:
        kept.write_bytes(content)
        kept.chmod(mode)
    code, _, err = say("head", root, "--sign-key", kept)
    assert (code, told in err) == (2, True)


def test_a_folder_is_no_key(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(ConfigError, match="is a folder; expected a file"):
        read_key(tmp_path)


def test_rebuild_says_what_it_made(root: str, say: Say) -> None:
    code, out, _ = say("rebuild", root)
    assert (code, out.splitlines()[0]) == (0, f"3 sessions projected anew in {root}/ledger.db.")


def test_migrate_leaves_a_current_ledger_as_it_is(root: str, say: Say) -> None:
    code, out, _ = say("migrate", root)
    assert (code, "which is this program's" in out) == (0, True)


def test_progress_is_told_on_a_terminal_once_it_takes_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tell = commands._progress("events verified")
    with LINES.shown():
        tell(1000)
        monkeypatch.setattr(commands, "PROGRESS_AFTER_SECONDS", 0.0)
        tell(10000)
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        tell(20000)
    assert capsys.readouterr().err == "20,000 events verified …\n"
