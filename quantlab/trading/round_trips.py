"""Fills paired into closed round trips.

A trade is a closed round trip, a buy and the sell that closed it; a fill is one execution.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantlab.trading.results import RoundTrip
from quantlab.trading.rounding import difference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quantlab.trading.results import Fill


def round_trips(fills: Sequence[Fill]) -> tuple[RoundTrip, ...]:
    """Return the closed round trips, in time order; a last buy without its sell is none.

    Args:
        fills: Buys and sells in turn, a buy first, as the engine makes them.
    """
    ordered = tuple(fills)
    return tuple(
        _round_trip(entry, exit_) for entry, exit_ in zip(ordered[0::2], ordered[1::2], strict=False)
    )


def open_entry(fills: Sequence[Fill]) -> Fill | None:
    """Return the buy of the position that is still open, or None."""
    return fills[-1] if len(fills) and fills[-1].side == "buy" else None


def cash_in(entry: Fill) -> float:
    """Return the cash that a buy cost, fee included."""
    return entry.quantity * entry.price + entry.fee


def _round_trip(entry: Fill, exit_: Fill) -> RoundTrip:
    paid = cash_in(entry)
    profit = difference(exit_.quantity * exit_.price - exit_.fee, paid)
    return RoundTrip(
        entry=entry,
        exit=exit_,
        profit=profit,
        profit_fraction=profit / paid,
        bars_held=exit_.bar - entry.bar,
    )
