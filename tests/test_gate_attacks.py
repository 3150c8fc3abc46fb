"""What was tried on the gate, with the program as its users have it: no record looks in order that is not."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from support.flow_program import PAPER, document, root_of, run_of, said, session_of, sessions_of

from quantlab.domain.config import RunConfig
from quantlab.runner import research_index
from quantlab.runner.environment import Code
from quantlab.runner.options import LaunchOptions
from quantlab.sessions import paper
from quantlab.sessions.paper import PaperSession

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Row = dict[str, Any]

FROM_FILE = ("--ticker", "ETH-USD", "--start", "2022-01-01", "--end", "2023-12-31", "--paper", "--prices")


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prices in a file that no ledger knows."""
    where = tmp_path_factory.mktemp("made")
    assert said(where, *PAPER, "--ticker", "BTC-USD", "--no-charts").code == 0
    return session_of(where) / "artifacts" / "prices.csv"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, market: Path) -> Path:
    where = tmp_path_factory.mktemp("gate")
    done = said(where, *FROM_FILE, str(market), "--no-charts")
    assert done.code == 0, done.err
    return where


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    shutil.copytree(original / "outputs", tmp_path / "outputs")
    return tmp_path


def asked(folder: Path, *more: str) -> Row:
    done = said(folder, "paper-sessions", "promotion", *more)
    assert done.code == 0, done.err
    found: Row = json.loads(done.out)
    return found


def row_of(folder: Path, session_id: str | None = None) -> Row:
    found = asked(folder, "--max-candidates", "99")
    rows = [*found["ready_candidates"], *found["blocked_sessions"]]
    return next(row for row in rows if session_id in (None, row["session_id"]))


def blockers(folder: Path) -> list[str]:
    return list(row_of(folder)["broker_promotion_blockers"])


def edit(path: Path, change: Callable[[Row], None]) -> None:
    told = document(path)
    change(told)
    path.write_text(json.dumps(told, indent=2))


def double(told: Row) -> None:
    told["summary"]["total_return"] = 9.99


def set_clock(monkeypatch: pytest.MonkeyPatch, clock: Callable[[], datetime]) -> None:
    defaults = LaunchOptions.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "clock", clock)


def index(folder: Path) -> None:
    assert said(folder, "paper-sessions", "index").code == 0


def test_a_session_that_nobody_touched_is_in_order(folder: Path) -> None:
    row = row_of(folder)
    assert (row["broker_promotion_ready"], row["broker_promotion_blockers"]) == (True, [])


def test_a_proof_of_another_result_blocks(folder: Path) -> None:
    trades = session_of(folder) / "trades.csv"
    trades.write_text(trades.read_text().replace("0.0008", "0.0001"))
    assert said(folder, "paper-sessions", "prove", str(session_of(folder))).code == 1
    assert blockers(folder) == ["proof_different"]


def test_figures_edited_in_every_file_block_and_the_recorded_ones_stay(folder: Path) -> None:
    before = row_of(folder)["total_return"]
    for name in ("metrics.json", "report.json", "session_metadata.json", "metadata.json"):
        edit(session_of(folder) / name, double)
    index(folder)
    row = row_of(folder)
    assert (row["broker_promotion_blockers"], row["total_return"]) == (["amended_outside"], before)
    assert row["amended"] == {"total_return": 9.99}
    shown = said(folder, "paper-sessions", "show", "latest").out
    assert "(edited in its files to +999.00%)" in shown


@pytest.mark.parametrize("name", ["trades.csv", "artifacts/equity.csv", "artifacts/prices.csv"])
def test_an_edited_table_blocks(folder: Path, name: str) -> None:
    path = session_of(folder) / name
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1))
    index(folder)
    assert "amended_outside" in blockers(folder)


def test_an_edited_page_of_the_report_blocks(folder: Path) -> None:
    page = session_of(folder) / "run_report.md"
    page.write_text(page.read_text() + "Total return: +999.00%\n")
    index(folder)
    assert blockers(folder) == ["amended_outside"]


@pytest.mark.parametrize("name", ["trades.csv", "metrics.json", "run_report.md", "session_status.json"])
def test_what_was_edited_since_the_ledger_looked_is_not_called_ready(folder: Path, name: str) -> None:
    path = session_of(folder) / name
    path.write_bytes(path.read_bytes().replace(b"1", b"2"))
    done = said(folder, "paper-sessions", "promotion")
    assert (done.code, done.out) == (1, "")
    assert f"{name} was edited. Run 'quantlab paper-sessions index {path.parents[1]}'" in done.error
    index(folder)
    assert "amended_outside" in blockers(folder)


