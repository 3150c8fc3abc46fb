"""What a strategy said is held to what it says now; and the columns in which a session's bars and signals grow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from quantlab.base.errors import StrategyError
from quantlab.domain.config import validated
from quantlab.trading.forward.growing_columns import GrowingColumns
from quantlab.trading.forward.recorded_signals import RecordedSignals
from quantlab.trading.forward.taking import course_of
from quantlab.trading.forward.tape import BarTape, SeenBar
from quantlab.trading.market import Origin, Prices
from quantlab.trading.strategies.decisions import Decisions
from quantlab.trading.tape import Decided, Tape

FIRST, BARS = 3, 9
ORIGIN = Origin(source="file", detail="test", adjusted=None, retrieved_at="2024-01-01T00:00:00+00:00")


def course(**changes: Any) -> Tape:
    """A tape of nine bars with a buy on bar 4 and a sale on bar 6."""
    times = np.datetime64("2024-01-01", "ns") + np.arange(BARS) * np.timedelta64(1, "D")
    price = np.full(BARS, 100.0)
    said = {
        "enter": np.arange(BARS) == 4,
        "leave": np.arange(BARS) == 6,
        "enter_reason": np.zeros(BARS, np.uint8),
        "leave_reason": np.full(BARS, 1, np.uint8),
        "reasons": ("up", "down", "late"),
        "size": np.where(np.arange(BARS) == 4, 0.5, np.nan),
        "values": {},
    }
    prices = Prices(times=times, open=price, high=price, low=price, close=price, volume=price, origin=ORIGIN)
    return course_of(prices, validated({"ticker": "T"}), Decided(Decisions(**{**said, **changes})))


def said(of: Tape) -> RecordedSignals:
    signals = RecordedSignals()
    for bar in map(of.bar, range(FIRST, BARS - 1)):
        signals.append((bar.enter, bar.leave, bar.size))
    return signals


def test_a_strategy_that_says_the_same_again_is_believed() -> None:
    signals = said(course())
    signals.require_no_repaint(course(), FIRST)
    signals.require_no_repaint(course(reasons=("up", "down", "unheard of")), FIRST)
    assert len(signals) == BARS - 1 - FIRST


@pytest.mark.parametrize(
    ("changed", "bar", "then", "now"),
    [
        ({"enter": np.arange(BARS) == 5}, 4, "buy (up)", "nothing"),
        ({"leave": np.isin(np.arange(BARS), [3, 6])}, 3, "nothing", "sell (down)"),
        ({"enter_reason": np.full(BARS, 2, np.uint8)}, 4, "buy (up)", "buy (late)"),
        ({"leave_reason": np.full(BARS, 2, np.uint8)}, 6, "sell (down)", "sell (late)"),
        ({"size": np.full(BARS, 0.25)}, 4, "buy (up)", "buy (up)"),
        ({"size": None}, 4, "buy (up)", "buy (up)"),
    ],
)
def test_one_that_says_something_else_of_a_bar_repaints_there(
    changed: dict[str, Any], bar: int, then: str, now: str
) -> None:
    with pytest.raises(StrategyError) as refused:
        said(course()).require_no_repaint(course(**changed), FIRST)
    assert f"repaints at bar {bar} " in str(refused.value)
    assert f"it said {then} when the bar came, and says {now} now" in str(refused.value)


def test_a_reason_that_is_no_place_in_the_list_counts_for_nothing_where_nothing_is_wanted() -> None:
    elsewhere = np.where(np.arange(BARS) == 4, 0, 200).astype(np.uint8)
    said(course()).require_no_repaint(course(enter_reason=elsewhere), FIRST)


def test_columns_grow_beyond_their_first_room() -> None:
    rows = [(float(row), -float(row)) for row in range(1_500)]
    growing = GrowingColumns(2)
    for row in rows[:5]:
        growing.append(row)
    assert growing.columns.tolist() == [list(column) for column in zip(*rows[:5], strict=True)]
    for row in rows[5:]:
        growing.append(row)
    assert len(growing) == 1_500
    assert growing.columns.tolist() == [list(column) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize("known", [10, 512, 700])
def test_a_branch_of_a_tape_grows_alone_until_the_tape_takes_the_same_bars(known: int) -> None:
    bars = [SeenBar(one, *np.random.default_rng(one).random(5).tolist()) for one in range(1, known + 4)]
    tape = BarTape.of(0, bars[:known])
    before, branch = tape.hash, tape.branch()
    for bar in bars[known:]:
        branch.append(bar)
    assert (len(tape), tape.hash, len(branch)) == (known, before, known + 3)
    for bar in bars[known:]:
        tape.append(bar)
    assert tape.hash == branch.hash == BarTape.of(0, bars).hash
    assert tape.values(known) == branch.values(known) == bars[known].values
