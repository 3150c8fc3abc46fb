"""Following Yahoo through the real yfinance client and a loopback server: clocks, troubles, splits, summer time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from support.yahoo_server import YahooServer, in_other_units_from
from test_forward import rows

from quantlab.base.errors import DataError, SourceTroubleError
from quantlab.domain.config import validated
from quantlab.domain.forward import ForwardTerms
from quantlab.folders.roots import open_root_store
from quantlab.ledger.location import locate
from quantlab.runner.options import LaunchOptions
from quantlab.sessions.forward.begin import begin
from quantlab.sessions.forward.drive import Driven, DriveOptions
from quantlab.sessions.forward.resume import resume
from quantlab.trading.prices.live import open_live

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from quantlab.domain.config import RunConfig

pytestmark = pytest.mark.slow  # a start asks git which code it is
WARMUP = 120


@dataclass
class Following:
    """A session on the loopback Yahoo, whose clock is the session's."""

    server: Any
    outdir: Path
    config: RunConfig
    folder: Path | None = None

    def to(self, time: datetime) -> Driven:
        """Let time pass and take a turn."""
        self.server.now = time.timestamp()
        drive = DriveOptions(clock=lambda: time)
        if self.folder is None:
            terms = ForwardTerms(
                warmup=WARMUP, source="yahoo", settle=open_live(self.config).settle, patience=10_800.0
            )
            options = LaunchOptions(outdir=self.outdir, reproduce=lambda *_: "quantlab", clock=lambda: time)
            driven = begin(self.config, terms, options, drive, one_turn=True)
            self.folder = driven.folder
            return driven
        with open_root_store(locate(self.folder.parent, None), now=time) as store:
            return resume(store, self.folder, self.folder.name, drive, one_turn=True)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[YahooServer]:
    with YahooServer(tmp_path) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running


def asking(**changes: Any) -> RunConfig:
    values = {
        "ticker": "AAPL", "start": "2024-01-01", "end": "2262-01-01", "paper": True, "prices": "yahoo",
        "interval": "1h", "warmup": WARMUP,
    }  # fmt: skip
    return validated({**values, **changes})


def following(server: YahooServer, outdir: Path, **changes: Any) -> Following:
    return Following(server, outdir, asking(**changes))


def in_march(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2024, 3, day, hour, minute, tzinfo=UTC)


def test_yahoos_clock_is_read_off_its_answer(server: YahooServer) -> None:
    now = in_march(6, 18)
    server.now = now.timestamp()
    server.skew = -90.0
    answer = open_live(asking()).closed_bars(np.datetime64("2024-03-05T15:30", "ns"), now)
    assert answer.source_time == np.datetime64("2024-03-06T17:58:30", "ns")
    assert answer.prices.times[-1] == np.datetime64("2024-03-06T16:30", "ns")


def test_yahoo_is_asked_for_no_range_that_it_refuses(server: YahooServer) -> None:
    now = in_march(6, 18)
    server.now = now.timestamp()
    source = open_live(asking(interval="1m"))
    source.closed_bars(np.datetime64("2024-03-06T15:30", "ns"), now)
    source.history(400, now)
    for request in server.chart_requests:
        query = dict(part.split("=") for part in request.partition("?")[2].split("&"))
        if "period1" in query:
            assert int(query["period2"]) - int(query["period1"]) <= 8 * 86_400


def test_the_history_of_an_exchange_goes_back_over_its_nights(server: YahooServer) -> None:
    now = in_march(6, 22)
    server.now = now.timestamp()
    assert len(open_live(asking()).history(400, now).prices) >= 400


def test_bars_older_than_yahoo_keeps_are_named(server: YahooServer) -> None:
    now = in_march(20, 18)
    with pytest.raises(DataError, match=r"from 2024-03-14T.* on, .* needs them from 2024-03-06T15:30"):
        open_live(asking(interval="1m")).closed_bars(np.datetime64("2024-03-06T15:30", "ns"), now)


@pytest.mark.parametrize("asks", ["77", "Wed, 06 Mar 2024 18:01:17 GMT"])
def test_a_limit_of_requests_is_a_trouble_that_says_how_long(server: YahooServer, asks: str) -> None:
    now = in_march(6, 18)
    server.now, server.answer, server.retry_after = now.timestamp(), "rate_limited", asks
    with pytest.raises(SourceTroubleError, match="limits the rate") as caught:
        open_live(asking()).closed_bars(np.datetime64("2024-03-05T15:30", "ns"), now)
    assert caught.value.retry_after == 77.0


