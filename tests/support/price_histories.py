"""Histories to judge: calm and clustered ones, crashes, wild coins; and what breaks them, planted."""

from __future__ import annotations

import csv
import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from quantlab.trading.market import Prices
from support.prices_cases import ORIGIN

if TYPE_CHECKING:
    from numpy.typing import NDArray

_COLUMNS = ("open", "high", "low", "close")


def history(
    seed: int,
    *,
    bars: int = 1_000,
    hours: int = 24,
    usual: float = 0.012,
    gap: float = 0.2,
    tails: float = 4.0,
    shocks: tuple[float, ...] = (),
) -> Prices:
    """Return a history whose volatility comes in clusters (GARCH) and whose moves have fat tails.

    Args:
        seed: Tells one from another.
        bars: How many.
        hours: Length of a bar.
        usual: Usual move of a bar.
        gap: Share of a move that happens between the close before and the open.
        tails: Degrees of freedom of the moves' t distribution.
        shocks: Moves, as fractions (-0.2), that happen on top, each at a place of its own; the days after are wild.
    """
    made = np.random.default_rng(seed)
    places = dict(
        zip(made.choice(np.arange(60, bars - 60), len(shocks), replace=False).tolist(), shocks, strict=True)
    )
    noise = made.standard_t(tails, bars) / np.sqrt(tails / (tails - 2))
    variance, moves = usual**2, np.empty(bars)
    for at in range(bars):
        moves[at] = np.log1p(places[at]) if at in places else np.sqrt(variance) * noise[at]
        variance = 0.06 * usual**2 + 0.1 * min(moves[at] ** 2, (8 * usual) ** 2) + 0.84 * variance
    moves = np.clip(moves, np.log(0.35), np.log(1.9))
    opening = gap * moves + 0.05 * usual * made.standard_normal(bars)
    closes = 100 * np.exp(np.cumsum(moves))
    opens = np.concatenate([[100.0], closes[:-1]]) * np.exp(opening)
    wick = usual * np.abs(made.standard_normal((2, bars)))
    volume = 1e6 * np.exp(0.4 * made.standard_normal(bars)) * (1 + 3 * np.abs(moves) / usual / 4)
    return _prices(
        opens,
        np.maximum(opens, closes) * np.exp(wick[0]),
        np.minimum(opens, closes) * np.exp(-wick[1]),
        closes,
        volume,
        hours,
    )


def _prices(
    opens: NDArray[np.float64], highs: NDArray[np.float64], lows: NDArray[np.float64], closes: NDArray[np.float64],
    volume: NDArray[np.float64], hours: int,
) -> Prices:  # fmt: skip
    times = np.datetime64("2020-01-01", "ns") + np.arange(len(opens)) * np.timedelta64(hours, "h")
    return Prices(times=times, open=opens, high=highs, low=lows, close=closes, volume=volume, origin=ORIGIN)


def real(name: str) -> Prices:
    """Return a history that `backtesting` ships: GOOG (daily), EURUSD (hourly), BTCUSD (monthly)."""
    found = importlib.util.find_spec("backtesting")
    assert found is not None
    assert found.origin is not None
    with (Path(found.origin).parent / "test" / f"{name}.csv").open() as file:
        rows = list(csv.reader(file))[1:]
    columns = [np.array([float(row[at]) for row in rows]) for at in range(1, 6)]
    times = np.array([row[0].replace(" ", "T") for row in rows], dtype="M8[ns]")
    return Prices(
        times=times,
        open=columns[0],
        high=columns[1],
        low=columns[2],
        close=columns[3],
        volume=columns[4],
        origin=ORIGIN,
    )


def split(prices: Prices, bar: int, ratio: float, *, volume: bool = True) -> Prices:
    """Leave a split unapplied: prices before a bar are `ratio` times as high, volumes as low."""
    factor = np.where(np.arange(len(prices)) < bar, ratio, 1.0)
    scaled = {name: getattr(prices, name) * factor for name in _COLUMNS}
    return replace(prices, **scaled, volume=prices.volume / factor if volume else prices.volume)


def one_bar(prices: Prices, bar: int, factor: float) -> Prices:
    """Multiply the prices of one bar."""
    factors = np.where(np.arange(len(prices)) == bar, factor, 1.0)
    return replace(prices, **{name: getattr(prices, name) * factors for name in _COLUMNS})


def stretch(prices: Prices, first: int, last: int, factor: float) -> Prices:
    """Multiply the prices of a stretch of bars: a switch of the unit and back."""
    at = np.arange(len(prices))
    factors = np.where((at >= first) & (at < last), factor, 1.0)
    return replace(prices, **{name: getattr(prices, name) * factors for name in _COLUMNS})


def frozen(prices: Prices, first: int, bars: int) -> Prices:
    """Repeat the close before a bar for some bars."""
    at = np.arange(len(prices))
    still = (at >= first) & (at < first + bars)
    return replace(
        prices, **{name: np.where(still, prices.close[first - 1], getattr(prices, name)) for name in _COLUMNS}
    )
