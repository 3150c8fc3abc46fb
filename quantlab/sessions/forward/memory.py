"""What a forward session's events say of it, as its next driver needs it: tape, market, account and decisions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from quantlab.domain.events import Bar, Heartbeat, Resumed, Started
from quantlab.trading.engine import EngineState
from quantlab.trading.forward.growing_columns import GrowingColumns
from quantlab.trading.forward.recorded_signals import RecordedSignals
from quantlab.trading.forward.revisions import Revision, SourceView
from quantlab.trading.reasons import reason_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quantlab.base.values import JsonObject
    from quantlab.domain.config import RunConfig
    from quantlab.domain.forward import ForwardTerms
    from quantlab.trading.forward.tape import BarTape, SeenBar
    from quantlab.trading.results import Fill


TOLERATED = 0.001
"""Part of a price by which a source may correct it without a doubt: rounding, and trades that were reported late."""


@dataclass
class Totals:
    """Counts over the bars that a session saw after it had begun."""

    forward_bars: int = 0
    late_bars: int = 0
    missing_bars: int = 0
    fills: int = 0
    last_fill_at: str | None = None

    def as_dict(self) -> dict[str, int | str | None]:
        """Return them as a bar's event holds them."""
        return dict(vars(self))


@dataclass
class Memory:
    """A forward session as its events tell it.

    Attributes:
        session_id: Which one.
        began_at: When it began, as stored.
        started: Its first event.
        terms: How it follows the market.
        config: What is computed, the warm-up included.
        tape: Every bar seen.
        view: How the source last told the newest of them.
        state: The engine's state after the last bar; None until it has warmed up.
        signals: What the strategy wanted on each forward bar.
        fills: All fills.
        accounts: Cash, units, mark and equity after each forward bar.
        totals: Counts over the forward bars.
        corrections: Bars whose price the source changed, by more than `TOLERATED`, after they were seen.
        whys: How many forward bars had each reason, as their events tell it.
        data: Facts of the prices that it warmed up on; None until then.
        last_bar: Its last bar's event.
        driver: Who drove it last: host, pid and process.
        taken_up_by: Who last began it or took it up to follow the market, where it did not only take a step.
        environment: Code, packages and strategy digest that it was last driven with.
        version: Place of its last event.
        first_due: When its first bar was due, as recorded when it had warmed up.
        waits: What it has said since its last bar of why none comes, by stage.
        repainted: Whether its strategy was ever seen to change its mind about the past.
    """

    session_id: str
    began_at: str
    started: Started
    terms: ForwardTerms
    config: RunConfig
    tape: BarTape
    view: SourceView = field(default_factory=SourceView)
    state: EngineState | None = None
    signals: RecordedSignals = field(default_factory=RecordedSignals)
    fills: list[Fill] = field(default_factory=list)
    accounts: GrowingColumns = field(default_factory=lambda: GrowingColumns(4))
    totals: Totals = field(default_factory=Totals)
    corrections: int = 0
    whys: Counter[str] = field(default_factory=Counter)
    data: JsonObject | None = None
    last_bar: Bar | None = None
    driver: JsonObject = field(default_factory=dict)
    taken_up_by: JsonObject = field(default_factory=dict)
    environment: JsonObject = field(default_factory=dict)
    version: int = 0
    first_due: str | None = None
    waits: dict[str, Heartbeat] = field(default_factory=dict)
    repainted: bool = False

    @property
    def next_due(self) -> str | None:
        """When its next bar can be believed, as last recorded; None before it has warmed up."""
        return self.first_due if self.last_bar is None else self.last_bar.next_due

    @property
    def reasons(self) -> Counter[str]:
        """How many of its forward bars had each reason."""
        counts: Counter[str] = Counter()
        for told, bars in self.whys.items():
            counts[reason_of(told)[0]] += bars
        return counts

    @property
    def has_warmed_up(self) -> bool:
        """Whether its warm-up is in the ledger, so that bars can be decided on."""
        return self.state is not None

    def warm_up(self, bars: Sequence[SeenBar], state: EngineState) -> None:
        """Take the bars in that come before the first decision."""
        for bar in bars:
            self.take_in(bar, bar)
        self.state = state

    def see(self, bar: SeenBar) -> SeenBar:
        """Put a bar of the source on the tape; returns it in the session's scale."""
        scaled = self.view.to_session(bar)
        self.take_in(scaled, bar)
        return scaled

    def decided(self, state: EngineState, equity: float) -> None:
        """Take in what the account is after a forward bar."""
        self.state = state
        self.accounts.append((state.cash, state.quantity, state.mark, equity))

    def note_wait(self, beat: Heartbeat) -> None:
        """Take note of a stage that it said; one that it left is no longer the last."""
        self.repainted |= bool((beat.trouble or {}).get("repaints"))
        self.waits.pop(beat.stage, None)
        self.waits[beat.stage] = beat

    @property
    def last_wait(self) -> Heartbeat | None:
        """What it said last of why no bar comes; None where its last bar said nothing since."""
        return next(reversed(self.waits.values()), None)

    def revise(self, revision: Revision) -> None:
        """Take note of what the source revised."""
        self.view.learn(revision)
        if revision.kind == "corrected" and revision.was is not None:
            moved = zip(revision.was[:4], revision.now[:4], strict=True)
            self.corrections += any(abs(now - was) > TOLERATED * abs(was) for was, now in moved)

    def take_in(self, scaled: SeenBar, source: SeenBar, *, tape_hash: str | None = None) -> None:
        """Put a bar on the tape, given in the session's scale and in the source's, and the tape's hash if known."""
        self.view.keep(len(self.tape), source.opened_at, source.values)
        self.tape.append(scaled, tape_hash)


def environment_of(event: Started | Resumed) -> JsonObject:
    """Return what a session was driven with: a change in it is told."""
    if isinstance(event, Resumed):
        return {"code": event.code, "packages": event.packages, "strategy": event.strategy_digest}
    digest = (event.strategy or {}).get("digest")
    return {"code": event.code or {}, "packages": event.packages, "strategy": digest}


def after_warm_up(config: RunConfig, bars: Sequence[SeenBar]) -> EngineState:
    """Return the engine's state after the warm-up, in which nothing is traded."""
    marks = [bar.close for bar in bars if 0.0 < bar.close < np.inf]
    state = EngineState.initial(config)
    return replace(state, bars_done=len(bars), mark=marks[-1] if marks else state.mark)
