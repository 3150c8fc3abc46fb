"""`prove`: run again from what was kept, and remade files."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from support import flow_program as program
from support.flow_program import PAPER, document, said, session_of

from quantlab.domain.config import RunConfig
from quantlab.exports import report
from quantlab.exports.bundle import data_facts
from quantlab.runner import rerun
from quantlab.sessions.claims import _agree
from quantlab.trading import outcome
from quantlab.trading.prices import table
from quantlab.trading.prices.loading import load_prices
from quantlab.trading.simulation import Replay

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from quantlab.trading.results import Outcome, Simulation


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("proving")
    assert said(where, *PAPER, "--save_price_plot").code == 0
    source = session_of(where) / "artifacts" / "prices.csv"
    again = tmp_path_factory.mktemp("file")
    assert said(again, *PAPER[:-2], str(source), "--paper", "--save_price_plot").code == 0
    return again


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    shutil.copytree(original / "outputs", tmp_path / "outputs")
    return tmp_path


def test_a_session_is_identical_to_itself(folder: Path) -> None:
    done = said(folder, "paper-sessions", "prove", str(session_of(folder)))
    assert (done.code, done.err) == (0, "")
    assert f"{session_of(folder).name}: identical" in done.out
    assert "equal to the last digit" in done.out
    assert program.kinds_of(folder)[-1] == "proved"


def test_prices_that_were_edited_make_it_impossible(folder: Path) -> None:
    prices = session_of(folder) / "artifacts" / "prices.csv"
    prices.write_bytes(prices.read_bytes().replace(b"1", b"2", 5))
    done = said(folder, "--paper-sessions-prove", str(session_of(folder)))
    assert done.code == 1
    assert "impossible" in done.out
    assert "is not what the session ran on" in done.out


def test_prices_that_are_gone_make_it_impossible(folder: Path) -> None:
    (session_of(folder) / "artifacts" / "prices.csv").unlink()
    done = said(folder, "--paper-sessions-prove", str(session_of(folder)))
    assert done.code == 1
    assert "impossible" in done.out


def with_more_equity(made: Simulation) -> Simulation:
    """Count half a unit more from bar 200 on."""
    equity = made.equity.copy()
    equity[200:] += 0.5
    return replace(made, equity=equity)


def with_other_reasons(made: Simulation) -> Simulation:
    """Trade the same for other reasons."""
    return replace(made, fills=[replace(fill, reason="because") for fill in made.fills])


def use_engine(monkeypatch: pytest.MonkeyPatch, changed: Callable[[Simulation], Simulation]) -> None:
    """Run again with an engine that differs from the one that the session ran with."""

    class Odd(Replay):
        def result(self) -> Simulation:
            return changed(super().result())

    monkeypatch.setattr(rerun, "Replay", Odd)


def test_an_engine_that_counts_otherwise_is_found_out_at_its_bar(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_engine(monkeypatch, with_more_equity)
    done = said(folder, "--paper-sessions-prove", str(session_of(folder)))
    assert done.code == 1
    assert "different" in done.out
    assert "first difference at bar 200" in done.out
    assert "field equity" in done.out


def test_without_the_kept_equity_a_difference_is_told_but_not_its_bar(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_engine(monkeypatch, with_more_equity)
    (session_of(folder) / "artifacts" / "equity.csv").unlink()
    done = said(folder, "--paper-sessions-prove", str(session_of(folder)))
    assert done.code == 1
    assert "equity.csv can't be read to name the bar" in done.out


def test_a_difference_that_no_bar_shows_is_told_as_one_of_a_fill(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_engine(monkeypatch, with_other_reasons)
    done = said(folder, "--paper-sessions-prove", str(session_of(folder)))
    assert done.code == 1
    assert "the kept equity table does not: a fill's detail changed" in done.out


def edit_summary(path: Path, *sections: str, **figures: float | None) -> None:
    """Write other figures into a document's summary, as somebody with an editor would."""
    whole = document(path)
    summary = whole
    for name in (*sections, "summary"):
        summary = summary[name]
    summary |= figures
    path.write_text(json.dumps(whole, indent=2) + "\n")


def proved(folder: Path) -> tuple[int, str]:
    done = said(folder, "--paper-sessions-prove", str(session_of(folder)))
    return done.code, done.out


def test_a_figure_that_was_edited_and_recorded_makes_it_different(folder: Path) -> None:
    session = session_of(folder)
    earned = document(session / "metrics.json")["summary"]["total_return"]
    edit_summary(session / "session_metadata.json", total_return=5.5)
    assert said(folder, "--paper-sessions-index", str(session.parent)).code == 0
    code, out = proved(folder)
    assert code == 1
    assert f"{session.name}: different" in out
    assert (
        f"session_metadata.json, summary.total_return: it shows 5.5, the second run gives {earned!r}" in out
    )


