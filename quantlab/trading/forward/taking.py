"""One bar of the tape through strategy and engine: what was wanted, what was done, and the state after it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from quantlab.trading.engine import step
from quantlab.trading.reasons import account
from quantlab.trading.tape import Tape

if TYPE_CHECKING:
    from quantlab.domain.config import RunConfig
    from quantlab.trading.engine import EngineState
    from quantlab.trading.forward.recorded_signals import Signal
    from quantlab.trading.market import Prices
    from quantlab.trading.reasons import Account
    from quantlab.trading.results import Fill
    from quantlab.trading.strategies.decisions import Decisions
    from quantlab.trading.tape import Decider


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A bar that was decided on.

    Attributes:
        bar: Its index on the tape.
        signal: What the strategy wanted.
        values: What its rule looked at, by name; None where that is no finite number.
        account: What came of it, and why.
        fill: The fill in this bar, if any.
        state: The engine's state after it.
        equity: Cash and position at its mark.
    """

    bar: int
    signal: Signal
    values: dict[str, float | None]
    account: Account
    fill: Fill | None
    state: EngineState
    equity: float


def course_of(prices: Prices, config: RunConfig, strategy: Decider) -> Tape:
    """Return the whole tape as the engine takes it, with what the strategy says of it.

    Raises:
        StrategyError: the strategy failed.
    """
    with np.errstate(all="ignore"):
        return Tape.of(prices, config, strategy)


def take(course: Tape, state: EngineState, *, void: int = 0) -> list[Taken]:
    """Let the bars that are left go by, one at a time.

    Args:
        course: The whole tape, and what the strategy wants on it.
        state: The engine's state before the first bar that is left.
        void: Bars at the beginning on which the strategy's signals count for nothing.
    """
    config = course.config
    taken: list[Taken] = []
    for index in range(state.bars_done, len(course.prices)):
        bar = course.bar(index)
        after, fill = step(state, bar, config)
        taken.append(
            Taken(
                bar=index,
                signal=(bar.enter, bar.leave, bar.size),
                values=values_at(course.signals, index),
                account=account(state, bar, after, fill, config, void=void),
                fill=fill,
                state=after,
                equity=after.cash + after.quantity * after.mark,
            )
        )
        state = after
    return taken


def values_at(decisions: Decisions, index: int) -> dict[str, float | None]:
    """Return what a rule looked at on a bar; None for what is no finite number."""
    found = {name: float(column[index]) for name, column in decisions.values.items()}
    return {name: value if math.isfinite(value) else None for name, value in found.items()}
