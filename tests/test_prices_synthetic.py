"""Synthetic prices: the same bar whatever the range, sane bars, the right calendar."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.prices_cases import NOW, asked, same_bars

from quantlab.base.errors import DataError
from quantlab.domain.config import INTERVALS
from quantlab.trading.intervals import bar_ends
from quantlab.trading.prices import synthetic
from quantlab.trading.prices.asked import within

if TYPE_CHECKING:
    from quantlab.trading.market import Prices

pytestmark = pytest.mark.slow


def bars(now: datetime = NOW, generator: int = 2, **changes: Any) -> Prices:
    return synthetic.fetch(asked(now, **changes), generator).prices


both = pytest.mark.parametrize("generator", [1, 2])
generators = st.sampled_from([1, 2])
TICKERS = ["ETH-USD", "AAPL", "EURUSD=X"]


@settings(max_examples=30, deadline=None)
@given(
    ticker=st.sampled_from(TICKERS),
    generator=generators,
    interval=st.sampled_from(INTERVALS),
    cut=st.tuples(st.integers(1, 28), st.integers(1, 28)).map(sorted),
)
def test_a_bar_does_not_depend_on_the_range(
    ticker: str, generator: int, interval: str, cut: list[int]
) -> None:
    whole = bars(ticker=ticker, generator=generator, interval=interval, start="2023-01-01", end="2023-03-01")
    part_range: dict[str, Any] = {"start": f"2023-01-{cut[0]:02}", "end": f"2023-02-{cut[1]:02}"}
    part = bars(ticker=ticker, generator=generator, interval=interval, **part_range)
    assert same_bars(part, within(whole, asked(**part_range)))


@settings(max_examples=20, deadline=None)
@given(
    ticker=st.from_regex(r"[A-Z]{1,5}(-USD|=X)?", fullmatch=True),
    generator=generators,
    interval=st.sampled_from(INTERVALS),
)
def test_bars_are_consistent(ticker: str, generator: int, interval: str) -> None:
    prices = bars(generator=generator, ticker=ticker, interval=interval, start="2022-12-01", end="2023-01-15")
    assert len(prices)
    assert (prices.low > 0).all()
    assert (prices.low <= np.minimum(prices.open, prices.close)).all()
    assert (prices.high >= np.maximum(prices.open, prices.close)).all()
    assert (prices.volume > 0).all()
    assert (np.diff(prices.times) > np.timedelta64(0)).all()


def test_tickers_have_prices_of_their_own() -> None:
    assert not np.array_equal(bars(ticker="ETH-USD").close, bars(ticker="BTC-USD").close)


def test_a_tickers_case_does_not_matter() -> None:
    assert same_bars(bars(ticker="eth-usd"), bars(ticker="ETH-USD"))


def test_the_bars_of_the_first_generator_stay_for_ever() -> None:
    prices = bars(ticker="ETH-USD", start="2023-01-01", end="2023-01-03", generator=1)
    assert prices.open.tolist() == [260.2643, 265.802]
    assert prices.volume.tolist() == [1394585.0, 2747448.0]


@pytest.mark.parametrize(
    ("ticker", "opens"),
    [("ETH-USD", [691.4204, 708.7407]), ("AAPL", [84.6808, 82.4306]), ("EURUSD=X", [1.322539, 1.32731])],
)
def test_these_bars_stay_for_ever(ticker: str, opens: list[float]) -> None:
    assert bars(ticker=ticker, start="2023-01-02", end="2023-01-04").open.tolist() == opens


@both
def test_intervals_of_a_ticker_are_views_of_one_curve(generator: int) -> None:
    hours = bars(generator=generator, interval="1h", start="2023-01-01", end="2023-01-02")
    day = bars(generator=generator, interval="1d", start="2023-01-01", end="2023-01-02")
    assert (hours.open[0], hours.close[-1]) == (day.open[0], day.close[0])


def test_a_ticker_with_a_dash_trades_every_day() -> None:
    assert len(bars(ticker="ETH-USD")) == 365


def test_other_tickers_trade_on_weekdays() -> None:
    assert np.is_busday(bars(ticker="AAPL").times.astype("M8[D]")).all()
    assert len(bars(ticker="AAPL")) == 260


def test_intraday_bars_of_weekday_tickers_lie_within_the_session() -> None:
    prices = bars(ticker="AAPL", interval="90m", start="2023-01-02", end="2023-01-03")
    clock = [str(moment)[11:16] for moment in prices.times]
    assert clock == ["13:30", "15:00", "16:30", "18:00", "19:30"]


@pytest.mark.parametrize(("interval", "count"), [("1mo", 12), ("3mo", 4), ("1wk", 52), ("5d", 52)])
def test_long_bars_open_with_their_month_or_monday(interval: str, count: int) -> None:
    assert len(bars(interval=interval, start="2023-01-01", end="2023-12-31")) == count


@both
def test_returns_are_as_wild_as_a_market(generator: int) -> None:
    close = bars(start="2010-01-01", end="2024-01-01", generator=generator).close
    assert 0.01 < np.diff(np.log(close)).std() < 0.06


@pytest.mark.parametrize(
    ("ticker", "least", "most"), [("ETH-USD", 0.40, 0.70), ("AAPL", 0.18, 0.35), ("EURUSD=X", 0.05, 0.11)]
)
def test_a_ticker_is_as_wild_as_its_kind(ticker: str, least: float, most: float) -> None:
    close = bars(ticker=ticker, start="2010-01-01", end="2024-01-01").close
    assert least < np.diff(np.log(close)).std() * np.sqrt(365 if "-" in ticker else 252) < most


@pytest.mark.parametrize(("ending", "interval"), [("-USD", "1d"), ("", "1d"), ("=X", "1d"), ("", "90m")])
def test_two_years_stay_within_a_factor_of_three(ending: str, interval: str) -> None:
    beyond = 0
    for number in range(40):
        first = 2004 + number % 20
        span: dict[str, Any] = {"start": f"{first}-01-01", "end": f"{first + 2}-01-01", "interval": interval}
        prices = bars(ticker=f"T{number}{ending}", **span)
        beyond += not (prices.low.min() / prices.open[0] > 1 / 3 and prices.high.max() / prices.open[0] < 3)
    assert beyond <= 1


def test_a_return_tells_nothing_of_the_next_one() -> None:
    correlations = []
    for number in range(20):
        returns = np.diff(np.log(bars(ticker=f"T{number}-USD", start="2020-01-01", end="2024-01-01").close))
        correlations.append(np.corrcoef(returns[1:], returns[:-1])[0, 1])
    assert abs(np.mean(correlations)) < 0.05


def test_a_share_with_a_dash_is_no_crypto() -> None:
    assert np.is_busday(bars(ticker="BRK-B").times.astype("M8[D]")).all()


def test_currencies_trade_round_the_clock_on_weekdays() -> None:
    prices = bars(ticker="EURUSD=X", interval="1h", start="2023-01-02", end="2023-01-09")
    assert len(prices) == 5 * 24


@both
def test_prices_cross_their_mean_often_enough_to_trade(generator: int) -> None:
    close = bars(start="2022-01-01", end="2023-12-31", generator=generator).close
    mean = np.convolve(close, np.ones(20) / 20, "valid")
    above = close[19:] > mean
    assert 10 < int((above[1:] & ~above[:-1]).sum()) < 150


def test_a_bar_that_has_not_closed_is_left_out() -> None:
    received = synthetic.fetch(asked(datetime(2023, 6, 1, 12, tzinfo=UTC)))
    assert str(received.prices.times[-1])[:10] == "2023-05-31"
    assert received.unfinished_bar_dropped


def test_a_range_in_the_future_is_empty() -> None:
    assert len(bars(datetime(2022, 6, 1, tzinfo=UTC))) == 0


def test_a_range_in_the_past_is_complete() -> None:
    received = synthetic.fetch(asked())
    assert not received.unfinished_bar_dropped
    assert bar_ends(received.prices.times, "1d")[-1] == np.datetime64("2024-01-01")


def test_more_bars_than_memory_are_refused() -> None:
    with pytest.raises(DataError, match="shorter range or a longer --interval"):
        bars(interval="1m", start="1900-01-01", end="2026-01-01")


def test_more_years_than_nanoseconds_hold_are_refused_too() -> None:
    with pytest.raises(DataError, match="shorter range or a longer --interval"):
        bars(interval="1m", start="1678-01-01", end="2026-01-01")


def test_years_beyond_datetime64_are_cut_off() -> None:
    assert str(bars(start="0001-01-01", end="1700-01-01", interval="1mo").times[0])[:4] == "1678"


def test_the_origin_says_synthetic() -> None:
    origin = bars().origin
    assert (origin.source, origin.retrieved_at) == ("synthetic", "2026-03-04T05:06:07.000000+00:00")
    assert "synthetic" in origin.notes[0]


@both
def test_the_origin_tells_its_generator(generator: int) -> None:
    assert synthetic.generator_of(bars(generator=generator).origin.detail) == generator


def test_the_origin_tells_the_kind_of_asset() -> None:
    details = [bars(ticker=ticker).origin.detail.split(", ")[:2] for ticker in TICKERS]
    assert details == [["synthetic/2", "crypto"], ["synthetic/2", "equity"], ["synthetic/2", "currency"]]
