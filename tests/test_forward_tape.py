"""The tape, what a source revises after the fact, and what one look at the market comes to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from quantlab.base.errors import DataError
from quantlab.trading.forward.revisions import Revision, SourceView, bars_of
from quantlab.trading.forward.schedule import RoundTheClock, missing_between, next_end, schedule_of
from quantlab.trading.forward.tape import GENESIS, BarTape, SeenBar
from quantlab.trading.forward.turn import Plan, Rules, SourceAnswer, due_at, plan
from quantlab.trading.forward.week import LearnedWeek
from quantlab.trading.market import Origin, Prices

ORIGIN = Origin(source="file", detail="test", adjusted=None, retrieved_at="2024-01-01T00:00:00+00:00")
DAY = np.timedelta64(1, "D")
RULES = Rules(interval="1d", settle=np.timedelta64(60, "m"), patience=np.timedelta64(1, "D"))


def market(bars: int, start: str = "2024-01-01", step: np.timedelta64 = DAY, seed: int = 1) -> Prices:
    made = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(made.normal(0, 0.02, bars)))
    opened = close * np.exp(made.normal(0, 0.005, bars))
    times = np.datetime64(start, "ns") + step * np.arange(bars)
    high, low = np.maximum(opened, close) * 1.01, np.minimum(opened, close) * 0.99
    volume = made.integers(1_000, 9_000, bars).astype(float)
    return Prices(times=times, open=opened, high=high, low=low, close=close, volume=volume, origin=ORIGIN)


COLUMNS = ("times", "open", "high", "low", "close", "volume")


def picked(prices: Prices, which: object) -> Prices:
    columns = {name: getattr(prices, name)[which] for name in COLUMNS}
    return Prices(origin=prices.origin, **columns)


def some(prices: Prices, start: int, stop: int) -> Prices:
    return picked(prices, slice(start, stop))


def scaled(prices: Prices, before: int, price: float, volume: float = 1.0) -> Prices:
    """The history as a source tells it after an event on bar `before`: all bars before it by one factor."""
    changed = {}
    for name, factor in (
        ("open", price),
        ("high", price),
        ("low", price),
        ("close", price),
        ("volume", volume),
    ):
        values = getattr(prices, name).copy()
        values[:before] *= factor
        changed[name] = values
    return replace(prices, **changed)


def seen(prices: Prices, warmup: int = 0) -> tuple[BarTape, SourceView]:
    tape, view = BarTape(warmup), SourceView()
    for index, bar in enumerate(bars_of(prices)):
        tape.append(bar)
        view.keep(index, bar.opened_at, bar.values)
    return tape, view


def looked(prices: Prices, known: int, now: str, source_time: str | None = None) -> Plan:
    tape, view = seen(some(prices, 0, known))
    answer = SourceAnswer(
        prices=prices, source_time=None if source_time is None else np.datetime64(source_time, "ns")
    )
    return plan(tape, view, answer, RoundTheClock(interval="1d"), RULES, np.datetime64(now, "ns"))


def opened(found: Plan) -> list[str]:
    return [str(np.datetime64(one.bar.opened_at, "ns").astype("M8[D]")) for one in found.bars]


def test_bars_of_a_shorter_interval_are_refused_behind_the_tape() -> None:
    days, hours = market(10), market(24, "2024-01-11", np.timedelta64(1, "h"))
    columns = {name: np.concatenate([getattr(days, name), getattr(hours, name)]) for name in COLUMNS}
    mixed = Prices(origin=days.origin, **columns)
    with pytest.raises(
        DataError, match=r"from 2024-01-11T00:00.* to 2024-01-11T02:00.* too soon for 1d bars"
    ):
        looked(mixed, 10, "2024-01-13")


def test_one_bar_may_follow_another_too_soon() -> None:
    shifted = market(14)
    shifted.times[12:] -= np.timedelta64(6, "h")
    assert opened(looked(shifted, 10, "2024-01-20")) == [
        "2024-01-11",
        "2024-01-12",
        "2024-01-12",
        "2024-01-13",
    ]


def test_a_tape_s_hash_depends_on_every_bar_and_their_order() -> None:
    bars = list(bars_of(market(3)))
    assert BarTape.of(0, bars).hash == BarTape.of(0, bars).hash
    assert BarTape(0).hash == GENESIS
    changed = [bars[0], SeenBar(bars[1].opened_at, *bars[1].values[:4], bars[1].volume + 1), bars[2]]
    assert BarTape.of(0, changed).hash != BarTape.of(0, bars).hash


def test_a_tape_gives_back_what_was_put_on_it_beyond_its_first_room() -> None:
    prices = market(1_300)
    tape = BarTape.of(100, bars_of(prices))
    kept = tape.prices(ORIGIN)
    assert len(tape) == len(kept) == 1_300
    for name in ("times", "open", "high", "low", "close", "volume"):
        assert_array_equal(getattr(kept, name), getattr(prices, name))


def test_a_tape_takes_no_bar_twice() -> None:
    bars = list(bars_of(market(2)))
    with pytest.raises(ValueError, match="can't follow"):
        BarTape.of(0, [bars[1], bars[0]])


def test_a_source_that_says_the_same_revised_nothing() -> None:
    prices = market(50)
    _tape, view = seen(some(prices, 0, 49))
    assert view.compare(prices) == []


@pytest.mark.parametrize(("price", "volume"), [(0.99, 1.0), (0.5, 2.0), (0.1, 10.0), (1.01, 1.0)])
def test_a_dividend_or_split_scales_the_bars_to_come_to_what_was_seen(price: float, volume: float) -> None:
    prices = market(60)
    _tape, view = seen(some(prices, 0, 40))
    now = scaled(prices, 40, price, volume)
    (found,) = view.compare(now)
    assert (found.kind, found.bar, found.reaches_last) == ("adjusted", 39, True)
    assert found.factor == pytest.approx((1 / price, 1 / volume))
    view.learn(found)
    assert view.compare(now) == []
    first_new = next(iter(bars_of(some(now, 40, 41))))
    assert view.to_session(first_new).values[3] == pytest.approx(float(prices.close[40]) / price)


def test_an_adjustment_that_leaves_the_last_bar_alone_scales_nothing_to_come() -> None:
    prices = market(60)
    _tape, view = seen(some(prices, 0, 41))
    (found,) = view.compare(scaled(prices, 40, 0.98))
    assert (found.kind, found.bar, found.reaches_last) == ("adjusted", 39, False)
    view.learn(found)
    assert view.scale.price == 1.0
    assert view.compare(scaled(prices, 40, 0.98)) == []


def test_one_bar_that_changed_is_corrected_and_told_once() -> None:
    prices = market(60)
    _tape, view = seen(some(prices, 0, 40))
    close = prices.close.copy()
    close[35] *= 1.001
    (found,) = view.compare(replace(prices, close=close))
    assert (found.kind, found.bar) == ("corrected", 35)
    view.learn(found)
    assert view.compare(replace(prices, close=close)) == []


def rounded(prices: Prices, digits: int) -> Prices:
    """The prices as a source tells it that rounds them."""
    return replace(prices, **{name: getattr(prices, name).round(digits) for name in COLUMNS[1:5]})


@pytest.mark.parametrize("digits", [2, 4])
@pytest.mark.parametrize("factor", [0.5, 1 / 3, 10.0, 0.99])
def test_an_adjustment_is_known_through_the_digits_to_which_a_source_rounds(
    factor: float, digits: int
) -> None:
    prices = market(60)
    told = rounded(prices, digits)
    _tape, view = seen(some(told, 0, 40))
    now = rounded(scaled(prices, 60, factor), digits)
    (found,) = view.compare(now)
    assert (found.kind, found.reaches_last) == ("adjusted", True)
    view.learn(found)
    assert view.compare(now) == []
    is_split = factor != 0.99
    assert view.scale.price == pytest.approx(1 / factor, rel=1e-12 if is_split else 10.0**-digits)


@pytest.mark.parametrize("place", [0, 20, 39])
def test_a_bar_that_is_corrected_on_the_day_of_a_split_hides_no_split(place: int) -> None:
    prices = market(60)
    _tape, view = seen(some(prices, 0, 40))
    now = scaled(prices, 60, 0.5)
    now.close[place] *= 1.004
    known_from = 40 - 30
    revisions = view.compare(now)
    corrected = [("corrected", place)] if place >= known_from else []
    assert [(one.kind, one.bar) for one in revisions] == [("adjusted", 39), *corrected]
    for one in revisions:
        view.learn(one)
    assert (view.scale.price, view.compare(now)) == (2.0, [])


def test_one_cent_more_or_less_is_no_adjustment() -> None:
    told = rounded(market(60), 2)
    _tape, view = seen(some(told, 0, 40))
    cents = np.where(np.arange(60) % 2, 0.01, -0.01)
    now = rounded(replace(told, **{name: getattr(told, name) + cents for name in COLUMNS[1:5]}), 2)
    assert {one.kind for one in view.compare(now)} == {"corrected"}


def test_a_source_that_tells_another_markets_prices_is_refused() -> None:
    _tape, view = seen(some(market(60), 0, 40))
    with pytest.raises(DataError, match="by no one factor"):
        view.compare(replace(market(60, seed=9), times=market(60).times, close=market(60, seed=9).close * 4))


def test_a_source_that_has_none_of_the_bars_before_its_new_ones_is_refused() -> None:
    prices = market(60)
    _tape, view = seen(some(prices, 0, 40))
    with pytest.raises(DataError, match="none of those up to there"):
        view.compare(some(prices, 40, 50))
    assert view.compare(some(prices, 0, 10)) == []  # cut off behind what is known: nothing new


def test_two_changes_by_different_factors_are_two_corrections() -> None:
    prices = market(60)
    _tape, view = seen(some(prices, 0, 40))
    close = prices.close.copy()
    close[10:12] *= (1.001, 1.002)
    kinds = [(one.kind, one.bar) for one in view.compare(replace(prices, close=close))]
    assert kinds == [("corrected", 10), ("corrected", 11)]


def test_a_bar_that_comes_after_later_ones_is_late_and_told_once() -> None:
    prices = market(60)
    tape, view = BarTape(0), SourceView()
    for index, bar in enumerate(bars_of(prices)):
        if index != 45 and index < 50:
            view.keep(len(tape), bar.opened_at, bar.values)
            tape.append(bar)
    (found,) = view.compare(prices)
    assert (found.kind, found.bar, found.opened_at) == ("late", None, int(prices.times[45].astype(np.int64)))
    view.learn(found)
    assert view.compare(prices) == []


def test_a_source_without_volumes_revises_none() -> None:
    prices = market(40)
    nothing = replace(prices, volume=np.full(40, np.nan))
    _tape, view = seen(some(prices, 0, 39))
    assert view.compare(nothing) == []


def test_an_unfinished_bar_is_never_taken() -> None:
    prices = market(11)  # 2024-01-01 to 2024-01-11
    assert opened(looked(prices, 9, "2024-01-11T12:00")) == ["2024-01-10"]


def test_the_last_bar_is_taken_when_it_has_settled() -> None:
    prices = market(10)
    assert opened(looked(prices, 9, "2024-01-11T00:30")) == []
    assert opened(looked(prices, 9, "2024-01-11T01:00")) == ["2024-01-10"]


def test_both_clocks_must_say_that_a_bar_has_closed() -> None:
    prices = market(10)
    fast = looked(prices, 9, "2024-01-11T02:00", source_time="2024-01-10T23:59")
    slow = looked(prices, 9, "2024-01-10T23:00", source_time="2024-01-11T02:00")
    assert (opened(fast), opened(slow)) == ([], [])
    assert fast.skew == np.timedelta64(-121, "m")
    assert slow.skew == np.timedelta64(3, "h")


def test_after_an_outage_bars_come_in_order_and_all_but_the_last_are_late() -> None:
    found = looked(market(15), 10, "2024-01-16T01:30")
    assert opened(found) == [f"2024-01-{day}" for day in range(11, 16)]
    assert [one.late for one in found.bars] == [True, True, True, True, False]


def test_a_hole_is_waited_for_and_then_recorded_as_missing() -> None:
    prices = market(15)
    holed = picked(prices, np.arange(15) != 11)
    tape, view = seen(some(prices, 0, 11))
    asked = (tape, view, SourceAnswer(prices=some(holed, 0, 12)), RoundTheClock(interval="1d"), RULES)
    waiting = plan(*asked, np.datetime64("2024-01-14T02:00", "ns"))
    assert (opened(waiting), str(waiting.waiting_for)[:10]) == ([], "2024-01-12")
    over = plan(*asked, np.datetime64("2024-01-15T01:00", "ns"))
    assert opened(over) == ["2024-01-13"]
    assert [str(one)[:10] for one in over.bars[0].missing] == ["2024-01-12"]


def test_a_week_is_learned_from_the_bars_and_no_weekend_is_missing() -> None:
    prices = market(60)
    weekdays = np.is_busday(prices.times.astype("M8[D]"))
    stocks = picked(prices, weekdays)
    week = schedule_of(stocks, "1d", "AAPL")
    assert isinstance(week, LearnedWeek)
    friday, monday = np.datetime64("2024-02-23", "ns"), np.datetime64("2024-02-26", "ns")
    assert len(missing_between(week, friday, monday)) == 0
    assert next_end(week, friday, "1d") == np.datetime64("2024-02-27", "ns")
    tuesday = np.datetime64("2024-02-27", "ns")
    assert [str(one)[:10] for one in missing_between(week, friday, tuesday)] == ["2024-02-26"]


def test_an_exchange_s_hours_are_learned_from_intraday_bars() -> None:
    hours = np.array([14, 15, 16, 17, 18, 19, 20], dtype="m8[h]")
    dates = np.arange(np.datetime64("2024-01-01"), np.datetime64("2024-02-01"))
    dates = dates[np.is_busday(dates)]
    times = (dates[:, None] + hours[None, :]).ravel().astype("M8[ns]")
    prices = market(len(times))
    week = schedule_of(replace(prices, times=times), "1h", "AAPL")
    friday_close = np.datetime64("2024-01-26T20:00", "ns")
    assert next_end(week, friday_close, "1h") == np.datetime64("2024-01-29T15:00", "ns")


def test_a_market_round_the_clock_is_due_at_the_end_of_every_bar() -> None:
    prices = market(40)
    schedule = schedule_of(prices, "1d", "ETH-USD")
    assert due_at(schedule, np.datetime64("2024-02-09", "ns"), RULES) == np.datetime64(
        "2024-02-11T01:00", "ns"
    )


def test_half_an_hour_of_a_pair_is_no_week_of_it() -> None:
    sunday = np.datetime64("2026-11-29T02:22", "ns")
    prices = replace(market(30), times=sunday + np.arange(30) * np.timedelta64(1, "m"))
    schedule = schedule_of(prices, "1m", "ETH-USD")
    assert next_end(schedule, prices.times[-1], "1m") == np.datetime64("2026-11-29T02:53", "ns")


def test_what_was_revised_is_told_with_both_values() -> None:
    prices = market(60)
    _tape, view = seen(some(prices, 0, 40))
    (found,) = view.compare(scaled(prices, 40, 0.5, 2.0))
    assert isinstance(found, Revision)
    assert found.was is not None
    assert found.was[3] == float(prices.close[39])
    assert found.now[3] == pytest.approx(float(prices.close[39]) / 2)
