"""How long the check of a strategy takes: `python tests/benchmarks/strategy_check.py`.

Each strategy of the tests that passes is checked on 500 bars in this process (the bar: 0.2 s of the processor's time,
for a machine with other work makes it wait), and the built-in on more bars, where the check is thinned.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.engine_markets import walk
from support.strategy_cases import SOUND

from quantlab.trading.strategies.checking import Checked, check, question_of
from quantlab.trading.strategies.strategy import Strategy, View, built_in

if TYPE_CHECKING:
    from typing import Any

BARS, MOST = 500, 0.2
LONG = (5_000, 50_000, 500_000)
LIMITS = {"rsi_buy_max": 60.0, "rsi_sell_min": 75.0}


def main() -> None:
    """Print the table: the best of five."""
    print("strategy                    bars      wall  processor  cuts")
    for decide in SOUND:
        _print(Strategy(name=decide.__name__, decide=decide), {}, BARS)
    _print(built_in(), LIMITS, BARS)
    for bars in LONG:
        _print(built_in(), LIMITS, bars)


def _print(strategy: Strategy, values: dict[str, Any], bars: int) -> None:
    turns = [_timed(strategy, values, bars) for _ in range(5)]
    wall, seconds = min(turn[0] for turn in turns), min(turn[1] for turn in turns)
    verdict = "" if bars != BARS else "met" if seconds <= MOST else "missed"
    cuts = turns[0][2].cuts
    print(f"{strategy.name:<24} {bars:>7,}  {wall:>8.3f}  {seconds:>9.3f}  {cuts:>4}  {verdict}")


def _timed(strategy: Strategy, values: dict[str, Any], bars: int) -> tuple[float, float, Checked]:
    seen = View.of(walk(bars)).bars
    began, worked = time.perf_counter(), time.process_time()
    found = check(
        lambda: question_of(strategy.asked, values), seen, name=strategy.name, least=strategy.min_history
    )
    return time.perf_counter() - began, time.process_time() - worked, found


if __name__ == "__main__":
    main()