@pytest.mark.parametrize(
    ("name", "sections"),
    [("metrics.json", ()), ("report.json", ("machine_contract",)), ("metadata.json", ())],
)
def test_a_figure_that_was_edited_in_a_file_alone_makes_it_different(
    folder: Path, name: str, sections: tuple[str, ...]
) -> None:
    edit_summary(session_of(folder) / name, *sections, sharpe_simple=9.5)
    code, out = proved(folder)
    assert code == 1
    assert (
        f"{name}, {'.'.join((*sections, 'summary'))}.sharpe_simple: it shows 9.5, the second run gives" in out
    )


@pytest.mark.parametrize("name", ["trades.csv", "artifacts/equity.csv"])
def test_a_table_that_was_edited_makes_it_different(folder: Path, name: str) -> None:
    table = session_of(folder) / name
    lines = table.read_bytes().splitlines(keepends=True)
    table.write_bytes(b"".join([*lines[:3], lines[3].replace(b"0", b"9", 1), *lines[4:]]))
    code, out = proved(folder)
    assert (code, f"{name}, line 4: not what the second run gives" in out) == (1, True)


def edit(path: Path, *sections: str, **values: Any) -> None:
    """Write other values into a section of a document."""
    whole = document(path)
    section = whole
    for name in sections:
        section = section[name]
    section |= values
    path.write_text(json.dumps(whole, indent=2) + "\n")


@pytest.mark.parametrize("indexed", [False, True], ids=["unseen", "recorded as an amendment"])
@pytest.mark.parametrize(
    ("name", "sections", "values", "told"),
    [
        ("config.json", (), {"fee": 0.5}, "config.json, fee: it shows 0.5, the second run gives 0.002"),
        ("report.json", ("data",), {"missing_bars": 7}, "report.json, data.missing_bars: it shows 7, the"),
        (
            "report.json",
            ("config_resolved",),
            {"fee": 0.5},
            "report.json, config_resolved.fee: it shows 0.5, the",
        ),
        (
            "report.json",
            (),
            {"warnings": ["All is well."]},
            "report.json, warnings: it shows ['All is well.'], the second run gives [",
        ),
        (
            "report.json",
            ("header",),
            {"config_hash": "0"},
            "report.json, header.config_hash: it shows '0', the",
        ),
        (
            "report.json",
            ("summary",),
            {"alpha": 9.5},
            "summary.alpha: it shows 9.5, the second run gives nothing",
        ),
        (
            "metadata.json",
            ("data",),
            {"hash": "0"},
            "metadata.json, data.hash: it shows '0', the second run gives",
        ),
        (
            "metrics.json",
            (),
            {"result_digest": "0"},
            "metrics.json, result_digest: it shows '0', the second run",
        ),
    ],
)
def test_what_was_edited_in_a_document_makes_it_different(
    folder: Path, name: str, sections: tuple[str, ...], values: dict[str, Any], told: str, *, indexed: bool
) -> None:
    edit(session_of(folder) / name, *sections, **values)
    if indexed:
        assert said(folder, "--paper-sessions-index", str(session_of(folder).parent)).code == 0
    code, out = proved(folder)
    assert (code, told in out) == (1, True), out


def test_a_figure_that_was_cut_out_makes_it_different(folder: Path) -> None:
    path = session_of(folder) / "report.json"
    whole = document(path)
    del whole["data"]["missing_bars"]
    path.write_text(json.dumps(whole))
    code, out = proved(folder)
    assert (code, "data.missing_bars: it shows nothing, the second run gives 0" in out) == (1, True)


def test_a_section_that_an_older_program_did_not_write_is_no_difference(folder: Path) -> None:
    path = session_of(folder) / "report.json"
    whole = document(path)
    del whole["data"], whole["warnings"]
    path.write_text(json.dumps(whole))
    assert proved(folder)[0] == 0


def test_a_document_that_is_none_any_more_makes_it_different(folder: Path) -> None:
    (session_of(folder) / "config.json").write_text('{"fee": 0.5,')
    code, out = proved(folder)
    assert (code, "config.json: it holds no JSON object any more" in out) == (1, True)


@pytest.mark.parametrize("indexed", [False, True], ids=["unseen", "recorded as an amendment"])
def test_a_report_page_that_was_edited_makes_it_different(folder: Path, *, indexed: bool) -> None:
    page = session_of(folder) / "run_report.md"
    lines = page.read_text().splitlines(keepends=True)
    place = next(place for place, line in enumerate(lines) if line.startswith("| Total return |"))
    page.write_text(
        "".join([*lines[:place], "| Total return | +900.00 % | of initial cash |\n", *lines[place + 1 :]])
    )
    if indexed:
        assert said(folder, "--paper-sessions-index", str(session_of(folder).parent)).code == 0
    code, out = proved(folder)
    assert (code, f"run_report.md, line {place + 1}: edited since it was written" in out) == (1, True)
    assert said(folder, "--report", str(session_of(folder))).code == 0
    assert proved(folder)[0] == 0


