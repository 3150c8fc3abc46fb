"""What a strategy is written with: the bars that it is given and the signals that it answers.

A strategy is one function from whole arrays to whole arrays, one entry a bar:

    def decide(bars: Bars, fast: Annotated[int, Range(2, 500)] = 10) -> Signals: ...

It keeps nothing between calls and knows nothing of later bars: its signals on the first bars are the first of
its signals on all bars.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, kw_only=True)
class Bars:
    """Bars in time order; every array has one entry a bar, shape (n,).

    Prices that can't be traded at (not a number, infinite, zero or negative) stand as the last usable close, and
    bars before the first usable one are left out: what a strategy computes with is always finite and above zero.

    Attributes:
        time: Opening time of each bar, datetime64[ns], UTC.
        open: First price of each bar, in the quote currency; so are high, low and close.
        volume: Units traded; NaN where unknown.
    """

    time: NDArray[np.datetime64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.time)

    def frame(self) -> pd.DataFrame:
        """Return the bars as a pandas frame: columns open to volume, index `time` in UTC."""
        import pandas as pd  # only strategies that ask for frames pay for it

        columns = {name: getattr(self, name) for name in ("open", "high", "low", "close", "volume")}
        return pd.DataFrame(columns, index=pd.DatetimeIndex(self.time, tz="UTC", name="time"))


@dataclass(frozen=True, kw_only=True)
class Signals:
    """What a strategy wants, known at each bar's close; numpy arrays or pandas series with one entry a bar.

    Attributes:
        enter: Whether to buy, if nothing is held; booleans, shape (n,).
        leave: Whether to sell, if something is held; booleans, shape (n,).
        size: Fraction of equity that a buy puts in, above 0 and at most 1; a number, or one a bar.
        enter_reason: Why to buy: a short code for all bars, one a bar, or places in `reasons`.
        leave_reason: Why to sell, likewise.
        reasons: Short codes, such as `cross_up`, for reasons given as places.
        values: What the rule looked at, by name, one number a bar; NaN while it warms up.
    """

    enter: ArrayLike
    leave: ArrayLike
    size: ArrayLike = 1.0
    enter_reason: ArrayLike = "enter"
    leave_reason: ArrayLike = "leave"
    reasons: tuple[str, ...] = ()
    values: Mapping[str, ArrayLike] = field(default_factory=dict)


@dataclass(frozen=True)
class Range:
    """What a parameter may be, in an annotation: `Annotated[int, Range(2, 500)]`; both ends belong to it.

    Attributes:
        least: The smallest value; None where there is none.
        most: The largest value, likewise.
    """

    least: float | None = None
    most: float | None = None

    def holds(self, value: float) -> bool:
        """Tell whether a number lies in the range; what is no number lies in none."""
        above = self.least is None or value >= self.least
        below = self.most is None or value <= self.most
        return above and below and value == value  # noqa: PLR0124 - NaN is the one that differs from itself

    def __str__(self) -> str:
        if self.least is None:
            return "any" if self.most is None else f"at most {self.most:g}"
        return f"{self.least:g} or more" if self.most is None else f"{self.least:g} to {self.most:g}"


def at_most(bars: Bars, count: int) -> Bars:
    """Return the first bars alone."""
    return Bars(**{name: getattr(bars, name)[:count] for name in Bars.__dataclass_fields__})
