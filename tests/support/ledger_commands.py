"""`quantlab ledger …` called in this process, and what becomes of a ledger between two calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantlab.cli.main import run
from support.ledger_history import entry, fill, forge, heartbeat, open_root, record

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


class Say:
    """Runs a command line in this process; gives its code and what it said."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: object) -> tuple[int, str, str]:
        code = run(["ledger", *map(str, words)])
        said = self._capsys.readouterr()
        return code, said.out, said.err


def append(file: Path) -> None:
    """Record one event more."""
    with open_root(file.parent) as store:
        record(store, [entry("s3", 4, heartbeat(9))])


def cut(file: Path) -> None:
    """Take the last two events away, as somebody would who wants the rest to hold."""
    forge(
        file,
        "DELETE FROM events WHERE sequence > 8",
        "UPDATE ledger_head SET (sequence, hash) = (SELECT sequence, hash FROM events WHERE sequence = 8)",
    )


def filled_root(tmp_path: Path) -> Path:
    """Make a root whose ledger holds ten events of three sessions; returns the ledger's file."""
    root = tmp_path / "root"
    root.mkdir()
    return fill(root)


def signing_key(tmp_path: Path) -> Path:
    """Make a key that heads may be signed with; returns its file."""
    kept = tmp_path / "key"
    kept.write_bytes(b"k" * 40 + b"\n")
    kept.chmod(0o600)
    return kept
