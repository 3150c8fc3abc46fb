"""How fast the engine is, against baselines measured in the same run: `python tests/benchmarks/engine_speed.py`.

The limit: one numpy pass over the same arrays (`one_pass`), of which the engine may take 5 times as long. The
plain way: a loop over the rows of a pandas frame (`pandas_loop`); the engine has to be 100 times as fast.
"""

from __future__ import annotations

import math
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

from support.engine_markets import market

from quantlab.domain.config import RunConfig
from quantlab.trading.simulation import simulate
from quantlab.trading.strategies.strategy import built_in
from quantlab.trading.tape import Decided

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from quantlab.trading.market import Prices

CONFIG = RunConfig()
SIZES = (100_000, 5_000_000)
LOOP_ROWS = 20_000
ROUNDS = 7


def minutes(bars: int) -> Prices:
    """Return a random walk of one-minute bars, of which the default settings trade on one in eight."""
    random = np.random.default_rng(7)
    return market(100 * np.exp(np.cumsum(random.normal(0, 0.0005, bars))), step="m")


def one_pass(prices: Prices) -> tuple[NDArray[np.float64], ...]:
    """Read four arrays of prices once and write four arrays of results: no engine can do without."""
    return prices.open + 1.0, prices.high + 1.0, prices.low + 1.0, prices.close + 1.0


def pandas_loop(prices: Prices) -> list[float]:
    """Trade as rsi_ma_cross_v2 does, in the plain way: indicators by pandas, then `iterrows`."""
    frame = pd.DataFrame({"open": prices.open, "close": prices.close})
    change = frame["close"].diff()
    frame["mean"] = frame["close"].rolling(20).mean()
    frame["rises"], frame["falls"] = _wilder(change.clip(lower=0)), _wilder(-change.clip(upper=0))
    frame["rsi"] = 100 * frame["rises"] / (frame["rises"] + frame["falls"])
    slip = CONFIG.slippage_bps / 1e4
    cash, units, order, before, equity = CONFIG.initial_cash, 0.0, "", math.nan, []
    for _, row in frame.iterrows():
        if order == "buy":
            units, cash = cash / (row["open"] * (1 + slip) * (1 + CONFIG.fee)), 0.0
        elif order == "sell":
            units, cash = 0.0, cash + units * row["open"] * (1 - slip) * (1 - CONFIG.fee)
        equity.append(cash + units * row["close"])
        now = row["close"] - row["mean"]
        up, down = before <= 0 < now, before >= 0 > now
        order = ""
        if units == 0 and up and row["rsi"] < CONFIG.rsi_buy_max:
            order = "buy"
        elif units > 0 and (down or row["rsi"] > CONFIG.rsi_sell_min):
            order = "sell"
        before = now
    return equity


def _wilder(values: pd.Series[float]) -> pd.Series[float]:
    """Return Wilder's average from its seed, the mean of the first 14 changes."""
    seeded = values.copy()
    seeded.iloc[:14] = np.nan
    seeded.iloc[14] = values.iloc[1:15].mean()
    return seeded.ewm(alpha=1 / 14, adjust=False).mean()


def fastest(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Return the shortest of several timings, in seconds."""
    return min(_seconds(work) for _ in range(rounds))


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _ready(prices: Prices) -> Decided:
    """Return a strategy whose signals are computed already, so that only the engine is timed."""
    return Decided(built_in().signals(prices, CONFIG))


def main() -> None:
    """Print the table: absolute times, ratios, and whether the bars are met."""
    few = minutes(LOOP_ROWS)
    per_row = fastest(lambda: pandas_loop(few), 2) / LOOP_ROWS
    print(
        f"pandas loop: {per_row * 1e6:.1f} us a row, measured on {LOOP_ROWS:,} rows; it grows with the rows"
    )
    print("     bars  what                              ms  x one pass  (<= 5)  x pandas loop (>= 100)")
    for bars in SIZES:
        _compare(minutes(bars), per_row * bars)


def _compare(prices: Prices, loop: float) -> None:
    limit, ready = fastest(lambda: one_pass(prices)), _ready(prices)
    print(f"{len(prices):>9,}  {'one numpy pass (the limit)':<27} {limit * 1e3:>8.2f}")
    for what, strategy in (
        ("engine, signals given", ready),
        ("engine with its strategy", built_in()),
    ):
        taken = fastest(partial(simulate, prices, CONFIG, strategy))
        near, fast = taken / limit, loop / taken
        print(
            f"{len(prices):>9,}  {what:<27} {taken * 1e3:>8.2f}  {near:>10.1f}  {_verdict(near <= 5)}"
            f"  {fast:>13,.0f}  {_verdict(fast >= 100)}"
        )


def _verdict(met: bool) -> str:
    return "met   " if met else "missed"


if __name__ == "__main__":
    main()