def test_prices_that_were_edited_while_the_session_ran_are_not_taken_for_its_own(
    tmp_path: Path, market: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reach = PaperSession.reach

    def edit_prices(session: PaperSession, stage: str, **more: Any) -> None:
        reach(session, stage, **more)
        prices = session.folder / "artifacts" / "prices.csv"
        prices.write_bytes(prices.read_bytes().replace(b"1", b"2"))

    monkeypatch.setattr(PaperSession, "reach", edit_prices)
    assert said(tmp_path, *FROM_FILE, str(market), "--no-charts").code == 0
    assert "artifacts/prices.csv was edited" in said(tmp_path, "paper-sessions", "promotion").error
    index(tmp_path)
    assert blockers(tmp_path) == ["amended_outside"]


def test_a_session_whose_folder_is_gone_is_not_called_ready(folder: Path) -> None:
    shutil.rmtree(session_of(folder))
    done = said(folder, "paper-sessions", "promotion")
    root = folder / "outputs" / "paper_sessions"
    assert f"its folder is gone. Run 'quantlab paper-sessions index {root}'" in done.error
    assert done.code == 1
    index(folder)
    assert blockers(folder)[-1] == "vanished"


def test_a_document_that_the_ledger_can_make_anew_may_be_missing(folder: Path) -> None:
    (session_of(folder) / "metrics.json").unlink()
    assert blockers(folder) == []


def test_a_table_that_was_removed_and_forged_blocks(folder: Path) -> None:
    trades = session_of(folder) / "trades.csv"
    trades.unlink()
    index(folder)
    trades.write_text("timestamp,side\n")
    index(folder)
    assert "amended_outside" in blockers(folder)


def test_the_prices_of_a_synthetic_session_given_as_a_file_are_no_market_s(tmp_path: Path) -> None:
    assert said(tmp_path, *PAPER, "--no-charts").code == 0
    (made,) = sessions_of(tmp_path)
    assert said(tmp_path, *FROM_FILE, str(made / "artifacts" / "prices.csv"), "--no-charts").code == 0
    (laundered,) = [one for one in sessions_of(tmp_path) if one != made]
    row = row_of(tmp_path, laundered.name)
    assert row["broker_promotion_blockers"] == ["synthetic_prices"]
    assert document(laundered / "session_metadata.json")["data"]["made_up"] is True


def shorter(table: list[str]) -> list[str]:
    return [table[0], *table[100:]]


def in_cents(table: list[str]) -> list[str]:
    rows = [row.split(",") for row in table[1:]]
    return [
        table[0],
        *(",".join([one[0], *(f"{float(x) * 100:.1f}" for x in one[1:5]), one[5]]) for one in rows),
    ]


@pytest.mark.parametrize("disguise", [list, shorter, in_cents])
def test_synthetic_prices_are_known_where_no_session_of_the_ledger_had_them(
    tmp_path: Path, disguise: Callable[[list[str]], list[str]]
) -> None:
    assert said(tmp_path, *PAPER[:-1], "--no-charts").code == 0
    made = run_of(tmp_path) / "artifacts" / "prices.csv"
    told = tmp_path / "my.csv"
    told.write_text("\n".join(disguise(made.read_text().splitlines())) + "\n")
    words = ("--ticker", "ETH-USD", "--paper", "--prices", str(told), "--no-charts")
    assert said(tmp_path, *words).code == 0
    assert blockers(tmp_path) == ["synthetic_prices"]


def test_a_lone_report_is_no_evidence(tmp_path: Path) -> None:
    lone = root_of(tmp_path) / "20260101_000000_paper_000000000000"
    lone.mkdir(parents=True)
    contract = {"contract_type": "quantlab.paper.result", "status": "success", "mode": "paper"}
    (lone / "report.json").write_text(json.dumps({"machine_contract": contract}))
    assert blockers(tmp_path) == ["missing_evidence"]


def adopt_anew(folder: Path) -> None:
    """Remove the ledger, and what the files say of it."""
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
        (root_of(folder) / name).unlink(missing_ok=True)
    for export in root_of(folder).glob("paper_sessions_index.*"):
        export.unlink()
    for name in ("session_metadata.json", "metadata.json"):
        edit(session_of(folder) / name, lambda told: told.pop("ledger"))
    index(folder)


def test_a_session_whose_ledger_was_removed_is_an_adopted_one_with_all_its_evidence(folder: Path) -> None:
    adopt_anew(folder)
    row = row_of(folder)
    assert (row["origin"], row["broker_promotion_blockers"]) == ("adopted", [])


def test_an_adopted_session_tells_what_its_files_know_of_figures_rules_and_code(folder: Path) -> None:
    before = row_of(folder)
    adopt_anew(folder)
    row = row_of(folder)
    told = (
        *("buy_and_hold_return", "annual_return", "days", "sharpe_low", "sharpe_high", "max_participation"),
        *("rules_hash", "initial_cash", "strategy", "strategy_params", "code_version", "code_digest"),
    )
    assert {name: row[name] for name in told} == {name: before[name] for name in told}


def test_it_says_that_another_ledger_recorded_it_where_nobody_removed_that(folder: Path) -> None:
    (root_of(folder) / "ledger.db").unlink()
    index(folder)
    assert blockers(folder) == ["recorded_elsewhere"]


def drop_trades(session: Path) -> None:
    path = session / "trades.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-2]))


def raise_every_summary(session: Path) -> None:
    for name in ("metrics.json", "report.json", "session_metadata.json", "metadata.json"):
        edit(session / name, double)
    edit(session / "metrics.json", lambda told: told["best_result"].update(total_return=9.99))
    edit(session / "metrics.json", lambda told: told["figures"].update(total_return=9.99))
    edit(session / "report.json", lambda told: told["results"][0].update(total_return=9.99))
    edit(session / "report.json", lambda told: told["machine_contract"]["summary"].update(total_return=9.99))


def raise_equity(session: Path) -> None:
    path = session / "artifacts" / "equity.csv"
    with path.open() as file:
        rows = list(csv.reader(file))
    rows[-1][-1] = "99999.0"
    path.write_text("\n".join(",".join(row) for row in rows) + "\n")


FORGERIES: dict[str, tuple[Callable[[Path], object], str]] = {
    "one summary": (lambda session: edit(session / "metrics.json", double), "total_return"),
    "every summary": (raise_every_summary, "equity.csv gives"),
    "trades": (drop_trades, "trades"),
    "equity": (raise_equity, "total_return"),
    "prices": (
        lambda session: (session / "artifacts" / "prices.csv").write_bytes(b"time,open\n"),
        "prices.csv is not what the result stands on",
    ),
    "configuration": (
        lambda session: edit(session / "config.json", lambda told: told.update(fee=0.0)),
        "another configuration",
    ),
    "digest": (
        lambda session: edit(session / "metrics.json", lambda told: told.update(result_digest="0" * 64)),
        "result_digest",
    ),
}


@pytest.mark.parametrize(("forge", "told"), FORGERIES.values(), ids=FORGERIES.keys())
def test_an_edited_session_whose_ledger_was_removed_is_not_unamended(
    folder: Path, forge: Callable[[Path], object], told: str
) -> None:
    forge(session_of(folder))
    adopt_anew(folder)
    row = row_of(folder)
    assert row["broker_promotion_blockers"] == ["amended_outside"]
    assert told in row["files_disagree"]


def test_a_search_among_research_runs_is_counted_at_launch(folder: Path, market: Path) -> None:
    for limit in ("40", "50", "60"):
        words = ("--rsi_buy_max", limit, "--no-charts")
        assert said(folder, *FROM_FILE[:-2], "--prices", str(market), *words).code == 0
    before = set(sessions_of(folder))
    assert said(folder, *FROM_FILE, str(market), "--no-charts").code == 0
    (launched,) = set(sessions_of(folder)) - before
    row = row_of(folder, launched.name)
    assert (row["research_trials"], row["searched_configurations"]) == (2, 2)
    assert "searched" in row["cautions"]


def test_runs_are_counted_alike_without_their_index(folder: Path, market: Path) -> None:
    words = ("--rsi_buy_max", "40", "--no-charts")
    assert said(folder, *FROM_FILE[:-2], "--prices", str(market), *words).code == 0
    runs, config = folder / "outputs" / "runs", RunConfig(start="2022-01-01", end="2023-12-31")
    counted = research_index.other_rules(runs, config)
    (runs / research_index.JSON).unlink()
    assert (counted, research_index.other_rules(runs, config)) == (1, 1)


def test_an_edited_tree_is_told(tmp_path: Path, market: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dirty = Code(version="0.2.0", git_commit="c" * 40, git_dirty=True, digest="d" * 64, modified=True)
    monkeypatch.setattr(paper, "code", lambda: dirty)
    assert said(tmp_path, *FROM_FILE, str(market), "--no-charts").code == 0
    row = row_of(tmp_path)
    assert ("modified_code" in row["cautions"], row["code_digest"]) == (True, "d" * 64)


@pytest.mark.parametrize("year", [2024, 2035])
def test_a_clock_of_another_year_is_told_and_makes_no_session_the_latest(
    folder: Path, market: Path, monkeypatch: pytest.MonkeyPatch, year: int
) -> None:
    sound = session_of(folder).name
    moment = datetime(year, 5, 6, tzinfo=UTC)
    set_clock(monkeypatch, lambda: moment)
    assert said(folder, *FROM_FILE, str(market), "--no-charts").code == 0
    (odd,) = [one.name for one in sessions_of(folder) if one.name != sound]
    assert "doubtful_clock" in row_of(folder, odd)["cautions"]
    assert [row["session_id"] for row in asked(folder, "--max-candidates", "1")["ready_candidates"]] == [
        sound
    ]
    assert f"latest_session_id : {sound}" in " ".join(said(folder, "paper-sessions", "health").out.split())


def test_losses_and_few_trades_are_told_beside_ready(folder: Path) -> None:
    row = row_of(folder)
    assert row["broker_promotion_ready"]
    assert [
        one for one in row["cautions"] if one in ("loses_money", "below_buy_and_hold", "sharpe_near_zero")
    ] == [
        "loses_money",
        "below_buy_and_hold",
        "sharpe_near_zero",
    ]


def test_the_table_tells_the_result_beside_what_blocks_it_and_never_calls_it_suitable(folder: Path) -> None:
    table = said(folder, "paper-sessions", "promotion", "--format", "table").out
    assert "never that the strategy is good" in table
    for told in (
        "in order",
        "hold",
        "drawdown",
        "sharpe: ",
        "(95 %: ",
        "cautions: ",
        "trades",
        "loses_money",
    ):
        assert told in table
    assert "suitable" not in table


def test_what_is_demanded_is_taken_from_the_command_line(folder: Path) -> None:
    found = asked(folder, "--require", "total_return>buy_and_hold_return", "--require", "proved")
    (row,) = found["blocked_sessions"]
    assert row["broker_promotion_blockers"] == ["require_total_return", "require_proved"]
    refused = said(folder, "--paper-sessions-promotion", str(root_of(folder)), "--require", "trade>=30")
    assert (refused.code, refused.error.endswith("Did you mean trades?")) == (2, True)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("report.json", lambda told: told["reproduce"].update(command="quantlab run --ticker BTC-USD")),
        ("report.json", lambda told: told["header"].update(created_at="2020-01-01T00:00:00+00:00")),
        ("report.json", lambda told: told["header"].update(git_commit="0" * 40)),
        ("report.json", lambda told: told["machine_contract"].update(contract_type="quantlab.run.result")),
        ("session_metadata.json", lambda told: told.update(created_at="2020-01-01T00:00:00+00:00")),
        ("session_metadata.json", lambda told: told.update(git_commit="0" * 40)),
        ("session_metadata.json", lambda told: told.update(reproduce="rm -rf /")),
        ("session_status.json", lambda told: told.update(started_at="2020-01-01T00:00:00+00:00")),
    ],
)
def test_a_proof_sees_edits_of_dates_commit_contract_and_command(
    folder: Path, name: str, change: Callable[[Row], None]
) -> None:
    edit(session_of(folder) / name, change)
    done = said(folder, "paper-sessions", "prove", str(session_of(folder)))
    assert (done.code, "different" in done.out, name in done.out) == (1, True, True)


