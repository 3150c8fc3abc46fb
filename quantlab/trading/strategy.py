"""Strategies: functions from prices and configuration to signals, and the border at which they may fail.

A strategy is prefix-stable: its signals on the first bars are the first of its signals on all bars.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from quantlab.errors import DataError, QuantlabError, StrategyError
from quantlab.trading.indicators import rolling_sum, rsi
from quantlab.trading.rounding import ROUNDING

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from quantlab.config import RunConfig
    from quantlab.trading.market import Prices

STRATEGY_NAME = "rsi_ma_cross_v2"
MIN_BARS = 100
MEAN_WINDOW = 20
RSI_WINDOW = 14
RSI_ROUNDING = 1e-9
"""Points of the RSI that rounding may make: prices' last digits, magnified where their changes are small."""

CROSS_UP = "cross_up"
CROSS_DOWN = "cross_down"
RSI_HIGH = "rsi_high"


@dataclass(frozen=True, kw_only=True)
class Signals:
    """What a strategy wants, one entry a bar, known at that bar's close.

    Attributes:
        enter: Whether to buy, if nothing is held; bool, shape (n,).
        leave: Whether to sell, if something is held; bool, shape (n,).
        enter_reason: Why to buy, as an index into `reasons`; uint8, shape (n,). Read only where `enter` is.
        leave_reason: Why to sell, likewise.
        reasons: Short codes, such as `cross_up`.
    """

    enter: NDArray[np.bool_]
    leave: NDArray[np.bool_]
    enter_reason: NDArray[np.uint8]
    leave_reason: NDArray[np.uint8]
    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """A named strategy.

    Attributes:
        name: Its registered name.
        min_bars: Fewest bars that it says anything sensible about.
        decide: The strategy itself: pure and prefix-stable.
    """

    name: str
    min_bars: int
    decide: Callable[[Prices, RunConfig], Signals]

    def signals(self, prices: Prices, config: RunConfig) -> Signals:
        """Return the strategy's signals for these prices.

        Raises:
            DataError: there are fewer than `min_bars` bars.
            StrategyError: the strategy failed, or answered something else than one signal a bar.
        """
        if len(prices) < self.min_bars:
            raise DataError(
                f"{len(prices)} bars came; {self.name} needs at least {self.min_bars}. "
                "Ask for a longer range or a shorter interval."
            )
        try:
            signals = self.decide(prices, config)
            _check_shapes(signals, len(prices))
        except QuantlabError:
            raise
        except Exception as error:
            raise StrategyError(
                f"Strategy {self.name} failed on {len(prices)} bars of {config.ticker}: "
                f"{type(error).__name__}: {_one_line(error)}. Expected one signal a bar; "
                "correct the strategy, or check these prices and settings."
            ) from error
        return signals


def signals(prices: Prices, config: RunConfig) -> Signals:
    """Return the signals of the strategy that sessions run, `rsi_ma_cross_v2`.

    Raises:
        DataError: there are fewer than `MIN_BARS` bars.
        StrategyError: the strategy failed.
    """
    return STRATEGIES[STRATEGY_NAME].signals(prices, config)


def usable(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which prices can be traded or valued at: finite and above zero."""
    return np.isfinite(values) & (values > 0)


def all_usable(values: NDArray[np.float64]) -> bool:
    """Tell whether every price is usable (an empty series is)."""
    return len(values) == 0 or bool(values.min() > 0 and values.max() < np.inf)


def _check_shapes(signals: Signals, bars: int) -> None:
    for name in ("enter", "leave", "enter_reason", "leave_reason"):
        values = getattr(signals, name)
        expected = np.bool_ if name in ("enter", "leave") else np.uint8
        if values.shape != (bars,) or values.dtype != expected:
            raise ValueError(f"{name} is {values.dtype} of shape {values.shape}")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or "no message"


def _rsi_ma_cross(prices: Prices, config: RunConfig) -> Signals:
    """Decide as `rsi_ma_cross_v2`; bars without a usable close carry the last good one and signal nothing."""
    if all_usable(prices.close):
        return _crosses(prices.close, config)
    good = usable(prices.close)
    bars = len(prices)
    if not good.any():
        nothing = np.zeros(bars, np.bool_)
        return _reasoned(nothing, nothing, nothing, nothing)
    first = int(np.argmax(good))
    latest = np.maximum.accumulate(np.where(good, np.arange(bars), 0))[first:]
    decided = _crosses(prices.close[latest], config)
    return replace(
        decided,
        enter=_led_in(decided.enter, first) & good,
        leave=_led_in(decided.leave, first) & good,
        enter_reason=_led_in(decided.enter_reason, first),
        leave_reason=_led_in(decided.leave_reason, first),
    )


def _led_in(values: NDArray[Any], bars: int) -> NDArray[Any]:
    return np.concatenate([np.zeros(bars, values.dtype), values])


def _crosses(close: NDArray[np.float64], config: RunConfig) -> Signals:
    """Compare closes with their mean as sums, and the RSI with its limits.

    What lies on the mean or on a limit but for rounding lies on it: the unit of the prices decides nothing.
    """
    above, below = _sides(close)
    strength = rsi(close, RSI_WINDOW)
    weak = strength < config.rsi_buy_max - RSI_ROUNDING
    strong = strength > config.rsi_sell_min + RSI_ROUNDING
    return _reasoned(_begins(above), weak, _begins(below), strong)


def _sides(close: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell where a close is above its mean, and where below it, by more than rounding; sums spare the division."""
    sums = rolling_sum(close, MEAN_WINDOW)
    total = close * (MEAN_WINDOW * (1.0 - ROUNDING))
    above = total > sums
    np.multiply(close, MEAN_WINDOW * (1.0 + ROUNDING), out=total)
    return above, total < sums


def _begins(side: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell where a side of the mean is entered from elsewhere; the first mean has nothing to come from."""
    begins = np.zeros_like(side)
    begins[MEAN_WINDOW:] = side[MEAN_WINDOW:] & ~side[MEAN_WINDOW - 1 : -1]
    return begins


def _reasoned(
    up: NDArray[np.bool_], weak: NDArray[np.bool_], down: NDArray[np.bool_], strong: NDArray[np.bool_]
) -> Signals:
    return Signals(
        enter=up & weak,
        leave=down | strong,
        enter_reason=np.zeros(len(up), np.uint8),
        leave_reason=np.where(down, np.uint8(1), np.uint8(2)),
        reasons=(CROSS_UP, CROSS_DOWN, RSI_HIGH),
    )


STRATEGIES: dict[str, Strategy] = {
    STRATEGY_NAME: Strategy(name=STRATEGY_NAME, min_bars=MIN_BARS, decide=_rsi_ma_cross)
}
