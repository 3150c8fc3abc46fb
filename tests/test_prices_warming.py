"""Bars before the range asked for: just as many as the warm-up takes, from every kind of source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from support.prices_cases import NOW, asked, config, daily, same_bars

from quantlab.base.errors import DataError
from quantlab.domain.config import INTERVALS
from quantlab.trading.prices import table
from quantlab.trading.prices.asked import from_start
from quantlab.trading.prices.loading import load_prices

if TYPE_CHECKING:
    from pathlib import Path

    from quantlab.trading.market import Prices
    from quantlab.trading.results import DataQuality


def load(**changes: Any) -> tuple[Prices, DataQuality]:
    return load_prices(config(**changes), now=NOW, cache_folder=None)


@pytest.mark.parametrize("ticker", ["ETH-USD", "AAPL", "EURUSD=X"])
@pytest.mark.parametrize("interval", INTERVALS)
def test_so_many_bars_come_before_the_range(ticker: str, interval: str) -> None:
    span: dict[str, Any] = {"ticker": ticker, "interval": interval, "end": "2023-07-01"}
    if interval[-1] == "m":
        span["end"] = "2023-01-10"
    warmed, plain = load(**span, warmup=37)[0], load(**span)[0]
    start = asked(**span).start
    assert int((warmed.times < start).sum()) == 37
    assert same_bars(from_start(warmed, asked(**span)), plain)


def test_the_quality_is_that_of_all_bars() -> None:
    prices, quality = load(warmup=100)
    assert (len(prices), quality.bars, quality.missing_bars) == (465, 465, 0)


def test_a_file_gives_the_rows_before_the_range(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_bytes(table.to_csv(daily("2022-12-01", "2023-12-31")))
    prices, _ = load(prices=str(path), warmup=10)
    assert (str(prices.times[0])[:10], len(prices)) == ("2022-12-22", 375)


def test_holidays_before_the_range_are_gone_back_beyond(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    far, near = daily("2022-12-01", "2022-12-08"), daily("2023-01-01", "2023-12-31")
    path.write_bytes(table.to_csv(far) + b"".join(table.to_csv(near).splitlines(keepends=True)[1:]))
    prices, _ = load(prices=str(path), warmup=7)
    assert str(prices.times[0])[:10] == "2022-12-02"


def test_too_few_bars_before_the_range_are_refused_with_their_number(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_bytes(table.to_csv(daily("2022-12-30", "2023-12-31")))
    with pytest.raises(DataError, match=r"--warmup 7 needs 7 bars before --start 2023-01-01; 2 are there"):
        load(prices=str(path), warmup=7)


def test_half_a_range_is_refused_whatever_came_before_it(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_bytes(table.to_csv(daily("2022-01-01", "2023-06-30")))
    with pytest.raises(DataError, match="only a part of the range came: asked 2023-01-01 to 2024-01-01"):
        load(prices=str(path), warmup=7)


def test_a_warm_up_before_all_times_is_refused() -> None:
    with pytest.raises(DataError, match="bars before --start 1678-02-01"):
        load(start="1678-02-01", end="1678-06-01", warmup=400)


def test_without_a_warm_up_no_bar_comes_before_the_range() -> None:
    assert load()[0].times[0] == np.datetime64("2023-01-01")
