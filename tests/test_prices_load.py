"""load_prices: each source by its name, half a range refused, downloads kept for later."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.loopback_proxy import proxied
from support.prices_cases import NOW, asked, config, daily, flat, same_bars, weekdays
from support.yahoo_server import YahooServer, closed_port

from quantlab.base.errors import DataError
from quantlab.base.levels import PROGRESS
from quantlab.trading.prices import loading, table, yahoo
from quantlab.trading.prices.asked import plain
from quantlab.trading.prices.coverage import check_coverage
from quantlab.trading.prices.loading import load_prices

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quantlab.trading.market import Prices
    from quantlab.trading.results import DataQuality

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    with YahooServer(tmp_path) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(yahoo, "FIRST_DELAY_SECONDS", 0.001)
        yield running


def load(folder: Path | None = None, **changes: Any) -> tuple[Prices, DataQuality]:
    offline = changes.pop("offline", False)
    return load_prices(config(**changes), now=NOW, cache_folder=folder, offline=offline)


def complaint(prices: Prices, now: datetime = NOW, **changes: Any) -> str:
    with pytest.raises(DataError) as caught:
        check_coverage(prices, asked(now, **changes))
    return str(caught.value)


def test_synthetic_prices_need_nothing() -> None:
    made, judged = load()
    assert (len(made), judged.bars, judged.doubts) == (365, 365, ())
    assert "synthetic" in judged.warnings[0]


def test_a_file_is_any_other_name(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_bytes(table.to_csv(daily("2022-01-01", "2024-12-31")))
    assert same_bars(load(prices=str(path))[0], daily("2023-01-01", "2023-12-31"))


def test_repeated_rows_of_a_file_are_told(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    data = table.to_csv(daily("2023-01-01", "2023-12-31"))
    path.write_bytes(data + data.splitlines(keepends=True)[-1])
    assert load(prices=str(path))[1].repeated_bars == 1


def test_a_download_is_kept_and_used_offline(server: YahooServer, tmp_path: Path) -> None:
    downloaded, _ = load(tmp_path / "cache", prices="yahoo")
    asked_before = len(server.requests)
    cached, _ = load(tmp_path / "cache", prices="yahoo", offline=True)
    assert same_bars(downloaded, cached)
    assert (cached.origin.source, cached.origin.from_cache) == ("yahoo", True)
    assert len(server.requests) == asked_before


def test_the_cache_as_a_source_uses_no_network(server: YahooServer, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not hold"):
        load(tmp_path / "cache", prices="cache")
    assert server.requests == []


def test_nothing_is_kept_without_a_cache(server: YahooServer, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    load(None, prices="yahoo")
    assert sorted(tmp_path.iterdir()) == before


def test_the_cache_keeps_bars_and_origins_alone(server: YahooServer, tmp_path: Path) -> None:
    load(tmp_path / "cache", prices="yahoo")
    assert {path.suffix for path in (tmp_path / "cache").iterdir()} == {".csv", ".json"}


@pytest.mark.parametrize("answer", ["half", "first_half", "no_quotes"])
def test_half_a_download_is_refused_and_not_kept(server: YahooServer, tmp_path: Path, answer: str) -> None:
    server.answer = answer
    with pytest.raises(DataError):
        load(tmp_path / "cache", prices="yahoo")
    assert not (tmp_path / "cache").exists()


def test_a_gap_within_a_download_is_a_doubt(server: YahooServer, tmp_path: Path) -> None:
    server.answer = "gap"
    _, judged = load(prices="yahoo")
    assert (judged.missing_bars, judged.doubts) == (20, ("missing_bars",))


def test_an_absent_bar_is_counted(server: YahooServer) -> None:
    server.answer = "absent"
    _, judged = load(prices="yahoo")
    assert (judged.dropped_bars, judged.missing_bars, judged.doubts) == (1, 1, ())


def test_a_failed_download_points_at_the_cache_that_holds_the_bars(
    server: YahooServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(tmp_path / "cache", prices="yahoo")
    server.answer = "unknown_ticker"
    with pytest.raises(DataError, match=r"does not know .* add --prices cache\."):
        load(tmp_path / "cache", prices="yahoo")


def test_a_failed_download_without_cache_says_nothing_of_it(server: YahooServer, tmp_path: Path) -> None:
    server.answer = "unknown_ticker"
    with pytest.raises(DataError) as caught:
        load(tmp_path / "cache", prices="yahoo")
    assert "cache" not in str(caught.value)


def test_retries_are_told(
    server: YahooServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(PROGRESS, "quantlab")
    server.script = ["server_error"]
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr(loading, "SLOW_SECONDS", 60.0)
    load_prices(config(prices="yahoo"), now=NOW, cache_folder=None, told=True)
    assert caplog.messages == ["Yahoo's server failed (HTTP 503). Trying again in 0.001 s (attempt 2 of 4)."]


def test_loading_that_takes_its_time_is_told(
    server: YahooServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(PROGRESS, "quantlab")
    server.answer, server.hang_seconds = "slow", 0.5
    monkeypatch.setattr(loading, "SLOW_SECONDS", 0.1)
    load_prices(config(prices="yahoo"), now=NOW, cache_folder=None, told=True)
    assert caplog.messages == ["loading prices from yahoo"]


def test_short_loading_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(PROGRESS, "quantlab")
    load_prices(config(), now=NOW, cache_folder=None, told=True)
    assert caplog.messages == []


def test_holidays_at_both_ends_are_no_half_range() -> None:
    check_coverage(weekdays("2023-01-10", "2023-12-22"), asked(ticker="AAPL"))


def test_a_late_start_is_refused_with_the_flag_that_fits() -> None:
    message = complaint(daily("2023-02-01", "2023-12-31"))
    assert "asked 2023-01-01 to 2024-01-01, received bars from 2023-02-01 to 2023-12-31" in message
    assert "(--start 2023-02-01)" in message


def test_an_early_end_is_refused_with_the_flag_that_fits() -> None:
    assert "(--end 2023-12-01)" in complaint(daily("2023-01-01", "2023-11-30"))


def test_an_intraday_end_names_the_day_after_the_last_bar_s() -> None:
    hourly = flat(np.arange(np.datetime64("2023-01-01T00", "h"), np.datetime64("2023-11-30T21", "h")))
    assert "(--end 2023-12-01)" in complaint(hourly, interval="1h")
    whole_days = flat(np.arange(np.datetime64("2023-01-01T00", "h"), np.datetime64("2023-12-01T00", "h")))
    assert "(--end 2023-12-01)" in complaint(whole_days, interval="1h")


def test_both_ends_short_name_both_flags() -> None:
    assert "(--start 2023-03-06 --end 2023-11-01)" in complaint(weekdays("2023-03-06", "2023-10-31"))


def test_the_flags_that_fit_are_accepted() -> None:
    check_coverage(daily("2023-02-01", "2023-11-30"), asked(start="2023-02-01", end="2023-12-01"))


def test_an_end_in_the_future_counts_as_now() -> None:
    check_coverage(daily("2023-01-01", "2023-06-01"), asked(datetime(2023, 6, 2, 12, tzinfo=UTC)))


def test_a_short_weekday_range_bears_a_long_weekend_only() -> None:
    check_coverage(weekdays("2023-01-04", "2023-01-31"), asked(start="2023-01-01", end="2023-02-01"))
    assert "only a part" in complaint(
        weekdays("2023-01-09", "2023-01-31"), start="2023-01-01", end="2023-02-01"
    )


def test_long_bars_may_begin_a_bar_late() -> None:
    months = flat(np.arange(np.datetime64("2020-02"), np.datetime64("2024-01")))
    check_coverage(months, asked(start="2020-01-15", interval="1mo"))


def test_no_bars_name_what_to_check() -> None:
    assert "no closed 1d bars in 2023-01-01 to 2024-01-01; check --ticker" in complaint(
        flat(np.array([], "M8[ns]"))
    )


def test_a_range_in_the_future_is_named() -> None:
    with pytest.raises(
        DataError, match=r"lies in the future, so it has no bars yet; choose .* before 2026-03-04\."
    ):
        load(start="2027-01-01", end="2028-01-01")


def test_yahoo_is_not_asked_for_the_future(server: YahooServer) -> None:
    with pytest.raises(DataError, match="lies in the future"):
        load(prices="yahoo", start="2027-01-01", end="2028-01-01")
    assert server.requests == []


def test_bars_finer_than_the_interval_are_refused() -> None:
    hours = flat(np.arange(np.datetime64("2023-01-01", "h"), np.datetime64("2024-01-01", "h")))
    assert "every 3,600 s, but --interval is 1d" in complaint(hours)


@pytest.mark.parametrize("interval", ["1m", "30m", "1h", "90m"])
def test_days_given_as_minutes_or_hours_are_refused(interval: str) -> None:
    message = complaint(weekdays("2023-01-01", "2023-12-31"), interval=interval)
    assert f"every 86,400 s, but --interval is {interval}; give the interval that the bars have" in message


@pytest.mark.parametrize(
    ("interval", "bars"),
    [
        ("1d", np.arange(np.datetime64("2023-01-02"), np.datetime64("2024-01-01"), 7)),
        ("1wk", np.arange(np.datetime64("2023-01"), np.datetime64("2024-01"))),
        ("5d", np.arange(np.datetime64("2023-01"), np.datetime64("2024-01"))),
        ("1mo", np.arange(np.datetime64("2021-01"), np.datetime64("2024-01"), 3)),
        ("1h", np.arange(np.datetime64("2023-01-01T00"), np.datetime64("2024-01-01T00"), 4)),
        ("60m", np.arange(np.datetime64("2023-01-01T00:00"), np.datetime64("2024-01-01T00:00"), 90)),
    ],
)
def test_bars_coarser_than_the_interval_are_refused(interval: str, bars: NDArray[np.datetime64]) -> None:
    assert f"but --interval is {interval}; give" in complaint(
        flat(bars), start="2021-01-01", interval=interval
    )


def test_hours_of_an_exchange_given_as_half_hours_are_refused() -> None:
    days = weekdays("2023-01-01", "2023-12-31").times
    times = (days[:, None] + (np.arange(7) * 60 + 870).astype("m8[m]")[None, :]).ravel()
    assert "every 3,600 s, but --interval is 30m" in complaint(flat(times), interval="30m")


def test_minutes_that_are_mostly_missing_are_no_longer_interval() -> None:
    minutes = np.arange(np.datetime64("2023-01-01T00:00"), np.datetime64("2024-01-01T00:00"))
    traded = np.random.default_rng(1).random(len(minutes)) < 0.1
    check_coverage(flat(minutes[traded]), asked(interval="1m"))


def test_a_short_history_with_holes_is_no_longer_interval() -> None:
    days = np.array(["2023-06-02", "2023-06-05", "2023-06-08", "2023-06-09"], dtype="M8[D]")
    check_coverage(flat(days), asked(start="2023-06-01", end="2023-06-10"))


@pytest.mark.parametrize(
    ("interval", "bars"),
    [
        ("1mo", np.arange(np.datetime64("2021-01"), np.datetime64("2024-01"))),
        ("3mo", np.arange(np.datetime64("2021-01"), np.datetime64("2024-01"), 3)),
        ("5d", np.arange(np.datetime64("2021-01-04"), np.datetime64("2024-01-01"), 7)),
        ("1wk", np.arange(np.datetime64("2021-01-04"), np.datetime64("2024-01-01"), 7)),
    ],
)
def test_long_bars_have_their_own_distance(interval: str, bars: NDArray[np.datetime64]) -> None:
    check_coverage(flat(bars), asked(start="2021-01-01", interval=interval))


def test_a_single_bar_has_no_spacing() -> None:
    assert "only a part" in complaint(daily("2023-01-01", "2023-01-01"))


def test_no_network_at_all_is_a_data_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in proxied(closed_port()).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(yahoo, "FIRST_DELAY_SECONDS", 0.001)
    with pytest.raises(DataError, match="cannot be reached"):
        load(prices="yahoo")


def test_synthetic_prices_load_neither_pandas_nor_yfinance() -> None:
    script = (
        "import sys; from datetime import UTC, datetime; from quantlab.domain.config import RunConfig\n"
        "from quantlab.trading.prices.loading import load_prices\n"
        "load_prices(RunConfig(prices='synthetic'), cache_folder=None,\n"
        "            now=datetime(2026, 1, 1, tzinfo=UTC))\n"
        "print({'pandas', 'yfinance', 'pyarrow'} & set(sys.modules))"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


def test_outside_text_becomes_one_short_printable_line() -> None:
    assert plain("a\n\x1b[31mb\u202e\t" + "c" * 500, 20) == "a [31mb " + "c" * 11 + "…"


cell = st.sampled_from(
    ["1", "2", "0.5", "2023-01-01", "", "nan", "-1", "x", '"', "1e999", "\x1b", "é", "\x00", ","]
)
row = st.lists(cell, max_size=8).map(",".join)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.lists(row | st.text(max_size=30), max_size=6).map("\n".join) | st.binary(max_size=100))
@example(body=b"PAR1PAR1")
def test_any_file_is_bars_or_a_data_error(tmp_path: Path, body: str | bytes) -> None:
    raw = body if isinstance(body, bytes) else ("time,open,high,low,close,volume\n" + body).encode()
    (tmp_path / "fuzz.csv").write_bytes(raw)
    try:
        usable = bool((load(prices=str(tmp_path / "fuzz.csv"), end="2023-01-03")[0].low > 0).all())
    except DataError as error:
        usable = str(error).isprintable()
    assert usable
