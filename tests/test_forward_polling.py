"""When the market is asked again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from quantlab.trading.forward.polling import next_poll, retry_at

DUE = datetime(2024, 1, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "expected"),
    [(-3600, 0), (0, 15), (14, 15), (15, 60), (60, 300), (299, 300), (300, 300 + 900), (10_000, 10_900)],
)
def test_a_bar_is_asked_for_when_due_and_then_less_often(now: int, expected: int) -> None:
    asked = next_poll(DUE, DUE + timedelta(seconds=now), timedelta(days=1))
    assert asked == DUE + timedelta(seconds=expected)


def test_no_pause_is_longer_than_a_bar() -> None:
    now = DUE + timedelta(minutes=6)
    assert next_poll(DUE, now, timedelta(minutes=1)) == now + timedelta(minutes=1)


def test_bars_by_the_clock_are_asked_for_once_an_hour_whenever_they_are_due() -> None:
    week = DUE - timedelta(days=7)
    assert next_poll(DUE, week, timedelta(minutes=1)) == week + timedelta(hours=1)
    assert next_poll(DUE, week, timedelta(days=1)) == DUE


def test_pauses_after_trouble_double_up_to_a_quarter_of_an_hour() -> None:
    pauses = [
        (retry_at(DUE, attempt, retry_after=None, chance=0.0) - DUE).total_seconds()
        for attempt in range(1, 10)
    ]
    assert pauses == [5, 10, 20, 40, 80, 160, 320, 640, 900]


def test_drivers_that_failed_together_part() -> None:
    assert retry_at(DUE, 1, retry_after=None, chance=0.8) - DUE == timedelta(seconds=6)


def test_a_source_that_says_when_is_believed() -> None:
    assert retry_at(DUE, 5, retry_after=timedelta(seconds=7), chance=0.9) == DUE + timedelta(seconds=7)
