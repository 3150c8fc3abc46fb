"""Prices for tests: small tables made by hand, and configurations that ask for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from quantlab.domain.config import RunConfig
from quantlab.trading.market import Origin, Prices
from quantlab.trading.prices.asked import asked_by

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quantlab.trading.prices.asked import AskedBars

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
ORIGIN = Origin(source="file", detail="made by hand", adjusted=None, retrieved_at="2026-03-04T05:06:07+00:00")


def config(**changes: Any) -> RunConfig:
    """Ask for 2023 of ETH-USD, but for the changes."""
    values = {
        "ticker": "ETH-USD",
        "start": "2023-01-01",
        "end": "2024-01-01",
        "prices": "synthetic",
        **changes,
    }
    return RunConfig(**values)


def asked(now: datetime = NOW, **changes: Any) -> AskedBars:
    """Return what a configuration with these changes asks for."""
    return asked_by(config(**changes), now)


def flat(times: NDArray[np.datetime64]) -> Prices:
    """Return bars at these times, all at 100 but for what keeps them from being frozen, with a volume of 10."""
    days, minutes = times.astype("M8[D]").astype(int), times.astype("M8[m]").astype(int) % 1440
    price = 100.0 + 1e-8 * ((days + minutes // 60 + minutes) % 2)
    return Prices(
        times=times.astype("M8[ns]"),
        open=price,
        high=price,
        low=price,
        close=price,
        volume=np.full(len(times), 10.0),
        origin=ORIGIN,
    )


def daily(first: str, last: str) -> Prices:
    """Return a flat bar for every day from first to last, both included."""
    return flat(np.arange(np.datetime64(first, "D"), np.datetime64(last, "D") + 1))


def weekdays(first: str, last: str) -> Prices:
    """Return a flat bar for every weekday from first to last, both included."""
    days = np.arange(np.datetime64(first, "D"), np.datetime64(last, "D") + 1)
    return flat(days[np.is_busday(days)])


def without(prices: Prices, *days: str) -> Prices:
    """Leave out the bars of these days."""
    keep = ~np.isin(prices.times.astype("M8[D]"), np.array(days, dtype="M8[D]"))
    return flat(prices.times[keep])


def with_values(prices: Prices, **columns: Any) -> Prices:
    """Replace columns."""
    arrays: dict[str, Any] = {name: np.asarray(values, dtype=float) for name, values in columns.items()}
    return replace(prices, **arrays)


def same_bars(left: Prices, right: Prices) -> bool:
    """Tell whether two tables hold the same bars, to the last bit."""
    names = ("times", "open", "high", "low", "close", "volume")
    return all(getattr(left, name).tobytes() == getattr(right, name).tobytes() for name in names)
