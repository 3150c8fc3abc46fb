"""`paper-sessions compare`: what sets sessions apart, and their equity in one picture."""

from __future__ import annotations

import csv
import io
import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support.flow_program import PAPER, said, sessions_of
from support.forward_market import WARMUP, Market, begun, stepped

from quantlab.base.text import csv_cell
from quantlab.exports import drawing
from quantlab.exports.curves import Curve
from quantlab.exports.overlay import overlay
from quantlab.queries.side_by_side import Side, compared

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

ODD_IDS = ("=a$b_{c$", "name", "lived\u202elived")
LAUNCHES = (("--rsi_buy_max", "55"), ("--fee", "0.004"), ("--fee", "0.004", "--cooldown_days", "3"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("compare")
    for launch in LAUNCHES:
        assert said(where, *PAPER, *launch, "--no-charts").code == 0
    return where


def ids(folder: Path) -> list[str]:
    return [one.name for one in sessions_of(folder)]


def lines_of(folder: Path, *words: str) -> dict[str, dict[str, Any]]:
    done = said(folder, "paper-sessions", "compare", *words, "--format", "json")
    assert done.code == 0, done.err
    return {line["name"]: line for line in json.loads(done.out)["lines"]}


def test_only_what_differs_is_told(folder: Path) -> None:
    lines = lines_of(folder, *ids(folder))
    told = [name for name, line in lines.items() if line["part"] == "configuration"]
    assert sorted(told) == ["cooldown_days", "fee", "rsi_buy_max"]
    assert all(len(set(map(repr, line["values"].values()))) > 1 for line in lines.values())
    assert "python_version" not in lines


def test_all_tells_what_is_equal_too(folder: Path) -> None:
    lines = lines_of(folder, *ids(folder), "--all")
    assert {"ticker", "slippage_bps", "python_version", "data_hash"} <= set(lines)
    assert set(lines_of(folder, *ids(folder))) < set(lines)


def test_sessions_go_by_id_end_latest_and_folder(folder: Path) -> None:
    first, second, third = ids(folder)
    words = (first, second[-8:], f"outputs/paper_sessions/{third}")
    done = said(folder, "--paper-sessions-compare", *words, "--format", "json")
    assert json.loads(done.out)["compared"] == [first, second, third]
    assert json.loads(said(folder, "--format", "json", "--paper-sessions-compare", *words).out)["lines"]
    latest = said(folder, "paper-sessions", "show", "latest", "--format", "json").out
    other = next(one for one in ids(folder) if one not in latest)  # ids of one second are in no order
    assert said(folder, "paper-sessions", "compare", "latest", other).code == 0


@pytest.mark.parametrize(
    ("words", "many"),
    [
        (["--status", "success"], 3),
        (["--limit", "0"], 3),
        (["outputs/paper_sessions", "--ticker", "ETH-USD", "--limit", "2"], 2),
        (["--strategy", "rsi_ma_cross_v2", "--sort", "total_return:asc"], 3),
    ],
)
def test_a_filter_finds_what_list_finds(folder: Path, words: list[str], many: int) -> None:
    listed = json.loads(said(folder, "paper-sessions", "list", *words, "--format", "json").out)["sessions"]
    told = json.loads(said(folder, "paper-sessions", "compare", *words, "--format", "json").out)
    assert told["compared"] == [row["session_id"] for row in listed]
    assert len(listed) == many


def test_a_filter_finds_the_newest_ten_and_says_of_how_many(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quantlab.cli.compare.MOST", 2)
    done = said(folder, "--paper-sessions-compare", "outputs/paper_sessions", "--status", "success")
    assert done.code == 0
    assert done.err == "NOTE: these are 2 of 3 sessions that are as asked for; --limit takes more.\n"


def test_a_filter_out_of_the_environment_leaves_names_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUANTLAB_PAPER_SESSIONS_COMPARE_LIMIT", "1")
    assert said(folder, "paper-sessions", "compare", *ids(folder)).code == 0


def test_a_table_marks_the_best_by_a_star(folder: Path) -> None:
    done = said(folder, "paper-sessions", "compare", *ids(folder))
    lines = lines_of(folder, *ids(folder))
    (told,) = [line for line in done.out.splitlines() if line.startswith("total_return")]
    best = lines["total_return"]["best"]
    place = ids(folder).index(best[0])
    assert told.replace(" *", "*").split()[1 + place].endswith("*")
    assert done.out.endswith("* the best\n")


def test_csv_has_a_column_each(folder: Path) -> None:
    done = said(folder, "paper-sessions", "compare", *ids(folder), "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert list(rows[0]) == ["part", "name", *ids(folder), "best"]
    assert [row["name"] for row in rows] == list(lines_of(folder, *ids(folder)))


def test_copies_of_a_session_in_two_roots_have_a_column_each(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "outputs", tmp_path / "outputs")
    session = sessions_of(tmp_path)[0]
    words = (str(session), str(folder / "outputs" / "paper_sessions" / session.name))
    told = json.loads(said(folder, "paper-sessions", "compare", *words, "--format", "json", "--all").out)
    assert told["compared"] == list(words)
    assert all(list(line["values"]) == list(words) for line in told["lines"])


@pytest.fixture(scope="module")
def odd(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders that were called what pictures, tables and terminals might obey."""
    where = tmp_path_factory.mktemp("odd")
    for source, name in zip(sessions_of(folder), ODD_IDS, strict=True):
        copied = where / "outputs" / "paper_sessions" / name
        shutil.copytree(source, copied)
        for file in copied.glob("*.json"):
            text = file.read_text(encoding="utf-8").replace(source.name, json.dumps(name)[1:-1])
            file.write_text(text, encoding="utf-8")
    assert said(where, "paper-sessions", "index").code == 0
    return where


def test_ids_in_a_heading_do_not_command_the_terminal(odd: Path) -> None:
    done = said(odd, "paper-sessions", "compare", *ids(odd))
    assert "\\u202e" in done.out.splitlines()[0]
    assert "\u202e" not in done.out


def test_ids_that_are_formulas_or_columns_of_their_own_have_a_column_each(odd: Path) -> None:
    done = said(odd, "paper-sessions", "compare", *ids(odd), "--all", "--format", "csv")
    heading, *rows = csv.reader(io.StringIO(done.out))
    assert heading == ["part", "name", *map(csv_cell, ids(odd)), "best"]
    assert {row[0] for row in rows} == {"configuration", "facts", "figures"}
    assert ["configuration", "ticker", "ETH-USD", "ETH-USD", "ETH-USD", ""] in rows


@pytest.mark.parametrize("name", ["overlay.png", "overlay.svg"])
def test_an_overlay_names_each_as_it_is_called(odd: Path, tmp_path: Path, name: str) -> None:
    done = said(odd, "paper-sessions", "compare", *ids(odd), "--overlay", str(tmp_path / name))
    assert (done.code, done.err) == (0, f"{tmp_path / name}: equity of 3 of 3 sessions.\n")


def test_a_legend_leaves_out_no_name_and_reads_none_as_a_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(drawing, "picture", lambda figure, *_rest, **_more: told.extend(labels(figure)))
    curve = Curve(
        times=np.arange(3).astype("datetime64[D]").astype("datetime64[ns]"),
        equity=np.array([1.0, 2.0, 3.0]),
        mark=np.array([1.0, 1.0, 1.0]),
    )
    overlay([("_one", curve), ("$two", curve)], title="odd", form="svg")
    assert [label.split(" (")[0].strip() for label in told] == ["Buy and hold", "_one", "$two"]


def labels(figure: Figure) -> list[str]:
    return [str(label) for label in figure.axes[0].get_legend_handles_labels()[1]]


def test_figures_of_different_spans_have_no_best(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "outputs", tmp_path / "outputs")
    assert said(tmp_path, *PAPER, "--end", "2023-06-01", "--no-charts").code == 0
    done = said(tmp_path, "paper-sessions", "compare", "latest", ids(folder)[0], "--format", "json")
    assert all(line["best"] == [] for line in json.loads(done.out)["lines"])
    assert done.err == (
        "NOTE: these sessions differ in interval or range; their figures are of different things.\n"
    )


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "0 given; expected two or more different sessions"),
        (["latest"], "1 given; expected two or more"),
        (["latest", "latest"], "1 given; expected two or more"),
        (["latest", "nobody"], "nobody"),
        (["latest", "nobody", "--ticker", "X"], "2 are named and a filter is given; expected either"),
        (["--ticker", "X"], "The filter finds 0 of the sessions; expected two or more to compare."),
        (["--limit", "1"], "The filter finds 1 of the sessions"),
        (["--sort", "totl_return"], "did you mean 'total_return'?"),
        (["latest", "latest", "--overlay", "x.pdf"], "'x.pdf' is no picture; expected a name that ends in"),
    ],
)
def test_what_can_t_be_compared_is_refused(folder: Path, words: list[str], why: str) -> None:
    done = said(folder, "paper-sessions", "compare", *words)
    assert done.code == 2
    assert why in done.error


@pytest.mark.parametrize("name", ["overlay.png", "overlay.svg"])
def test_an_overlay_is_the_same_each_time(folder: Path, tmp_path: Path, name: str) -> None:
    made = []
    for _ in range(2):
        done = said(folder, "paper-sessions", "compare", *ids(folder), "--overlay", str(tmp_path / name))
        assert done.err == f"{tmp_path / name}: equity of 3 of 3 sessions.\n"
        made.append((tmp_path / name).read_bytes())
    assert made[0] == made[1]


def test_an_overlay_shows_each_and_the_market_once(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "overlay.png"
    assert said(folder, "paper-sessions", "compare", *ids(folder), "--overlay", str(place)).code == 0
    with Image.open(place) as picture:
        shown = picture.convert("RGB")
        assert shown.size == (1000, 640)
        colours = {colour for _count, colour in shown.getcolors(maxcolors=1 << 24) or []}
    assert {(0, 0x72, 0xB2), (0xD5, 0x5E, 0), (0, 0x9E, 0x73)} <= colours


def test_an_edited_table_is_named_and_not_drawn(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "outputs", tmp_path / "outputs")
    table = sessions_of(tmp_path)[0] / "artifacts" / "equity.csv"
    table.write_bytes(table.read_bytes().replace(b"1", b"2", 3))
    words = ("paper-sessions", "compare", *ids(folder), "--overlay", "o.svg")
    done = said(tmp_path, *words)
    assert (done.code, "is not what was recorded; it is not drawn." in done.err) == (0, True)
    assert "equity of 2 of 3 sessions" in done.err
    for session in sessions_of(tmp_path):
        (session / "artifacts" / "equity.csv").unlink()
    (tmp_path / "o.svg").unlink()
    assert said(tmp_path, *words).code == 2
    assert not (tmp_path / "o.svg").exists()


def test_a_forward_session_is_drawn_from_its_bars(tmp_path: Path) -> None:
    market = Market(tmp_path / "prices.csv")
    folders = [begun(market, tmp_path).folder for _ in range(2)]
    market.to(WARMUP + 10)
    stepped(market, folders[0])
    done = said(tmp_path, "paper-sessions", "compare", *map(str, folders), "--overlay", "o.svg")
    assert (done.code, "has seen no bar yet; it is not drawn" in done.err) == (0, True)
    assert "equity of 1 of 2 sessions" in done.err


def test_buy_and_hold_begins_with_the_first_usable_price() -> None:
    mark = np.array([0.0, 10.0, 15.0])
    curve = Curve(times=np.zeros(3, "datetime64[ns]"), equity=np.array([8.0, 8.0, 4.0]), mark=mark)
    assert curve.rebased().tolist() == [1.0, 1.0, 0.5]
    assert np.isnan(curve.held()[0])
    assert curve.held()[1:].tolist() == [1.0, 1.5]


@given(st.lists(st.none() | st.integers(-3, 3), min_size=2, max_size=5))
def test_none_is_above_the_best_and_all_that_are_as_good_are_marked(values: list[int | None]) -> None:
    sides = [
        Side(str(place), {}, {}, {"total_return": one, "trades": one}) for place, one in enumerate(values)
    ]
    figure, neither = compared(sides, everything=True)
    known = [value for value in values if value is not None]
    assert not neither.best
    assert bool(figure.best) == (len(set(known)) > 1)
    for place, value in enumerate(values):
        assert (place in figure.best) == (bool(figure.best) and value == max(known))
