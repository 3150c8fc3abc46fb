"""Numbers that come row by row and are read by columns, as a session's bars do."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import DTypeLike, NDArray

_FIRST_ROOM = 512


class GrowingColumns:
    """Rows of so many numbers each; the room for them doubles when it is full."""

    def __init__(self, width: int, dtype: DTypeLike = np.float64) -> None:
        self._room: NDArray[Any] = np.empty((width, _FIRST_ROOM), dtype=dtype)
        self._rows = 0
        self._new: list[Sequence[float]] = []
        """Rows that have no place in the room yet: thousands of them are placed in the time that one takes alone."""

    def __len__(self) -> int:
        return self._rows + len(self._new)

    def append(self, row: Sequence[float]) -> None:
        """Add a row."""
        self._new.append(row)

    def branch(self) -> Self:
        """Return the same rows, to grow for themselves, without a copy of them.

        It holds until other rows are added to these, or to another branch of them.
        """
        self._place()
        branch = copy(self)
        branch._new = []  # noqa: SLF001 - another of this class
        return branch

    @property
    def columns(self) -> NDArray[Any]:
        """All of it, a row a column, shape (width, n)."""
        self._place()
        return self._room[:, : self._rows]

    def _place(self) -> None:
        if not self._new:
            return
        rows = len(self)
        width, room = self._room.shape
        if rows > room:
            room = max(rows, 2 * room)
            larger = np.empty((width, room), dtype=self._room.dtype)
            larger[:, : self._rows] = self._room[:, : self._rows]
            self._room = larger
        self._room[:, self._rows : rows] = np.array(self._new, dtype=self._room.dtype).T
        self._rows, self._new = rows, []
