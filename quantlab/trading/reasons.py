"""Why a bar brought a trade or none: one reason out of a closed set, read off the engine's own steps."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from quantlab.trading.engine import is_ruined

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quantlab.domain.config import RunConfig
    from quantlab.trading.engine import Bar, EngineState
    from quantlab.trading.results import Fill


UNTIL = " until bar "
"""Between `resting` and the first bar on whose close a decision may be taken again, where both are one text."""


class Why(StrEnum):
    """What became of a bar's close; the reasons part the bars of a session among them."""

    WARMING_UP = "warming up"
    NO_SIGNAL = "no signal"
    HOLDING = "already holding"
    NOT_HOLDING = "not holding"
    ORDERED = "ordered"
    RESTING = "resting"
    WAITING = "waiting for a usable open"
    BELOW_MINIMUM = "below minimum notional"
    RUINED = "ruined"


_WANTED = {(False, False): "", (True, False): "buy", (False, True): "sell", (True, True): "buy or sell"}


class Account(NamedTuple):
    """What a bar wanted and what came of it.

    Attributes:
        wanted: `buy`, `sell`, `buy or sell`, or an empty text.
        did: `bought`, `sold`, `ordered buy`, `ordered sell`, `refused order`; several are joined by a comma.
        why: The reason.
        until: For `resting`, the first bar on whose close a decision may be taken again; else None.
    """

    wanted: str
    did: str
    why: Why
    until: int | None = None

    def told(self) -> str:
        """Return the reason as a `bar` event has it."""
        return self.why.value if self.until is None else f"{self.why.value}{UNTIL}{self.until}"


def most_first(counts: Mapping[str, int]) -> dict[str, int]:
    """Return how many bars each reason has, the most frequent first; those that no bar has are left out."""
    known = {why.value: counts.get(why, 0) for why in Why}
    return dict(sorted(((why, n) for why, n in known.items() if n), key=lambda pair: -pair[1]))


def reason_of(told: str) -> tuple[str, int | None]:
    """Return what `Account.told` joined: the reason, and the bar that a rest ends on."""
    reason, _until, bar = told.partition(UNTIL)
    return reason, int(bar) if bar else None


def account(
    before: EngineState, bar: Bar, after: EngineState, fill: Fill | None, config: RunConfig, *, void: int = 0
) -> Account:
    """Say why a step of the engine went as it did.

    Args:
        before: The engine's state before the bar.
        bar: The bar.
        after: The state after it.
        fill: The fill in it, if any.
        config: What is computed.
        void: Bars at the beginning on which the strategy's signals count for nothing.
    """
    this = before.bars_done
    wanted = _WANTED[bar.enter is not None, bar.leave is not None]
    ordered = after.order if after.order is not None and after.order.signal_bar == this else None
    at_this_close = fill is not None and fill.signal_bar == this
    refused = after.refused_orders > before.refused_orders
    done = []
    if refused:
        done.append("refused order")
    if fill is not None:
        done.append("bought" if fill.side == "buy" else "sold")
    if ordered is not None:
        done.append(f"ordered {ordered.side}")
    sought, other = (bar.leave, bar.enter) if after.holding else (bar.enter, bar.leave)
    is_resting = sought is not None and this < after.rest_until
    reasons = (
        (ordered is not None or at_this_close, Why.ORDERED),
        (this < max(config.warmup, void), Why.WARMING_UP),
        (after.order is not None, Why.WAITING),
        (refused, Why.BELOW_MINIMUM),
        (is_ruined(after, config), Why.RUINED),
        (is_resting, Why.RESTING),
        (sought is None and other is not None, Why.HOLDING if after.holding else Why.NOT_HOLDING),
        (True, Why.NO_SIGNAL),
    )
    why = next(reason for holds, reason in reasons if holds)
    return Account(wanted, ", ".join(done), why, after.rest_until if why is Why.RESTING else None)
