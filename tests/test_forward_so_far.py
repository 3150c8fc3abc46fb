"""A session that follows the market, proved and reported while it goes on, and held to its end when it catches up."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from support.forward_market import BEGAN, WARMUP, Market, begun, stepped
from test_forward import rows

from quantlab.base.clock import iso
from quantlab.cli.main import run
from quantlab.runner.stopping import StopRequested
from quantlab.sessions.forward import resume as resuming

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow  # a start asks git which code it is
Output = pytest.CaptureFixture[str]


@pytest.fixture
def market(tmp_path: Path) -> Market:
    return Market(tmp_path / "prices.csv", seed=5)


@pytest.fixture
def running(market: Market, tmp_path: Path) -> Path:
    """A session that has seen 40 bars and goes on."""
    folder = begun(market, tmp_path).folder
    market.to(WARMUP + 40)
    stepped(market, folder)
    return folder


def test_one_that_goes_on_proves_identical_as_of_its_last_bar(running: Path, capsys: Output) -> None:
    assert run(["paper-sessions", "prove", str(running)]) == 0
    told = capsys.readouterr().out
    assert f"{running.name}: identical" in told
    assert "as of 2024-06-09T00:00:00.000000+00:00: 40 bars and" in told
    assert rows(running, "SELECT status, proved_outcome FROM paper_sessions") == [("running", "identical")]


def test_a_proof_on_the_way_is_none_of_the_result(market: Market, running: Path) -> None:
    assert run(["paper-sessions", "prove", str(running)]) == 0
    market.to(WARMUP + 45)
    stepped(market, running)
    stepped(market, running, finish_now="enough")
    asked = "SELECT status, proved_outcome, forward_bars FROM paper_sessions"
    assert rows(running, asked) == [("success", None, 45)]
    assert run(["paper-sessions", "prove", str(running)]) == 0
    assert rows(running, asked) == [("success", "identical", 45)]


def test_a_replay_that_differs_is_named_at_its_first_bar(
    running: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    from quantlab.trading.strategies import rsi_ma_cross_v2

    real: Any = vars(rsi_ma_cross_v2)["decide"]

    def never(bars: Any, **params: Any) -> Any:
        answer: Any = real(bars, **params)
        answer.enter[:] = False
        return answer

    monkeypatch.setattr(rsi_ma_cross_v2, "decide", never)
    assert rows(running, "SELECT COUNT(*) > 0 FROM session_fills") == [(1,)]
    assert run(["paper-sessions", "prove", str(running)]) == 1
    told = capsys.readouterr().out
    assert "different" in told
    assert "first difference at bar" in told


def test_one_that_saw_no_bar_is_told_so(market: Market, tmp_path: Path, capsys: Output) -> None:
    folder = begun(market, tmp_path).folder
    assert run(["paper-sessions", "prove", str(folder)]) == 1
    assert f"Session {folder.name} has seen no bar since it began" in capsys.readouterr().err
    assert run(["--report", str(folder)]) == 1
    assert "has seen no bar since it began" in capsys.readouterr().err


def test_a_report_of_one_that_goes_on_says_as_of_when(market: Market, running: Path, capsys: Output) -> None:
    assert run(["--report", str(running)]) == 0
    assert "Report as of 2024-06-09T00:00:00.000000+00:00: " in capsys.readouterr().out
    page = (running / "run_report.md").read_text()
    assert "> **As of 2024-06-09T00:00:00.000000+00:00.** The session goes on" in page
    assert "metrics.json" not in page
    assert all((running / "artifacts" / name).exists() for name in ("equity.csv", "equity.png", "prices.csv"))
    assert run(["paper-sessions", "index", str(running.parent)]) == 0
    assert rows(running, "SELECT amendments, status FROM paper_sessions") == [(0, "running")]
    stepped(market, running, finish_now="enough")
    assert "As of" not in (running / "run_report.md").read_text().split("## ", 1)[0]
    assert run(["paper-sessions", "prove", str(running)]) == 0


def test_what_a_finished_session_leaves_is_what_its_events_make(market: Market, running: Path) -> None:
    stepped(market, running, finish_now="enough")
    assert run(["paper-sessions", "index", str(running.parent)]) == 0
    assert rows(running, "SELECT amendments, figures_amended FROM paper_sessions") == [(0, 0)]


def test_who_catches_up_takes_no_bar_behind_the_end(market: Market, tmp_path: Path) -> None:
    until = iso(BEGAN + timedelta(days=WARMUP + 20, hours=12))
    folder = begun(market, tmp_path, until=until).folder
    market.to(WARMUP + 33)
    done = stepped(market, folder)
    assert (done.session.status, done.session.forward_bars) == ("success", 20)


def test_a_signal_while_it_is_taken_up_pauses_it_too(
    market: Market, running: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_args: object, **_more: object) -> bool:
        raise StopRequested("SIGTERM")

    with monkeypatch.context() as patched:
        patched.setattr(resuming, "_note_driver", stop)
        left = stepped(market, running, one_turn=False)
    assert (left.session.status, left.session.stage) == ("running", "paused")
    market.to(WARMUP + 41)
    assert stepped(market, running).bars_taken == 1


def test_a_source_that_corrects_much_makes_the_result_doubtful(market: Market, running: Path) -> None:
    for at in range(WARMUP + 20, WARMUP + 39, 2):
        time, opened, high, low, close, volume = market.rows[at]
        market.rows[at] = (time, opened, high * 1.02, low, close * 1.005, volume)
    market.to(WARMUP + 41)
    session = stepped(market, running).session
    assert session.corrections == 10
    stepped(market, running, finish_now="enough")
    asked = "SELECT data_doubts LIKE '%corrections%', corrections FROM paper_sessions"
    assert rows(running, asked) == [(1, 10)]
