"""Fills kept as columns: a sequence of `Fill` records that costs nothing until somebody looks at one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np

from quantlab.trading.results import Fill

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

COLUMNS: dict[str, Any] = {
    name: {"bar": np.int64, "signal_bar": np.int64, "side": object, "reason": object}.get(name, np.float64)
    for name in (field.name for field in fields(Fill))
}
"""The columns, named and ordered as the fields of `Fill`, and their types."""


class Fills(Sequence[Fill]):
    """An immutable sequence of fills in time order."""

    def __init__(self, columns: Mapping[str, NDArray[Any]]) -> None:
        self._columns = {name: columns[name] for name in COLUMNS}

    @classmethod
    def of(cls, fills: Iterable[Fill]) -> Self:
        """Return these records as columns."""
        rows = tuple(fills)
        return cls(
            {name: np.array([getattr(fill, name) for fill in rows], kind) for name, kind in COLUMNS.items()}
        )

    @classmethod
    def joined(cls, parts: Sequence[Fills]) -> Self:
        """Return the fills of these parts, one after another."""
        if len(parts) == 1:
            return cls({name: parts[0].column(name) for name in COLUMNS})
        empty = {name: np.array([], kind) for name, kind in COLUMNS.items()}
        return cls(
            {name: np.concatenate([empty[name], *(part.column(name) for part in parts)]) for name in COLUMNS}
        )

    def column(self, name: str) -> NDArray[Any]:
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
