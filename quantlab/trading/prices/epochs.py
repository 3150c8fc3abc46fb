"""Counts since 1970, whose unit is told by their size, each cell for itself: 1.6e9 are seconds, 1.6e12 milliseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quantlab.base.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

UNITS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
_NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_LEAST_COUNT = 100_000_000  # seconds: in 1973
_LIMITS = np.array([10**11, 10**14, 10**17])
_MOST = 2**63 - 1
_LATEST = np.datetime64("2100-01-01", "ns")
_EARLIEST = np.datetime64("1970-01-02", "ns")


def whole(cells: pd.Series) -> NDArray[np.int64]:
    """Return numbers as whole ones, fractions of a count cut off.

    Raises:
        ValueError: one is not finite, or too large.
    """
    counts = cells.to_numpy()
    if not np.isfinite(counts).all() or (np.abs(counts) >= 2.0**63).any():
        raise ValueError("counts since 1970 are finite")
    return counts.astype(np.int64)


def counted(counts: NDArray[np.int64], unit: str) -> NDArray[np.datetime64]:
    """Return times of counts in one unit (`s`, `ms`, `us`, `ns`).

    Raises:
        OverflowError: one lies beyond what nanoseconds in 64 bits hold, 1678 to 2262.
    """
    size = _NANOSECONDS[unit]
    if len(counts) and int(np.abs(counts).max()) > _MOST // size:
        raise OverflowError("times lie between 1678 and 2262")
    result: NDArray[np.datetime64] = (counts * size).astype("M8[ns]")
    return result


def from_counts(
    counts: NDArray[np.int64], rows: NDArray[np.int64], where: str
) -> tuple[NDArray[np.datetime64], str]:
    """Tell the unit of each count and return times and the name of the units.

    Milliseconds before 1973 are as small as seconds after: a column whose cells, each for itself, give no rising or
    falling times is read in the unit of its largest, if that does.

    Raises:
        DataError: units are mixed and neither reading gives times in order.
        ValueError: a count has less than nine digits.
    """
    if not len(counts):
        return counts.astype("M8[ns]"), "counts"
    if counts.min() < _LEAST_COUNT:
        raise ValueError("counts since 1970 have nine digits and more")
    judged = np.searchsorted(_LIMITS, counts, side="right")
    names = list(UNITS)
    largest = int(judged.max())
    if int(judged.min()) == largest:
        return counted(counts, names[largest]), UNITS[names[largest]]
    moments = np.empty(len(counts), dtype="M8[ns]")
    for unit in np.unique(judged):
        chosen = judged == unit
        moments[chosen] = _or_later(counts[chosen], names[unit])
    if moments.max() < _LATEST and _in_order(moments):
        return moments, " and ".join(UNITS[names[unit]] for unit in np.unique(judged))
    alike = counted(counts, names[largest])
    if alike.min() >= _EARLIEST and _in_order(alike):
        return alike, UNITS[names[largest]]
    at = int(np.flatnonzero(judged != judged[0])[0])
    raise DataError(
        f"{where}, row {rows[at]}: {counts[at]} counts {UNITS[names[judged[at]]]} since 1970, the rows before it "
        f"{UNITS[names[judged[0]]]}, and the times are not in order either way; write all in one unit."
    )


def _or_later(counts: NDArray[np.int64], unit: str) -> NDArray[np.datetime64]:
    """Return times, those that can't be held as the latest that can."""
    return (np.minimum(counts, _MOST // _NANOSECONDS[unit]) * _NANOSECONDS[unit]).astype("M8[ns]")


def _in_order(moments: NDArray[np.datetime64]) -> bool:
    steps = np.diff(moments).astype(np.int64)
    return bool((steps >= 0).all() or (steps <= 0).all())
