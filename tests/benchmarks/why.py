"""How long `why` takes to reason 730 bars, prices and rule in memory.

Run: python tests/benchmarks/why.py [ROUNDS]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.engine_markets import walk

from quantlab.domain.config import RunConfig
from quantlab.runner.why import reasoned
from quantlab.trading.strategies.strategy import built_in

BARS, BOUND = 730, 0.020


def main() -> None:
    """Print the best of some rounds against the bound, and its processor time."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    prices, config, rule = walk(BARS), RunConfig(), built_in()
    wall, processor = [], []
    for _ in range(rounds):
        began, worked = time.perf_counter(), time.process_time()
        reasoned(prices, config, rule, void=rule.min_bars)
        wall.append(time.perf_counter() - began)
        processor.append(time.process_time() - worked)
    print(f"{BARS} bars: {1000 * min(wall):.1f} ms (bound {1000 * BOUND:.0f} ms)")
    print(f"processor time: {1000 * min(processor):.1f} ms")


if __name__ == "__main__":
    main()
