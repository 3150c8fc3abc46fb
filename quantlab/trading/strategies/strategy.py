"""A strategy that can be asked: its function, its name and its demands; and the border at which it may fail."""

from __future__ import annotations

import importlib
import traceback
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from quantlab.base.errors import DataError, QuantlabError, StrategyError
from quantlab.trading.market import all_usable, usable
from quantlab.trading.strategies.base import Bars
from quantlab.trading.strategies.decisions import Decisions, decisions_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from numpy.typing import NDArray

    from quantlab.domain.config import RunConfig
    from quantlab.trading.market import Array, Prices
    from quantlab.trading.strategies.parameters import Value

BUILT_IN = "rsi_ma_cross_v2"
"""The strategy that runs where none is named."""


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """A named strategy.

    Attributes:
        name: What it is called.
        decide: The strategy itself: from bars and parameters to signals, pure and prefix-stable.
        min_bars: Signals on earlier bars count for nothing, and with fewer bars it is not asked.
        min_history: Bars that there must be in all, where that is more.
        files: File names of its own code, so that an error can say where it happened.
    """

    name: str
    decide: Callable[..., object]
    min_bars: int = 0
    min_history: int = 0
    files: frozenset[str] = field(default_factory=frozenset)

    def signals(self, prices: Prices, config: RunConfig) -> Decisions:
        """Return its decisions for these prices, with the parameters that the configuration holds.

        Raises:
            DataError: there are fewer bars than it demands.
            StrategyError: it failed, or answered something else than one signal a bar.
        """
        return self.decisions(prices, config.rule_parameters())

    def decisions(self, prices: Prices, parameters: Mapping[str, Value]) -> Decisions:
        """Return its decisions for these prices and parameters.

        Bars without a usable close carry the last one and signal nothing; the rule begins at the first usable close.

        Raises:
            DataError: there are fewer bars than it demands.
            StrategyError: it failed, or answered something else than one signal a bar.
        """
        self.require_enough(len(prices))
        view = View.of(prices)
        return view.placed(self.asked(view.bars, parameters) if len(view.bars) else None)

    def require_enough(self, bars: int) -> None:
        """Refuse a history that is shorter than the strategy demands.

        Raises:
            DataError: it is.
        """
        fewest = max(self.min_bars, self.min_history)
        if bars < fewest:
            raise DataError(
                f"{bars} bars came; {self.name} needs at least {fewest}. "
                "Ask for a longer range or a shorter interval."
            )

    def asked(self, bars: Bars, parameters: Mapping[str, Value]) -> Decisions:
        """Return its decisions for bars that are all usable.

        Raises:
            StrategyError: as `decisions`.
        """
        try:
            with np.errstate(all="ignore"):
                answer = self.decide(bars, **parameters)
        except QuantlabError:
            raise
        except (SystemExit, Exception) as error:
            raise StrategyError(
                f"Strategy {self.name} failed on {len(bars)} bars: {error_line(error, self.files)}. "
                "Correct the strategy, or check these prices and parameters."
            ) from error
        return decisions_of(answer, bars, name=self.name, void=self.min_bars)


