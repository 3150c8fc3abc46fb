"""Fills kept as columns, and paired into closed round trips: a record costs nothing until somebody looks at one.

A fill is one execution; a trade is a closed round trip, a buy and the sell that closed it. A fill's participation is
its units over what the market traded in its bar.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Self, overload

import numpy as np

from quantlab.trading.results import Fill, RoundTrip
from quantlab.trading.rounding import differences

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from quantlab.trading.market import Array, Prices

    Floats = NDArray[np.float64]

COLUMNS: dict[str, type] = {
    name: {"bar": np.int64, "signal_bar": np.int64, "side": object, "reason": object}.get(name, np.float64)
    for name in (field.name for field in fields(Fill))
}
"""The columns, named and ordered as the fields of `Fill`, and their types."""


class Fills(Sequence[Fill]):
    """An immutable sequence of fills in time order."""

    def __init__(self, columns: Mapping[str, Array]) -> None:
        self._columns = {name: columns[name] for name in COLUMNS}

    @classmethod
    def of(cls, fills: Iterable[Fill]) -> Self:
        """Return these records as columns; what is in columns already, as it is."""
        if isinstance(fills, cls):
            return fills
        rows = tuple(fills)
        return cls(
            {name: np.array([getattr(fill, name) for fill in rows], kind) for name, kind in COLUMNS.items()}
        )

    @classmethod
    def joined(cls, parts: Sequence[Fills]) -> Self:
        """Return the fills of these parts, one after another."""
        if len(parts) == 1:
            return cls({name: parts[0].column(name) for name in COLUMNS})
        empty: dict[str, Array] = {name: np.array([], kind) for name, kind in COLUMNS.items()}
        return cls(
            {name: np.concatenate([empty[name], *(part.column(name) for part in parts)]) for name in COLUMNS}
        )

    def column(self, name: str) -> Array:
        """Return one field of every fill, shape (fills,); `side` and `reason` are arrays of str objects."""
        return self._columns[name]

    def __len__(self) -> int:
        return len(self._columns["bar"])

    @overload
    def __getitem__(self, index: int) -> Fill: ...
    @overload
    def __getitem__(self, index: slice) -> Fills: ...
    def __getitem__(self, index: int | slice) -> Fill | Fills:
        if isinstance(index, slice):
            return Fills({name: column[index] for name, column in self._columns.items()})
        return Fill(
            **{
                name: column[index].item() if column.dtype != object else column[index]
                for name, column in self._columns.items()
            }
        )

    def __iter__(self) -> Iterator[Fill]:
        names = tuple(COLUMNS)
        for row in zip(*(self._columns[name].tolist() for name in names), strict=True):
            yield Fill(**dict(zip(names, row, strict=True)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"Fills({list(self)!r})"


def participation(fills: Fills, prices: Prices) -> NDArray[np.float64]:
    """Return each fill's units over the volume of its bar, shape (fills,); NaN where the volume is 0 or unknown."""
    volume = prices.volume[fills.column("bar")]
    known = np.isfinite(volume) & (volume > 0.0)
    unknown: NDArray[np.float64] = np.full(len(fills), np.nan)
    shares: NDArray[np.float64] = np.divide(fills.column("quantity"), volume, out=unknown, where=known)
    return shares


def max_participation(fills: Fills, prices: Prices) -> float | None:
    """Return the largest known participation; None where that of no fill is known."""
    shares = participation(fills, prices)
    known = shares[np.isfinite(shares)]
    return float(known.max()) if len(known) else None


class RoundTrips(Sequence[RoundTrip]):
    """The closed round trips in time order; a last buy without its sell is none.

    Attributes:
        entries: The buys, one a trip.
        exits: The sells that closed them.
        profit: Cash gained by each, net of costs, shape (trips,).
        fraction: Profit over the cash that the buy cost, fee included, shape (trips,).
        bars_held: Bars from the buy's to the sell's, shape (trips,).
    """

    def __init__(self, fills: Sequence[Fill]) -> None:
        """Pair fills, buys and sells in turn, a buy first, as the engine makes them."""
        columns = Fills.of(fills)
        closed = len(columns) // 2 * 2
        self.entries, self.exits = columns[0:closed:2], columns[1:closed:2]
        paid = self.entries.column("quantity") * self.entries.column("price") + self.entries.column("fee")
        brought = self.exits.column("quantity") * self.exits.column("price") - self.exits.column("fee")
        self.profit: Floats = differences(brought, paid)
        self.fraction: Floats = self.profit / paid
        self.bars_held: NDArray[np.int64] = self.exits.column("bar") - self.entries.column("bar")

    def __len__(self) -> int:
        return len(self.profit)

    @overload
    def __getitem__(self, index: int) -> RoundTrip: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[RoundTrip]: ...
    def __getitem__(self, index: int | slice) -> RoundTrip | Sequence[RoundTrip]:
        if isinstance(index, slice):
            return tuple(self[place] for place in range(len(self))[index])
        return RoundTrip(
            entry=self.entries[index],
            exit=self.exits[index],
            profit=float(self.profit[index]),
            profit_fraction=float(self.fraction[index]),
            bars_held=int(self.bars_held[index]),
        )


def open_entry(fills: Sequence[Fill]) -> Fill | None:
    """Return the buy of the position that is still open, or None."""
    return fills[-1] if len(fills) and fills[-1].side == "buy" else None


def cash_in(entry: Fill) -> float:
    """Return the cash that a buy cost, fee included."""
    return entry.quantity * entry.price + entry.fee
