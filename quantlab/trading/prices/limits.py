"""Which prices and volumes can be: one rule for all that comes from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMALLEST, LARGEST = 1e-100, 1e100
"""Prices beyond which figures and charts run over; no market has come near."""
EMPTY_SHARE = 0.05
"""Share of bars without any price (Yahoo's way to say that nothing was traded, and others') up to which they are left
out as missing bars; beyond it the source is unusable."""
EXPECTED_PRICE = f"a price above 0, between {SMALLEST:g} and {LARGEST:g}"
EXPECTED_VOLUME = "a volume of at least 0, or nothing where it is unknown"


def possible_prices(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark prices that a market may have had; NaN is none."""
    marked: NDArray[np.bool_] = (values >= SMALLEST) & (values < LARGEST)
    return marked


def possible_volumes(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark volumes that a market may have had; NaN is unknown, and may be."""
    marked: NDArray[np.bool_] = ~(np.isinf(values) | (values < 0))
    return marked
