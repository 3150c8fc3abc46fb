"""The tape: every closed bar as it was first seen, in the session's own price scale, under a running hash."""

from __future__ import annotations

import hashlib
from copy import copy
from typing import TYPE_CHECKING, Self

import msgspec
import numpy as np

from quantlab.trading.forward.growing_columns import GrowingColumns
from quantlab.trading.market import Prices

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from quantlab.trading.market import Origin

GENESIS = "0" * 64
"""The hash of a tape that holds nothing."""
_COLUMNS = ("open", "high", "low", "close", "volume")


class SeenBar(msgspec.Struct, frozen=True, gc=False):
    """One closed bar.

    Attributes:
        opened_at: Opening time, nanoseconds since 1970, UTC.
        open: First price; so high, low and close, in the session's scale.
        volume: Units traded, in the session's scale; NaN where unknown.
    """

    opened_at: int
    open: float
    high: float
    low: float
    close: float
    volume: float

    @property
    def values(self) -> tuple[float, float, float, float, float]:
        """Open, high, low, close and volume."""
        return self.open, self.high, self.low, self.close, self.volume


def next_hash(previous: str, bar: SeenBar) -> str:
    """Return the hash of a tape after one more bar: SHA-256 over the hash before it and the bar as text."""
    return hash_of(
        previous, bar.opened_at, f"{bar.open!r},{bar.high!r},{bar.low!r},{bar.close!r},{bar.volume!r}"
    )


def hash_of(previous: str, opened_at: int, values: str) -> str:
    """Return what `next_hash` does, of a bar whose values are text already, as Python writes them."""
    return hashlib.sha256(f"{previous},{opened_at},{values}".encode("ascii")).hexdigest()


class BarTape:
    """The bars of a session in time order; it only grows.

    The first `warmup` bars came before the session's beginning: they prepare indicators and are never traded on.
    """

    def __init__(self, warmup: int) -> None:
        self.warmup = warmup
        self.hash = GENESIS
        self._last = np.iinfo(np.int64).min
        self._times = GrowingColumns(1, np.int64)
        self._values = GrowingColumns(len(_COLUMNS))

    @classmethod
    def of(cls, warmup: int, bars: Iterable[SeenBar]) -> Self:
        """Return the tape that holds these bars."""
        tape = cls(warmup)
        for bar in bars:
            tape.append(bar)
        return tape

    def branch(self) -> Self:
        """Return a tape that holds the same bars and grows for itself.

        It shares the room behind them, so that nothing is copied: it holds until this tape, or another branch of it,
        takes other bars than it has.
        """
        tape = copy(self)
        tape.__dict__ |= {"_times": self._times.branch(), "_values": self._values.branch()}
        return tape

    def __len__(self) -> int:
        return len(self._times)

    @property
    def times(self) -> NDArray[np.datetime64]:
        """Opening time of each bar, datetime64[ns], UTC."""
        times: NDArray[np.datetime64] = self._times.columns[0].view("M8[ns]")
        return times

    def values(self, bar: int) -> tuple[float, ...]:
        """Return open, high, low, close and volume of a bar."""
        return tuple(self._values.columns[:, bar].tolist())

    def append(self, bar: SeenBar, tape_hash: str | None = None) -> None:
        """Add a bar.

        Args:
            bar: What comes next.
            tape_hash: The tape's hash with it, where that is known already.

        Raises:
            ValueError: it does not open after the last one.
        """
        opened_at = bar.opened_at
        if opened_at <= self._last:
            before, after = (np.datetime64(one, "ns") for one in (self._last, opened_at))
            raise ValueError(f"A bar at {after} can't follow the one at {before}.")
        self._last = opened_at
        self._times.append((opened_at,))
        self._values.append(bar.values)
        self.hash = tape_hash or next_hash(self.hash, bar)

    def prices(self, origin: Origin) -> Prices:
        """Return the bars as the strategy and the engine take them."""
        columns = dict(zip(_COLUMNS, self._values.columns, strict=True))
        return Prices(times=self.times, origin=origin, **columns)
