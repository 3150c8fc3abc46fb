"""`runs list|show|best|compare`, both spellings."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from typing import TYPE_CHECKING

import pytest
from support.flow_program import SYNTHETIC, said

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


def limit_of(folder: Path, run: str) -> float:
    """Return a run's `rsi_buy_max`: runs that start in one second are in no order of their ids."""
    config = json.loads((folder / "outputs" / "runs" / run / "config.json").read_text())
    return float(config["rsi_buy_max"])


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


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with three runs that differ in one parameter alone."""
    where = tmp_path_factory.mktemp("grid")
    for limit in ("40", "50", "60"):
        assert said(where, *SYNTHETIC, "--rsi-buy-max", limit).code == 0
    return where


def test_without_a_root_the_runs_are_those_of_the_working_folder(grid: Path) -> None:
    assert said(grid, "runs", "list").out == said(grid, "runs", "list", "outputs/runs").out
    assert said(grid, "runs", "best").out == said(grid, "runs", "best", "outputs/runs").out


def test_a_list_names_the_parameters_in_which_runs_differ(grid: Path) -> None:
    heading, *rows = said(grid, "runs", "list").out.splitlines()
    assert heading.split()[-1] == "parameters"
    assert {row.split()[-1] for row in rows} == {
        "rsi_buy_max=40",
        "rsi_buy_max=50",
        "rsi_buy_max=60",
    }


def test_best_names_what_won(grid: Path) -> None:
    best = json.loads(said(grid, "runs", "best", "--format", "json").out)
    first = said(grid, "runs", "best").out.splitlines()[0]
    limit = best["strategy_params"]["rsi_buy_max"]
    assert first == f"Best of 3 by sharpe_simple: {best['run_id']} with rsi_buy_max={limit:g}"


def test_best_ranks_no_different_ranges_unless_told(tmp_path: Path) -> None:
    for end in ("2024-01-01", "2024-06-01"):
        assert said(tmp_path, *SYNTHETIC, "--end", end).code == 0
    refused = said(tmp_path, "runs", "best")
    assert (refused.code, "differ in interval or range" in refused.error) == (2, True)
    assert "Best of 2 by sharpe_simple" in said(tmp_path, "runs", "best", "--across").out


def test_a_comparison_of_runs_tells_what_sets_them_apart(grid: Path) -> None:
    first, second, third = ids(grid)
    done = said(grid, "--runs-compare", first, second[-8:], f"outputs/runs/{third}", "--format", "json")
    assert (done.code, done.err) == (0, "")
    told = json.loads(done.out)
    assert told["compared"] == ids(grid)
    (parameter,) = [line for line in told["lines"] if line["part"] == "configuration"]
    assert parameter["name"] == "rsi_buy_max"
    assert parameter["values"] == {run: limit_of(grid, run) for run in ids(grid)}
    (sharpe,) = [line for line in told["lines"] if line["name"] == "sharpe_simple"]
    assert sharpe["best"] == [json.loads(said(grid, "runs", "best", "--format", "json").out)["run_id"]]


def test_runs_are_found_by_a_filter(grid: Path) -> None:
    done = said(grid, "runs", "compare", "--status", "success", "--limit", "2", "--format", "json")
    two = json.loads(done.out)["compared"]
    assert done.err == "NOTE: these are 2 of 3 runs that are as asked for; --limit takes more.\n"
    whole = said(
        grid, "runs", "compare", "outputs/runs", "--ticker", "ETH-USD", "--limit", "0", "--format", "json"
    )
    three = json.loads(whole.out)["compared"]
    assert (sorted(three), three[:2]) == (sorted(ids(grid)), two)
    none = said(grid, "--runs-compare", "outputs/runs", "--strategy", "nobody")
    assert (none.code, none.error) == (
        2,
        "The filter finds 0 of the runs; expected two or more to compare. Ask for less.",
    )


def test_runs_are_drawn_over_each_other(grid: Path) -> None:
    done = said(grid, "runs", "compare", *ids(grid), "--overlay", "grid.svg")
    assert (done.code, done.err) == (0, "grid.svg: equity of 3 of 3 runs.\n")
    assert (grid / "grid.svg").read_text().startswith("<?xml")


def test_a_run_goes_by_its_id_an_end_of_it_or_latest(grid: Path) -> None:
    newest = first_listed(grid)
    for word in (newest, newest[-8:], "latest"):
        assert f"run_id         : {newest}" in said(grid, "runs", "show", word).out
    assert said(grid, "runs", "show", "nobody").code == 2


def first_listed(folder: Path) -> str:
    return said(folder, "runs", "list").out.splitlines()[1].split()[0]


def test_the_latest_run_is_the_first_that_is_listed(grid: Path, tmp_path: Path) -> None:
    """Whatever lies beside the runs, and whichever of one second has the greater hash."""
    shutil.copytree(grid / "outputs" / "runs", tmp_path / "outputs" / "runs")
    (tmp_path / "outputs" / "runs" / "notes").mkdir()
    for place, run in enumerate(reversed(ids(tmp_path)[:-1])):
        file = tmp_path / "outputs" / "runs" / run / "metadata.json"
        told = json.loads(file.read_text()) | {"finished_at": f"2099-03-01T08:00:0{place}+00:00"}
        file.write_text(json.dumps(told))
    newest = ids(tmp_path)[0]
    assert first_listed(tmp_path) == newest
    assert f"run_id         : {newest}" in said(tmp_path, "runs", "show", "latest").out


def test_show_tells_the_parameters(grid: Path) -> None:
    lines = said(grid, "runs", "show", "latest").out.splitlines()
    figures = dict(
        line.split(" : ", 1) for line in lines if line.startswith(("total_return", "win_rate", "sharpe"))
    )
    assert [re.fullmatch(r"[+-]?\d+\.\d\d%?", value) is not None for value in figures.values()] == [True] * 3
    limit = f"rsi_buy_max    : {limit_of(grid, first_listed(grid)):g}"
    assert {"strategy       : rsi_ma_cross_v2", limit, "fee            : 0.002"} <= set(lines)


def test_the_index_of_runs_has_the_parameters(grid: Path) -> None:
    row = next(csv.DictReader(io.StringIO((grid / "outputs/runs/runs_index.csv").read_text())))
    assert json.loads(row["strategy_params"]) == {
        "rsi_buy_max": limit_of(grid, row["run_id"]),
        "rsi_sell_min": 75.0,
    }
