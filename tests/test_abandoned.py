"""What killed commands left beside a file is swept by the next command of their kind, once it is old and nobody's."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest
from support.ledger_history import fill, open_root

from quantlab.cli.main import run

if TYPE_CHECKING:
    from pathlib import Path

NOBODY = 2**22 + 7
DAY = 86_400


def left(folder: Path, name: str, *, age: float = 2 * DAY) -> Path:
    file = folder / name
    file.write_bytes(b"half")
    then = time.time() - age
    os.utime(file, (then, then))
    return file


def a_copy(of: str, pid: int = NOBODY) -> str:
    return f".{of}.{pid}.0123abcd"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    fill(folder)
    return folder


def test_an_export_sweeps_what_a_killed_export_left(tmp_path: Path, root: Path) -> None:
    old = left(tmp_path, f"{a_copy('out.jsonl')}.tmp")
    assert run(["ledger", "export", str(root), "--output", str(tmp_path / "out.jsonl")]) == 0
    assert not old.exists()


def test_a_backup_sweeps_what_a_killed_backup_left(tmp_path: Path, root: Path) -> None:
    names = [
        f"{a_copy('kept.db')}.copy",
        f"{a_copy('kept.db')}.copy-wal",
        f".{a_copy('kept.db')}.copy.89abcdef",
    ]
    old = [left(tmp_path, name) for name in names]
    assert run(["ledger", "backup", str(root), str(tmp_path / "kept.db")]) == 0
    assert [file for file in old if file.exists()] == []


def test_a_restore_sweeps_what_a_killed_restore_left(tmp_path: Path, root: Path) -> None:
    assert run(["ledger", "backup", str(root), str(tmp_path / "kept.db")]) == 0
    old = [left(root, f"{a_copy('ledger.db')}.copy{side}") for side in ("", "-wal", "-shm", ".lock")]
    assert run(["ledger", "restore", "--force", str(root), str(tmp_path / "kept.db")]) == 0
    assert [file for file in old if file.exists()] == []


def test_a_first_ledger_sweeps_what_a_killed_first_ledger_left(tmp_path: Path) -> None:
    old = [left(tmp_path, f"{a_copy('ledger.db')}{side}") for side in ("", "-journal")]
    open_root(tmp_path).close()
    assert [file for file in old if file.exists()] == []


@pytest.mark.parametrize(
    ("name", "age"),
    [
        (a_copy("ledger.db"), DAY - 600),
        (a_copy("ledger.db", os.getpid()), 2 * DAY),
        (a_copy("another.db"), 2 * DAY),
        ("ledger.db.before-restore-20260101T000000000000Z", 2 * DAY),
        (".ledger.db.mine", 2 * DAY),
        ("ledger.db.left-0123abcd-wal", 2 * DAY),
    ],
    ids=[
        "young",
        "of a living process",
        "of another file",
        "kept by a restore",
        "of a person",
        "a log set aside",
    ],
)
def test_what_is_young_or_somebody_s_or_of_another_kind_stays(tmp_path: Path, name: str, age: float) -> None:
    kept = left(tmp_path, name, age=age)
    open_root(tmp_path).close()
    assert kept.read_bytes() == b"half"
