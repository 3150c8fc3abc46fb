"""How long the figures of a large result take: `python tests/benchmarks/figures_speed.py`.

30,000 hourly bars with 4,000 fills, in columns; the bar is 10 ms. Beside it, measured in the same run, all that an
outcome evaluates (round trips, drawdowns, digest), and one numpy pass over as many bars. It is one thread that never
waits, so the processor's time is taken: what else runs on the machine counts little.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable  # noqa: TC003 - for a local name's type
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

from support.engine_markets import given_signals, market

from quantlab.domain.config import RunConfig
from quantlab.trading import outcome
from quantlab.trading.metrics import figures
from quantlab.trading.quality import assess
from quantlab.trading.simulation import simulate

BARS, FILLS = 30_000, 4_000
MOST_MS = 10.0
ROUNDS = 30


def main() -> None:
    """Print how long each takes, and whether the bar is met."""
    random = np.random.default_rng(7)
    prices = market(100 * np.exp(np.cumsum(random.normal(0, 0.005, BARS))), step="h")
    config = RunConfig(interval="1h", fee=0.0, slippage_bps=1.0)
    orders = np.linspace(1, BARS - 2, FILLS).astype(int).tolist()
    simulation = simulate(prices, config, given_signals(orders[0::2], orders[1::2]))
    quality = assess(prices, interval="1h", ticker="ETH-USD")
    rows: dict[str, Callable[[], object]] = {
        f"figures, {BARS:,} bars, {len(simulation.fills):,} fills": partial(
            figures, simulation, prices, config, quality.periods_per_year
        ),
        "the whole evaluation": partial(outcome.evaluate, config, prices, quality, simulation, "0" * 64),
        "one numpy pass over the bars": lambda: prices.close + 1.0,
    }
    print("what                                             ms")
    for what, work in rows.items():
        taken = 1e3 * min(_processor_seconds(work) for _ in range(ROUNDS))
        verdict = f"  {'met' if taken <= MOST_MS else 'MISSED'} (<= {MOST_MS:g})" if "figures" in what else ""
        print(f"{what:<44} {taken:>7.2f}{verdict}")


def _processor_seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    main()
