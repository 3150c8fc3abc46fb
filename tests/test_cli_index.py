"""`paper-sessions index` as an operator meets it."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

from click.testing import CliRunner
from support.legacy_root import legacy_id, make_legacy_root
from support.root_files import ONE, edit, finished, run_cli
from support.sessions_builder import NOW, Sessions

from quantlab.cli.index import MOST_NAMED, index
from quantlab.exports.index import NAMES

if TYPE_CHECKING:
    from pathlib import Path


def lines_of(root: Path, *options: str) -> list[str]:
    answer = CliRunner().invoke(index, [str(root), *options], catch_exceptions=False)
    return answer.stdout.splitlines()


def test_a_root_without_a_ledger_is_adopted_and_exported(tmp_path: Path) -> None:
    ids = make_legacy_root(tmp_path, 4)
    assert lines_of(tmp_path)[:5] == ["Adopted: 4", *(f"  {session_id}" for session_id in ids)]
    assert all((tmp_path / name).is_file() for name in NAMES)


def test_a_second_call_says_that_there_is_nothing(tmp_path: Path) -> None:
    make_legacy_root(tmp_path, 4)
    lines_of(tmp_path)
    assert lines_of(tmp_path)[0] == "Ledger and folders agree; nothing was recorded."


def test_the_last_line_names_the_exports_and_the_sequence(tmp_path: Path) -> None:
    make_legacy_root(tmp_path, 1)
    paths = ", ".join(str(tmp_path / name) for name in NAMES)
    assert lines_of(tmp_path)[-1] == f"Wrote {paths} (ledger sequence 1)."


def test_long_lists_are_cut_for_people(tmp_path: Path) -> None:
    make_legacy_root(tmp_path, MOST_NAMED + 5)
    assert "  and 5 more ('--format json' names them all)" in lines_of(tmp_path)


def test_an_edit_is_shown_with_before_and_after(tmp_path: Path) -> None:
    with Sessions(tmp_path) as sessions:
        edit(finished(sessions) / "session_status.json", message="x" * 60)
    assert lines_of(tmp_path)[:2] == [
        "Edited: 1",
        f"  {ONE} session_status.json: message nothing -> {'x' * 37}...",
    ]


def test_of_an_edited_object_the_members_that_differ_are_shown(tmp_path: Path) -> None:
    with Sessions(tmp_path) as sessions:
        folder = finished(sessions)
        summary = json.loads((folder / "metrics.json").read_text())["summary"]
        before = summary["total_return"]
        edit(folder / "metrics.json", summary={**summary, "total_return": 9.99, "more": 1})
    edited = lines_of(tmp_path)[1]
    assert edited == (
        f"  {ONE} metrics.json: summary.total_return {before:.6g} -> 9.99, summary.more nothing -> 1"
    )
    shown = run_cli("paper-sessions", "show", str(tmp_path / ONE), cwd=tmp_path).stdout
    assert f"metrics.json: summary.total_return {before:.6g} -> 9.99, summary.more nothing -> 1" in shown


def test_each_kind_of_finding_has_its_line(tmp_path: Path) -> None:
    ids = make_legacy_root(tmp_path, 4)
    lines_of(tmp_path)
    shutil.copytree(tmp_path / ids[0], tmp_path / "copy")
    shutil.rmtree(tmp_path / ids[1])
    (tmp_path / ids[2]).rename(tmp_path / "renamed")
    (tmp_path / ids[3] / "config.json").write_text("junk\x1b[31m")
    lines = lines_of(tmp_path)
    assert [line for line in lines if not line.startswith((" ", "Wrote"))] == [
        "Edited: 1",
        "Gone: 1",
        "Found: 1",
        "Copies, left out: 1",
        "Can't be read: 1",
    ]


def test_json_names_everything(tmp_path: Path) -> None:
    (session_id,) = make_legacy_root(tmp_path, 1)
    shutil.copytree(tmp_path / session_id, tmp_path / "copy")
    document = json.loads("\n".join(lines_of(tmp_path, "--format", "json")))
    assert (document["adopted"], document["copies"]) == (
        [session_id],
        [{"folder": "copy", "session_id": session_id}],
    )
    assert (document["ledger_sequence"], len(document["exports"])) == (1, 3)


def test_the_flag_spelling_is_the_same_command(tmp_path: Path) -> None:
    make_legacy_root(tmp_path / "root", 1)
    answer = run_cli("--paper-sessions-index", "root", cwd=tmp_path)
    assert (answer.returncode, answer.stdout.splitlines()[:2]) == (0, ["Adopted: 1", f"  {legacy_id(0)}"])


def test_a_missing_root_is_one_line_and_exit_2(tmp_path: Path) -> None:
    answer = run_cli("--paper-sessions-index", "nowhere", cwd=tmp_path)
    assert (answer.returncode, answer.stderr.count("\n"), answer.stdout) == (2, 1, "")


def test_a_ledger_url_alone_is_no_root(tmp_path: Path) -> None:
    answer = run_cli("paper-sessions", "index", f"sqlite:///{tmp_path}/ledger.db", cwd=tmp_path)
    assert (answer.returncode, "index needs a folder" in answer.stderr) == (2, True)


def test_a_root_in_a_shared_ledger_is_indexed(tmp_path: Path) -> None:
    make_legacy_root(tmp_path / "root", 2)
    url = f"sqlite:///{tmp_path}/shared.db"
    first = run_cli("paper-sessions", "index", "root", "--ledger", url, cwd=tmp_path)
    second = run_cli("paper-sessions", "index", "root", "--ledger", url, cwd=tmp_path)
    document = json.loads((tmp_path / "root" / "paper_sessions_index.json").read_bytes())
    assert (first.stdout.splitlines()[0], document["n_sessions"]) == ("Adopted: 2", 2)
    assert second.stdout.startswith("Ledger and folders agree")


def test_files_that_cannot_be_read_are_named_every_time(tmp_path: Path) -> None:
    (session_id,) = make_legacy_root(tmp_path, 1)
    (tmp_path / session_id / "config.json").write_text("junk")
    named = ["Can't be read: 1", f"  {session_id}: config.json"]
    for _ in range(3):
        lines = lines_of(tmp_path)
        assert [line for line in lines if line in named] == named
    document = json.loads("\n".join(lines_of(tmp_path, "--format", "json")))
    assert document["unreadable"] == {session_id: ["config.json"]}


def test_a_folder_whose_name_is_no_text_is_named(tmp_path: Path) -> None:
    (session_id,) = make_legacy_root(tmp_path, 1)
    shutil.copytree(tmp_path / session_id, tmp_path / os.fsdecode(b"caf\xe9"))
    for _ in range(2):
        answer = CliRunner().invoke(index, [str(tmp_path)], catch_exceptions=False)
        assert "Troubles: 1" in answer.stdout
        assert "caf\\udce9: its name is not in UTF-8" in answer.stdout


def test_a_root_that_is_adopted_by_a_question_names_such_a_folder(tmp_path: Path) -> None:
    (session_id,) = make_legacy_root(tmp_path / "root", 1)
    shutil.copytree(tmp_path / "root" / session_id, tmp_path / "root" / os.fsdecode(b"caf\xe9"))
    answer = run_cli("--paper-sessions-list", "root", cwd=tmp_path)
    assert (answer.returncode, "its name is not in UTF-8" in answer.stderr) == (0, True)


def test_ids_that_look_alike_are_told(tmp_path: Path) -> None:
    with Sessions(tmp_path) as sessions:
        for name in ("caf\u00e9", "cafe\u0301", "plain"):
            sessions.adopted(name, NOW)
            (tmp_path / name).mkdir()
            (tmp_path / name / "session_status.json").write_text(json.dumps({"session_id": name}))
    for _ in range(2):
        told = [line for line in lines_of(tmp_path) if "look alike" in line]
        assert told == [
            "  'cafe\\u0301' and 'caf\\xe9' look alike and are different sessions; rename a folder."
        ]
