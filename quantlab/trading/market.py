"""Bars of one market, and where they came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
    """A column of whichever kind its name says."""


@dataclass(frozen=True, kw_only=True)
class Download:
    """Which download an entry of the cache holds, as the entry itself says.

    Attributes:
        by: The id of the session or run that made it; empty where the entry tells of none.
        entry: SHA-256, in hex, of the entry, which names the hash of its table.
    """

    by: str
    entry: str


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where bars came from, as metadata and report tell it.

    Attributes:
        source: `yahoo`, `synthetic` or `file`; bars from the cache keep the source that they once had.
        detail: For people: the file's name, Yahoo's exchange, the seed.
        adjusted: Whether prices are adjusted for splits and dividends; None where nobody knows. Yahoo's intraday
            prices are not: it adjusts them for splits alone.
        retrieved_at: When the bars were obtained, ISO 8601 UTC.
        from_cache: Whether they were read from the cache this time.
        notes: What was done to the bars, or is doubtful about them, a sentence each.
        download: What the cache keeps of the download; None for bars that it does not hold.
    """

    source: str
    detail: str
    adjusted: bool | None
    retrieved_at: str
    from_cache: bool = False
    notes: tuple[str, ...] = ()
    download: Download | None = None


@dataclass(frozen=True, kw_only=True)
class Prices:
    """Bars in time order; all arrays have one entry a bar.

    Attributes:
        times: Opening time of each bar, datetime64[ns], UTC.
        open: First price of each bar (so are high, low and close: floats, in the quote currency).
        volume: Units traded; NaN where unknown.
        origin: Where they came from.
    """

    times: NDArray[np.datetime64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]
    origin: Origin

    def __len__(self) -> int:
        return len(self.times)


def usable(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which prices can be traded or valued at: finite and above zero."""
    return np.isfinite(values) & (values > 0)


def all_usable(values: NDArray[np.float64]) -> bool:
    """Tell whether every price is usable (an empty series is)."""
    return len(values) == 0 or bool(values.min() > 0 and values.max() < np.inf)
