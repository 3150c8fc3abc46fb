"""How a session follows the market: the terms that it is begun with."""

from __future__ import annotations

import msgspec


class ForwardTerms(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Terms of a forward session; they don't change.

    Attributes:
        warmup: Bars of history that prepare the strategy and are never traded on.
        source: Where bars come from, as `--prices` said it.
        settle: Seconds after its end in which a bar may still change, where the next one has not begun.
        patience: Seconds that a missing bar is waited for.
        until: Time after which it ends, ISO 8601 UTC; None for no such end.
        bars: Forward bars after which it ends; None for no such end.
        calendar: Name of the exchange calendar that due times go by; None for the week that the bars show.
    """

    warmup: int
    source: str
    settle: float
    patience: float
    until: str | None = None
    bars: int | None = None
    calendar: str | None = None
