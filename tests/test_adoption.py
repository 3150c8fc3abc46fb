"""Folders from elsewhere: what is read, what is refused, what is recorded."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from legacy_root import break_folders, legacy_id, make_legacy_root, make_legacy_session
from root_files import as_ordinary_user, quiet, row, unprivileged_root
from sessions_builder import NOW, Sessions

from quantlab.clock import iso
from quantlab.events import decode, encode
from quantlab.sessions import adoption
from quantlab.sessions.adoption import Adoption, FolderFacts, adopt, read_folder, shared_home
from quantlab.sessions.fields import fields_of, lifecycle_of
from quantlab.sessions.folders import (
    LARGEST_DOCUMENT,
    UnreadableError,
    digest_of,
    parse,
    read_document,
    session_folders,
)
from quantlab.sessions.recorder import Recorder
from quantlab.store.location import locate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def local_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


def facts_of(folder: Path, **documents: Any) -> FolderFacts:
    folder.mkdir()
    for name, document in documents.items():
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        (folder / f"{name}.json").write_bytes(data)
    facts = read_folder(folder, folder.parent)
    assert facts is not None
    return facts


def adopted(sessions: Sessions, *names: str) -> Adoption:
    names = names or tuple(session_folders(sessions.root))
    return adopt(Recorder(sessions.store), sessions.root, names, home={}, now=NOW, say=quiet)


def test_a_legacy_session_is_read_whole(tmp_path: Path) -> None:
    make_legacy_session(tmp_path / legacy_id(0), 0, "success")
    facts = read_folder(tmp_path / legacy_id(0), tmp_path)
    assert facts is not None
    told = {name: value for name, value in facts.fields.items() if value is not None and "_at" not in name}
    assert told == {
        "status": "success",
        "mode": "paper",
        "command": "paper",
        "status_reason": "completed",
        "terminal": True,
        "duration_seconds": 90.0,
        "git_commit": "0123abc",
        "python_version": "3.10.4",
        "config_path": "inline_cli",
        "config_hash": "c0ffee",
        "report_contract_type": "quantlab.paper.result",
        "report_present": True,
        "ticker": "ETH-USD",
        "interval": "1d",
        "start_date": "2022-01-01",
        "end_date": "2023-12-31",
        "total_return": 0.125,
        "sharpe_simple": 1.5,
        "max_drawdown": -0.08,
        "win_rate": 0.5,
        "trades": 4,
    }


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


def test_the_status_file_goes_before_metadata_and_metadata_before_the_report(tmp_path: Path) -> None:
    facts = facts_of(
        tmp_path / "s",
        session_status={"status": "failed"},
        session_metadata={"status": "success", "mode": "paper"},
        report={"status": "success", "header": {"mode": "run", "git_commit": "abc"}},
    )
    told = (facts.fields["status"], facts.fields["mode"], facts.fields["git_commit"])
    assert told == ("failed", "paper", "abc")


def test_nothing_is_invented(tmp_path: Path) -> None:
    facts = facts_of(tmp_path / "s", session_status={})
    told = {name for name, value in facts.fields.items() if value is not None}
    assert (told, facts.fields["status"]) == ({"status", "report_present"}, "unknown")


def test_the_id_of_the_files_goes_before_the_folders_name(tmp_path: Path) -> None:
    assert facts_of(tmp_path / "s", report={"header": {"run_id": "its id"}}).session_id == "its id"


@pytest.mark.parametrize("given_id", ["../up", "a/b", "..", "a\nb", "\x1b[31m", "", "x" * 256, 7])
def test_an_id_that_could_be_no_folders_name_is_passed_over(tmp_path: Path, given_id: object) -> None:
    assert facts_of(tmp_path / "s", session_status={"session_id": given_id}).session_id == "s"


@pytest.mark.parametrize(
    ("status", "flag", "terminal"),
    [
        ("success", None, True),
        ("failed", None, True),
        ("aborted", None, True),
        ("running", None, False),
        ("paused", None, None),
        ("running", True, True),
        ("success", False, False),
    ],
)
def test_terminal_is_the_flag_and_else_what_a_known_status_says(
    tmp_path: Path, status: str, flag: bool | None, terminal: bool | None
) -> None:
    document = {"status": status} | ({} if flag is None else {"terminal": flag})
    assert facts_of(tmp_path / "s", session_status=document).fields["terminal"] is terminal


@pytest.mark.usefixtures("local_time")
def test_a_time_without_offset_is_local_and_offsets_are_respected(tmp_path: Path) -> None:
    facts = facts_of(
        tmp_path / "s",
        session_status={
            "created_at": "2025-07-01T12:00:00",
            "started_at": "2025-07-01T12:00:00+05:30",
            "updated_at": "2025-07-01T12:00:00Z",
        },
    )
    assert (facts.fields["created_at"], facts.fields["started_at"], facts.fields["updated_at"]) == (
        "2025-07-01T10:00:00.000000+00:00",
        "2025-07-01T06:30:00.000000+00:00",
        "2025-07-01T12:00:00.000000+00:00",
    )


@pytest.mark.parametrize(
    "value", ["yesterday", 1_700_000_000, "9999-12-31T23:59:59-14:00", ["2025-01-01"], "2025-13-01"]
)
def test_what_is_no_time_is_null_and_named(tmp_path: Path, value: object) -> None:
    facts = facts_of(tmp_path / "s", session_status={"updated_at": value})
    assert (facts.fields["updated_at"], facts.unreadable) == (None, ["session_status.json: updated_at"])


def test_a_value_of_the_wrong_type_falls_back_and_is_named(tmp_path: Path) -> None:
    facts = facts_of(
        tmp_path / "s", session_status={"status": 5}, session_metadata={"status": "failed", "summary": 3}
    )
    assert (facts.fields["status"], facts.unreadable) == ("failed", ["session_status.json: status"])


@pytest.mark.parametrize(
    ("trades", "told"), [(3, 3), (3.0, 3), (2.5, None), (True, None), ("3", None), (1e300, None)]
)
def test_trades_are_a_whole_number_or_unknown(tmp_path: Path, trades: object, told: int | None) -> None:
    facts = facts_of(tmp_path / "s", report={"summary": {"trades": trades}})
    assert facts.fields["trades"] == told


def test_figures_that_are_not_finite_are_null(tmp_path: Path) -> None:
    facts = facts_of(
        tmp_path / "s",
        report=b'{"summary": {"total_return": NaN, "win_rate": Infinity, "max_drawdown": 1e999}}',
    )
    assert [facts.fields[name] for name in ("total_return", "win_rate", "max_drawdown")] == [None] * 3
    assert facts.unreadable == []


def test_a_byte_order_mark_is_no_trouble(tmp_path: Path) -> None:
    facts = facts_of(tmp_path / "s", session_status=b'\xef\xbb\xbf{"status": "failed"}')
    assert (facts.fields["status"], facts.unreadable) == ("failed", [])


def test_each_broken_folder_is_read_as_far_as_it_goes_and_says_what_is_wrong(tmp_path: Path) -> None:
    breaks = break_folders(tmp_path)
    for name, what in breaks.items():
        facts = read_folder(tmp_path / name, tmp_path)
        assert facts is not None
        assert facts.fields["status"] == "success", what
        assert [one.split(":")[0] for one in facts.unreadable] == ["session_status.json"], what


def test_a_hundred_broken_folders_are_all_adopted_and_block_only_themselves(tmp_path: Path) -> None:
    with Sessions(tmp_path) as sessions:
        breaks = break_folders(tmp_path)
        make_legacy_session(tmp_path / "sound", 0, "success")
        outcome = adopted(sessions)
        with sessions.reader() as reader:
            ready = reader.rows("SELECT session_id FROM paper_sessions WHERE promotion_ready = 1")
    assert set(outcome.unreadable) == set(breaks)
    assert ready == [{"session_id": "sound"}]


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
    with unprivileged_root() as root, as_ordinary_user():
        root_file = root / "report.json"
        with pytest.raises(FileNotFoundError):
            digest_of(str(root_file), str(root))
    with unprivileged_root() as root:
        (root / "report.json").touch(mode=0o000)
        with as_ordinary_user(), pytest.raises(UnreadableError, match="Permission"):
            digest_of(str(root / "report.json"), str(root))


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


def test_an_older_readers_copy_of_the_metadata_is_read_where_the_metadata_is_not(tmp_path: Path) -> None:
    facts = facts_of(tmp_path / "s", session_metadata=b"{", metadata={"mode": "paper"})
    assert (facts.fields["mode"], facts.unreadable) == ("paper", ["session_metadata.json"])


def test_a_report_that_cannot_be_read_is_there_all_the_same(tmp_path: Path) -> None:
    facts = facts_of(tmp_path / "s", report=b"")
    assert (facts.fields["report_present"], facts.fields["report_contract_type"]) == (True, None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [
        "session_id",
        "status",
        "terminal",
        "updated_at",
        "trades",
        "summary",
        "header",
        "machine_contract",
        "pid",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(NAMES, JSON, max_size=6))
def test_no_object_breaks_the_fallback_or_the_ledger(document: dict[str, Any]) -> None:
    try:
        read = parse(json.dumps(document).encode(errors="surrogatepass"))
    except UnreadableError:
        return
    fields, problems = fields_of({"session_status.json": read, "report.json": read})
    event = FolderFacts(
        folder="s",
        session_id="s",
        fields=fields,
        documents={"a": read},
        digests={},
        unreadable=problems,
        size=0,
    ).adopted()
    assert encode(decode("adopted", encode(event))) == encode(event)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_an_object_or_unreadable(data: bytes) -> None:
    try:
        read: object = parse(data)
    except UnreadableError:
        read = {}
    assert isinstance(read, dict)


def test_lifecycle_fields_are_told_by_their_place() -> None:
    report = {"status": "success", "machine_contract": {"contract_type": "x", "summary": {}}, "header": 3}
    assert lifecycle_of("report.json", report) == {
        ".status": "success",
        "machine_contract.contract_type": "x",
    }


def test_a_configuration_has_no_lifecycle() -> None:
    assert lifecycle_of("config.json", {"status": "success"}) == {}


def test_adopted_sessions_stand_in_the_ledger_as_their_files_say(tmp_path: Path) -> None:
    with Sessions(tmp_path) as sessions:
        ids = make_legacy_root(tmp_path, 6)
        assert adopted(sessions).adopted == ids
        statuses = [row(sessions, session_id)["status"] for session_id in ids]
        shown = row(sessions, ids[0])
    assert statuses == ["success", "success", "failed", "aborted", "success", "running"]
    began = datetime(2025, 3, 1, 9, 1, 30)  # noqa: DTZ001 - a local time, as the folder has it
    assert (shown["origin"], shown["path"], shown["updated_at"]) == (
        "adopted",
        ids[0],
        iso(began.astimezone()),
    )


def test_a_session_is_adopted_once(tmp_path: Path) -> None:
    with Sessions(tmp_path) as sessions:
        (session_id,) = make_legacy_root(tmp_path, 1)
        adopted(sessions)
        again = adopted(sessions)
    assert (again.adopted, [tuple(one) for one in again.copies]) == ([], [(session_id, session_id)])


def test_of_copies_the_folder_that_bears_the_id_is_adopted(tmp_path: Path) -> None:
    with Sessions(tmp_path) as sessions:
        (session_id,) = make_legacy_root(tmp_path, 1)
        shutil.copytree(tmp_path / session_id, tmp_path / "0 copy")
        shutil.copytree(tmp_path / session_id, tmp_path / "zz copy")
        outcome = adopted(sessions)
        assert row(sessions, session_id)["path"] == session_id
    assert (outcome.adopted, [one.folder for one in outcome.copies]) == ([session_id], ["0 copy", "zz copy"])


def test_of_copies_that_all_have_other_names_the_first_is_adopted(tmp_path: Path) -> None:
    with Sessions(tmp_path) as sessions:
        (session_id,) = make_legacy_root(tmp_path, 1)
        shutil.copytree(tmp_path / session_id, tmp_path / "b")
        (tmp_path / session_id).rename(tmp_path / "a")
        outcome = adopted(sessions)
        assert row(sessions, session_id)["path"] == "a"
    assert [tuple(one) for one in outcome.copies] == [("b", session_id)]


def test_a_batch_ends_before_its_documents_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adoption, "_BATCH_BYTES", 1)
    with Sessions(tmp_path) as sessions:
        ids = make_legacy_root(tmp_path, 5)
        assert adopted(sessions).adopted == ids


def test_progress_is_said_once_a_second_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 0.5, 1.5, 1.5, 2.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(times))
    said: list[str] = []
    progress = adoption.Progress(said.append, "Adopting root", 1_000)
    for _ in range(3):
        progress.step()
    assert said == ["Adopting root: 2 of 1,000 folders."]


def test_in_a_shared_ledger_sessions_tell_their_root_and_host(tmp_path: Path) -> None:
    root, other = tmp_path / "root", tmp_path / "ledgers"
    with Sessions(other) as sessions:
        make_legacy_root(root, 1)
        home = shared_home(sessions.location, root)
        adopt(Recorder(sessions.store), root, session_folders(root), home=home, now=NOW, say=quiet)
        shown = row(sessions, legacy_id(0))
    assert (shown["root"], shown["host"]) == (str(root), os.uname().nodename)


def test_in_its_own_ledger_a_root_needs_no_telling(tmp_path: Path) -> None:
    assert shared_home(locate(tmp_path, None), tmp_path) == {}


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


def test_a_folder_that_goes_before_it_is_read_is_not_adopted(tmp_path: Path) -> None:
    with Sessions(tmp_path) as sessions:
        (there,) = make_legacy_root(tmp_path, 1)
        outcome = adopted(sessions, "gone", there)
    assert (outcome.adopted, outcome.unreadable) == ([there], {})


def test_an_artifacts_folder_that_may_not_be_listed_has_no_artifacts() -> None:
    with unprivileged_root() as root:
        make_legacy_session(root / "s", 0, "success")
        (root / "s" / "artifacts").chmod(0o000)
        with as_ordinary_user():
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