def test_a_proof_sees_a_chart_that_is_another(folder: Path) -> None:
    (session_of(folder) / "artifacts" / "equity.png").write_bytes(b"\x89PNG another")
    done = said(folder, "paper-sessions", "prove", str(session_of(folder)))
    assert (done.code, "equity.png: not the chart" in done.out) == (1, True)


def test_a_chart_that_was_drawn_later_is_the_second_run_s(folder: Path) -> None:
    assert said(folder, "--report", str(session_of(folder))).code == 0
    assert (session_of(folder) / "artifacts" / "equity.png").exists()
    assert said(folder, "paper-sessions", "prove", str(session_of(folder))).code == 0


def test_clock_set_back_while_it_runs_is_told_at_the_end(
    tmp_path: Path, market: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = iter(range(10_000))

    def clock() -> datetime:
        tick = next(moments)
        back = timedelta(minutes=30) if tick > 7 else timedelta()
        return datetime(2026, 5, 6, tzinfo=UTC) + tick * timedelta(minutes=10) - back

    set_clock(monkeypatch, clock)
    assert said(tmp_path, *FROM_FILE, str(market), "--no-charts").code == 0
    with closing(sqlite3.connect(root_of(tmp_path) / "ledger.db")) as ledger:
        assert ledger.execute("SELECT doubtful_clock FROM paper_sessions").fetchall() == [(1,)]


@pytest.mark.parametrize(
    "strategy", [{"kind": "file", "checked": False}, {"kind": "file"}, {"kind": "signals"}], ids=str
)
def test_an_adopted_strategy_that_nobody_checked_blocks(folder: Path, strategy: Row) -> None:
    for name in ("session_metadata.json", "metadata.json"):
        edit(session_of(folder) / name, lambda told: told.update(strategy={"name": "mine", **strategy}))
    adopt_anew(folder)
    assert blockers(folder) == ["unchecked_strategy"]
