"""The equity of a session or run over time, as pictures and pages draw it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Equity over time.

    Attributes:
        times: Opening time of each bar, datetime64[ns], UTC.
        equity: In money, one a bar.
        mark: What a unit was valued at; 0 before any usable close.
        is_synthetic: Whether the prices were made up.
        trouble: Why there is nothing to draw; None where there is.
    """

    times: NDArray[np.datetime64]
    equity: NDArray[np.float64]
    mark: NDArray[np.float64]
    is_synthetic: bool = False
    trouble: str | None = None

    def rebased(self) -> NDArray[np.float64]:
        """Return the equity as a multiple of the first one."""
        rebased: NDArray[np.float64] = self.equity / self.equity[0]
        return rebased

    def held(self) -> NDArray[np.float64]:
        """Return what buying at the first usable mark and holding comes to, as a multiple; NaN before it."""
        good = self.mark > 0
        if not good.any():
            return np.full(len(self.mark), np.nan)
        held: NDArray[np.float64] = np.where(good, self.mark / self.mark[int(np.argmax(good))], np.nan)
        return held


def nothing_to_draw(trouble: str) -> Curve:
    """Return a curve that says why it is none."""
    none = np.zeros(0)
    return Curve(times=np.zeros(0, "datetime64[ns]"), equity=none, mark=none, trouble=trouble)
