"""Following exchanges through the real ccxt library and a loopback Binance and Kraken."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from support.exchange_server import ExchangeServer
from support.yahoo_server import price
from test_forward import rows
from test_forward_yahoo import Following, asking

from quantlab.base.errors import ConfigError, DataError, SourceTroubleError
from quantlab.trading.prices.live import open_live

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from quantlab.domain.config import RunConfig

NOW = datetime(2024, 3, 6, 18, 0, 30, tzinfo=UTC)
SINCE = np.datetime64("2024-03-05T15:00", "ns")
EXCHANGES = {"binance": "ETH-USDT", "kraken": "ETH-USD"}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ExchangeServer]:
    with ExchangeServer(tmp_path) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        running.now = NOW.timestamp()
        yield running


def on(exchange: str, **changes: str) -> RunConfig:
    return asking(**{"ticker": EXCHANGES[exchange], "prices": f"ccxt:{exchange}", **changes})


def following(server: ExchangeServer, outdir: Path, exchange: str = "kraken") -> Following:
    return Following(server, outdir, on(exchange))


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_candles_and_the_exchanges_clock_arrive(server: ExchangeServer, exchange: str) -> None:
    server.skew = 12.0
    answer = open_live(on(exchange)).closed_bars(SINCE, NOW)
    assert answer.source_time == np.datetime64("2024-03-06T18:00:42", "ns")
    assert (answer.prices.times[0], len(answer.prices)) == (SINCE, 28)
    opened = [price(at) for at in answer.prices.times.astype("M8[s]").astype(int)]
    assert answer.prices.open.tolist() == pytest.approx(opened, rel=1e-6)


def test_a_long_stretch_is_asked_for_page_by_page(server: ExchangeServer) -> None:
    prices = open_live(on("binance")).history(1_700, NOW).prices
    assert len(server.requests) == 4
    assert set(np.diff(prices.times).tolist()) == {3_600 * 10**9}
    assert len(prices) >= 1_700


def test_candles_that_the_exchange_no_longer_keeps_are_named(server: ExchangeServer) -> None:
    with pytest.raises(DataError, match="needs them from 2024-01-05T15:00"):
        open_live(on("kraken")).closed_bars(np.datetime64("2024-01-05T15:00", "ns"), NOW)


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_a_limit_of_requests_is_a_trouble_that_says_how_long(server: ExchangeServer, exchange: str) -> None:
    server.status, server.body, server.retry_after = 429, b'{"code":-1003,"msg":"Too many requests"}', "33"
    with pytest.raises(SourceTroubleError, match="can't be asked just now") as caught:
        open_live(on(exchange)).closed_bars(SINCE, NOW)
    assert caught.value.retry_after == 33.0


@pytest.mark.parametrize("exchange", EXCHANGES)
@pytest.mark.parametrize(
    ("status", "body"),
    [(503, b"<html>down</html>"), (200, b"<html>Please log in</html>"), (200, b"[]"), (418, b"banned")],
)
def test_what_may_pass_is_a_trouble(server: ExchangeServer, exchange: str, status: int, body: bytes) -> None:
    server.status, server.body = status, body
    with pytest.raises(SourceTroubleError):
        open_live(on(exchange)).closed_bars(SINCE, NOW)


def test_a_pair_that_is_not_traded_is_told(server: ExchangeServer) -> None:
    with pytest.raises(DataError, match="kraken has no market DOGE/USD"):
        open_live(on("kraken", ticker="DOGE-USD")).closed_bars(SINCE, NOW)


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"prices": "ccxt:nowhere"}, "no exchange 'nowhere'"), ({"interval": "2m"}, "no 2m candles")],
)
def test_what_can_not_be_followed_is_refused_at_once(changes: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        open_live(on("kraken", **changes))


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_the_candle_that_is_open_is_never_taken(
    server: ExchangeServer, tmp_path: Path, exchange: str
) -> None:
    session = following(server, tmp_path, exchange)
    session.to(NOW)
    assert session.to(NOW + timedelta(minutes=30)).bars_taken == 0
    taken = session.to(NOW + timedelta(minutes=60))
    assert taken.bars_taken == 1
    (closed,) = rows(taken.folder, "SELECT close FROM session_bars")[0]
    assert closed == pytest.approx(price(datetime(2024, 3, 6, 19, tzinfo=UTC).timestamp()), rel=1e-4)


def test_a_clock_that_is_behind_holds_a_candle_back(server: ExchangeServer, tmp_path: Path) -> None:
    session = following(server, tmp_path)
    session.to(NOW)
    server.skew = -120.0
    assert session.to(NOW + timedelta(hours=1)).bars_taken == 0
    server.skew = 0.0
    assert session.to(NOW + timedelta(hours=1, minutes=1)).bars_taken == 1


def test_a_hole_is_waited_for_and_then_recorded(server: ExchangeServer, tmp_path: Path) -> None:
    session = following(server, tmp_path)
    session.to(NOW)
    server.missing.add(int(datetime(2024, 3, 6, 18, tzinfo=UTC).timestamp()))
    assert session.to(NOW + timedelta(hours=2)).bars_taken == 0
    taken = session.to(NOW + timedelta(hours=6))
    assert (taken.session.missing_bars, taken.bars_taken) == (1, 5)


def test_it_goes_on_after_a_trouble_as_if_nothing_had_happened(
    server: ExchangeServer, tmp_path: Path
) -> None:
    times = [NOW + timedelta(hours=hours) for hours in range(0, 24, 6)]
    undisturbed = following(server, tmp_path / "a")
    for time in times:
        calm = undisturbed.to(time)
    disturbed = following(server, tmp_path / "b")
    for at, time in enumerate(times):
        if at % 2:
            server.status = 429
            assert disturbed.to(time - timedelta(minutes=10)).session.stage == "retrying"
            server.status = 200
        last = disturbed.to(time)
    asked = "SELECT bar, close, equity FROM session_bars ORDER BY bar"
    assert rows(last.folder, asked) == rows(calm.folder, asked)
    assert len(rows(last.folder, asked)) == 18


def test_following_a_file_never_imports_ccxt() -> None:
    code = (
        "import sys, quantlab.trading.prices.live, quantlab.sessions.forward.resume; "
        "assert 'ccxt' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