@pytest.mark.parametrize(
    "answer", ["server_error", "login_page", "malformed", "truncated", "empty", "unauthorized", "down"]
)
def test_what_may_pass_is_a_trouble_and_the_session_goes_on(
    server: YahooServer, tmp_path: Path, answer: str
) -> None:
    session = following(server, tmp_path)
    session.to(in_march(6, 18))
    server.answer = answer
    retrying = session.to(in_march(6, 19, 10))
    assert (retrying.session.status, retrying.session.stage) == ("running", "retrying")
    server.answer = "good"
    assert session.to(in_march(6, 20)).bars_taken == 2


def test_an_unknown_ticker_stalls_it(server: YahooServer, tmp_path: Path) -> None:
    session = following(server, tmp_path)
    folder = session.to(in_march(6, 18)).folder
    server.answer = "unknown_ticker"
    with pytest.raises(DataError, match="does not know the ticker"):
        session.to(in_march(6, 19, 10))
    assert rows(folder, "SELECT status, stage FROM paper_sessions") == [("running", "stalled")]


def test_the_bar_that_has_not_closed_is_not_taken(server: YahooServer, tmp_path: Path) -> None:
    session = following(server, tmp_path)
    session.to(in_march(6, 18))
    assert session.to(in_march(6, 18, 40)).bars_taken == 0  # 17:30 has closed and may still change
    assert session.to(in_march(6, 18, 55)).bars_taken == 1


def test_a_clock_of_yahoos_that_is_behind_holds_a_bar_back(
    server: YahooServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    session = following(server, tmp_path)
    session.to(in_march(6, 18))
    server.skew = -3_600.0
    assert session.to(in_march(6, 18, 55)).bars_taken == 0
    (line,) = caplog.messages
    assert "the clocks of yahoo and of this machine differ by 3600 s" in line
    server.skew = 0.0
    assert session.to(in_march(6, 18, 56)).bars_taken == 1


def test_summer_time_is_neither_a_hole_nor_a_delay(server: YahooServer, tmp_path: Path) -> None:
    session = following(server, tmp_path)
    folder = session.to(in_march(7, 22)).folder
    session.to(in_march(8, 22))  # Friday; summer time begins on Sunday
    monday = session.to(in_march(11, 14, 55))  # 13:30Z, an hour earlier than on Friday
    assert monday.bars_taken == 1
    assert rows(folder, "SELECT missing_bars FROM paper_sessions") == [(0,)]
    assert monday.session.next_due == "2024-03-11T15:50:00.000000+00:00"


def test_a_day_is_not_due_before_it_is_over_at_the_exchange(server: YahooServer, tmp_path: Path) -> None:
    session = following(server, tmp_path, interval="1d")
    driven = session.to(in_march(6, 12))
    assert driven.session.next_due == "2024-03-07T07:00:00.000000+00:00"
    assert session.to(in_march(7, 7, 1)).bars_taken == 1


@pytest.mark.parametrize(
    ("price", "volume"), [(0.5, 2.0), (10.0, 0.1), (0.99, 1.0)], ids=["split", "reverse split", "dividend"]
)
def test_an_adjustment_changes_no_decision(
    server: YahooServer, tmp_path: Path, price: float, volume: float
) -> None:
    days = [datetime(2024, 1, 2, 8, tzinfo=UTC) + timedelta(days=days) for days in range(0, 140, 7)]
    there = following(server, tmp_path / "undisturbed", interval="1d")
    for day in days:
        undisturbed = there.to(day)
    server.edit = in_other_units_from(days[6], price, volume)
    here = following(server, tmp_path / "adjusted", interval="1d")
    for day in days:
        disturbed = here.to(day)
    assert disturbed.session.forward_bars == undisturbed.session.forward_bars
    asked = "SELECT bar, side, reason FROM session_fills ORDER BY bar"
    assert rows(disturbed.folder, asked) == rows(undisturbed.folder, asked)
    assert rows(disturbed.folder, "SELECT revision FROM session_revisions") == [("adjusted",)]
