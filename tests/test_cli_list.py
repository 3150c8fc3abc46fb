"""`paper-sessions list`: its columns, its limits, and that it holds no more rows than it writes at a time."""

from __future__ import annotations

import csv
import io
import json
import sys
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from support.asked_program import READY, Said, every_state
from support.sessions_builder import NOW, Sessions, ago

from quantlab.base.clock import utc_now
from quantlab.cli import output, paper_sessions
from quantlab.cli.pages import sessions as page
from quantlab.queries.rows import range_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with every_state(tmp_path_factory.mktemp("outputs") / "paper_sessions") as built:
        yield built


@pytest.fixture
def three(tmp_path: Path) -> Path:
    with Sessions(tmp_path / "root") as built:
        for place, name in enumerate(("a", "b", "c")):
            built.started(name, ago(hours=place + 1)).succeeded(name, ago(minutes=1), total_return=place / 10)
        built.started("d", ago(hours=4)).failed("d", ago(hours=3))
    return built.root


@pytest.fixture
def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "is_terminal", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")


def listed(capsys: pytest.CaptureFixture[str], root: Path, *flags: str) -> list[str]:
    return Said(capsys, "paper-sessions", "list", root, *flags).out.splitlines()


def test_the_list_shows_results(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    heading, *rows = listed(capsys, root)
    assert heading.split() == [
        *(
            "session_id",
            "status",
            "strategy",
            "ticker",
            "range",
            "return",
            "drawdown",
            "sharpe",
            "trades",
            "age",
        )
    ]
    (row,) = [row for row in rows if row.startswith(READY)]
    assert row.split()[1:9] == [
        *("success", "rsi_ma_cross_v2", "ETH-USD", "2023-01-01..2024-01-01", "+25.0%", "-10.0%", "1.50", "3")
    ]


@pytest.mark.parametrize(
    ("kind", "days", "watermark", "shown"),
    [
        ("replay", ("2022-01-01", "2023-12-31"), None, "2022-01-01..2023-12-31"),
        (None, ("2022-01-01", None), None, "2022-01-01..?"),
        (None, (None, None), None, ""),
        (
            "forward",
            ("2026-03-01", "2262-01-01"),
            "2026-03-09T00:00:00.000000+00:00",
            "forward to 2026-03-09",
        ),
        ("forward", ("2026-03-01", "2262-01-01"), None, "forward"),
    ],
)
def test_a_range_is_the_days_or_how_far_a_session_saw(
    kind: str | None, days: tuple[str | None, str | None], watermark: str | None, shown: str
) -> None:
    start, end = days
    row = {"kind": kind, "start_date": start, "end_date": end, "watermark": watermark}
    assert range_of(row) == shown


@pytest.mark.usefixtures("on_a_terminal")
def test_a_narrow_terminal_shows_the_most_telling_columns(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = listed(capsys, root)
    assert lines[0].split() == ["session_id", "status", "ticker", "return", "sharpe", "age"]
    assert max(map(len, lines)) <= 80


@pytest.mark.usefixtures("on_a_terminal")
def test_a_wide_terminal_shows_every_column_within_its_width(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "terminal_width", lambda: 100)
    lines = listed(capsys, root)
    assert len(lines[0].split()) == 10
    assert max(map(len, lines)) <= 100


@pytest.mark.usefixtures("on_a_terminal")
def test_a_terminal_is_shown_the_newest_and_told_how_many_more_there_are(
    three: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paper_sessions, "ON_A_TERMINAL", 2)
    _heading, *rows = listed(capsys, three)
    assert [row[0] for row in rows] == ["a", "b", "…"]
    assert rows[-1] == "… and 2 more (--limit 0 shows all)"
    assert len(listed(capsys, three, "--limit", "0")) == 5
    assert len(listed(capsys, three, "--limit", "3")) == 4


def test_what_is_no_terminal_gets_every_session(
    three: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paper_sessions, "ON_A_TERMINAL", 2)
    assert len(listed(capsys, three)) == 5


@pytest.mark.parametrize("form", ["json", "csv"])
@pytest.mark.usefixtures("on_a_terminal")
def test_json_and_csv_are_whole_on_a_terminal_too(
    three: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr(paper_sessions, "ON_A_TERMINAL", 2)
    assert "more (--limit" not in "".join(listed(capsys, three, "--format", form))


def test_the_sessions_of_a_request_are_named_newest_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Sessions(tmp_path / "root") as built:
        built.success("first", ago(hours=2)).success("again", ago(hours=1))
        built.adopted("other", NOW, request_id="req_2", created_at="2026-03-10T12:00:00.000000+00:00")
    found = Said(
        capsys, "paper-sessions", "list", built.root, "--request-id", "req_1", "--format", "json"
    ).json
    assert [row["session_id"] for row in found["sessions"]] == ["again", "first"]


def test_the_columns_that_are_asked_for_are_shown(three: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("--columns", "session_id,total_return,config_hash")
    assert listed(capsys, three, *asked)[1].split() == ["a", "0", "c" * 64]
    assert listed(capsys, three, *asked, "--format", "csv")[2] == f"b,0.1,{'c' * 64}"
    found = Said(capsys, "paper-sessions", "list", three, *asked, "--format", "json").json
    assert found["sessions"][3] == {"session_id": "d", "total_return": None, "config_hash": "c" * 64}


def test_no_table_holds_python_s_word_for_nothing(three: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("--columns", "session_id,total_return,vanished_at,trades")
    assert "None" not in "".join(listed(capsys, three, *asked))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("--columns", "sesion_id"), "did you mean 'session_id'?"),
        (("--columns", ""), "there is no column ''"),
        (("--columns", "age", "--format", "json"), "there is no column 'age'"),
        (("--sort", "sharp"), "there is no column 'sharp'"),
        (("--sort", "trades:up"), "expected trades:asc or trades:desc"),
        (("--limit", "-1"), "or 0 for all"),
    ],
)
def test_a_column_that_is_not_there_is_refused(
    three: Path, capsys: pytest.CaptureFixture[str], asked: tuple[str, ...], said: str
) -> None:
    refused = Said(capsys, "paper-sessions", "list", three, *asked)
    assert (refused.code, refused.err.count("\n"), said in refused.err) == (2, 1, True)


@pytest.mark.parametrize(("order", "ids"), [("total_return", "cbad"), ("total_return:asc", "abcd")])
def test_another_order_has_missing_figures_last(
    three: Path, capsys: pytest.CaptureFixture[str], order: str, ids: str
) -> None:
    assert "".join(row[0] for row in listed(capsys, three, "--sort", order)[1:]) == ids


def test_json_is_laid_out_as_every_other_answer(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for flags in ((), ("--duplicates",), ("--ticker", "nobody")):
        said = Said(capsys, "paper-sessions", "list", root, "--format", "json", *flags)
        assert said.out == output.as_json(said.json) + "\n"
        assert said.json["n_sessions"] == len(said.json["sessions"])


def test_csv_holds_what_json_holds(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = Said(capsys, "paper-sessions", "list", root, "--format", "json").json["sessions"]
    text = Said(capsys, "paper-sessions", "list", root, "--format", "csv").out
    cells = list(csv.DictReader(io.StringIO(text)))
    assert [cell["session_id"] for cell in cells] == [row["session_id"] for row in rows]
    assert list(cells[0]) == list(rows[0])


@pytest.mark.slow
@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_a_long_list_is_written_as_it_is_read(tmp_path: Path, form: str) -> None:
    """Write far more rows than may be held: 20,000 of their ids alone would take over 2 MB."""

    def rows(_wanted: Sequence[str]) -> Iterator[dict[str, Any]]:
        for number in range(20_000):
            yield {"session_id": f"{number:060}", "status": "success"}

    with Sessions(tmp_path) as built:
        listed = page.Listed(
            rows=rows,
            total=20_000,
            left_out=0,
            columns=["session_id", "status"],
            twins=False,
            location=built.location,
            now=utc_now(),
        )
    tracemalloc.start()
    written = sum(piece.count("0" * 50) for piece in page.FORMATS[form](listed))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert written == 20_000
    assert peak < 1_000_000


def test_a_list_is_read_off_the_ledger_row_by_row(three: Path) -> None:
    from quantlab.ledger.location import locate
    from quantlab.ledger.reader import open_reader
    from quantlab.queries.listing import ListFilter, sessions

    with open_reader(locate(three, None)) as reader:
        assert next(sessions(reader, ListFilter()))["session_id"] == "a"
        assert sys.getsizeof(sessions(reader, ListFilter())) < 1_000


def test_an_empty_list_is_valid_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Sessions(tmp_path / "root") as built:
        pass
    text = Said(capsys, "paper-sessions", "list", built.root, "--format", "json").out
    assert json.loads(text)["sessions"] == []


def test_a_list_is_filtered_by_strategy_and_shows_its_parameters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Sessions(tmp_path / "root") as built:
        built.started("a", ago(hours=2), config={"rsi_buy_max": 40.0})
        built.started("b", ago(hours=1), config={"strategy": "mine", "strategy_params": {"fast": 5}})
    asked = ("--columns", "session_id,strategy,strategy_params")
    assert [row.split() for row in listed(capsys, built.root, *asked)[1:]] == [
        ["b", "mine", '{"fast":5}'],
        ["a", "rsi_ma_cross_v2", '{"rsi_buy_max":40.0}'],
    ]
    assert [row[0] for row in listed(capsys, built.root, "--strategy", "mine")[1:]] == ["b"]


def test_show_tells_the_parameters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Sessions(tmp_path / "root") as built:
        built.started("a", ago(hours=2), config={"rsi_buy_max": 40.0, "fee": 0.001})
    shown = Said(capsys, "paper-sessions", "show", built.root / "a").out
    section = shown.split("Parameters\n")[1].split("\n\n")[0]
    assert {tuple(line.split()) for line in section.splitlines()} == {
        ("rsi_buy_max", ":", "40"),
        ("fee", ":", "0.001"),
        ("strategy", ":", "rsi_ma_cross_v2"),
    }
