"""How many bars of a finished simulation have each reason, without walking through them one by one.

It gives the reasons that `reasons.account` gives, bar by bar; the tests hold it to that. Where orders were refused the
simulation does not say on which bars, so the bars go through the engine's own step again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quantlab.trading import orders
from quantlab.trading.engine import EngineState, rest_after, step
from quantlab.trading.fills import Fills
from quantlab.trading.reasons import Why, account, most_first

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quantlab.domain.config import RunConfig
    from quantlab.trading.results import Simulation
    from quantlab.trading.tape import Tape

    Flags = NDArray[np.bool_]

_ALL = tuple(Why)


@np.errstate(all="ignore")
def counted_reasons(tape: Tape, simulation: Simulation, *, void: int = 0) -> dict[str, int]:
    """Return how many bars have each reason, the most frequent first; those that no bar has are left out.

    Args:
        tape: What the engine read.
        simulation: What came of all of it.
        void: Bars at the beginning on which the strategy's signals count for nothing.
    """
    if simulation.refused_orders:
        return _step_by_step(tape, void)
    return _at_once(tape, simulation, void)


def _at_once(tape: Tape, simulation: Simulation, void: int) -> dict[str, int]:
    config, bars = tape.config, np.arange(len(tape.prices))
    fills = simulation.fills if isinstance(simulation.fills, Fills) else Fills.of(simulation.fills)
    decided, filled = fills.column("signal_bar"), fills.column("bar")
    if simulation.pending is not None:
        decided, filled = np.append(decided, simulation.pending.signal_bar), np.append(filled, len(bars))
    holding = simulation.quantity > 0.0
    ruined = ~holding & (simulation.cash < orders.least_cash(config))
    enter, leave = tape.signals.enter, tape.signals.leave
    sought, other = np.where(holding, leave, enter), np.where(holding, enter, leave)
    ordered = np.zeros(len(bars), np.bool_)
    ordered[decided] = True
    # In the order in which `reasons.account` asks.
    reasons = (
        (ordered, Why.ORDERED),
        (bars < max(config.warmup, void), Why.WARMING_UP),
        (_between(decided, filled, len(bars)), Why.WAITING),
        (ruined, Why.RUINED),
        (sought & (bars < _rests(fills, config, len(bars))), Why.RESTING),
        (~sought & other & holding, Why.HOLDING),
        (~sought & other, Why.NOT_HOLDING),
    )
    codes = np.select([holds for holds, _why in reasons], range(len(reasons)), len(reasons))
    found = np.bincount(codes, minlength=len(reasons) + 1).tolist()
    return most_first(dict(zip([*(why for _holds, why in reasons), Why.NO_SIGNAL], found, strict=True)))


def _between(decided: NDArray[np.int64], filled: NDArray[np.int64], bars: int) -> Flags:
    """Tell of each bar whether an order waits on it, between the bar of its decision and that of its fill."""
    edges = np.zeros(bars + 2, np.int64)
    later = filled > decided
    np.add.at(edges, decided[later] + 1, 1)
    np.add.at(edges, filled[later], -1)
    return np.cumsum(edges)[:bars] > 0


def _rests(fills: Fills, config: RunConfig, bars: int) -> NDArray[np.int64]:
    """Return for each bar the first one on whose close a decision may be taken, as it stands after the bar."""
    filled = fills.column("bar")
    ends = [config.warmup, *(rest_after(bar, config) for bar in filled.tolist())]
    return np.repeat(np.array(ends, np.int64), np.diff(np.concatenate([[0], filled, [bars]])))


def _step_by_step(tape: Tape, void: int) -> dict[str, int]:
    counts: dict[str, int] = dict.fromkeys(_ALL, 0)
    state = EngineState.initial(tape.config)
    for index in range(len(tape.prices)):
        bar = tape.bar(index)
        after, fill = step(state, bar, tape.config)
        counts[account(state, bar, after, fill, tape.config, void=void).why] += 1
        state = after
    return most_first(counts)
