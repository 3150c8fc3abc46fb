"""When the next bar is due where the bars seen are too few to show a whole week."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_forward_tape import market

from quantlab.trading.forward.schedule import missing_between, next_end, schedule_of

MINUTE = np.timedelta64(1, "m")


def at(text: str) -> np.datetime64:
    return np.datetime64(text, "ns")


def minutes(*stretches: tuple[str, str]) -> np.ndarray:
    """Return the openings of one-minute bars from the first to before the last of each stretch."""
    return np.concatenate([np.arange(at(first), at(last), MINUTE) for first, last in stretches])


def due(times: np.ndarray, last: str, *, ticker: str = "AAPL", interval: str = "1m") -> np.datetime64:
    prices = replace(market(len(times)), times=times)
    return next_end(schedule_of(prices, interval, ticker), at(last), interval)


THURSDAY, FRIDAY = ("2024-01-04T14:45", "2024-01-04T21:00"), ("2024-01-05T14:30", "2024-01-05T15:01")
"""The 400 bars of New York that warm a session up which begins on a Friday morning, or nearly."""


def test_the_minute_after_the_last_one_is_due_on_a_day_of_which_no_more_was_seen() -> None:
    assert due(minutes(THURSDAY, FRIDAY), "2024-01-05T15:00") == at("2024-01-05T15:02")


def test_what_one_day_shows_holds_for_other_working_days() -> None:
    whole = minutes(THURSDAY, ("2024-01-05T14:30", "2024-01-05T21:00"))
    assert due(whole, "2024-01-05T20:59") == at("2024-01-08T14:31")
    prices = replace(market(len(whole)), times=whole)
    week = schedule_of(prices, "1m", "AAPL")
    monday = missing_between(week, at("2024-01-05T20:59"), at("2024-01-08T14:32"))
    assert monday.tolist() == minutes(("2024-01-08T14:30", "2024-01-08T14:32")).tolist()


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ("2024-01-07T07:25", "2024-01-07T07:27"),  # a Sunday, hours after the bars
        ("2024-01-07T23:59", "2024-01-08T00:01"),  # at midnight
        ("2024-01-10T12:00", "2024-01-10T12:02"),  # days later
    ],
)
def test_some_hours_of_an_unknown_market_leave_every_minute_due(last: str, expected: str) -> None:
    times = minutes(("2024-01-07T02:25", "2024-01-07T07:26"))
    assert due(times, last, ticker="LIVE") == at(expected)


def test_a_rest_that_was_never_seen_is_no_hole() -> None:
    morning = minutes(("2024-01-04T14:30", "2024-01-04T16:00"))
    week = schedule_of(replace(market(len(morning)), times=morning), "1m", "AAPL")
    assert len(missing_between(week, at("2024-01-04T20:59"), at("2024-01-05T14:30"))) == 0


def test_some_minutes_that_are_left_out_are_a_hole_all_the_same() -> None:
    morning = minutes(("2024-01-04T14:30", "2024-01-04T16:00"))
    week = schedule_of(replace(market(len(morning)), times=morning), "1m", "AAPL")
    missing = missing_between(week, at("2024-01-04T16:10"), at("2024-01-04T16:13"))
    assert missing.tolist() == minutes(("2024-01-04T16:11", "2024-01-04T16:13")).tolist()


def test_a_currency_rests_until_sunday_evening() -> None:
    friday = minutes(("2024-01-05T15:20", "2024-01-05T22:00"))
    assert due(friday, "2024-01-05T23:59", ticker="EURUSD=X") == at("2024-01-07T21:01")


@pytest.mark.parametrize(
    ("ticker", "expected"), [("AAPL", "2024-01-09"), ("ETH-USD", "2024-01-07"), ("LIVE", "2024-01-09")]
)
def test_some_days_leave_the_next_working_day_due(ticker: str, expected: str) -> None:
    days = np.arange(at("2024-01-02"), at("2024-01-06"), np.timedelta64(1, "D"))
    assert due(days, "2024-01-05", ticker=ticker, interval="1d") == at(expected)


def test_one_day_of_a_week_leaves_the_day_after_it_due() -> None:
    wednesday = np.array([at("2024-01-03")])
    assert due(wednesday, "2024-01-03", interval="1d") == at("2024-01-05")
