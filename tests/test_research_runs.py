"""Research runs (contract 4): the same trading, no ledger, folders of their own."""

from __future__ import annotations

import csv
import io
import shutil
from typing import TYPE_CHECKING

import flow_program as program
import pytest
from flow_program import PAPER, SYNTHETIC, document, said
from root_files import as_ordinary_user, unprivileged_root
from sessions_builder import NOW

from quantlab.config import RunConfig
from quantlab.errors import QuantlabError
from quantlab.research.folders import new_folder
from quantlab.research.runs_index import read_runs

if TYPE_CHECKING:
    from pathlib import Path

FILES = ["metadata.json", "config.json", "metrics.json", "report.json", "run_report.md", "trades.csv",
         "artifacts/equity.png", "artifacts/prices.csv", "artifacts/equity.csv"]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("runs")
    done = said(where, *SYNTHETIC, "--report", "--request-id", "r", "--signal-file", "signals.jsonl")
    assert (done.code, done.err) == (0, "")
    return where


@pytest.fixture(scope="module")
def run(folder: Path) -> Path:
    return program.run_of(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_run_leaves(run: Path, name: str) -> None:
    assert (run / name).stat().st_size > 0


def test_a_run_writes_no_session_and_no_ledger(folder: Path) -> None:
    assert sorted(one.name for one in (folder / "outputs").iterdir()) == ["runs"]
    assert list(folder.rglob("ledger.db")) == []


def test_the_machine_contract_is_a_run_result(run: Path) -> None:
    contract = document(run / "report.json")["machine_contract"]
    assert (contract["contract_type"], contract["mode"], contract["command"]) == (
        "quantlab.run.result",
        "run",
        "run",
    )
    assert contract["run_id"] == run.name
    assert all((run / name).exists() for name in contract["artifacts"].values())


def test_metadata_tells_the_success(run: Path) -> None:
    metadata = document(run / "metadata.json")
    assert (metadata["run_id"], metadata["status"], metadata["request_id"]) == (run.name, "success", "r")
    assert metadata["summary"] == document(run / "metrics.json")["summary"]


def test_the_index_lists_the_run_in_three_forms(run: Path) -> None:
    index = document(run.parent / "runs_index.json")
    assert [one["run_id"] for one in index["runs"]] == [run.name]
    (row,) = csv.DictReader(io.StringIO((run.parent / "runs_index.csv").read_text()))
    assert (row["run_id"], row["ticker"], row["status"]) == (run.name, "ETH-USD", "success")
    assert run.name in (run.parent / "runs_index.md").read_text().replace("\\", "")


def test_a_success_is_signalled_with_the_index(folder: Path, run: Path) -> None:
    last = program.signals_in(folder / "signals.jsonl")[-1]
    assert (last["event"], last["mode"], last["run_id"]) == ("SESSION_COMPLETED", "run", run.name)
    assert last["runs_index_json"] == str(run.parent / "runs_index.json")


def test_a_run_and_a_session_give_the_same_digest(run: Path, tmp_path: Path) -> None:
    assert said(tmp_path, *PAPER).code == 0
    session = document(program.session_of(tmp_path) / "metrics.json")
    assert session["result_digest"] == document(run / "metrics.json")["result_digest"]


def test_a_run_on_the_kept_prices_gives_the_same_digest(run: Path, tmp_path: Path) -> None:
    words = [*SYNTHETIC[:-1], str(run / "artifacts" / "prices.csv")]
    assert said(tmp_path, *words).code == 0
    again = document(program.run_of(tmp_path) / "metrics.json")
    assert again["result_digest"] == document(run / "metrics.json")["result_digest"]


def test_a_failed_run_says_so_and_leaves_no_session(tmp_path: Path) -> None:
    done = said(tmp_path, "--prices", "nowhere.csv", "--signal-file", "signals.jsonl")
    assert done.code == 3
    metadata = document(program.run_of(tmp_path) / "metadata.json")
    assert (metadata["status"], metadata["error_type"], metadata["message"]) == (
        "failed",
        "DataError",
        done.error,
    )
    assert program.signals_in(tmp_path / "signals.jsonl")[-1]["exit_code"] == 3


def test_an_unwritable_output_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = said(tmp_path, *SYNTHETIC, "--outdir", "file")
    assert done.code == 2
    assert "The output folder file/runs can't be written" in done.error


def test_a_run_whose_folder_goes_away_ends_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from quantlab.trading.simulation import Replay

    real = Replay.advance

    def deleting(replay: Replay, bar: int) -> None:
        shutil.rmtree(program.run_of(tmp_path))
        real(replay, bar)

    monkeypatch.setattr(Replay, "advance", deleting)
    done = said(tmp_path, *SYNTHETIC)
    assert done.code == 1
    assert done.err.startswith("WARNING: ")


def test_a_runs_report_is_rebuilt_to_the_same_bytes(run: Path, folder: Path) -> None:
    before = (run / "run_report.md").read_bytes()
    (run / "run_report.md").write_bytes(b"lost")
    done = said(folder, "--report", str(run))
    assert (done.code, done.err) == (0, "")
    assert (run / "run_report.md").read_bytes() == before


def test_where_every_id_is_taken_a_run_says_so_and_takes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quantlab.research.folders.secrets.token_hex", lambda _count: "00")
    new_folder(tmp_path, RunConfig(), "run", NOW)
    with pytest.raises(QuantlabError, match="No free id was found"):
        new_folder(tmp_path, RunConfig(), "run", NOW)
    assert len(list(tmp_path.iterdir())) == 1


def test_an_index_that_cannot_be_written_leaves_the_run_a_success(tmp_path: Path) -> None:
    assert said(tmp_path, *SYNTHETIC).code == 0
    index = tmp_path / "outputs" / "runs" / "runs_index.json"
    index.unlink()
    index.mkdir()
    done = said(tmp_path, *SYNTHETIC)
    assert (done.code, done.err.startswith("WARNING: "), "the run is whole" in done.err.lower()) == (
        0,
        True,
        True,
    )
    runs = [one for one in index.parent.iterdir() if (one / "metadata.json").is_file()]
    assert [document(one / "metadata.json")["status"] for one in runs] == ["success", "success"]


def test_a_folder_that_may_not_be_looked_into_is_named_among_the_runs() -> None:
    with unprivileged_root() as root:
        (root / "closed").mkdir(mode=0o000)
        with as_ordinary_user():
            assert read_runs(root) == ([], [str(root / "closed")])
        (root / "closed").chmod(0o755)
