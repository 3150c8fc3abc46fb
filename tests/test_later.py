"""A rollback inside the root is seen: exports that know a later head are kept, and verify holds the ledger to them."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from support.ledger_commands import cut
from support.ledger_history import BEGINNING, entry, fill, forge, heartbeat, open_root, record

from quantlab.base.errors import LedgerDamagedError
from quantlab.cli.main import run
from quantlab.exports import index

if TYPE_CHECKING:
    from pathlib import Path

JSON = index.JSON


def exported(tmp_path: Path) -> Path:
    """Make a root whose exports show its ledger of ten events; returns the ledger's file."""
    file = fill(tmp_path)
    with open_root(tmp_path) as store:
        index.write(store, tmp_path)
    return file


def kept(tmp_path: Path) -> bytes:
    return (tmp_path / JSON).read_bytes()


def test_an_export_says_whose_it_is(tmp_path: Path) -> None:
    exported(tmp_path)
    with open_root(tmp_path) as store, store.read() as connection:
        ledger_id = connection.exec_driver_sql("SELECT ledger_id FROM ledger_head").scalar()
    assert json.loads(kept(tmp_path))["ledger_id"] == ledger_id


def test_an_export_that_knows_a_later_head_is_not_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut(exported(tmp_path))
    before = kept(tmp_path)
    assert run(["paper-sessions", "index", str(tmp_path)]) == 1
    assert "knows more of this ledger than the ledger does" in capsys.readouterr().err
    assert kept(tmp_path) == before


def test_an_export_of_another_history_is_not_overwritten(tmp_path: Path) -> None:
    file = exported(tmp_path)
    forge(file, "UPDATE events SET hash = upper(hash) WHERE sequence = 10")
    with open_root(tmp_path) as store, pytest.raises(LedgerDamagedError, match="history was rewritten"):
        index.write(store, tmp_path)


def test_a_session_s_end_warns_of_it_and_leaves_the_export(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cut(exported(tmp_path))
    before = kept(tmp_path)
    with open_root(tmp_path) as store:
        assert index.refresh_or_warn(store, tmp_path, now=BEGINNING) is False
    assert (kept(tmp_path), len(caplog.messages)) == (before, 1)
    assert "move the export away" in caplog.messages[0]


def test_an_export_of_another_ledger_is_overwritten(tmp_path: Path) -> None:
    exported(tmp_path)
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    with open_root(tmp_path) as store:
        assert index.write(store, tmp_path).sequence == 0


@pytest.mark.parametrize("text", ["", "[]", "{", '{"ledger_sequence":"many"}', "[" * 70_000])
def test_an_export_that_can_not_be_read_is_overwritten(tmp_path: Path, text: str) -> None:
    exported(tmp_path)
    (tmp_path / JSON).write_text(text)
    with open_root(tmp_path) as store:
        assert index.write(store, tmp_path).sequence == 10


def test_verify_holds_a_root_s_ledger_against_the_root_s_own_export(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut(exported(tmp_path))
    assert run(["ledger", "verify", str(tmp_path)]) == 1
    assert "sequence 9: missing; the ledger once went on to 10" in capsys.readouterr().out


def test_verify_is_content_with_an_export_that_is_only_old(tmp_path: Path) -> None:
    exported(tmp_path)
    with open_root(tmp_path) as store:
        record(store, [entry("s3", 4, heartbeat(9))])
    assert run(["ledger", "verify", str(tmp_path)]) == 0


def test_after_a_restore_the_exports_that_knew_more_are_kept_aside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = fill(tmp_path)
    shutil.copy(file, tmp_path / "backup.db")
    with open_root(tmp_path) as store:
        record(store, [entry("s3", 4, heartbeat(9))])
        index.write(store, tmp_path)
    before = kept(tmp_path)
    assert run(["ledger", "restore", "--force", str(tmp_path), str(tmp_path / "backup.db")]) == 0
    aside = sorted(tmp_path.glob(f"{JSON}.before-restore-*"))
    assert [one.read_bytes() for one in aside] == [before]
    assert "An export that knew more is kept as" in capsys.readouterr().out
    assert run(["paper-sessions", "index", str(tmp_path)]) == 0
