"""Folders from elsewhere on the disk: which are sessions, which files are read, and what can't be."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.legacy_root import break_folders, make_legacy_session
from support.permissions import folder_of_ones_own, permissions_bind
from support.root_files import facts_of

from quantlab.folders import adoption
from quantlab.folders.adoption import read_folder
from quantlab.folders.places import (
    digest_of_file,
    parse,
    read_document,
    session_folders,
)
from quantlab.folders.reading import LARGEST_DOCUMENT, UnreadableError

if TYPE_CHECKING:
    from pathlib import Path


def test_every_file_of_a_session_is_digested(tmp_path: Path) -> None:
    make_legacy_session(tmp_path / "s", 0, "success")
    facts = read_folder(tmp_path / "s", tmp_path)
    assert facts is not None
    files = {path.relative_to(tmp_path / "s").as_posix() for path in (tmp_path / "s").rglob("*.*")}
    assert set(facts.digests) == files


def test_a_folder_without_a_session_file_is_no_session(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert read_folder(tmp_path, tmp_path.parent) is None


def test_a_folder_that_is_gone_is_no_session(tmp_path: Path) -> None:
    assert read_folder(tmp_path / "gone", tmp_path) is None


@pytest.mark.parametrize("name", ["session_metadata", "session_status", "report"])
def test_any_of_three_files_makes_a_session(tmp_path: Path, name: str) -> None:
    facts = facts_of(tmp_path / "s", **{name: {"status": "success"}})
    assert (facts.session_id, facts.fields["status"]) == ("s", "success")


def test_each_broken_folder_is_read_as_far_as_it_goes_and_says_what_is_wrong(tmp_path: Path) -> None:
    breaks = break_folders(tmp_path)
    for name, what in breaks.items():
        facts = read_folder(tmp_path / name, tmp_path)
        assert facts is not None
        assert facts.fields["status"] == "success", what
        assert [one.split(":")[0] for one in facts.unreadable] == ["session_status.json"], what


def test_a_link_within_the_root_is_followed(tmp_path: Path) -> None:
    make_legacy_session(tmp_path / "a", 0, "failed")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "session_status.json").symlink_to("../a/session_status.json")
    facts = read_folder(tmp_path / "b", tmp_path)
    assert facts is not None
    assert (facts.fields["status"], facts.unreadable) == ("failed", [])


def test_a_link_to_nothing_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "session_status.json").symlink_to("nowhere.json")
    facts = read_folder(tmp_path / "b", tmp_path)
    assert facts is not None
    assert facts.unreadable == ["session_status.json"]


def test_an_artifacts_folder_that_is_a_link_is_not_entered(tmp_path: Path) -> None:
    facts_of(tmp_path / "s", session_status={})
    (tmp_path / "s" / "artifacts").symlink_to("/etc")
    facts = read_folder(tmp_path / "s", tmp_path)
    assert facts is not None
    assert list(facts.digests) == ["session_status.json"]


def test_folders_that_are_links_or_hidden_are_no_sessions(tmp_path: Path) -> None:
    facts_of(tmp_path / "s", session_status={})
    facts_of(tmp_path / ".hidden", session_status={})
    (tmp_path / "latest").symlink_to("s")
    (tmp_path / "a file").write_text("")
    assert session_folders(tmp_path) == ["s"]


def test_a_folder_whose_name_is_no_text_is_no_session(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"\xff")
    folder.mkdir()
    (folder / "report.json").write_text("{}")
    assert session_folders(tmp_path) == []


def test_a_file_larger_than_the_bound_is_never_read(tmp_path: Path) -> None:
    path = tmp_path / "session_status.json"
    with path.open("wb") as handle:
        handle.truncate(LARGEST_DOCUMENT + 1)
    with pytest.raises(UnreadableError, match="larger than 32 MiB") as caught:
        read_document(str(path), str(tmp_path))
    assert caught.value.digest is None


def test_a_file_that_may_not_be_read_is_unreadable() -> None:
    with folder_of_ones_own() as root, permissions_bind():
        root_file = root / "report.json"
        with pytest.raises(FileNotFoundError):
            digest_of_file(str(root_file), str(root))
    with folder_of_ones_own() as root:
        (root / "report.json").touch(mode=0o000)
        with permissions_bind(), pytest.raises(UnreadableError, match="Permission"):
            digest_of_file(str(root / "report.json"), str(root))


def test_a_table_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    facts_of(tmp_path / "s", session_status={})
    (tmp_path / "s" / "trades.csv").mkdir()
    facts = read_folder(tmp_path / "s", tmp_path)
    assert facts is not None
    assert facts.unreadable == ["trades.csv"]


def test_a_huge_document_is_kept_by_its_digest_alone(tmp_path: Path) -> None:
    facts = facts_of(tmp_path / "s", report={"status": "failed", "results": "x" * 1_100_000})
    assert (facts.fields["status"], facts.documents, list(facts.digests)) == ("failed", {}, ["report.json"])


def test_the_exact_copy_of_the_metadata_is_kept_once(tmp_path: Path) -> None:
    facts = facts_of(tmp_path / "s", session_metadata={"a": 1}, metadata={"a": 1})
    assert list(facts.documents) == ["session_metadata.json"]


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_an_object_or_unreadable(data: bytes) -> None:
    try:
        read: object = parse(data)
    except UnreadableError:
        read = {}
    assert isinstance(read, dict)


def test_a_file_that_goes_while_its_folder_is_read_is_as_if_it_had_not_been_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_legacy_session(tmp_path / "s", 0, "success")
    names_in = adoption._names_in

    def then_removed(place: str) -> set[str]:
        names = names_in(place)
        for name in ("session_status.json", "trades.csv"):
            (tmp_path / "s" / name).unlink()
        return names

    monkeypatch.setattr(adoption, "_names_in", then_removed)
    facts = read_folder(tmp_path / "s", tmp_path)
    monkeypatch.undo()
    assert facts == read_folder(tmp_path / "s", tmp_path)


def test_an_artifacts_folder_that_may_not_be_listed_has_no_artifacts() -> None:
    with folder_of_ones_own() as root:
        make_legacy_session(root / "s", 0, "success")
        (root / "s" / "artifacts").chmod(0o000)
        with permissions_bind():
            facts = read_folder(root / "s", root)
        (root / "s" / "artifacts").chmod(0o755)
    assert facts is not None
    assert [name for name in facts.digests if name.startswith("artifacts/")] == []


def test_files_on_a_disk_that_fails_are_unreadable_and_say_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_legacy_session(tmp_path / "s", 0, "success")

    def fail(*_: object) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "read", fail)
        facts = read_folder(tmp_path / "s", tmp_path)
    assert facts is not None
    assert {"session_status.json", "trades.csv", "artifacts/equity.png"} <= set(facts.unreadable)
    assert facts.digests == {}
