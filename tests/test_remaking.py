"""Result files made anew: the same bytes, or a refusal that leaves the old ones alone."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from support.flow_program import PAPER, SYNTHETIC, document, root_of, run_of, said, session_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("remaking")
    assert said(where, *PAPER, "--save_price_plot").code == 0
    assert said(where, *SYNTHETIC, "--save_price_plot").code == 0
    return where


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    shutil.copytree(original / "outputs", tmp_path / "outputs")
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def test_every_file_of_a_session_comes_back_byte_for_byte(folder: Path) -> None:
    session = session_of(folder)
    before = contents(session)
    shutil.rmtree(session)
    (session / "artifacts").mkdir(parents=True)
    assert said(folder, "--report", str(session)).code == 0
    assert contents(session) == before


def test_every_result_file_of_a_run_comes_back_byte_for_byte(folder: Path) -> None:
    run = run_of(folder)
    before = contents(run)
    (run / "run_report.md").unlink()
    (run / "artifacts" / "equity.png").unlink()
    assert said(folder, "--report", str(run)).code == 0
    assert contents(run) == before


def test_prices_that_were_edited_leave_a_run_alone(folder: Path) -> None:
    run = run_of(folder)
    prices = run / "artifacts" / "prices.csv"
    prices.write_bytes(prices.read_bytes() + b"x")
    before = contents(run)
    done = said(folder, "--report", str(run))
    assert done.code == 3
    assert "is not what the session ran on" in done.error
    assert contents(run) == before


def test_another_result_leaves_a_run_alone(folder: Path) -> None:
    run = run_of(folder)
    metadata = document(run / "metadata.json") | {"result_digest": "0" * 64}
    (run / "metadata.json").write_text(json.dumps(metadata))
    done = said(folder, "--report", str(run))
    assert done.code == 3
    assert "gives another result today" in done.error


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_run_that_cannot_be_read_is_named(folder: Path, text: str) -> None:
    (run_of(folder) / "metadata.json").write_text(text)
    done = said(folder, "--report", str(run_of(folder)))
    assert done.code == 2
    assert "metadata.json" in done.error


def test_a_failed_run_has_no_report(tmp_path: Path) -> None:
    assert said(tmp_path, "--prices", "nowhere.csv").code == 3
    done = said(tmp_path, "--report", str(run_of(tmp_path)))
    assert done.code == 1
    assert "did not succeed" in done.error


def test_a_session_that_the_ledger_does_not_know_is_named(folder: Path) -> None:
    done = said(folder, "--report", str(root_of(folder) / "20200101_000000_paper_000000000000"))
    assert done.code == 2
    assert "is no folder" in done.error


def test_an_empty_folder_beside_a_ledger_is_no_session_of_it(folder: Path) -> None:
    empty = root_of(folder) / "20200101_000000_paper_000000000000"
    empty.mkdir()
    done = said(folder, "--report", str(empty))
    assert done.code == 2
    assert f"No session {empty.name!r} in" in done.error


LOST = ("trades.csv", "run_report.md", "artifacts/equity.png")


def test_a_rebuild_makes_lost_result_files_anew_byte_for_byte(folder: Path) -> None:
    session = session_of(folder)
    before = contents(session)
    for name in LOST:
        (session / name).unlink()
    done = said(folder, "ledger", "rebuild", str(root_of(folder)))
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[1] == "3 files made anew."
    assert contents(session) == before


def test_a_rebuild_leaves_a_session_that_lost_nothing_as_it_is(folder: Path) -> None:
    before = {name: (session_of(folder) / name).stat().st_mtime_ns for name in LOST}
    done = said(folder, "ledger", "rebuild", str(root_of(folder)))
    assert done.out.splitlines()[1] == "0 files made anew."
    assert {name: (session_of(folder) / name).stat().st_mtime_ns for name in LOST} == before


def test_a_rebuild_without_the_prices_warns_and_makes_the_rest(folder: Path) -> None:
    session = session_of(folder)
    (session / "trades.csv").unlink()
    prices = session / "artifacts" / "prices.csv"
    prices.write_bytes(prices.read_bytes() + b"x")
    done = said(folder, "ledger", "rebuild", str(root_of(folder)))
    assert done.code == 0
    assert done.err.startswith(f"WARNING: {session.name}: ")
    assert "is not what the session ran on" in done.err
    assert not (session / "trades.csv").exists()


def test_a_renamed_folder_is_reported_on_under_its_session_s_id(folder: Path) -> None:
    session = session_of(folder)
    before = (session / "run_report.md").read_bytes()
    renamed = session.rename(session.with_name("renamed"))
    (renamed / "run_report.md").unlink()
    done = said(folder, "--report", str(renamed))
    assert (done.code, (renamed / "run_report.md").read_bytes() == before) == (0, True)


def test_a_run_that_does_not_say_its_result_is_left_alone(folder: Path) -> None:
    run = run_of(folder)
    metadata = document(run / "metadata.json")
    del metadata["result_digest"]
    (run / "metadata.json").write_text(json.dumps(metadata))
    done = said(folder, "--report", str(run))
    assert (done.code, "does not say what its result was" in done.error) == (1, True)


def test_a_report_made_anew_leaves_other_edits_to_be_recorded(folder: Path) -> None:
    session = session_of(folder)
    status = document(session / "session_status.json") | {"status": "failed"}
    (session / "session_status.json").write_text(json.dumps(status))
    (session / "trades.csv").write_text("edited\n")
    assert said(folder, "--report", str(session)).code == 0
    assert (session / "trades.csv").read_text() == "edited\n"
    assert document(session / "session_status.json")["status"] == "failed"
    said(folder, "paper-sessions", "index", str(root_of(folder)))
    shown = said(folder, "paper-sessions", "show", str(session), "--format", "json")
    assert "amended_outside" in json.loads(shown.out)["broker_promotion_blockers"]


def test_a_run_whose_metadata_lacks_what_a_report_takes_is_refused(folder: Path) -> None:
    run = run_of(folder)
    whole = document(run / "metadata.json")
    before = (run / "run_report.md").read_bytes()
    for spoilt in (
        {name: value for name, value in whole.items() if name != "packages"},
        whole | {"packages": ["numpy"]},
        whole | {"data": {name: value for name, value in whole["data"].items() if name != "hash"}},
        whole | {"data": whole["data"] | {"source": 7}},
    ):
        (run / "metadata.json").write_text(json.dumps(spoilt))
        done = said(folder, "--report", str(run))
        assert (done.code, "does not say what a report takes" in done.error) == (2, True)
    assert (run / "run_report.md").read_bytes() == before


def test_a_run_whose_metadata_is_nested_beyond_reason_is_refused(folder: Path) -> None:
    (run_of(folder) / "metadata.json").write_text("[" * 100_000)
    assert said(folder, "--report", str(run_of(folder))).code == 2
