"""A session to which no bar comes: it says so once, so that it becomes an alert, and says when it gets on."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from support.forward_market import WARMUP, Market, begun, stepped
from test_forward import rows

from quantlab.base.errors import DataError, SessionEndedError, SourceTroubleError
from quantlab.base.process import is_alive
from quantlab.cli.main import run
from quantlab.ledger.location import locate
from quantlab.ledger.reader import open_reader
from quantlab.queries.alerts import alerts
from quantlab.trading.prices import live

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow  # a start asks git which code it is
Output = pytest.CaptureFixture[str]


@pytest.fixture
def market(tmp_path: Path) -> Market:
    return Market(tmp_path / "prices.csv")


def stages(folder: Path) -> list[tuple[Any, ...]]:
    """Return what the session has recorded, in its order, from its first bar on."""
    told = rows(
        folder,
        "SELECT type, json_extract(payload, '$.stage') FROM events WHERE type <> 'revised' ORDER BY sequence",
    )
    return told[told.index(("bar", None)) :]


@pytest.mark.parametrize("one_turn", [True, False])
def test_a_session_that_stays_stalled_says_so_once_and_is_an_alert(
    market: Market, tmp_path: Path, *, one_turn: bool
) -> None:
    folder = begun(market, tmp_path).folder
    market.to(WARMUP + 1)
    stepped(market, folder)
    market.to(WARMUP + 2)
    good = market.file.read_text()
    market.file.write_text(good + "no row of bars\n")
    for _ in range(5):  # as a service manager and cron do, for hours
        with pytest.raises(DataError):
            stepped(market, folder, one_turn=one_turn)
        market.now += timedelta(minutes=30)
    assert stages(folder) == [
        ("bar", None),
        *([("resumed", None)] * (not one_turn)),
        ("heartbeat", "stalled"),
    ]
    with open_reader(locate(folder.parent, None)) as reader:
        found = alerts(reader, now=market.now, stale_after=timedelta(minutes=60), is_alive=is_alive)
    assert [one["alert_code"] for one in found["alerts"]] == ["PAPER_SESSION_STALE"]
    market.file.write_text(good)
    assert stepped(market, folder).bars_taken == 1


def test_a_stalled_session_whose_source_is_mended_waits_again(market: Market, tmp_path: Path) -> None:
    folder = begun(market, tmp_path).folder
    market.to(WARMUP + 1)
    stepped(market, folder)
    good = market.file.read_text()
    market.file.write_text(good + "no row of bars\n")
    with pytest.raises(DataError):
        stepped(market, folder)
    market.file.write_text(good)
    assert stepped(market, folder).session.stage == "waiting"


def test_looks_that_fail_for_hours_are_an_alert(
    market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = begun(market, tmp_path).folder
    market.to(WARMUP + 1)
    stepped(market, folder)

    def away(*_args: Any) -> Any:
        raise SourceTroubleError("no answer")

    market.to(WARMUP + 2)
    with monkeypatch.context() as patched:
        patched.setattr(live.GrowingFile, "closed_bars", away)
        for _ in range(9):
            assert stepped(market, folder).session.stage == "retrying"
            market.now += timedelta(minutes=15)
    assert stages(folder) == [("bar", None), ("heartbeat", "retrying")]
    with open_reader(locate(folder.parent, None)) as reader:
        found = alerts(reader, now=market.now, stale_after=timedelta(minutes=60), is_alive=is_alive)
    assert [one["alert_code"] for one in found["alerts"]] == ["PAPER_SESSION_STALE"]


def test_a_driver_that_waits_for_a_bar_that_never_comes_is_an_alert(market: Market, tmp_path: Path) -> None:
    folder = begun(market, tmp_path).folder
    market.to(WARMUP + 1)
    stepped(market, folder)

    def sleep(seconds: float) -> None:
        market.now += timedelta(seconds=seconds)
        if market.now > market.rows[WARMUP + 2][0] + timedelta(hours=5):
            os.kill(os.getpid(), signal.SIGTERM)

    stepped(market, folder, one_turn=False, sleep=sleep)
    assert stages(folder) == [
        ("bar", None), ("resumed", None), ("heartbeat", "waiting"), ("heartbeat", "paused"),
    ]  # fmt: skip


@pytest.mark.parametrize("looks_fail", [False, True])
def test_a_driver_whose_session_was_finished_by_somebody_else_leaves_it(
    market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, looks_fail: bool
) -> None:
    folder = begun(market, tmp_path).folder
    market.to(WARMUP + 1)
    stepped(market, folder)
    slept: list[float] = []

    def away(*_args: Any) -> Any:
        raise SourceTroubleError("no answer")

    def sleep(seconds: float) -> None:
        market.now += timedelta(seconds=seconds)
        slept.append(seconds)
        if len(slept) == 1:
            stepped(market, folder, finish_now="enough")

    if looks_fail:
        monkeypatch.setattr(live.GrowingFile, "closed_bars", away)
    with pytest.raises(SessionEndedError, match="was ended meanwhile"):
        stepped(market, folder, one_turn=False, sleep=sleep)
    assert sum(slept) < timedelta(days=2).total_seconds()


def test_show_tells_why_no_bar_comes(market: Market, tmp_path: Path, capsys: Output) -> None:
    folder = begun(market, tmp_path).folder
    market.file.write_text(market.file.read_text() + "no row of bars\n")
    with pytest.raises(DataError):
        stepped(market, folder)
    assert run(["paper-sessions", "show", str(folder)]) == 0
    assert "because           : " in capsys.readouterr().out
