"""`paper-sessions list|show`: which sessions are shown, how one is found, and which ledger is asked."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from typing import TYPE_CHECKING

import pytest
from support.asked_program import EDITED, FAILED, GONE, READY, STALE, Said, every_state, no_sessions
from support.ledger_history import forge
from support.permissions import folder_of_ones_own, permissions_bind
from support.root_files import dead_pid
from support.sessions_builder import Sessions, ago

from quantlab.base.clock import utc_now
from quantlab.cli import output
from quantlab.cli.finding import find_session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with every_state(tmp_path_factory.mktemp("outputs") / "paper_sessions") as built:
        yield built


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    return no_sessions(tmp_path / "empty")


def test_the_list_has_the_newest_session_first(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = Said(capsys, "--paper-sessions-list", root).out.splitlines()
    assert lines[0].split()[:4] == ["session_id", "status", "strategy", "ticker"]
    assert lines[1].split()[:4] == [
        *("20260310_115900_paper_live0007", "running", "rsi_ma_cross_v2", "ETH-USD")
    ]
    assert lines[-1].startswith("old_session")


def test_the_list_is_filtered_by_status_ticker_and_limit(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("paper-sessions", "list", root, "--format", "json")
    failed = Said(capsys, *asked, "--status", "failed", "--status", "aborted", "--ticker", "SPY").json
    assert [row["session_id"] for row in failed["sessions"]] == [FAILED]
    assert Said(capsys, *asked, "--limit", "3").json["n_sessions"] == 3


def test_the_list_is_filtered_by_the_day_of_creation(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    since = Said(capsys, "paper-sessions", "list", root, "--format", "json", "--since", "2026-03-08")
    assert [row["session_id"] for row in since.json["sessions"]] == ["20260310_115900_paper_live0007", STALE]


def test_a_folder_that_tells_only_when_it_began_stands_in_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = {
        "a_later": {"status": "running", "started_at": "2026-11-01T08:00:00+00:00"},
        "b_earlier": {"status": "failed", "terminal": True, "started_at": "2020-11-01T08:00:00+00:00"},
        "c_between": {"status": "failed", "terminal": True, "created_at": "2024-11-01T08:00:00+00:00"},
        "d_never": {"status": "failed", "terminal": True},
    }
    for name, status in told.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "session_status.json").write_text(json.dumps(status))
    listed = Said(capsys, "paper-sessions", "list", tmp_path, "--format", "json")
    assert [row["session_id"] for row in listed.json["sessions"]] == [
        "a_later",
        "c_between",
        "b_earlier",
        "d_never",
    ]
    since = Said(capsys, "paper-sessions", "list", tmp_path, "--format", "json", "--since", "2026-10-01")
    assert [row["session_id"] for row in since.json["sessions"]] == ["a_later"]
    first = Said(capsys, "paper-sessions", "list", tmp_path, "--format", "json", "--limit", "2")
    assert [row["session_id"] for row in first.json["sessions"]] == ["a_later", "c_between"]


def test_since_must_be_a_time(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(capsys, "paper-sessions", "list", root, "--since", "last week")
    assert (said.code, said.err.count("\n")) == (2, 1)


def test_duplicates_are_listed_with_whether_they_agree(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Said(capsys, "paper-sessions", "list", root, "--duplicates").out.splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [
        [READY, "success", "yes"],
        ["20260301_080000_paper_aaaa0001", "success", "yes"],
    ]


def test_duplicates_as_csv_have_their_columns_last(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(capsys, "paper-sessions", "list", root, "--duplicates", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert list(rows[0])[-2:] == ["duplicates", "duplicates_agree"]
    assert {row["duplicates_agree"] for row in rows} == {"true"}


def test_an_empty_root_says_how_to_start(empty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "Start one: quantlab run" in Said(capsys, "--paper-sessions-list", empty).out


def test_the_folder_above_a_root_says_where_the_sessions_are(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = Said(capsys, "paper-sessions", "list", root.parent).out
    assert f"Was {root} meant? It is a folder of sessions." in out


def test_a_filter_that_nothing_passes_says_what_there_is(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Said(capsys, "paper-sessions", "list", root, "--status", "succes").out.splitlines()
    assert lines[1].startswith("None is as asked for; it has ")
    assert re.search(r"\d+ success", lines[1])


def test_an_empty_root_as_csv_is_the_header(empty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(capsys, "paper-sessions", "list", empty, "--format", "csv")
    assert said.out.startswith("session_id,status,created_at")
    assert said.out.count("\n") == 1


def test_paths_are_those_of_the_root_as_it_stands_now(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Sessions(tmp_path / "before") as built:
        built.success("one", utc_now())
    built.root.rename(tmp_path / "after")
    (row,) = Said(capsys, "paper-sessions", "list", tmp_path / "after", "--format", "json").json["sessions"]
    assert row["path"] == str(tmp_path / "after" / "one")


def test_show_has_every_section_of_a_session(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = Said(capsys, "--paper-sessions-show", root / EDITED).out
    titles = [
        line for line in out.splitlines() if line and not line.startswith((" ", "#", "1", "2", "3", "4", "5"))
    ]
    assert titles == [
        "State",
        "Identity",
        "Parameters",
        "Timing (UTC)",
        "Figures",
        "Promotion",
        "Files",
        "Amendments",
        "Proof",
        "Timeline",
    ]
    assert "session_status.json: status_reason 'completed' -> 'fine'" in out


def test_show_keeps_words_within_a_terminal_s_width(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_a_pipe = Said(capsys, "paper-sessions", "show", root / READY).out
    assert max(map(len, promotion_of(in_a_pipe))) > 80
    monkeypatch.setattr(output, "is_terminal", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    shown = promotion_of(Said(capsys, "paper-sessions", "show", root / READY).out)
    assert max(map(len, shown)) <= 80
    assert " ".join(" ".join(shown).split()) == " ".join(" ".join(promotion_of(in_a_pipe)).split())


def promotion_of(page: str) -> list[str]:
    return page.split("Promotion\n")[1].split("\n\n", maxsplit=1)[0].splitlines()


def test_show_tells_error_and_stage_of_a_failed_session(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = Said(capsys, "paper-sessions", "show", root / FAILED).out
    assert "error_type    : DataError" in out
    assert "failed   session               DataError: No prices." in out


def test_show_finds_a_session_whose_folder_is_gone(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(capsys, "--paper-sessions-show", root / GONE)
    assert said.code == 0
    assert "(gone)" in said.out


def test_show_as_json_names_the_files_that_are_there(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = Said(capsys, "paper-sessions", "show", f"{root / EDITED}/", "--format", "json").json
    assert found["artifacts"] == [str(root / EDITED / "trades.csv")]
    assert found["proof"]["outcome"] == "identical"


def test_show_takes_an_id_with_a_ledger_url(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(capsys, "paper-sessions", "show", READY, "--ledger", f"sqlite:///{root}/ledger.db")
    assert f"session_id     : {READY}" in said.out


def test_show_of_a_renamed_folder_goes_by_the_id_in_its_files(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    renamed = root / "renamed"
    renamed.mkdir(exist_ok=True)
    (renamed / "session_status.json").write_text("[]")
    (renamed / "report.json").write_text(json.dumps({"header": {"run_id": READY}}))
    assert Said(capsys, "paper-sessions", "show", renamed, "--format", "json").json["session_id"] == READY
    (renamed / "session_metadata.json").write_text(json.dumps({"session_id": FAILED}))
    assert Said(capsys, "paper-sessions", "show", renamed, "--format", "json").json["session_id"] == FAILED


def test_a_ledger_s_url_stands_for_the_root_of_a_session(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{root / 'ledger.db'}"
    shown = Said(capsys, "paper-sessions", "show", f"{url}/{READY}", "--format", "json").json
    assert shown["session_id"] == READY
    missing = Said(capsys, "paper-sessions", "show", f"{url}/nobody")
    assert (missing.code, "No session 'nobody' in" in missing.err) == (2, True)


def test_a_list_of_a_ledger_s_url_says_where_each_session_is(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Said(capsys, "paper-sessions", "list", f"sqlite:///{root / 'ledger.db'}").out.splitlines()
    assert lines[0].split()[-2:] == ["host", "root"]
    assert "host" not in Said(capsys, "paper-sessions", "list", root).out.splitlines()[0]
    alerts = Said(capsys, "paper-sessions", "alerts", f"sqlite:///{root / 'ledger.db'}").json["alerts"]
    assert {"host", "root"} <= set(alerts[0])


@pytest.mark.parametrize("place", ["nothing", "../elsewhere/nothing"])
def test_a_session_that_is_not_there_is_answered_with_where_to_look(
    root: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    said = Said(capsys, "--paper-sessions-show", f"{root}/{place}")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "quantlab paper-sessions list" in said.err


@pytest.mark.parametrize("session_dir", ["", "postgresql://user:secret@host/ledger", "sqlite:///ledger.db"])
def test_what_can_be_no_session_is_refused(session_dir: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(capsys, "paper-sessions", "show", session_dir)
    assert said.code == 2
    assert "secret" not in said.err


def test_a_metadata_file_larger_than_any_session_s_is_not_read_for_its_id(tmp_path: Path) -> None:
    folder = tmp_path / "by its name"
    folder.mkdir()
    with (folder / "session_metadata.json").open("wb") as handle:
        handle.write(b'{"session_id": "another"}')
        handle.write(b" " * 32 * 1024 * 1024)
    assert find_session(str(folder), None)[1] == "by its name"


def test_a_file_is_no_session(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(capsys, "paper-sessions", "show", root / "ledger.db")
    assert (said.code, "is a file" in said.err) == (2, True)


@pytest.mark.parametrize("command", ["list", "health", "alerts", "promotion"])
def test_a_missing_root_and_a_file_are_refused_in_one_line(
    root: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    for place in (root / "none", root / "ledger.db", ""):
        said = Said(capsys, f"--paper-sessions-{command}", place)
        assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)


def test_a_ledger_url_stands_for_a_root(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(capsys, "paper-sessions", "health", f"sqlite:///{root}/ledger.db")
    assert said.out.startswith("total_sessions : 10\n")


def test_the_environment_may_name_the_ledger(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUANTLAB_LEDGER", f"sqlite:///{root}/ledger.db")
    assert Said(capsys, "paper-sessions", "health").out.startswith("total_sessions : 10\n")


def test_two_ledgers_in_one_call_are_refused(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{root}/ledger.db"
    assert Said(capsys, "paper-sessions", "health", url, "--ledger", url).code == 2


def test_a_shared_ledger_knows_each_session_s_own_root(
    root: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    url = f"sqlite:///{root}/ledger.db"
    found = Said(capsys, "paper-sessions", "list", tmp_path, "--ledger", url, "--format", "json").json
    assert found["sessions"][0]["path"] == str(root / found["sessions"][0]["session_id"])
    assert found["sessions"][-1]["path"] == str(tmp_path / "old_session")


def test_a_ledger_in_memory_says_so_on_stderr(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quantlab.ledger.reader.Reader.in_memory", True, raising=False)
    monkeypatch.setattr("quantlab.ledger.reader.Reader.__setattr__", keep_in_memory)
    assert "NOTE:" in Said(capsys, "paper-sessions", "health", root).err


def keep_in_memory(reader: object, name: str, value: object) -> None:
    object.__setattr__(reader, name, True if name == "in_memory" else value)


def shared(tmp_path: Path, host: str) -> tuple[str, Path]:
    """Record a dead session and a good one in a ledger that roots share; returns its URL and the root."""
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    with Sessions(tmp_path / "root", url) as built:
        built.started(STALE, ago(hours=2), host=host, pid=dead_pid()).beat(STALE, ago(hours=1))
        (built.root / STALE).mkdir()
    (tmp_path / "elsewhere").mkdir()
    return url, tmp_path / "root"


def test_a_session_of_a_shared_ledger_is_closed_by_its_id_from_anywhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, root = shared(tmp_path, os.uname().nodename)
    monkeypatch.chdir(tmp_path / "elsewhere")
    said = Said(capsys, "paper-sessions", "abort", STALE, "--ledger", url, "--reason", "power cut")
    assert (said.code, said.out) == (0, f"{STALE} is aborted: power cut\n")
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert json.loads((root / STALE / "session_status.json").read_text())["status"] == "aborted"
    assert json.loads((root / "paper_sessions_index.json").read_text())["n_sessions"] == 1


def test_a_session_whose_files_are_elsewhere_is_closed_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, root = shared(tmp_path, "elsewhere")
    monkeypatch.chdir(tmp_path / "elsewhere")
    said = Said(capsys, "paper-sessions", "abort", STALE, "--ledger", url, "--reason", "gone", "--force")
    assert (said.code, f"not on this machine (root {root} on host elsewhere)" in said.err) == (0, True)
    assert (list((tmp_path / "elsewhere").iterdir()), list((root / STALE).iterdir())) == ([], [])


def test_a_session_whose_files_are_elsewhere_is_not_proved_impossible(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    with Sessions(tmp_path / "root", url) as built:
        built.success(READY, ago(hours=2))
    said = Said(capsys, "paper-sessions", "prove", READY, "--ledger", url)
    assert (said.code, "is not on this machine" in said.err) == (2, True)
    shown = Said(capsys, "paper-sessions", "show", READY, "--ledger", url, "--format", "json")
    assert shown.json["proof"] is None


@pytest.mark.parametrize(
    "words", [("show",), ("prove",), ("abort", "--reason", "gone")], ids=["show", "prove", "abort"]
)
def test_a_session_that_nobody_knows_is_a_bad_path(
    empty: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    command, *flags = words
    said = Said(
        capsys, "paper-sessions", command, "unknown", "--ledger", f"sqlite:///{empty}/ledger.db", *flags
    )
    assert (said.code, "No session 'unknown'" in said.err) == (2, True)


def test_an_event_that_says_what_none_can_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Sessions(tmp_path / "root") as built:
        built.success(READY, ago(hours=2))
    forge(tmp_path / "root" / "ledger.db", "UPDATE events SET payload = '{}' WHERE type = 'succeeded'")
    said = Said(capsys, "paper-sessions", "show", tmp_path / "root" / READY)
    assert (said.code, "says what no event can" in said.err, "Traceback" in said.err) == (1, True, False)


def test_a_session_is_found_by_its_folder_under_the_id_that_it_was_adopted_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "root"
    for folder, status, metadata in (("a", "of_status", "of_metadata"), ("b", "no/id", None)):
        (root / folder).mkdir(parents=True)
        (root / folder / "session_status.json").write_text(json.dumps({"session_id": status}))
        if metadata is not None:
            (root / folder / "session_metadata.json").write_text(json.dumps({"session_id": metadata}))
    listed = Said(capsys, "paper-sessions", "list", root, "--format", "json").json["sessions"]
    shown = [
        Said(capsys, "paper-sessions", "show", root / folder, "--format", "json").json["session_id"]
        for folder in ("a", "b")
    ]
    assert sorted(row["session_id"] for row in listed) == sorted(shown) == ["b", "of_status"]


def test_a_path_that_nobody_may_look_into_or_that_is_too_long_is_a_bad_path(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with folder_of_ones_own() as outer:
        with Sessions(outer / "root") as built:
            built.success(READY, ago(hours=2))
        Said(capsys, "paper-sessions", "list", outer / "root")
        Said(capsys, "ledger", "head", outer / "root")
        outer.chmod(0o000)
        with permissions_bind():
            closed = [
                Said(capsys, "paper-sessions", "list", outer / "root"),
                Said(capsys, "ledger", "head", outer / "root"),
            ]
        outer.chmod(0o755)
        long = Said(capsys, "paper-sessions", "list", "a" * 300)
    assert [said.code for said in (*closed, long)] == [2, 2, 2]
    assert {"Permission denied" in said.err for said in closed} == {True}
    assert "File name too long" in long.err
