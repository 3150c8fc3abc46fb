"""What rounding may make of numbers that are equal, written once.

A price of 2.97 is no float: sums, differences and products of such numbers are off in their last digits, and by how
much depends on the unit of the prices and on the order of the operations. A difference as small as that is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROUNDING = 1e-12
"""Fraction of two numbers by which rounding alone may part them: some thousand units in a float's last place."""

Number = TypeVar("Number", float, "NDArray[np.float64]")


def change(now: Number, before: Number) -> Number:
    """Return now / before - 1, exactly 0 where rounding alone parts the two.

    Args:
        now: One number, or one a bar, shape (n,).
        before: Likewise, never 0.
    """
    fraction = now / before - 1.0
    if isinstance(fraction, float):
        return 0.0 if abs(fraction) <= ROUNDING else fraction
    fraction[np.abs(fraction) <= ROUNDING] = 0.0
    return fraction


def difference(now: float, before: float) -> float:
    """Return now - before, exactly 0 where rounding alone parts the two.

    Args:
        now: An amount.
        before: Another, never 0.
    """
    return 0.0 if change(now, before) == 0.0 else now - before


def differences(now: NDArray[np.float64], before: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `difference` of each pair, shape (n,)."""
    return np.where(change(now, before) == 0.0, 0.0, now - before)
