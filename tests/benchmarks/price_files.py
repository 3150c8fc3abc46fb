"""How fast a price file is read, against `pandas.read_csv` of the same file: `python tests/benchmarks/price_files.py`.

pandas only splits the rows and leaves the times as texts; ours are times in order, checked prices and one line that
says what was understood. The bar: twice as long, in processor time, for a machine with other work makes both wait.
"""

from __future__ import annotations

import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

from datetime import UTC, datetime

from timing import clocked_in_turn

from quantlab.domain.config import RunConfig
from quantlab.trading.prices import files
from quantlab.trading.prices.asked import asked_by

ROWS = 1_000_000
BAR = 2.0
ROUNDS = 9
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}


def table(rows: int) -> pd.DataFrame:
    """Return bars of a minute each, with four decimals."""
    made = np.random.default_rng(1)
    price = 100 * np.exp(np.cumsum(made.normal(0, 1e-3, rows)))
    times = pd.date_range("2015-01-01", periods=rows, freq="min")
    columns = {
        "open": price,
        "high": price * 1.001,
        "low": price * 0.999,
        "close": price,
        "volume": np.arange(rows) % 1_000 + 0.5,
    }
    return pd.DataFrame({"time": times, **{name: np.round(column, 4) for name, column in columns.items()}})


def main() -> int:
    """Print one line a shape; returns 1 where the bar is missed."""
    bars, missed = table(ROWS), False
    config = RunConfig(prices="x", ticker="X", start="2015-01-01", end="2017-01-01", interval="1m")
    asked = asked_by(config, datetime(2026, 1, 1, tzinfo=UTC))
    shapes = {
        "ISO times": bars.assign(time=bars.time.dt.strftime("%Y-%m-%d %H:%M:%S")),
        "counts since 1970": bars.assign(
            time=(bars.time - pd.Timestamp("1970-01-01")) // pd.Timedelta(milliseconds=1)
        ),
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, shape in shapes.items():
            path = Path(folder) / "prices.csv"
            shape.to_csv(path, index=False)
            found = clocked_in_turn(
                partial(files.fetch, str(path), asked),
                partial(pd.read_csv, path),
                list(CLOCKS.values()),
                ROUNDS,
            )
            for clock, (ours, plain, ratio) in zip(CLOCKS, found, strict=True):
                print(f"{name:20} {clock:10} {ours:.2f} s, read_csv {plain:.2f} s, ratio {ratio:.2f}")
            missed |= found[-1][-1] > BAR
    print(f"{ROWS:,} rows; the bar of {BAR} is {'missed' if missed else 'met'}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
