"""run_report.md tells what was recorded at the end: the verdict as it stood then, and why bars brought no trade."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from support.flow_program import PAPER, SYNTHETIC, said, session_of
from support.forward_market import WARMUP, Market, begun, stepped
from support.outcome_builder import build_outcome
from test_report import header

from quantlab.exports.report import render
from quantlab.exports.report_judged import at_its_end

if TYPE_CHECKING:
    from pathlib import Path

MINE = """\
from quantlab import Bars, Signals, sma

min_bars = 30


def decide(bars: Bars, days: int = 10) -> Signals:
    mean = sma(bars.close, days)
    return Signals(enter=bars.close > mean, leave=bars.close < mean)
"""
FROM_FILE = ("--paper", "--no-charts", "--prices")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session of a user's strategy on a file that no ledger knows."""
    made, where = tmp_path_factory.mktemp("made"), tmp_path_factory.mktemp("end")
    assert said(made, *PAPER, "--no-charts").code == 0
    (where / "mine.py").write_text(MINE)
    prices = str(session_of(made) / "artifacts" / "prices.csv")
    done = said(where, *FROM_FILE, prices, "--strategy", "mine.py", "--cooldown_days", "2")
    assert done.code == 0, done.err
    return where


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    shutil.copytree(original / "outputs", tmp_path / "outputs")
    return tmp_path


def page_of(session: Path) -> str:
    return (session / "run_report.md").read_text()


def row_of(session: Path) -> dict[str, Any]:
    told = json.loads(said(session, "paper-sessions", "show", str(session), "--format", "json").out)
    return dict(told)


def reasons_in(page: str) -> dict[str, int]:
    section = page.partition("## Why it traded, and why not")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([a-z ]+) \| ([\d,]+) \|$", section, re.MULTILINE)
    return {reason: int(bars.replace(",", "")) for reason, bars in rows}


def why_of(session: Path) -> dict[str, int]:
    told = json.loads(said(session, "paper-sessions", "why", str(session), "--format", "json").out)
    return dict(told["summary"])


def test_the_verdict_is_what_promotion_says_at_the_end(folder: Path) -> None:
    row, page = row_of(session_of(folder)), page_of(session_of(folder))
    assert row["broker_promotion_ready"]
    assert "- The record is in order. Ready means that the record is in order, never that" in page
    assert f"- Cautions: {', '.join(row['cautions'])}." in page.replace("\\", "")
    assert page.index("**Promotion.**") < page.index("## Warnings") < page.index("## Figures")
    assert page.index("## Data") < page.index("## Trades") < page.index("## Why it traded")


def test_a_page_that_is_made_anew_tells_the_verdict_of_the_end(folder: Path) -> None:
    session = session_of(folder)
    before = page_of(session)
    trades = session / "trades.csv"
    trades.write_text(trades.read_text().replace("BUY", "SELL", 1))
    assert said(folder, "paper-sessions", "index").code == 0
    assert said(folder, "paper-sessions", "prove", str(session)).code == 1
    (session / "run_report.md").unlink()
    assert said(folder, "--report", str(session)).code == 0
    assert page_of(session) == before
    assert row_of(session)["broker_promotion_blockers"] == ["amended_outside", "proof_different"]


def test_the_reasons_are_those_of_why(folder: Path) -> None:
    page, reasons = page_of(session_of(folder)), why_of(session_of(folder))
    assert reasons_in(page) == reasons
    assert list(reasons_in(page)) == list(reasons)
    most = max((one for one in reasons if one != "ordered"), key=lambda one: reasons[one])
    assert f"What held it back most often: {most}, on {reasons[most]} bars." in page
    bought = (session_of(folder) / "trades.csv").read_text().count(",BUY,")
    assert f"Of 729 bars the strategy bought on {bought}, sold on " in page


def test_a_forward_session_tells_the_reasons_that_it_recorded(tmp_path: Path) -> None:
    market = Market(tmp_path / "prices.csv")
    driven = begun(market, tmp_path, bars=40, cooldown_days=3)
    market.to(WARMUP + 20)
    stepped(market, driven.folder)
    market.to(WARMUP + 40)
    stepped(market, driven.folder)
    page = page_of(driven.folder)
    assert reasons_in(page) == why_of(driven.folder)
    assert sum(reasons_in(page).values()) == 40
    row = row_of(driven.folder)
    assert f"- Cautions: {', '.join(row['cautions'])}." in page.replace("\\", "")
    (driven.folder / "run_report.md").unlink()
    assert said(tmp_path, "--report", str(driven.folder)).code == 0
    assert page_of(driven.folder) == page


def test_a_research_run_has_reasons_and_no_verdict(tmp_path: Path) -> None:
    assert said(tmp_path, *SYNTHETIC, "--no-charts").code == 0
    (run,) = (tmp_path / "outputs" / "runs").glob("2*")
    page = page_of(run)
    assert sum(reasons_in(page).values()) == 729
    assert "**Promotion.**" not in page
    (run / "run_report.md").unlink()
    assert said(tmp_path, "--report", str(run)).code == 0
    assert page_of(run) == page


def test_a_report_says_what_it_was_begun_like(folder: Path) -> None:
    session = session_of(folder)
    done = said(folder, "--like", str(session), *SYNTHETIC, "--ticker", "BTC-USD", "--no-charts")
    assert done.code == 0, done.err
    (run,) = (folder / "outputs" / "runs").glob("2*")
    page = page_of(run).replace("\\", "")
    assert f"**Lineage.** Begun like {session.name}, whose result was " in page
    assert "; the same rules; another ticker (there PRICES), " in page


def test_what_an_earlier_version_did_not_record_changes_no_page() -> None:
    outcome = build_outcome()
    assert render(outcome, at_its_end(header(), None, None)) == render(outcome, header())


def test_a_blocked_record_names_what_blocks_it() -> None:
    verdict = {
        "ready": False,
        "blockers": ["doubtful_data", "no_closed_trades"],
        "cautions": [],
        "searched_configurations": None,
    }
    assert at_its_end(header(), None, verdict).verdict[:2] == (
        "Blocked: doubtful_data, no_closed_trades.",
        "No cautions.",
    )
