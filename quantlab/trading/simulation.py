"""A whole history through the engine, in as many advances as the caller likes.

Bar by bar, in any pieces, resumed from a stored state or all at once: the results are the same to the last
bit. Numbers that leave the range of floats are a `DataError` of the result, not numpy's warning on the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quantlab.base.errors import DataError
from quantlab.trading import batch
from quantlab.trading.engine import Bar, EngineState, step
from quantlab.trading.fills import Fills
from quantlab.trading.results import Simulation
from quantlab.trading.strategies.strategy import built_in
from quantlab.trading.tape import Tape

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from quantlab.domain.config import RunConfig
    from quantlab.trading.market import Prices
    from quantlab.trading.results import Fill
    from quantlab.trading.tape import Decider

__all__ = ["Bar", "EngineState", "Replay", "require_computable", "simulate", "step"]

COMPUTABLE = (1e-250, 1e250)
"""Beyond these, products and the margins of a chart leave the range of floats."""
_FEW_BARS = 16
"""Up to here single steps are faster than the batch's fixed cost."""


def simulate(prices: Prices, config: RunConfig, strategy: Decider | None = None) -> Simulation:
    """Return the simulation of the whole history.

    Raises:
        DataError: there are too few bars, or equity can't be computed with.
        StrategyError: the strategy failed.
    """
    return Replay(prices, config, strategy=strategy).result()


def require_computable(equity: NDArray[np.float64]) -> None:
    """Refuse equity beyond `COMPUTABLE`; ruin never leaves it, prices beyond all reason do.

    Raises:
        DataError: it is no finite number, or lies so far out that no axis holds it.
    """
    least, most = COMPUTABLE
    if len(equity) and not (equity.min() >= least and equity.max() <= most):
        raise DataError(
            f"Equity leaves the range from {least:g} to {most:g}: the prices, or initial_cash, are too large or too "
            "small to compute with. Expected prices and cash between 1e-100 and 1e100; check the source."
        )


class Replay:
    """The engine on its way through a history.

    Args:
        prices: The bars.
        config: What is computed.
        strategy: Whose decisions are traded; the built-in's where none is given.
        state: Where to go on, from an earlier replay of the same bars (or of the first of them) and settings.
        fills: The fills up to there.

    Raises:
        DataError: there are too few bars for the strategy, or state and fills don't belong to these bars.
        StrategyError: the strategy failed.
    """

    @np.errstate(all="ignore")
    def __init__(
        self,
        prices: Prices,
        config: RunConfig,
        *,
        strategy: Decider | None = None,
        state: EngineState | None = None,
        fills: Iterable[Fill] = (),
    ) -> None:
        self._tape = Tape.of(prices, config, built_in() if strategy is None else strategy)
        self._state = EngineState.initial(config) if state is None else state
        self._parts = [Fills.of(fills)]
        self._check_resumable()

    @property
    def tape(self) -> Tape:
        """What the engine reads."""
        return self._tape

    @property
    def state(self) -> EngineState:
        """The engine's state before the next bar."""
        return self._state

    @property
    def bars_done(self) -> int:
        """How many bars have gone by."""
        return self._state.bars_done

    def advance(self, until: int) -> tuple[Fill, ...]:
        """Let bars go by until `until` of them are done, or all; return the fills of those bars.

        Going backwards is no error and does nothing.
        """
        return tuple(self._advance(until))

    @np.errstate(all="ignore")
    def result(self) -> Simulation:
        """Return the whole history, letting the bars that are left go by.

        Raises:
            DataError: equity can't be computed with, because prices are beyond all reason.
        """
        self._advance(len(self._tape.prices))
        simulation = self._history(Fills.joined([part for part in self._parts if len(part)]))
        require_computable(simulation.equity)
        return simulation

    @np.errstate(all="ignore")
    def _advance(self, until: int) -> Fills:
        until = min(until, len(self._tape.prices))
        stepped: list[Fill] = []
        while self.bars_done < until and (
            self._state.order is not None or until - self.bars_done <= _FEW_BARS
        ):
            self._state, fill = step(self._state, self._tape.bar(self.bars_done), self._tape.config)
            stepped += [fill] if fill is not None else []
        parts = [Fills.of(stepped)]
        if self.bars_done < until:
            self._state, fills = batch.steps(self._tape, self._state, until)
            parts.append(fills)
        parts = [part for part in parts if len(part)]
        self._parts += parts
        return Fills.joined(parts)

    def _history(self, fills: Fills) -> Simulation:
        cash = self._held(fills, "cash_after", self._tape.config.initial_cash)
        quantity = self._held(fills, "position_after", 0.0)
        equity = quantity * self._tape.mark
        return Simulation(
            fills=fills,
            cash=cash,
            quantity=quantity,
            mark=self._tape.mark,
            equity=np.add(cash, equity, out=equity),
            pending=self._state.order,
            skipped_fills=self._state.skipped_fills,
            refused_orders=self._state.refused_orders,
        )

    def _held(self, fills: Fills, column: str, initial: float) -> NDArray[np.float64]:
        """Spread what each fill left over the bars from it to the next."""
        edges = np.concatenate([[0], fills.column("bar"), [len(self._tape.prices)]])
        return np.repeat(np.concatenate([[initial], fills.column(column)]), np.diff(edges))

    def _check_resumable(self) -> None:
        earlier, bars = self._parts[0], len(self._tape.prices)
        held = earlier[-1].position_after if len(earlier) else 0.0
        last = earlier[-1].bar if len(earlier) else -1
        if not (last < self.bars_done <= bars and held == self._state.quantity):
            raise DataError(
                f"The stored state ({self.bars_done} bars done, {self._state.quantity!r} units held) "
                f"does not belong to these {bars} bars and {len(earlier)} earlier fills. Expected both from "
                "one replay of these bars; start the session again."
            )
