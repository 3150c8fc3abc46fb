from __future__ import annotations

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st
from support.engine_markets import prefix, walk

from quantlab.trading.indicators import atr, rolling_sum, rsi, sma

LONG = walk(50_000, seed=3)
MANY = pytest.param(50_000, marks=pytest.mark.slow)


@pytest.mark.parametrize("window", [2, 3, 14, 50])
@pytest.mark.parametrize("bars", [1, 14, 15, 16, 100, 730, MANY])
def test_rsi_is_talibs(bars: int, window: int) -> None:
    close = LONG.close[:bars]
    assert rsi(close, window) == pytest.approx(talib.RSI(close, window), rel=1e-9, nan_ok=True)


@pytest.mark.parametrize("window", [2, 3, 14, 50])
@pytest.mark.parametrize("bars", [1, 14, 15, 16, 100, 730, MANY])
def test_atr_is_talibs(bars: int, window: int) -> None:
    columns = LONG.high[:bars], LONG.low[:bars], LONG.close[:bars]
    assert atr(*columns, window) == pytest.approx(talib.ATR(*columns, window), rel=1e-9, nan_ok=True)


@pytest.mark.parametrize("window", [2, 3, 7, 20, 64, 200])
@pytest.mark.parametrize("bars", [1, 19, 20, 21, 100, 730, MANY])
def test_sma_is_talibs(bars: int, window: int) -> None:
    close = LONG.close[:bars]
    assert sma(close, window) == pytest.approx(talib.SMA(close, window), rel=1e-9, nan_ok=True)


def test_a_mean_of_one_bar_is_that_bar() -> None:
    assert np.array_equal(sma(LONG.close[:50], 1), LONG.close[:50])


@given(st.integers(1, 50_000))
@settings(max_examples=30, deadline=None)
def test_what_follows_changes_no_bit(bars: int) -> None:
    first = prefix(LONG, bars)
    for short, whole in (
        (sma(first.close, 20), sma(LONG.close, 20)),
        (rsi(first.close), rsi(LONG.close)),
        (atr(first.high, first.low, first.close), atr(LONG.high, LONG.low, LONG.close)),
    ):
        assert np.array_equal(short, whole[:bars], equal_nan=True)


def test_the_first_rsi_is_the_simple_mean_of_14_changes() -> None:
    close = np.array([100.0, *(100.0 + np.cumsum([1.0, -2.0] * 7))])
    assert rsi(close)[14] == pytest.approx(100 * 7 / (7 + 14))


def test_later_rsi_remembers_thirteen_fourteenths() -> None:
    close = np.array([*(100.0 + np.cumsum([0.0, *[1.0, -2.0] * 7])), 96.0])
    rises, falls = (0.5 * 13 + 3.0) / 14, (1.0 * 13) / 14
    assert rsi(close)[15] == pytest.approx(100 * rises / (rises + falls))


def test_rsi_is_100_where_prices_only_rise() -> None:
    assert rsi(np.arange(1.0, 40.0))[14:].tolist() == [100.0] * 25


def test_rsi_is_0_where_nothing_moves_as_talib_has_it() -> None:
    flat = np.full(40, 5.0)
    assert rsi(flat)[14:].tolist() == talib.RSI(flat)[14:].tolist() == [0.0] * 26


def test_warming_up_is_nan() -> None:
    close = LONG.close[:40]
    assert [int(np.isnan(each).sum()) for each in (sma(close, 20), rsi(close), rsi(close, 3))] == [19, 14, 3]


def test_a_huge_value_is_forgotten_when_it_leaves_the_window() -> None:
    values = np.array([1e300, *[0.1] * 40])
    assert rolling_sum(values, 20)[20:] == pytest.approx([2.0] * 21)


@given(st.floats(1e-9, 1e9))
def test_the_sum_of_a_flat_market_is_exactly_its_multiple(price: float) -> None:
    assert set(rolling_sum(np.full(60, price), 20)[19:].tolist()) == {price * 20}
