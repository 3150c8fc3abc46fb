"""Evaluate a forward session as of its last bar: replay its tape, held against what was recorded bar by bar."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from quantlab.base.clock import iso
from quantlab.base.errors import QuantlabError
from quantlab.base.remedies import ABORT, STEP, VERIFY
from quantlab.domain.config import validated
from quantlab.exports import bundle
from quantlab.sessions.forward.memory import TOLERATED
from quantlab.trading import outcome
from quantlab.trading.digest import first_difference
from quantlab.trading.intervals import bar_ends, day_text
from quantlab.trading.market import Origin
from quantlab.trading.prices import table
from quantlab.trading.quality import assess
from quantlab.trading.simulation import Replay

if TYPE_CHECKING:
    from datetime import datetime

    from quantlab.base.values import JsonObject
    from quantlab.sessions.forward.memory import Memory
    from quantlab.trading.market import Prices
    from quantlab.trading.results import DataQuality, Outcome, Simulation
    from quantlab.trading.tape import Decider

_INSTANT, _ONE_DAY = np.timedelta64(1, "ns"), np.timedelta64(1, "D")
MOST_CORRECTED = 0.05
"""Part of the forward bars that a source may correct before its data is doubtful; one is no doubt in any case."""


class DiffersError(QuantlabError):
    """A replay of the tape is not what was recorded bar by bar.

    Attributes:
        difference: The first bar and field in which they part.
    """

    def __init__(self, session_id: str, difference: str) -> None:
        super().__init__(
            f"Session {session_id}: a replay of its tape is not what was recorded bar by bar ({difference}); nothing "
            "was recorded. ",
            VERIFY,
            " tells whether the ledger is whole.",
        )
        self.difference = difference


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """A forward session's tape, evaluated.

    Attributes:
        outcome: What it came to.
        prices_csv: The whole tape, the warm-up included, as prices.csv keeps it.
        facts: What is known of these prices.
    """

    outcome: Outcome
    prices_csv: bytes
    facts: JsonObject


def evaluate(memory: Memory, strategy: Decider, *, now: datetime) -> Evaluated:
    """Replay the tape, with trading from the first forward bar on, and evaluate it.

    Raises:
        QuantlabError: no forward bar was seen yet.
        DiffersError: the replay is not what was recorded bar by bar.
        StrategyError: the strategy fails on the tape.
    """
    if not memory.totals.forward_bars:
        raise QuantlabError(
            f"Session {memory.session_id} has seen no bar since it began; there is nothing to evaluate, prove or "
            "report. Wait for one with ",
            STEP,
            ", or end it with ",
            ABORT,
            ".",
        )
    prices = memory.tape.prices(_origin(memory, now))
    simulation = Replay(prices, memory.config, strategy=strategy).result()
    _require_as_recorded(memory, simulation, prices)
    quality = assess(prices, interval=memory.config.interval, ticker=memory.config.ticker)
    quality = _with_corrections(quality, memory)
    content = table.to_csv(prices)
    data_hash = table.data_hash(content)
    first = prices.times[memory.tape.warmup]
    # Exclusive, in whole days: the one after that in which the last bar's time is.
    end = bar_ends(prices.times[-1:], memory.config.interval)[0] - _INSTANT + _ONE_DAY
    config = validated({**memory.config.as_dict(), "start": day_text(first), "end": day_text(end)})
    result = outcome.evaluate(config, prices, quality, simulation, data_hash)
    return Evaluated(
        outcome=result, prices_csv=content, facts=bundle.data_facts(config, prices, quality, data_hash)
    )


def _origin(memory: Memory, now: datetime) -> Origin:
    data = memory.data or {}
    return Origin(
        source=str(data.get("source", "file")),
        detail=f"{data.get('detail', '')} (as first seen, bar by bar)",
        adjusted=data.get("adjusted"),
        retrieved_at=iso(now),
    )


def _require_as_recorded(memory: Memory, replayed: Simulation, prices: Prices) -> None:
    """Hold every fill, and the account after every forward bar, to what the session's events say of them."""
    before = memory.tape.warmup
    told: dict[str, Any] = {
        name: np.concatenate([getattr(replayed, name)[:before], column])
        for name, column in zip(("cash", "quantity", "mark", "equity"), memory.accounts.columns, strict=True)
    }
    found = first_difference(replace(replayed, fills=tuple(memory.fills), **told), replayed, prices)
    if found is not None:
        raise DiffersError(
            memory.session_id,
            f"first difference at bar {found.bar} ({found.time}), field {found.field}: recorded "
            f"{found.first!r}, now {found.second!r}",
        )


def _with_corrections(quality: DataQuality, memory: Memory) -> DataQuality:
    bars, corrected = memory.totals.forward_bars, memory.corrections
    if corrected <= max(1, MOST_CORRECTED * bars):
        return quality
    told = (
        f"The source corrected {corrected} bars after they had been seen, by more than {TOLERATED:.1%} of a price; "
        f"the session saw {bars}."
    )
    return replace(quality, doubts=(*quality.doubts, "corrections"), warnings=(told, *quality.warnings))