def with_another_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Word the page as a later version might."""
    monkeypatch.setitem(report.TITLES, "paper", "Rehearsal")


def test_a_report_page_of_an_older_program_leaves_it_identical(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_another_page(monkeypatch)
    assert proved(folder)[0] == 0


def test_a_report_page_that_a_newer_program_wrote_anew_leaves_it_identical(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_another_page(monkeypatch)
    assert said(folder, "--report", str(session_of(folder))).code == 0
    assert (session_of(folder) / "run_report.md").read_text().startswith("# Rehearsal")
    assert proved(folder)[0] == 0


def test_a_ticker_that_was_edited_and_recorded_makes_it_different(folder: Path) -> None:
    session = session_of(folder)
    config = document(session / "config.json")
    (session / "config.json").write_text(json.dumps(config | {"ticker": "OTHER"}))
    assert said(folder, "--paper-sessions-index", str(session.parent)).code == 0
    code, out = proved(folder)
    assert (code, "config.json, ticker: it shows 'OTHER', the second run gives" in out) == (1, True)


def test_an_edit_that_was_taken_back_leaves_it_identical(folder: Path) -> None:
    path = session_of(folder) / "session_metadata.json"
    original = path.read_bytes()
    edit_summary(path, total_return=5.5)
    assert said(folder, "--paper-sessions-index", str(path.parent.parent)).code == 0
    path.write_bytes(original)
    assert said(folder, "--paper-sessions-index", str(path.parent.parent)).code == 0
    assert proved(folder)[0] == 0


def test_an_edit_of_no_figure_leaves_it_identical(folder: Path) -> None:
    path = session_of(folder) / "session_metadata.json"
    path.write_text(json.dumps(document(path) | {"note": "mine", "python_version": "3"}))
    assert said(folder, "--paper-sessions-index", str(path.parent.parent)).code == 0
    assert proved(folder)[0] == 0


def test_files_that_are_gone_leave_it_identical(folder: Path) -> None:
    tables = ("trades.csv", "artifacts/equity.csv", "run_report.md")
    for name in (*tables, "metrics.json", "report.json", "metadata.json", "config.json"):
        (session_of(folder) / name).unlink()
    assert proved(folder)[0] == 0


def with_other_figures(monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
    """Count the Sharpe ratio otherwise than the session did, from the same equity."""
    counted = outcome.evaluate

    def evaluate(*arguments: Any) -> Outcome:
        made = counted(*arguments)
        return replace(
            made, figures=replace(made.figures, sharpe_simple=(made.figures.sharpe_simple or 0) * factor)
        )

    monkeypatch.setattr(outcome, "evaluate", evaluate)


def test_a_figure_that_another_library_rounds_otherwise_leaves_it_identical(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_other_figures(monkeypatch, 1 + 1e-15)
    assert proved(folder)[0] == 0


def test_a_figure_that_is_counted_otherwise_today_makes_it_different(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_other_figures(monkeypatch, 1.01)
    code, out = proved(folder)
    assert (code, "sharpe_simple: the ledger shows" in out) == (1, True)


def test_a_figure_that_an_older_program_did_not_tell_is_no_difference() -> None:
    assert _agree(None, None, 1.5)
    assert not _agree(None, 1.5, 1.5)
    assert not _agree(1.5, 1.5, None)


def test_what_rounding_left_of_nothing_is_no_difference_from_nothing() -> None:
    assert _agree(-1.1e-16, -1.1e-16, 0.0)
    assert not _agree(-1e-9, -1e-9, 0.0)


def test_a_failed_session_has_nothing_to_prove(tmp_path: Path) -> None:
    assert said(tmp_path, "--paper", "--prices", "nowhere.csv").code == 3
    done = said(tmp_path, "--paper-sessions-prove", str(session_of(tmp_path)))
    assert done.code == 1
    assert "can't be run again" in done.error


def test_a_folder_that_is_no_session_is_refused(tmp_path: Path) -> None:
    done = said(tmp_path, "--paper-sessions-prove", "nowhere")
    assert done.code == 2
    assert "No session at nowhere" in done.error
    assert list(tmp_path.iterdir()) == []


def test_synthetic_prices_that_are_gone_come_again(tmp_path: Path) -> None:
    assert said(tmp_path, *PAPER).code == 0
    (session_of(tmp_path) / "artifacts" / "prices.csv").unlink()
    done = said(tmp_path, "--paper-sessions-prove", str(session_of(tmp_path)))
    assert done.code == 0, done.out
    assert document(session_of(tmp_path) / "session_status.json")["status"] == "success"


def test_gone_prices_of_the_first_generator_come_again_from_it(tmp_path: Path) -> None:
    config = RunConfig(ticker="AAPL", prices="synthetic", generator=1)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    prices, quality = load_prices(config, now=now, cache_folder=None)
    facts = data_facts(config, prices, quality, table.data_hash(table.to_csv(prices)))
    earlier = {name: value for name, value in config.as_dict().items() if name != "generator"}
    assert np.array_equal(rerun.kept_prices(tmp_path, earlier, facts).close, prices.close)
