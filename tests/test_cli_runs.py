"""`runs list|show|best`, both spellings."""

from __future__ import annotations

import csv
import io
import json
import shutil
from typing import TYPE_CHECKING

import pytest
from flow_program import SYNTHETIC, said

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("runs")
    for ticker in ("ETH-USD", "BTC-USD"):
        assert said(where, *SYNTHETIC, "--ticker", ticker).code == 0
    assert said(where, "--prices", "nowhere.csv").code == 3
    return where


def ids(folder: Path) -> list[str]:
    return sorted(one.name for one in (folder / "outputs" / "runs").iterdir() if one.is_dir())


def test_list_names_every_run(folder: Path) -> None:
    done = said(folder, "--runs-list", "outputs/runs")
    assert (done.code, done.err) == (0, "")
    assert [line.split()[0] for line in sorted(done.out.splitlines()[1:])] == ids(folder)


def test_list_in_json_and_csv_holds_the_same_runs(folder: Path) -> None:
    as_json = json.loads(said(folder, "runs", "list", "outputs/runs", "--format", "json").out)
    as_csv = csv.DictReader(io.StringIO(said(folder, "runs", "list", "outputs/runs", "--format", "csv").out))
    assert [run["run_id"] for run in as_json] == [run["run_id"] for run in as_csv] == ids(folder)


def test_show_tells_one_run(folder: Path) -> None:
    one = ids(folder)[0]
    done = said(folder, "--runs-show", f"outputs/runs/{one}")
    assert f"run_id         : {one}" in done.out.splitlines()
    assert (
        json.loads(said(folder, "runs", "show", f"outputs/runs/{one}", "--format", "json").out)["run_id"]
        == one
    )


@pytest.mark.parametrize("metric", ["sharpe_simple", "total_return", "max_drawdown", "trades", "win_rate"])
def test_best_has_the_highest_metric(folder: Path, metric: str) -> None:
    runs = json.loads(said(folder, "runs", "list", "outputs/runs", "--format", "json").out)
    done = said(folder, "--runs-best", "outputs/runs", "--metric", metric, "--format", "json")
    assert json.loads(done.out)[metric] == max(run[metric] for run in runs if run[metric] is not None)


def test_a_run_without_its_configuration_is_listed_with_what_is_known(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "outputs", tmp_path / "outputs")
    (tmp_path / "outputs" / "runs" / ids(folder)[0] / "config.json").unlink()
    done = said(tmp_path, "runs", "list", "outputs/runs", "--format", "json")
    assert (done.code, done.err) == (0, "")
    assert [run["ticker"] is None for run in json.loads(done.out)] == [True, False, False]


def test_an_unreadable_run_is_named_and_the_rest_is_listed(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "outputs", tmp_path / "outputs")
    (tmp_path / "outputs" / "runs" / ids(folder)[0] / "metadata.json").write_text("{")
    done = said(tmp_path, "runs", "list", "outputs/runs")
    assert done.code == 0
    assert len(done.out.splitlines()) == 4
    assert "metadata.json can't be read" in done.err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--runs-list", "nowhere"), "nowhere is no folder of runs"),
        (("--runs-list", ""), "it is empty"),
        (("--runs-show", "outputs/runs"), "No run at outputs/runs"),
        (("--runs-best", "outputs"), "No run below outputs has succeeded"),
        (("runs", "best", "outputs/runs", "--metric", "luck"), "'luck' is not one of"),
        (("runs", "lst"), "No such command 'lst'"),
    ],
)
def test_a_bad_question_is_refused(folder: Path, words: tuple[str, ...], why: str) -> None:
    done = said(folder, *words)
    assert done.code == 2
    assert why in done.error


def test_an_empty_root_says_how_to_begin(tmp_path: Path) -> None:
    assert "No runs below ." in said(tmp_path, "--runs-list", ".").out


def foreign(folder: Path, name: str, sharpe: str, created_at: str) -> None:
    run = folder / "runs" / name
    run.mkdir(parents=True)
    text = f'{{"status": "success", "created_at": "{created_at}", "summary": {{"sharpe_simple": {sharpe}}}}}'
    (run / "metadata.json").write_text(text)


@pytest.mark.parametrize("sharpe", ["Infinity", "NaN", "1e999", "1" + "0" * 400])
def test_a_figure_that_is_not_finite_is_null_and_never_the_best(tmp_path: Path, sharpe: str) -> None:
    foreign(tmp_path, "a", "0.5", "2026-01-01T00:00:00+00:00")
    foreign(tmp_path, "b", sharpe, "2026-01-01T00:00:00+00:00")
    assert "NaN" not in (said(tmp_path, "runs", "list", "runs", "--format", "csv").out)
    assert said(tmp_path, "runs", "list", "runs").code == 0
    assert json.loads(said(tmp_path, "runs", "best", "runs", "--format", "json").out)["run_id"] == "a"
    shown = json.loads(said(tmp_path, "runs", "show", "runs/b", "--format", "json").out)
    assert shown["sharpe_simple"] is None


def test_list_has_the_newest_first_by_instant(tmp_path: Path) -> None:
    foreign(tmp_path, "z", "0", "2026-01-02T01:00:00+05:00")
    foreign(tmp_path, "a", "0", "2026-01-01T22:00:00+00:00")
    lines = said(tmp_path, "runs", "list", "runs").out.splitlines()[1:]
    assert [line.split()[0] for line in lines] == ["a", "z"]
