"""One look at the market: which of the bars that came are new and closed, and what the source revised.

Pure: given what is on the tape, what the source answered and the time, it says what is to be recorded. Never is the
last row of an answer believed to be closed because it is there: the source's clock and ours must both say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from quantlab.base.errors import DataError
from quantlab.base.remedies import FINISH, Setting
from quantlab.trading.forward.revisions import bars_of
from quantlab.trading.forward.schedule import missing_between, next_end
from quantlab.trading.intervals import FINER, bar_ends, bar_length, time_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from quantlab.trading.forward.revisions import Revision, SourceView
    from quantlab.trading.forward.schedule import Schedule
    from quantlab.trading.forward.tape import BarTape, SeenBar
    from quantlab.trading.market import Prices

MOST_SKEW = np.timedelta64(30, "s")
"""Difference of the source's clock and ours from which it is a trouble that is told."""


@dataclass(frozen=True, kw_only=True)
class SourceAnswer:
    """What a source gave.

    Attributes:
        prices: Bars in time order, in the source's scale; the last ones may not have closed.
        source_time: The source's own clock, datetime64[ns], UTC; None where it tells none.
        content: SHA-256 of all that the source holds, where it holds no bar that has not closed: as long as it stays
            the same, time alone brings nothing new. None where nobody can tell.
    """

    prices: Prices
    source_time: np.datetime64 | None = None
    content: str | None = None


@dataclass(frozen=True, kw_only=True)
class Rules:
    """When a bar is believed.

    Attributes:
        interval: Length of a bar.
        settle: How long after its end a bar may still change, where the next one has not begun.
        patience: How long a missing bar is waited for, from when the bar after it has settled; then that one is taken.
    """

    interval: str
    settle: np.timedelta64
    patience: np.timedelta64


@dataclass(frozen=True, kw_only=True)
class NewBar:
    """A closed bar that is to go on the tape.

    Attributes:
        bar: As the source says it, in the source's scale.
        missing: Opening times of the bars expected before it that never came.
        late: Whether the next bar had closed before this one was seen, so that nobody could have acted on it in time.
    """

    bar: SeenBar
    missing: tuple[np.datetime64, ...]
    late: bool


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one look at the market comes to.

    Attributes:
        revisions: What the source revised, in time order; to be recorded before the bars.
        bars: New bars in time order.
        waiting_for: Opening time of the missing bar that is still waited for; None where none is.
        skew: The source's clock less ours, where they differ by more than `MOST_SKEW`.
    """

    revisions: Sequence[Revision]
    bars: Sequence[NewBar]
    waiting_for: np.datetime64 | None = None
    skew: np.timedelta64 | None = None


def plan(
    tape: BarTape,
    view: SourceView,
    answer: SourceAnswer,
    schedule: Schedule,
    rules: Rules,
    now: np.datetime64,
) -> Plan:
    """Say what an answer comes to.

    Args:
        tape: What was seen so far; at least one bar.
        view: How the source last told the bars at its end.
        answer: What it tells now.
        schedule: When bars are expected.
        rules: When they are believed.
        now: The present, datetime64[ns], UTC.

    Raises:
        DataError: the source tells other prices than it did, or bars of another interval.
    """
    watermark = tape.times[-1]
    revisions = view.compare(answer.prices)
    fresh = [
        bar for bar, done in zip(bars_of(answer.prices), closed(answer, rules, now), strict=True) if done
    ]
    bars: list[NewBar] = []
    waiting_for: np.datetime64 | None = None
    for bar in fresh:
        opened = np.datetime64(bar.opened_at, "ns")
        if opened <= watermark:
            continue
        missing = missing_between(schedule, watermark, opened)
        if len(missing) and now < _end(opened, rules) + rules.settle + rules.patience:
            waiting_for = missing[0]
            break
        late = now >= next_end(schedule, opened, rules.interval) + rules.settle
        bars.append(NewBar(bar=bar, missing=tuple(missing), late=bool(late)))
        watermark = opened
    _require_interval(tape, bars, rules.interval)
    return Plan(revisions=revisions, bars=bars, waiting_for=waiting_for, skew=_skew(answer, now))


def _require_interval(tape: BarTape, bars: Sequence[NewBar], interval: str) -> None:
    """Refuse bars that follow each other too soon, twice in a row: once is the end of a day, or a clock that changes.

    Raises:
        DataError: they do.
    """
    fresh = np.array([one.bar.opened_at for one in bars], np.int64)
    times = np.concatenate([tape.times[-2:].astype(np.int64), fresh])
    soon = np.diff(times) < FINER * float(bar_length(interval).astype(np.int64))
    twice = np.flatnonzero(soon[1:] & soon[:-1])
    if len(twice):
        first, last = (time_text(np.datetime64(int(times[twice[0] + at]), "ns")) for at in (0, 2))
        raise DataError(
            f"Three bars open from {first} to {last}, which is too soon for {interval} bars: the source tells bars of "
            "another interval. Expected those that the session began on; bring them back, or ",
            FINISH.of("SESSION_DIR", Setting("reason", "TEXT")),
            " evaluates what it has seen.",
        )


def _end(opened: np.datetime64, rules: Rules) -> np.datetime64:
    end: np.datetime64 = bar_ends(np.array([opened]), rules.interval)[0]
    return end


def due_at(schedule: Schedule, last_opened: np.datetime64, rules: Rules) -> np.datetime64:
    """Return when the next bar can be believed at the latest: its end and the time to settle."""
    due: np.datetime64 = next_end(schedule, last_opened, rules.interval) + rules.settle
    return due


def closed(answer: SourceAnswer, rules: Rules, now: np.datetime64) -> NDArray[np.bool_]:
    """Tell which bars have closed by both clocks, and have settled or been followed by another; one entry a bar."""
    present = now if answer.source_time is None else min(now, answer.source_time)
    ends = bar_ends(answer.prices.times, rules.interval)
    followed = np.zeros(len(ends), dtype=bool)
    followed[:-1] = True
    result: NDArray[np.bool_] = (ends <= present) & (followed | (ends + rules.settle <= present))
    return result


def _skew(answer: SourceAnswer, now: np.datetime64) -> np.timedelta64 | None:
    if answer.source_time is None:
        return None
    skew: np.timedelta64 = answer.source_time - now
    return skew if abs(skew) > MOST_SKEW else None
