"""What a source says today of bars that were kept: the same, adjusted, corrected, or late.

A source adjusts its whole history when a dividend or a split comes. The tape never changes: bars to come are brought
to its scale by what the source did to the bars that both know, so that no decision changes.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from quantlab.base.errors import DataError
from quantlab.base.remedies import FINISH, STEP, Setting
from quantlab.trading.forward.adjustments import Adjustment, Pair, find_adjustment, half_step, is_same
from quantlab.trading.forward.tape import SeenBar
from quantlab.trading.intervals import time_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from quantlab.trading.forward.adjustments import Values
    from quantlab.trading.market import Prices

RevisionKind = Literal["adjusted", "corrected", "late"]

OVERLAP = 30
"""Bars before the watermark that are asked for again and compared."""
_FEWEST_TO_TELL = 5
_OTHER_MARKET = 0.05
"""Part of the close by which every bar must have moved before a source is taken for another market's."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Factors from what the source says today to the session's own scale.

    Attributes:
        price: Of open, high, low and close.
        volume: Of the volume.
    """

    price: float = 1.0
    volume: float = 1.0

    def apply(self, values: Values) -> Values:
        """Bring a bar's values to the session's scale."""
        if self.price == self.volume == 1.0:
            return values
        *prices, volume = values
        return (*(price * self.price for price in prices), volume * self.volume)


@dataclass(frozen=True, kw_only=True)
class Revision:
    """What a source says of the past that it did not say before.

    Attributes:
        kind: `adjusted` (many bars by one factor), `corrected` (one bar), `late` (a bar that had been missing).
        bar: Index of the bar on the tape, the last one of an adjustment; None for a late bar.
        opened_at: Opening time of that bar, nanoseconds since 1970, UTC.
        was: Open, high, low, close and volume as the source said before; None for a late bar.
        now: The same as it says now.
        factor: For `adjusted`: old price over new price, and old volume over new volume.
        reaches_last: For `adjusted`: whether the last bar known changed too, so that bars to come are on the new scale.
    """

    kind: RevisionKind
    bar: int | None
    opened_at: int
    was: Values | None
    now: Values
    factor: tuple[float, float] | None = None
    reaches_last: bool = False


class _Known(NamedTuple):
    """A bar as the source said it when last asked.

    Attributes:
        bar: Index on the tape.
        opened_at: Opening time, nanoseconds since 1970, UTC.
        values: Open, high, low, close and volume.
        grain: What rounding may have moved the prices by: they were adjusted; else 0.
    """

    bar: int
    opened_at: int
    values: Values
    grain: float = 0.0


@dataclass
class SourceView:
    """The last bars as the source said them when last asked, in its own scale.

    Attributes:
        scale: From the source's scale to the session's, for bars to come.
    """

    scale: Scale = field(default_factory=Scale)
    _known: deque[_Known] = field(default_factory=lambda: deque(maxlen=OVERLAP))
    _late: set[int] = field(default_factory=set)

    def keep(self, bar: int, opened_at: int, values: Values) -> None:
        """Take note of a bar that was put on the tape."""
        self._known.append(_Known(bar, opened_at, values))

    def to_session(self, bar: SeenBar) -> SeenBar:
        """Return a bar of the source in the session's scale."""
        return SeenBar(bar.opened_at, *self.scale.apply(bar.values))

    @property
    def since(self) -> int | None:
        """Opening time of the oldest bar to ask for again, nanoseconds since 1970; None where none is known."""
        return self._known[0].opened_at if self._known else None

    def compare(self, fetched: Prices) -> list[Revision]:
        """Return what the source revised among the bars known; nothing is taken note of.

        Raises:
            DataError: it tells none of the bars that it told before, or wholly other prices of each.
        """
        if not self._known:
            return []
        said = _by_time(fetched)
        self._require_overlap(said)
        known = [one for one in self._known if one.opened_at in said]
        pairs = [Pair(one.values, said[one.opened_at], one.grain) for one in known]
        if all(pair.was == pair.now for pair in pairs):
            return self._come_late(said)
        half = half_step(pair.now for pair in pairs)
        adjustment = find_adjustment(pairs, half)
        revisions = []
        if adjustment is None:
            _require_one_market(known, pairs)
        else:
            revisions.append(_adjusted(known, pairs, adjustment))
            known = [*map(_adjuster(adjustment, half), known[: adjustment.bars]), *known[adjustment.bars :]]
            pairs = [Pair(one.values, said[one.opened_at], one.grain) for one in known]
        for one, pair in zip(known, pairs, strict=True):
            if not is_same(pair, half):
                revisions.append(
                    Revision(
                        kind="corrected", bar=one.bar, opened_at=one.opened_at, was=pair.was, now=pair.now
                    )
                )
        return [*revisions, *self._come_late(said)]

    def learn(self, revision: Revision) -> None:
        """Take note of a revision, so that it is not told again and bars to come are scaled by it."""
        if revision.kind == "late":
            self._late.add(revision.opened_at)
        elif revision.kind == "corrected":
            self._replace(revision.opened_at, revision.now)
        else:
            self._adjust(revision)

    def _come_late(self, said: dict[int, Values]) -> list[Revision]:
        known = {one.opened_at for one in self._known} | self._late
        first, last = self._known[0].opened_at, self._known[-1].opened_at
        return [
            Revision(kind="late", bar=None, opened_at=opened_at, was=None, now=now)
            for opened_at, now in said.items()
            if first < opened_at < last and opened_at not in known
        ]

    def _require_overlap(self, said: dict[int, Values]) -> None:
        first, last = self._known[0].opened_at, self._known[-1].opened_at
        if max(said, default=last) > last and not any(one.opened_at in said for one in self._known):
            raise DataError(
                f"The source has bars behind {_told(last)}, but none of those up to there that the session knows, from "
                f"{_told(first)} on: nothing tells that they go on in the same market and scale. Expected some of "
                "both. Where it keeps no older ones, ",
                STEP.of("SESSION_DIR", Setting("prices", "FILE")),
                " takes the bars between from a file, once.",
            )

    def _replace(self, opened_at: int, now: Values) -> None:
        for place, one in enumerate(self._known):
            if one.opened_at == opened_at:
                self._known[place] = one._replace(values=now, grain=0.0)

    def _adjust(self, revision: Revision) -> None:
        price, volume = revision.factor or (1.0, 1.0)
        adjusted = _adjuster(Adjustment(0, price, volume), half_step([revision.now]))
        for place, one in enumerate(self._known):
            if one.opened_at <= revision.opened_at:
                self._known[place] = adjusted(one)
        if revision.reaches_last:
            self.scale = Scale(price=self.scale.price * price, volume=self.scale.volume * volume)