@dataclass(frozen=True)
class View:
    """What a strategy is given of prices, and where its answer belongs.

    Attributes:
        bars: The bars from the first usable close on; prices that can't be traded at stand as the last usable close.
        first: Bars before them.
        good: On which bars of all the close is usable; None where every price is.
    """

    bars: Bars
    first: int
    good: NDArray[np.bool_] | None

    @classmethod
    def of(cls, prices: Prices) -> Self:
        """Look at prices as a strategy does."""
        quotes = {name: getattr(prices, name) for name in ("open", "high", "low", "close")}
        if all(all_usable(each) for each in quotes.values()):
            return cls(Bars(time=prices.times, volume=prices.volume, **quotes), 0, None)
        good = usable(prices.close)
        first = int(np.argmax(good)) if good.any() else len(prices)
        latest = np.maximum.accumulate(np.where(good, np.arange(len(prices)), 0))[first:]
        close = prices.close[latest]
        carried = {name: np.where(usable(each[first:]), each[first:], close) for name, each in quotes.items()}
        return cls(Bars(time=prices.times[first:], volume=prices.volume[first:], **carried), first, good)

    def placed(self, decided: Decisions | None) -> Decisions:
        """Set an answer behind the bars that the rule never saw; without a usable close nothing is wanted."""
        if decided is None:
            decided = _nothing()
        if self.good is None:
            return decided

        def behind(values: Array, filler: float = 0) -> Array:
            return np.concatenate([np.full(self.first, filler, values.dtype), values])

        return replace(
            decided,
            enter=behind(decided.enter) & self.good,
            leave=behind(decided.leave) & self.good,
            enter_reason=behind(decided.enter_reason),
            leave_reason=behind(decided.leave_reason),
            size=None if decided.size is None else behind(decided.size, 1.0),
            values={name: behind(each, np.nan) for name, each in decided.values.items()},
        )


def built_in() -> Strategy:
    """Return the built-in strategy, made as a user's file is."""
    return of_module(importlib.import_module(f"quantlab.trading.strategies.{BUILT_IN}"), BUILT_IN)


def of_module(
    module: ModuleType, name: str, function: str = "decide", files: frozenset[str] = frozenset()
) -> Strategy:
    """Return the strategy that a module holds.

    Args:
        module: Where it stands; `min_bars` and `min_history` are read beside it.
        name: What it is called.
        function: The function's name.
        files: File names of its code.

    Raises:
        StrategyError: there is no such function, or a demand for bars is no whole number.
    """
    decide = getattr(module, function, None)
    if not callable(decide):
        there = sorted(one for one, value in vars(module).items() if _is_rule(module, one, value))
        hint = f"it holds {', '.join(there)}; name one as FILE.py:FUNCTION" if there else "write one"
        raise StrategyError(
            f"Strategy {name}: {module.__file__} has no function {function!r}; expected "
            f"def {function}(bars: Bars, …) -> Signals. {hint[:1].upper()}{hint[1:]}."
        )
    return Strategy(
        name=name,
        decide=decide,
        min_bars=_demand(module, name, "min_bars"),
        min_history=_demand(module, name, "min_history"),
        files=files,
    )


def error_line(error: BaseException, files: frozenset[str] = frozenset()) -> str:
    """Return an error as a line: the user's file and line where it is known, the kind of error and what it says."""
    kind = "SystemExit (it left with exit())" if isinstance(error, SystemExit) else type(error).__name__
    what = f"{kind}: {' '.join(str(error).split()) or 'no message'}"
    place = line_of(error, files)
    return what if place is None else f"{place}: {what}"


def line_of(error: BaseException, files: frozenset[str]) -> str | None:
    """Return 'mine.py, line 12' of the user's last line on an error's way; None where it met none."""
    if isinstance(error, SyntaxError) and error.filename in files:
        return f"{_short(error.filename)}, line {error.lineno}"
    frames = [(code.f_code.co_filename, line) for code, line in traceback.walk_tb(error.__traceback__)]
    mine = [(name, line) for name, line in frames if name in files]
    return f"{_short(mine[-1][0])}, line {mine[-1][1]}" if mine else None


def _short(filename: str | None) -> str:
    return str(filename).rpartition("/")[2]


def _is_rule(module: ModuleType, name: str, value: object) -> bool:
    return (
        callable(value) and not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
    )


def _demand(module: ModuleType, name: str, what: str) -> int:
    bars = getattr(module, what, 0)
    if isinstance(bars, bool) or not isinstance(bars, int) or bars < 0:
        raise StrategyError(
            f"Strategy {name}: {what} is {bars!r}; expected a whole number of bars, such as 60."
        )
    return bars


def _nothing() -> Decisions:
    never, none = np.zeros(0, np.bool_), np.zeros(0, np.uint8)
    return Decisions(
        enter=never,
        leave=never,
        enter_reason=none,
        leave_reason=none,
        reasons=("enter",),
        size=None,
        values={},
    )
