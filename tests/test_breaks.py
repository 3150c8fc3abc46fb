"""Breaks in the price level and frozen bars: none found in what markets did, all that were planted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from support.price_histories import frozen, history, one_bar, real, split, stretch
from support.prices_cases import daily, with_values

from quantlab.trading.breaks import frozen_run, price_breaks
from quantlab.trading.prices.asked import Split
from quantlab.trading.quality import assess

if TYPE_CHECKING:
    from collections.abc import Callable

    from quantlab.trading.market import Prices

pytestmark = pytest.mark.slow

CRASHES = (-0.226, -0.2, -0.12, -0.12, 0.11, 0.09, -0.1)
"""1987, and what 2008 and 2020 added."""
WILD = (0.6, -0.6, 0.6, -0.5, 0.45, -0.6)
SEEDS = 60
MARKETS: dict[str, tuple[str, Callable[[int], Prices]]] = {
    "a stock": ("1d", history),
    "a stock whose news come overnight": ("1d", lambda seed: history(seed, gap=0.5)),
    "an index in crashes": ("1d", lambda seed: history(seed, usual=0.01, shocks=CRASHES)),
    "an index that crashes between two days": (
        "1d",
        lambda seed: history(seed, usual=0.01, gap=1.0, shocks=CRASHES),
    ),
    "a small coin": ("1d", lambda seed: history(seed, usual=0.06, gap=0.05, tails=3.0, shocks=WILD)),
    "a smaller coin": ("1d", lambda seed: history(seed, usual=0.12, gap=0.05, tails=3.0, shocks=WILD)),
    "a calm coin with wild days": (
        "1d",
        lambda seed: history(seed, usual=0.03, gap=0.05, tails=3.0, shocks=WILD),
    ),
    "hours": (
        "1h",
        lambda seed: history(seed, hours=1, usual=0.005, gap=0.05, tails=3.0, shocks=(-0.2, 0.15)),
    ),
}
RATIOS = (2.0, 3.0, 4.0, 7.0, 10.0, 0.5, 0.2, 0.1, 1 / 28, 1 / 190)


@pytest.mark.parametrize(("name", "interval"), [("GOOG", "1d"), ("EURUSD", "1h"), ("BTCUSD", "1mo")])
def test_real_histories_raise_no_doubt_about_their_prices(name: str, interval: str) -> None:
    judged = assess(real(name), interval=interval, ticker=name)
    assert {"price_break", "frozen_prices"}.isdisjoint(judged.doubts)


@pytest.mark.parametrize("market", MARKETS)
def test_no_crash_and_no_wild_coin_is_taken_for_a_break(market: str) -> None:
    interval, make = MARKETS[market]
    alarms = [
        seed
        for seed in range(SEEDS)
        if price_breaks(make(seed), interval=interval) or frozen_run(make(seed), interval=interval)[1]
    ]
    assert alarms == []


def planted(seed: int, prices: Prices) -> tuple[int, float]:
    made = np.random.default_rng([seed, 1])
    return int(made.integers(30, len(prices) - 30)), float(RATIOS[seed % len(RATIOS)])


@pytest.mark.parametrize(
    "market", ["a stock", "a stock whose news come overnight", "an index in crashes", "hours"]
)
def test_a_split_that_was_not_applied_is_found_at_its_bar(market: str) -> None:
    interval, make = MARKETS[market]
    missed = []
    for seed in range(SEEDS):
        bar, ratio = planted(seed, make(seed))
        found = price_breaks(split(make(seed), bar, ratio), interval=interval)
        missed += [] if [one.bar for one in found] == [bar] else [seed]
    assert len(missed) <= SEEDS // 50


@pytest.mark.parametrize("name", ["GOOG", "EURUSD"])
def test_a_split_planted_in_a_real_history_is_found_at_its_bar(name: str) -> None:
    prices, interval = real(name), "1d" if name == "GOOG" else "1h"
    for seed in range(30):
        bar, ratio = planted(seed, prices)
        broken = split(prices, bar, ratio, volume=seed % 2 == 0)
        assert [one.bar for one in price_breaks(broken, interval=interval)] == [bar], (bar, ratio)


@pytest.mark.parametrize("market", ["a stock", "a small coin", "hours"])
@pytest.mark.parametrize("factor", [100.0, 0.01, 1_000.0])
def test_one_bar_times_a_hundred_is_one_break_at_that_bar(market: str, factor: float) -> None:
    interval, make = MARKETS[market]
    for seed in range(20):
        bar, _ = planted(seed, make(seed))
        found = price_breaks(one_bar(make(seed), bar, factor), interval=interval)
        assert [(one.bar, one.back) for one in found] == [(bar, True)]


@pytest.mark.parametrize("market", ["a stock", "a small coin", "hours"])
def test_a_switch_of_the_unit_and_back_are_two_breaks(market: str) -> None:
    interval, make = MARKETS[market]
    for seed in range(20):
        bar, _ = planted(seed, make(seed))
        found = price_breaks(stretch(make(seed), bar, bar + 15, 100.0), interval=interval)
        assert [one.bar for one in found] == [bar, bar + 15]


@pytest.mark.parametrize("ratio", [1.5, 2.0, 20.0, 0.1])
@pytest.mark.parametrize("market", ["a stock", "hours"])
def test_a_split_that_the_source_tells_of_makes_its_mark_certain(market: str, ratio: float) -> None:
    interval, make = MARKETS[market]
    for seed in range(20):
        bar, _ = planted(seed, make(seed))
        broken = split(make(seed), bar, ratio)
        told = Split(time=broken.times[bar], ratio=ratio)
        assert [(one.bar, one.split) for one in price_breaks(broken, interval=interval, splits=[told])] == [
            (bar, ratio)
        ]


def test_a_split_of_a_wild_coin_is_found_where_the_source_tells_of_it() -> None:
    make = MARKETS["a smaller coin"][1]
    for seed in range(20):
        bar, _ = planted(seed, make(seed))
        broken = split(make(seed), bar, 10.0)
        found = price_breaks(broken, interval="1d", splits=[Split(time=broken.times[bar], ratio=10.0)])
        assert (bar, 10.0) in [(one.bar, one.split) for one in found]


def test_a_split_that_was_applied_is_no_break() -> None:
    prices = real("GOOG")
    splits = [
        Split(time=prices.times[at], ratio=ratio) for at, ratio in ((500, 2.0), (900, 20.0), (1300, 0.1))
    ]
    assert price_breaks(prices, interval="1d", splits=splits) == []


def test_a_break_shows_inside_its_bar_where_opens_are_made_of_the_closes_before() -> None:
    for seed in range(20):
        prices = split(history(seed, usual=0.01), 400, 4.0)
        opens = np.concatenate([prices.close[:1], prices.close[:-1]])
        made_up = with_values(
            prices, open=opens, high=np.maximum(prices.high, opens), low=np.minimum(prices.low, opens)
        )
        assert [one.bar for one in price_breaks(made_up, interval="1d")] == [400]


def test_a_collapse_overnight_with_its_volume_is_news() -> None:
    prices = split(history(3), 500, 1 / 0.28, volume=False)
    assert [one.bar for one in price_breaks(prices, interval="1d")] == [500]
    volume = prices.volume.copy()
    volume[500] *= 25
    assert price_breaks(with_values(prices, volume=volume), interval="1d") == []


def test_a_doubt_names_bar_and_factor() -> None:
    prices = split(history(1), 500, 4.0)
    judged = assess(prices, interval="1d", ticker="X")
    assert "price_break" in judged.doubts
    assert any(
        "at 2021-05-15T00:00:00+00:00 by a factor of 0.2" in text and "like a split of 4:1" in text
        for text in judged.warnings
    )


@pytest.mark.parametrize(("market", "bars"), [("a stock", 10), ("a small coin", 30), ("hours", 30)])
def test_bars_that_stand_still_are_found_with_their_first(market: str, bars: int) -> None:
    interval, make = MARKETS[market]
    for seed in range(20):
        bar, _ = planted(seed, make(seed))
        first, length = frozen_run(frozen(make(seed), bar, bars), interval=interval)
        assert first in (bar, bar - 1)
        assert length in (bars, bars + 1)


def test_a_few_equal_bars_are_no_doubt() -> None:
    assert frozen_run(frozen(history(1), 500, 8), interval="1d") == (0, 0)
    assert frozen_run(frozen(history(1, hours=1), 500, 20), interval="1h") == (0, 0)


def test_a_market_that_often_stands_still_is_held_against_its_own_way() -> None:
    made = np.random.default_rng(1)
    for seed in range(10):
        prices, first = history(seed), 5
        while first < 950:
            length = int(made.integers(3, 12))
            prices = frozen(prices, first, length)
            first += length + int(made.integers(3, 20))
        assert frozen_run(prices, interval="1d") == (0, 0)


def test_single_bars_are_judged_without_failing() -> None:
    assert price_breaks(daily("2023-01-01", "2023-01-01"), interval="1d") == []
    assert frozen_run(daily("2023-01-01", "2023-01-01"), interval="1d") == (0, 0)