def _adjuster(adjustment: Adjustment, half: float) -> Callable[[_Known], _Known]:
    """Return what brings a bar that is known to what the source tells after an adjustment, but for its rounding."""

    def adjusted(one: _Known) -> _Known:
        grain = max(one.grain, half) / adjustment.price
        return one._replace(values=adjustment.applied(one.values), grain=grain)

    return adjusted


def _adjusted(known: Sequence[_Known], pairs: Sequence[Pair], found: Adjustment) -> Revision:
    last, pair = known[found.bars - 1], pairs[found.bars - 1]
    return Revision(
        kind="adjusted",
        bar=last.bar,
        opened_at=last.opened_at,
        was=pair.was,
        now=pair.now,
        factor=(found.price, found.volume),
        reaches_last=found.bars == len(known),
    )


def _require_one_market(known: Sequence[_Known], pairs: Sequence[Pair]) -> None:
    """Refuse a source that tells every bar wholly otherwise: a file that was overwritten, a symbol that was reused.

    Raises:
        DataError: it does.
    """
    moved = [abs(pair.now[3] - pair.was[3]) > _OTHER_MARKET * abs(pair.was[3]) for pair in pairs]
    if len(pairs) >= _FEWEST_TO_TELL and all(moved):
        was, now = pairs[-1].was[3], pairs[-1].now[3]
        raise DataError(
            f"The source tells other prices of all the last {len(pairs)} bars than before, and by no one factor (the "
            f"close of {_told(known[-1].opened_at)} was {was:g} and is {now:g}): these are another market's, or were "
            "made anew. Expected the market that the session began on; bring it back, or ",
            FINISH.of("SESSION_DIR", Setting("reason", "TEXT")),
            " evaluates what it has seen.",
        )


def _told(opened_at: int) -> str:
    return time_text(np.datetime64(opened_at, "ns"))


def bars_of(prices: Prices) -> Iterable[SeenBar]:
    """Yield the bars of a table, one by one."""
    columns = (prices.open, prices.high, prices.low, prices.close, prices.volume)
    times = prices.times.astype("M8[ns]").astype(np.int64).tolist()
    for opened_at, *values in zip(times, *(column.tolist() for column in columns), strict=True):
        yield SeenBar(opened_at, *values)


def _by_time(prices: Prices) -> dict[int, Values]:
    return {bar.opened_at: bar.values for bar in bars_of(prices)}
