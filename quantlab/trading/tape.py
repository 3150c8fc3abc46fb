"""Prices, signals and slippage of a whole history, prepared once for the engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np

from quantlab.trading.engine import Bar
from quantlab.trading.market import all_usable, usable
from quantlab.trading.orders import carried, slippage_fractions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quantlab.domain.config import RunConfig
    from quantlab.trading.market import Prices
    from quantlab.trading.strategies.decisions import Decisions


class Decider(Protocol):
    """What the engine asks for decisions: a strategy, or decisions that were taken elsewhere."""

    def signals(self, prices: Prices, config: RunConfig) -> Decisions:
        """Return one decision a bar."""


@dataclass(frozen=True)
class Decided:
    """Decisions that were taken already."""

    decisions: Decisions

    def signals(self, prices: Prices, config: RunConfig) -> Decisions:  # noqa: ARG002 - as every decider
        """Return them.

        Raises:
            ValueError: they are not one a bar.
        """
        if len(self.decisions) != len(prices):
            raise ValueError(f"{len(self.decisions)} decisions were taken for {len(prices)} bars")
        return self.decisions


@dataclass(frozen=True, kw_only=True)
class Tape:
    """What the engine reads, one entry a bar.

    Attributes:
        prices: The bars themselves.
        config: What is computed.
        signals: The strategy's decisions; those on an unusable close are never taken.
        slippage: Fraction that an order decided on the bar will lose.
        mark: The close, or the last usable one; 0 before any.
        waits: For each bar at which nothing can be filled, the next one at which it can; n if there is none.
    """

    prices: Prices
    config: RunConfig
    signals: Decisions
    slippage: NDArray[np.float64]
    mark: NDArray[np.float64]
    waits: dict[int, int]

    @classmethod
    def of(cls, prices: Prices, config: RunConfig, strategy: Decider) -> Self:
        """Ask the strategy and prepare the history.

        Raises:
            DataError: there are too few bars for the strategy.
            StrategyError: the strategy failed.
        """
        return cls(
            prices=prices,
            config=config,
            signals=strategy.signals(prices, config),
            slippage=slippage_fractions(prices, config),
            mark=marks(prices),
            waits=_waits(prices.open) if config.fill == "next_open" else {},
        )

    def bar(self, index: int) -> Bar:
        """Return one bar as the engine's step takes it."""
        signals = self.signals
        return Bar(
            open=float(self.prices.open[index]),
            close=float(self.prices.close[index]),
            enter=signals.reasons[signals.enter_reason[index]] if signals.enter[index] else None,
            leave=signals.reasons[signals.leave_reason[index]] if signals.leave[index] else None,
            slippage=float(self.slippage[index]),
            size=1.0 if signals.size is None else float(signals.size[index]),
        )

    def wanted(self, start: int, stop: int) -> tuple[NDArray[np.intp], NDArray[np.bool_], NDArray[np.bool_]]:
        """Return the bars of a range on whose usable close there is a signal, and which signals they are."""
        enter, leave = self.signals.enter[start:stop], self.signals.leave[start:stop]
        bars = np.flatnonzero(enter | leave)
        enter, leave = enter[bars], leave[bars]
        bars += start
        if self.mark is not self.prices.close:
            good = usable(self.prices.close[bars])
            return bars[good], enter[good], leave[good]
        return bars, enter, leave


def marks(prices: Prices) -> NDArray[np.float64]:
    """Return what a unit is valued at on each bar: the close, or the last usable one; 0 before any."""
    return prices.close if all_usable(prices.close) else np.nan_to_num(carried(prices.close), nan=0.0)


def _waits(opens: NDArray[np.float64]) -> dict[int, int]:
    if all_usable(opens):
        return {}
    good = usable(opens)
    bars = np.arange(len(opens))
    following = np.minimum.accumulate(np.where(good, bars, len(opens))[::-1])[::-1]
    return dict(zip(bars[~good].tolist(), following[~good].tolist(), strict=True))
