"""Yahoo through the real yfinance client and a loopback server: good answers, and each failure by name."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yfinance
from curl_cffi.requests import exceptions as http
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.flow_program import until
from support.loopback_proxy import proxied
from support.prices_cases import asked
from support.yahoo_server import YahooServer, bar_times, closed_port, price

from quantlab.base.errors import DataError
from quantlab.domain.config import RunConfig, validated
from quantlab.trading.prices import yahoo
from quantlab.trading.prices.loading import load_prices
from quantlab.trading.prices.yahoo_failures import classify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from quantlab.trading.prices.asked import Received

REPOSITORY = Path(__file__).resolve().parents[1]
NOTHING = ("open", "high", "low", "close", "volume", "adjclose")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[YahooServer]:
    with YahooServer(tmp_path_factory.mktemp("yahoo")) as server:
        yield server


@pytest.fixture
def server(running: YahooServer, monkeypatch: pytest.MonkeyPatch) -> YahooServer:
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    running.answer, running.script, running.edit = "good", [], None
    running.hang_seconds, running.now = 1.0, time.time()
    running.requests.clear()
    return running


def fetch(waits: list[float] | None = None, **changes: Any) -> Received:
    seconds = changes.pop("request_seconds", 5.0)
    pauses = [] if waits is None else waits
    return yahoo.fetch(
        asked(**changes),
        sleep=pauses.append,
        request_seconds=seconds,
    )


def in_zone(zone: str) -> Callable[[dict[str, Any]], None]:
    def edit(result: dict[str, Any]) -> None:
        result["meta"]["exchangeTimezoneName"] = zone

    return edit


def without_adjusted_closes(result: dict[str, Any]) -> None:
    del result["indicators"]["adjclose"]


def with_bar_again(place: int = 5, /, **changes: float | None) -> Callable[[dict[str, Any]], None]:
    """Repeat a bar at the end, with changes."""

    def edit(result: dict[str, Any]) -> None:
        columns = {**result["indicators"]["quote"][0], **result["indicators"]["adjclose"][0]}
        for name, column in columns.items():
            column.append(changes.get(name, column[place]))
        result["timestamp"].append(result["timestamp"][place])

    return edit


def complaint(server: YahooServer, answer: str | bytes, **options: Any) -> str:
    server.answer = answer
    with pytest.raises(DataError) as caught:
        fetch(**options)
    message = str(caught.value)
    assert message.isprintable()
    return message


def test_bars_of_a_year_arrive_as_sent(server: YahooServer) -> None:
    prices = fetch().prices
    assert len(prices) == 365
    assert prices.open.tolist() == pytest.approx(
        [price(at) for at in prices.times.astype("M8[s]").astype(int)]
    )


def test_the_origin_says_that_prices_are_adjusted(server: YahooServer) -> None:
    origin = fetch().prices.origin
    assert (origin.source, origin.adjusted, origin.from_cache) == ("yahoo", True, False)
    assert origin.detail == "exchange time zone UTC"


@pytest.mark.parametrize(("interval", "end"), [("1h", "2023-02-01"), ("30m", "2023-02-01")])
def test_intraday_prices_are_not_adjusted_for_dividends(server: YahooServer, interval: str, end: str) -> None:
    server.edit = without_adjusted_closes  # as Yahoo does
    origin = fetch(ticker="AAPL", interval=interval, end=end).prices.origin
    assert (origin.adjusted, origin.notes) == (False, ())
    assert origin.detail == "exchange time zone America/New_York, adjusted for splits alone"


def test_daily_prices_without_adjusted_closes_are_told(server: YahooServer) -> None:
    server.edit = without_adjusted_closes
    origin = fetch().prices.origin
    assert origin.adjusted is False
    assert origin.notes == ("Yahoo sent no adjusted closes: dividends show as falls of the price.",)


def test_equal_bars_that_came_twice_are_counted(server: YahooServer) -> None:
    server.edit = with_bar_again()
    received = fetch()
    assert (len(received.prices), received.repeated_bars) == (365, 1)


def test_equal_hours_that_came_twice_are_counted(server: YahooServer) -> None:
    server.edit = with_bar_again()
    assert fetch(interval="1h", end="2023-02-01").repeated_bars == 1


def test_a_repeated_bar_without_any_price_is_none(server: YahooServer) -> None:
    server.edit = with_bar_again(5, **dict.fromkeys(NOTHING, None))
    assert fetch().repeated_bars == 0


@pytest.mark.parametrize(("interval", "time"), [("1d", "2023-01-06;"), ("1h", "2023-01-01T05:00:00+00:00;")])
def test_two_different_bars_at_one_time_are_refused(server: YahooServer, interval: str, time: str) -> None:
    server.edit = with_bar_again(close=101.0)
    with pytest.raises(DataError, match=f"two different bars of ETH-USD for {re.escape(time)} choose"):
        fetch(interval=interval, end="2023-02-01")


def test_the_running_day_may_come_twice(server: YahooServer) -> None:
    def live(result: dict[str, Any]) -> None:
        with_bar_again(-1, close=101.0)(result)
        result["timestamp"][-1] += 3600

    server.now = datetime(2023, 6, 1, 12, tzinfo=UTC).timestamp()
    server.edit = live
    received = fetch(now=datetime(2023, 6, 1, 12, tzinfo=UTC))
    assert (str(received.prices.times[-1])[:10], received.repeated_bars) == ("2023-05-31", 0)


def test_daily_bars_carry_the_exchanges_date(server: YahooServer) -> None:
    times = fetch(ticker="AAPL", start="2023-06-01", end="2023-07-01").prices.times
    assert (times == times.astype("M8[D]")).all()
    assert str(times[0])[:10] == "2023-06-01"


def test_intraday_bars_carry_their_time_in_utc(server: YahooServer) -> None:
    prices = fetch(ticker="AAPL", interval="1h", start="2023-01-01", end="2023-02-01").prices
    sent = bar_times("AAPL", "1h", 1672531200, 1675209600)
    assert prices.times.astype("M8[s]").astype(int).tolist() == sent


@pytest.mark.parametrize(("interval", "bars"), [("30m", 1488), ("1wk", 5), ("5d", 5), ("1mo", 1), ("3mo", 1)])
def test_other_intervals_arrive(server: YahooServer, interval: str, bars: int) -> None:
    assert len(fetch(interval=interval, start="2023-01-01", end="2023-02-01").prices) == bars


def test_a_good_answer_takes_no_retry(server: YahooServer) -> None:
    waits: list[float] = []
    fetch(waits)
    assert (waits, len(server.chart_requests)) == ([], 2)


def test_the_unfinished_bar_is_left_out(server: YahooServer) -> None:
    server.now = datetime(2023, 6, 1, 12, tzinfo=UTC).timestamp()
    received = fetch(now=datetime(2023, 6, 1, 12, tzinfo=UTC))
    assert str(received.prices.times[-1])[:10] == "2023-05-31"
    assert received.unfinished_bar_dropped


def test_a_day_in_new_york_is_over_at_its_midnight(server: YahooServer) -> None:
    server.now = datetime(2023, 6, 2, 5, tzinfo=UTC).timestamp()
    before = fetch(ticker="AAPL", now=datetime(2023, 6, 2, 3, 59, tzinfo=UTC))
    after = fetch(ticker="AAPL", now=datetime(2023, 6, 2, 4, 1, tzinfo=UTC))
    assert (str(before.prices.times[-1])[:10], str(after.prices.times[-1])[:10]) == (
        "2023-05-31",
        "2023-06-01",
    )


@pytest.mark.parametrize(
    ("zone", "start", "end"),
    [
        ("Africa/Cairo", "2023-04-01", "2023-11-30"),
        ("Asia/Amman", "2021-03-01", "2021-11-30"),
        ("America/Santiago", "2022-04-01", "2022-11-30"),
    ],
)
def test_clocks_that_change_at_midnight_are_fine(
    server: YahooServer, zone: str, start: str, end: str
) -> None:
    server.edit = in_zone(zone)
    days = fetch(ticker="X-Y", start=start, end=end).prices.times.astype("M8[D]")
    assert (np.diff(days) == np.timedelta64(1, "D")).all()
    assert len(days) > 230


def test_a_day_that_begins_late_ends_at_its_midnight(server: YahooServer) -> None:
    server.edit = in_zone("Africa/Cairo")
    wanted: dict[str, Any] = {"ticker": "X-Y", "start": "2023-04-20", "end": "2023-05-30"}
    before = fetch(now=datetime(2023, 4, 28, 20, 59, tzinfo=UTC), **wanted).prices.times
    after = fetch(now=datetime(2023, 4, 28, 21, 1, tzinfo=UTC), **wanted).prices.times
    assert (str(before[-1])[:10], str(after[-1])[:10]) == ("2023-04-27", "2023-04-28")


def test_a_bar_without_any_price_is_left_out_and_counted(server: YahooServer) -> None:
    server.answer = "absent"
    received = fetch()
    assert (len(received.prices), len(received.dropped)) == (364, 1)


def test_a_volume_that_yahoo_does_not_tell_is_unknown(server: YahooServer) -> None:
    server.answer = "no_volume"
    prices = fetch().prices
    assert np.isnan(prices.volume).all()
    assert prices.origin.notes == ("Yahoo tells no volume for this ticker.",)


def test_an_answer_without_rows_is_no_bars(server: YahooServer) -> None:
    server.answer = "no_quotes"
    assert len(fetch().prices) == 0


@pytest.mark.parametrize(
    ("answer", "named", "requests", "waits"),
    [
        (
            "rate_limited",
            "limits the rate of requests from this address (HTTP 429) (2 attempts). Wait",
            4,
            [5.0],
        ),
        ("unauthorized", "refused the request (HTTP 401). Run again later", 2, []),
        ("unknown_ticker", "does not know the ticker ETH-USD (No data found", 1, []),
        ("no_range", "has no 1d bars of ETH-USD in 2023-01-01 to 2024-01-01 (Data not available", 1, []),
        ("empty", "has no 1d bars of ETH-USD in 2023-01-01 to 2024-01-01. Choose another --start", 2, []),
        ("nan", "unusable price for ETH-USD at 2023-07-02T00:00:00+00:00", 2, []),
        ("infinite", "low inf", 2, []),
        ("negative", "low -5.0", 2, []),
        ("zero", "low 0.0", 2, []),
        ("mostly_absent", "(183 such bars)", 2, []),
        ("malformed", "could not be read (JSONDecodeError", 1, []),
        (
            "badly_packed",
            "could not be read (its compressed content is broken). A proxy or login page",
            1,
            [],
        ),
        ("login_page", "A proxy or login page may have answered", 1, []),
        ("wrong_shape", "could not be read (TypeError", 1, []),
        (
            "server_error",
            "server failed (HTTP 503) (4 attempts). It is not your settings",
            4,
            [1.0, 2.0, 4.0],
        ),
        ("down", "server failed (HTTP 503) (4 attempts)", 4, [1.0, 2.0, 4.0]),
        ("truncated", "cannot be reached: Connection closed abruptly (4 attempts)", 4, [1.0, 2.0, 4.0]),
    ],
)
def test_each_failure_has_its_message_and_its_number_of_requests(
    server: YahooServer, answer: str, named: str, requests: int, waits: list[float]
) -> None:
    waited: list[float] = []
    assert named in complaint(server, answer, waits=waited)
    assert (len(server.chart_requests), waited) == (requests, waits)


@pytest.mark.parametrize(
    ("column", "value", "named"),
    [
        ("high", 1e300, "unusable price for ETH-USD at 2023-01-06T00:00:00+00:00"),
        (
            "high",
            1e300,
            "high 1e+300, low 100.0, close 100.0 (1 such bars); expected a price above 0, between",
        ),
        (
            "volume",
            -7,
            "unusable volume for ETH-USD at 2023-01-06T00:00:00+00:00: -7.0 (1 such bars); expected a",
        ),
    ],
)
def test_what_no_market_has_had_is_refused(
    server: YahooServer, column: str, value: float, named: str
) -> None:
    def edit(result: dict[str, Any]) -> None:
        for each in (
            *result["indicators"]["quote"][0].values(),
            result["indicators"]["adjclose"][0]["adjclose"],
        ):
            each[5] = 100.0
        result["indicators"]["quote"][0][column][5] = value

    server.edit = edit
    with pytest.raises(DataError) as caught:
        fetch()
    assert named in str(caught.value)


def test_silence_is_a_timeout_that_is_tried_three_times(server: YahooServer) -> None:
    waited: list[float] = []
    server.hang_seconds = 3.0
    assert "did not answer in time" in complaint(server, "hang", waits=waited, request_seconds=1.0)
    until(lambda: len(server.chart_requests) == 3, "the server has taken up the last request")
    assert waited == [1.0, 2.0]


def test_an_attempt_as_a_whole_ends_in_time(server: YahooServer) -> None:
    server.answer = "hang"
    with pytest.raises(DataError, match=r"no answer within 0\.2 s"):
        yahoo.fetch(asked(), sleep=lambda _: None, attempt_seconds=0.2)
    time.sleep(server.hang_seconds)


@pytest.mark.parametrize("trouble", ["server_error", "truncated", "rate_limited", "down"])
def test_a_passing_trouble_is_overcome(
    server: YahooServer, trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.script = [trouble, trouble] if trouble == "rate_limited" else [trouble]
    caplog.set_level("INFO", "quantlab")
    assert len(fetch().prices) == 365
    (told,) = caplog.messages
    assert "Trying again in" in told


def test_a_failed_download_is_not_remembered(server: YahooServer) -> None:
    complaint(server, "empty")
    server.answer = "good"
    assert len(fetch().prices) == 365


def test_no_network_is_told_after_four_attempts(server: YahooServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in proxied(closed_port()).items():
        monkeypatch.setenv(name, value)
    waited: list[float] = []
    message = complaint(server, "good", waits=waited)
    assert "cannot be reached" in message
    assert "Check the network and any proxy" in message
    assert (waited, server.requests) == ([1.0, 2.0, 4.0], [])


def test_an_untrusted_certificate_is_told_at_once(
    server: YahooServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CURL_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name)
    waited: list[float] = []
    assert "No trusted connection to Yahoo" in complaint(server, "good", waits=waited)
    assert (waited, server.requests) == ([], [])


def test_nothing_is_printed_or_logged(
    server: YahooServer, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    complaint(server, "server_error")
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


@pytest.mark.parametrize(
    ("error", "named", "attempts"),
    [
        (http.DNSError("no such host"), "name of Yahoo's server cannot be resolved: no such host", 4),
        (http.ConnectTimeout("late"), "did not answer in time: late", 3),
        (http.CertificateVerifyError("self-signed"), "No trusted connection", 1),
        (http.ProxyError("proxy"), "cannot be reached: proxy", 4),
        (http.IncompleteRead("cut"), "cannot be reached: cut", 4),
        (ConnectionResetError("reset"), "cannot be reached: reset", 4),
        (yfinance.exceptions.YFTzMissingError("ETH-USD"), "does not know the ticker ETH-USD", 1),
        (
            yfinance.exceptions.YFPricesMissingError("ETH-USD", "", yahoo_reason="too\nold."),
            "in 2023-01-01 to 2024-01-01 (too old)",
            1,
        ),
        (yfinance.exceptions.YFDataException("down"), "server failed (down)", 4),
        (http.JSONDecodeError("odd"), "could not be read (JSONDecodeError", 1),
        (KeyError("meta"), "could not be read (KeyError", 1),
    ],
)
def test_errors_are_told_apart_by_type(error: Exception, named: str, attempts: int) -> None:
    failure = classify(error, asked())
    assert named in "".join(map(str, failure.message(1)))
    assert failure.attempts == attempts


def program(script: str, server: YahooServer, home: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, **server.environment, "PYTHONPATH": str(REPOSITORY), "HOME": str(home)}
    environment.pop("XDG_CACHE_HOME", None)
    return subprocess.Popen(
        [sys.executable, "-W", "default", "-c", script],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


LOAD = """
import signal, sys
from datetime import UTC, datetime
from quantlab.domain.config import RunConfig, validated
from quantlab.trading.prices.loading import load_prices
def stop(number, frame): raise SystemExit(7)
signal.signal(signal.SIGTERM, stop)
prices, _ = load_prices(RunConfig(), now=datetime(2026, 1, 1, tzinfo=UTC), cache_folder=None)
print(len(prices))
"""


def test_a_fresh_program_is_silent_and_leaves_the_home_folder_alone(
    server: YahooServer, tmp_path: Path
) -> None:
    output, errors = program(LOAD, server, tmp_path).communicate(timeout=60)
    assert (output, errors, list(tmp_path.rglob("*"))) == ("365\n", "", [])


def test_a_signal_ends_a_download_that_hangs_at_once(server: YahooServer, tmp_path: Path) -> None:
    server.answer, server.hang_seconds = "hang", 8.0
    process = program(LOAD, server, tmp_path)
    asked_yahoo = threading.Event()
    while not asked_yahoo.wait(0.02):
        if server.chart_requests:
            asked_yahoo.set()
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (7, "")
    assert time.monotonic() - began < 5


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
PATHS: tuple[tuple[str | int, ...], ...] = (
    (), ("chart",), ("chart", "error"), ("chart", "result"), ("chart", "result", 0),
    ("chart", "result", 0, "meta"),
    ("chart", "result", 0, "meta", "exchangeTimezoneName"), ("chart", "result", 0, "meta", "instrumentType"),
    ("chart", "result", 0, "timestamp"), ("chart", "result", 0, "timestamp", 3),
    ("chart", "result", 0, "events"), ("chart", "result", 0, "indicators"),
    ("chart", "result", 0, "indicators", "quote"), ("chart", "result", 0, "indicators", "quote", 0),
    ("chart", "result", 0, "indicators", "quote", 0, "close"),
    ("chart", "result", 0, "indicators", "quote", 0, "open", 2),
    ("chart", "result", 0, "indicators", "quote", 0, "volume", 2),
    ("chart", "result", 0, "indicators", "adjclose"),
)  # fmt: skip


def small_chart() -> dict[str, Any]:
    times = [1672531200 + 86400 * day for day in range(10)]
    quote = {name: [100.0] * 10 for name in ("open", "high", "low", "close", "volume")}
    meta = {
        "exchangeTimezoneName": "UTC",
        "instrumentType": "CRYPTOCURRENCY",
        "currency": "USD",
        "symbol": "X",
    }
    return {
        "chart": {
            "result": [{"meta": meta, "timestamp": times, "indicators": {"quote": [quote]}}],
            "error": None,
        }
    }


def replaced(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    if not path:
        return new
    copy: Any = value.copy()
    key: Any = path[0]
    copy[key] = replaced(value[key] if isinstance(value, list) else value.get(key), path[1:], new)
    return copy


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(PATHS), value=json_values)
def test_an_odd_answer_is_bars_or_a_data_error(
    server: YahooServer, path: tuple[str | int, ...], value: Any
) -> None:
    server.answer = json.dumps(replaced(small_chart(), path, value)).encode()
    try:
        usable = bool(np.isfinite(fetch().prices.close).all())
    except DataError as error:
        usable = str(error).isprintable()
    assert usable


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200))
def test_junk_is_a_data_error(server: YahooServer, body: bytes) -> None:
    assert complaint(server, body)


def sao_paulo(result: dict[str, Any]) -> None:
    """Stamp days as Yahoo does for Sao Paulo: at midnight, from 2023-04-04 on at eleven in the evening before."""
    result["meta"]["exchangeTimezoneName"] = "America/Sao_Paulo"
    change = int(datetime(2023, 4, 4, tzinfo=UTC).timestamp())
    days = [moment // 86_400 * 86_400 for moment in result["timestamp"]]
    result["timestamp"] = [day + (3 if day < change else 2) * 3_600 for day in days]


@pytest.mark.parametrize(
    ("interval", "first", "bars"), [("1d", "2023-01-02", 260), ("1wk", "2023-01-02", 52)]
)
def test_days_stamped_in_the_evening_before_are_the_next_ones(
    server: YahooServer, interval: str, first: str, bars: int
) -> None:
    server.edit = sao_paulo
    received = fetch(ticker="PETR4.SA", interval=interval)
    days = received.prices.times.astype("M8[D]")
    assert (len(days), str(days[0]), received.repeated_bars) == (bars, first, 0)
    assert np.is_busday(days).all()
    assert len(np.unique(days)) == bars


def test_a_day_stamped_twice_around_the_change_is_still_refused_if_it_differs(server: YahooServer) -> None:
    def twice(result: dict[str, Any]) -> None:
        with_bar_again(100, open=1.0)(result)
        sao_paulo(result)

    server.edit = twice
    with pytest.raises(DataError, match="two different bars"):
        fetch(ticker="PETR4.SA")


def without_prices(*places: int) -> Callable[[dict[str, Any]], None]:
    def edit(result: dict[str, Any]) -> None:
        columns = (
            *result["indicators"]["quote"][0].values(),
            result["indicators"]["adjclose"][0]["adjclose"],
        )
        for column in columns:
            for place in places:
                column[place] = None

    return edit


@pytest.mark.parametrize(
    ("places", "changes", "bars", "missing"),
    [
        ((20, 90, 91, 300), {"start": "2024-01-01", "end": "2025-01-01"}, 362, 4),
        ((-2, -1), {"end": "2023-06-20"}, 168, 2),
        ((0,), {}, 364, 1),
    ],
)
def test_a_few_days_without_prices_are_missing_bars(
    server: YahooServer, places: tuple[int, ...], changes: dict[str, str], bars: int, missing: int
) -> None:
    server.edit = without_prices(*places)
    config = validated({"start": "2023-01-01", "end": "2024-01-01", **changes})
    prices, quality = load_prices(config, now=datetime(2026, 3, 4, tzinfo=UTC), cache_folder=None)
    assert (len(prices), quality.missing_bars, quality.dropped_bars) == (bars, missing, len(places))
    assert quality.doubts == ()


def test_many_days_without_prices_are_refused(server: YahooServer) -> None:
    server.edit = without_prices(*range(0, 365, 18))
    with pytest.raises(DataError, match="unusable price"):
        fetch()


def test_a_trading_week_that_changes_is_no_gap(server: YahooServer) -> None:
    def tel_aviv(result: dict[str, Any]) -> None:
        result["meta"]["exchangeTimezoneName"] = "Asia/Jerusalem"
        change = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp())
        weekdays = [datetime.fromtimestamp(moment, UTC).weekday() for moment in result["timestamp"]]
        traded = [
            day in ((6, 0, 1, 2, 3) if moment < change else range(5))
            for day, moment in zip(weekdays, result["timestamp"], strict=True)
        ]
        quote, adjusted = result["indicators"]["quote"][0], result["indicators"]["adjclose"][0]
        for columns in (quote, adjusted, result):
            for name, column in columns.items():
                if isinstance(column, list):
                    columns[name] = [one for one, keep in zip(column, traded, strict=True) if keep]
        result["timestamp"] = [moment // 86_400 * 86_400 - 7_200 for moment in result["timestamp"]]

    server.edit = tel_aviv
    config = RunConfig(ticker="TEVA-TA", start="2025-06-01", end="2026-03-01")
    prices, quality = load_prices(config, now=datetime(2026, 3, 4, tzinfo=UTC), cache_folder=None)
    days = prices.times.astype("M8[D]")
    sundays = np.is_busday(days, weekmask="Sun")
    assert sundays[days < np.datetime64("2026-01-05")].any()
    assert not sundays[days >= np.datetime64("2026-01-05")].any()
    assert (quality.calendar, quality.missing_bars, quality.doubts) == ("weekdays", 0, ())


def with_split(place: int, *, applied: bool) -> Callable[[dict[str, Any]], None]:
    """Tell of a split 4:1 on a bar; where it was not applied, prices before it are those of old."""

    def edit(result: dict[str, Any]) -> None:
        moment = result["timestamp"][place]
        split = {"date": moment, "numerator": 4, "denominator": 1, "splitRatio": "4:1"}
        result["events"] = {"splits": {str(moment): split}}
        columns = {**result["indicators"]["quote"][0], **result["indicators"]["adjclose"][0]}
        for name, column in columns.items():
            if name != "volume" and not applied:
                column[:place] = [4 * one for one in column[:place]]

    return edit


@pytest.mark.parametrize("interval", ["1d", "1h"])
def test_a_split_that_yahoo_tells_of_and_did_not_apply_is_a_certain_break(
    server: YahooServer, tmp_path: Path, interval: str
) -> None:
    config = RunConfig(interval=interval, start="2023-01-01", end="2023-06-01")
    now = datetime(2023, 7, 4, tzinfo=UTC)
    server.edit = with_split(100, applied=False)
    _, quality = load_prices(config, now=now, cache_folder=tmp_path)
    assert quality.doubts == ("price_break",)
    assert "a split of 4:1 by the source's own word, not applied" in quality.warnings[0]
    _, kept = load_prices(config, now=now, cache_folder=tmp_path, offline=True)
    assert kept.warnings == quality.warnings
    server.edit = with_split(100, applied=True)
    _, quality = load_prices(config, now=now, cache_folder=None)
    assert quality.doubts == ()
