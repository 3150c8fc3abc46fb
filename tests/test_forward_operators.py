"""What operators see of sessions that follow the market: how they stand, what they wait for, and who drives them."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from support.forward_market import WARMUP, Market, begun, stepped

from quantlab.cli.main import run
from quantlab.runner.stopping import StopRequested

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow  # a start asks git which code it is
Output = pytest.CaptureFixture[str]
WATERMARK, DUE = "2024-05-10T00:00:00.000000+00:00", "2024-05-11T00:00:00.000000+00:00"


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Market:
    return Market(tmp_path_factory.mktemp("market") / "prices.csv", seed=5)


@pytest.fixture(scope="module")
def folder(market: Market, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session that has seen ten bars, with a start and ten bars in one turn each of six and of four."""
    place = begun(market, tmp_path_factory.mktemp("outputs")).folder
    for bars in (6, 10):
        market.to(WARMUP + bars)
        stepped(market, place)
    return place


def asked(capsys: Output, folder: Path, question: str, *more: str) -> str:
    place = folder if question == "show" else folder.parent
    assert run(["paper-sessions", question, str(place), *more]) in (0, 1)
    return capsys.readouterr().out


def test_list_tells_equity_and_that_the_bar_is_overdue(folder: Path, capsys: Output) -> None:
    table = asked(capsys, folder, "list")
    assert "equity" in table.splitlines()[0]
    assert re.search(r"overdue since 2024-05-11 00:00", table)


def test_health_tells_how_each_stands(folder: Path, capsys: Output) -> None:
    text = asked(capsys, folder, "health")
    assert f"following_{folder.name} : following, seen to {WATERMARK}, next due {DUE}, equity " in text
    assert (
        folder.name in asked(capsys, folder, "health", "--format", "table").partition("follows the market")[2]
    )
    (one,) = json.loads(asked(capsys, folder, "health", "--format", "json"))["following"]
    assert (one["session_id"], one["stage"], one["watermark"]) == (folder.name, "following", WATERMARK)


def test_prometheus_has_last_bar_next_due_and_equity(folder: Path, capsys: Output) -> None:
    text = asked(capsys, folder, "health", "--format", "prometheus")
    told = dict(
        re.findall(
            r'^quantlab_paper_forward_(\w+)\{root="[^"]+",session="[^"]+"\} (\S+)$', text, re.MULTILINE
        )
    )
    assert float(told["last_bar_timestamp_seconds"]) == datetime.fromisoformat(WATERMARK).timestamp()
    assert float(told["next_due_timestamp_seconds"]) == datetime.fromisoformat(DUE).timestamp()
    assert float(told["equity"]) > 0


def test_show_tells_it_and_collapses_its_bars(folder: Path, capsys: Output) -> None:
    page = asked(capsys, folder, "show")
    for told in (f"seen to           : {WATERMARK}", f"next due          : {DUE}", "(last of 10 bars)"):
        assert told in page
    assert len(re.findall(r"\bbar\b", page.partition("Timeline")[2])) == 1


def test_an_overdue_alert_tells_what_it_waits_for(folder: Path, capsys: Output) -> None:
    (alert,) = json.loads(asked(capsys, folder, "alerts"))["alerts"]
    assert alert["alert_code"] == "PAPER_SESSION_STALE"
    assert (alert["stage"], alert["watermark"], alert["next_due"]) == ("following", WATERMARK, DUE)
    assert alert["message"].startswith(f"Overdue: its next bar was due at {DUE}")


def test_the_index_tells_it_apart(folder: Path, capsys: Output) -> None:
    asked(capsys, folder, "index")
    (row,) = csv.DictReader(io.StringIO((folder.parent / "paper_sessions_index.csv").read_text()))
    assert (row["kind"], row["watermark"], row["next_due"]) == ("forward", WATERMARK, DUE)
    assert float(row["equity"]) > 0


def test_promotion_carries_what_it_saw_forward(folder: Path, capsys: Output) -> None:
    (row,) = json.loads(asked(capsys, folder, "promotion"))["blocked_sessions"]
    counts = [row[name] for name in ("forward_bars", "late_bars", "corrections", "code_changes")]
    assert (counts[0], counts[1:]) == (10, [row["late_bars"], None, None])
    assert "no_forward_bars" not in row["cautions"]
    assert "late_bars" in row["cautions"]


def test_pausing_and_resuming_are_signalled(market: Market, folder: Path, tmp_path: Path) -> None:
    def stop(_seconds: float) -> None:
        raise StopRequested("SIGTERM")

    signals = tmp_path / "signals.jsonl"
    stepped(market, folder, one_turn=False, sleep=stop, signal_file=signals)
    lines: list[dict[str, Any]] = [json.loads(line) for line in signals.read_text().splitlines()]
    told = [(one["event"], one["status"], one["mode"], one["run_id"]) for one in lines]
    assert told == [
        ("SESSION_RESUMED", "running", "run", folder.name),
        ("SESSION_PAUSED", "running", "run", folder.name),
    ]
    assert [one["next_due"] for one in lines] == [DUE, DUE]


def test_list_says_that_a_paused_one_waits_for_its_driver(folder: Path, capsys: Output) -> None:
    assert re.search(r"paused", asked(capsys, folder, "list"))
