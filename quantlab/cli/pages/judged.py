"""How a result is shown wherever somebody decides about it: beside what holding gave, with its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quantlab.ledger.reader import Row


def percent(value: float | None) -> str:
    """Return a fraction as a signed percentage; `n/a` where it is unknown."""
    return "n/a" if value is None else format(value, "+.2%")


def sharpe(row: Row) -> str:
    """Return the Sharpe ratio with its 95 % interval, as far as they are known."""
    if row["sharpe_simple"] is None:
        return "n/a"
    low, high = row["sharpe_low"], row["sharpe_high"]
    interval = "n/a" if low is None or high is None else f"{low:.2f} to {high:.2f}"
    return f"{row['sharpe_simple']:.2f} (95 %: {interval})"
