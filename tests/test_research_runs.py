"""Research runs (contract 4): the same trading, no ledger, folders of their own."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
from support import flow_program as program
from support.flow_program import PAPER, SYNTHETIC, document, said, session_of
from support.permissions import folder_of_ones_own, permissions_bind
from support.sessions_builder import NOW

from quantlab.base.errors import QuantlabError
from quantlab.domain.config import RunConfig
from quantlab.runner.ids import new_folder
from quantlab.runner.research_index import read_runs, refresh

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from support.flow_program import Said

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


@pytest.fixture(scope="module")
def beyond_floats(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Said, Said]:
    """Run and rehearse on prices that rise from 1e-90 to 1e90: squares of such returns leave all floats."""
    where = tmp_path_factory.mktemp("beyond")
    closes = (
        [2e-90 - bar * 1e-92 for bar in range(60)] + [3e-90] * 3 + [1e90] * 20 + [5e89] * 20 + [1e90] * 10
    )
    days = np.datetime64("2023-01-01") + np.arange(len(closes))
    rows = [
        f"{day},{close!r},{close!r},{close!r},{close!r},1" for day, close in zip(days, closes, strict=True)
    ]
    (where / "big.csv").write_text("\n".join(["time,open,high,low,close,volume", *rows]) + "\n")
    flags = ("--start", "2023-01-01", "--end", "2023-04-24", "--ticker", "BIG", "--prices", "big.csv")
    limits = ("--rsi-buy-max", "100", "--rsi-sell-min", "100")
    return where, said(where, *flags, *limits), said(where, *flags, *limits, "--paper")


def test_figures_beyond_all_floats_are_no_failure_and_no_warning(
    beyond_floats: tuple[Path, Said, Said],
) -> None:
    for done in beyond_floats[1:]:
        assert done.code == 0
        assert done.err.startswith("big.csv: read as CSV with named columns, ")
        _read, *warnings = done.err.splitlines()
        assert [one.partition(":")[0] for one in warnings] == ["WARNING"]
        assert warnings[0].startswith("WARNING: doubts about the prices, ")  # and none about the figures


def test_figures_beyond_all_floats_are_null_in_a_run_as_in_a_session(
    beyond_floats: tuple[Path, Said, Said],
) -> None:
    where = beyond_floats[0]
    figures = document(program.run_of(where) / "metrics.json")["figures"]
    assert figures == document(session_of(where) / "metrics.json")["figures"]
    assert (figures["volatility"], figures["sharpe_simple"], figures["cagr"]) == (None, None, None)
    assert figures["trades"] == 1


@pytest.mark.parametrize("more", [(), ("--paper",)], ids=["run", "session"])
def test_ruin_by_costs_is_a_result(more: tuple[str, ...], tmp_path: Path) -> None:
    done = said(tmp_path, *SYNTHETIC, "--fee", "0.999", *more)
    assert (done.code, done.err) == (0, "")
    folder = session_of(tmp_path) if more else program.run_of(tmp_path)
    figures = document(folder / "metrics.json")["figures"]
    assert (figures["trades"], figures["open_position"]) == (3, False)
    assert "nothing was bought any more" in (folder / "run_report.md").read_text()


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
    monkeypatch.setattr("quantlab.runner.ids.secrets.token_hex", lambda _count: "00")
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
    with folder_of_ones_own() as root:
        (root / "closed").mkdir(mode=0o000)
        with permissions_bind():
            assert read_runs(root) == ([], [str(root / "closed")])
        (root / "closed").chmod(0o755)


FOREIGN = {
    "nan": '{"summary": {"sharpe_simple": NaN, "total_return": -Infinity}}',
    "huge": '{"summary": {"sharpe_simple": 1e999, "trades": 1%s}}'.replace("%s", "0" * 400),
    "surrogate": '{"run_id": "\\ud800", "request_id": "a\\u0000b"}',
    "nested": '{"run_id": ' + "[" * 900 + "]" * 900 + "}",
    "mark": '\ufeff{"run_id": ["list"], "status": {}}',
}


@pytest.mark.parametrize("text", FOREIGN.values(), ids=FOREIGN.keys())
def test_a_foreign_run_leaves_the_next_run_a_success(tmp_path: Path, text: str) -> None:
    foreign = tmp_path / "outputs" / "runs" / "legacy"
    foreign.mkdir(parents=True)
    for name in ("metadata.json", "config.json"):
        (foreign / name).write_text(text)
    done = said(tmp_path, *SYNTHETIC, "--signal-file", "signals.jsonl")
    assert (done.code, done.err) == (0, "")
    (own,) = (one for one in foreign.parent.iterdir() if one.is_dir() and one != foreign)
    assert document(own / "metadata.json")["status"] == "success"
    assert len(document(foreign.parent / "runs_index.json")["runs"]) == 2
    assert program.signals_in(tmp_path / "signals.jsonl")[-1]["event"] == "SESSION_COMPLETED"


def test_a_run_whose_folder_s_name_is_no_text_is_listed(tmp_path: Path) -> None:
    name = b"\xff".decode(errors="surrogateescape")
    (tmp_path / name).mkdir()
    (tmp_path / name / "metadata.json").write_text("{}")
    refresh(tmp_path)
    assert document(tmp_path / "runs_index.json")["runs"][0]["run_id"] == "\\udcff"


def test_a_pipe_in_a_run_s_folder_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metadata.json").write_text("{}")
    os.mkfifo(tmp_path / "run" / "config.json")
    assert read_runs(tmp_path)[1] == [str(tmp_path / "run" / "config.json")]


def test_a_defect_of_the_index_leaves_the_run_a_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_root: Path) -> None:
        raise ValueError("unforeseen")

    monkeypatch.setattr("quantlab.runner.research_index.refresh", broken)
    done = said(tmp_path, *SYNTHETIC)
    assert (done.code, "can't be made (ValueError: unforeseen). The run is whole" in done.err) == (0, True)
    assert document(program.run_of(tmp_path) / "metadata.json")["status"] == "success"


def indexed_at(root: Path, *runs: Mapping[str, object]) -> object:
    for number, metadata in enumerate(runs):
        (root / str(number)).mkdir()
        (root / str(number) / "metadata.json").write_text(json.dumps(metadata))
    refresh(root)
    return document(root / "runs_index.json")["generated_at"]


def test_an_index_of_runs_without_times_has_none(tmp_path: Path) -> None:
    assert indexed_at(tmp_path, {}, {"created_at": 5}, {"created_at": "soon"}) is None


def test_an_index_is_as_new_as_its_newest_run_by_instant_in_utc(tmp_path: Path) -> None:
    earlier, later = {"finished_at": "2026-01-02T01:00:00+05:00"}, {"created_at": "2026-01-01T22:00:00+00:00"}
    assert indexed_at(tmp_path, earlier, later) == "2026-01-01T22:00:00.000000+00:00"
