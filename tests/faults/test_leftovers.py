"""What a killed writer leaves behind is removed or made anew, and the operator is told."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from support.ledger_history import failed, history, open_root, record
from support.tame import called

from quantlab.base.errors import QuantlabError
from quantlab.base.files import remove_leftovers, write_whole, writing_whole

if TYPE_CHECKING:
    from pathlib import Path


def _hidden(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_a_file_aside_of_a_dead_writer_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".report.json.4242.0123abcd.tmp").write_bytes(b"half")
    remove_leftovers(tmp_path)
    assert _hidden(tmp_path) == []


def test_a_file_aside_of_a_living_writer_stays(tmp_path: Path) -> None:
    with writing_whole(tmp_path / "report.json") as handle:
        handle.write(b"whole")
        remove_leftovers(tmp_path)
        assert len(_hidden(tmp_path)) == 1
    assert (tmp_path / "report.json").read_bytes() == b"whole"


@pytest.mark.parametrize("name", ["notes.tmp", ".notes.tmp", ".report.json.tmp", ".x.12.zzzzzzzz.tmp"])
def test_files_of_others_stay(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    remove_leftovers(tmp_path)
    assert (tmp_path / name).exists()


def test_a_folder_that_is_gone_has_no_leftovers(tmp_path: Path) -> None:
    remove_leftovers(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_file_aside_that_was_taken_for_a_leftover_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one instant at which a sweeper can take a living writer's file: made, and not yet locked."""
    lock = os.fstat
    taken: list[str] = []

    def sweep_once(handle: int) -> os.stat_result:
        if not taken:
            taken.extend(_hidden(tmp_path))
            (tmp_path / taken[0]).unlink()
        return lock(handle)

    monkeypatch.setattr(os, "fstat", sweep_once)
    write_whole(tmp_path / "report.json", b"whole")
    assert (len(taken), (tmp_path / "report.json").read_bytes(), _hidden(tmp_path)) == (1, b"whole", [])


def test_the_index_says_which_files_it_made_anew(tmp_path: Path) -> None:
    with open_root(tmp_path) as store:
        record(store, history("s1", failed()))
    code, out, _err = called("paper-sessions", "index", str(tmp_path))
    assert (code, out.splitlines()[0]) == (0, "Made anew: 1")
    assert (tmp_path / "s1" / "session_status.json").exists()


def test_a_file_that_cannot_take_its_place_leaves_nothing_aside(tmp_path: Path) -> None:
    (tmp_path / "report.json").mkdir()
    with pytest.raises(QuantlabError, match=r"report.json can't be written: Is a directory"):
        write_whole(tmp_path / "report.json", b"whole")
    assert _hidden(tmp_path) == []


def test_a_writer_that_fails_half_way_leaves_the_old_file_and_nothing_aside(tmp_path: Path) -> None:
    write_whole(tmp_path / "report.json", b"old")
    with pytest.raises(ZeroDivisionError):
        _write_half(tmp_path / "report.json")
    assert ((tmp_path / "report.json").read_bytes(), _hidden(tmp_path)) == (b"old", [])


def _write_half(path: Path) -> None:
    with writing_whole(path) as handle:
        handle.write(b"ha")
        raise ZeroDivisionError
