"""Why each bar of a replay brought a trade or none: its kept prices and rule, through the engine's own step again."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from quantlab.domain.config import validated
from quantlab.exports.tables import iso_times
from quantlab.runner.rerun import kept_prices
from quantlab.runner.strategy import kept_rule
from quantlab.trading.engine import EngineState
from quantlab.trading.forward.taking import course_of, take
from quantlab.trading.reasons import most_first

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from quantlab.base.values import JsonObject
    from quantlab.domain.config import RunConfig
    from quantlab.trading.market import Prices
    from quantlab.trading.tape import Decider


class Reasoned(NamedTuple):
    """A bar, and why it brought what it did.

    Attributes:
        bar: Its index on the tape, the warm-up counted.
        time: When it opened, ISO 8601 UTC.
        close: Its close; None where that is no finite number.
        values: What the rule looked at, by name; None for what is no finite number.
        wanted: `buy`, `sell`, `buy or sell`, or an empty text.
        did: What the engine did; empty where nothing.
        reason: One of `Why`.
        until_bar: For `resting`, index of the first bar on whose close a decision may be taken again; else None.
    """

    bar: int
    time: str
    close: float | None
    values: dict[str, float | None]
    wanted: str
    did: str
    reason: str
    until_bar: int | None


def reasons_of(
    folder: Path, config: JsonObject, data: JsonObject, strategy: JsonObject | None
) -> list[Reasoned]:
    """Return every bar of a replay with its reason.

    Args:
        folder: The session's folder.
        config: Its configuration, as config.json has it.
        data: Facts of its prices.
        strategy: What was recorded of its strategy; the kept copy runs only where it has that digest.

    Raises:
        KeptCodeError: the kept strategy is not what ran.
        DataError: the prices or the strategy are gone, or the prices are not those that it ran on.
        StrategyError: the strategy failed.
    """
    settings = validated(config)
    prices = kept_prices(folder, config, data)
    rule, void = kept_rule(folder, prices, settings, strategy)
    return reasoned(prices, settings, rule, void=void)


@np.errstate(all="ignore")
def reasoned(prices: Prices, config: RunConfig, rule: Decider, *, void: int = 0) -> list[Reasoned]:
    """Return every bar of a history with its reason.

    Args:
        prices: The bars.
        config: What is computed.
        rule: What decides.
        void: Bars at the beginning on which its signals count for nothing.
    """
    taken = take(course_of(prices, config, rule), EngineState.initial(config), void=void)
    times = iso_times(prices.times)
    closes = [close if math.isfinite(close) else None for close in prices.close.tolist()]
    return [
        Reasoned(
            one.bar,
            time,
            close,
            one.values,
            one.account.wanted,
            one.account.did,
            one.account.why.value,
            one.account.until,
        )
        for one, time, close in zip(taken, times, closes, strict=True)
    ]


def counted(bars: Iterable[Reasoned]) -> dict[str, int]:
    """Return how many bars each reason has, the most frequent first; those that no bar has are left out."""
    return most_first(Counter(one.reason for one in bars))
