"""Bars a year, and the calendar that they follow: every day or weekdays, and how long a day is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict
from numpy.testing import assert_array_equal
from support.prices_cases import config, daily, flat, weekdays

from quantlab.exports.bundle import data_facts
from quantlab.runner.rerun import rerun
from quantlab.trading.calendars import (
    bars_a_day,
    calendar_of,
    is_guess,
    periods_as_first_released,
    periods_per_year,
)
from quantlab.trading.intervals import bar_length, dates_of, days
from quantlab.trading.prices import table
from quantlab.trading.quality import assess

if TYPE_CHECKING:
    from pathlib import Path

    from quantlab.trading.market import Prices


def sessions(days: Prices, opens: str, closes: str, interval: str) -> Prices:
    """Give each day the bars of a session between two times of the UTC day; one that ends earlier ends on the next."""
    begin, end = (np.timedelta64(int(text[:2]) * 60 + int(text[3:]), "m") for text in (opens, closes))
    length = end - begin if end > begin else end - begin + np.timedelta64(24, "h")
    offsets = begin + np.arange(np.timedelta64(0, "m"), length, bar_length(interval).astype("m8[m]"))
    return flat((days.times[:, None] + offsets.astype("m8[ns]")[None, :]).ravel())


def hours(first: str, last: str) -> Prices:
    """Return an hourly bar round the clock, from an hour to another, both included."""
    return flat(np.arange(np.datetime64(first, "h"), np.datetime64(last, "h") + 1))


def currencies(first: str, last: str) -> Prices:
    """Return hourly bars from Sunday 22:00 to Friday 22:00 UTC."""
    times = hours(first, last).times
    weekday, hour = (times.astype("M8[D]").astype(int) + 3) % 7, times.astype("M8[h]").astype(int) % 24
    return flat(times[(weekday < 4) | ((weekday == 4) & (hour < 22)) | ((weekday == 6) & (hour >= 22))])


NEW_YORK, ROUND = ("14:30", "21:00"), ("00:00", "00:00")


@pytest.mark.parametrize(
    ("interval", "every_day", "on_weekdays"),
    [("1d", 365.0, 252.0), ("5d", 52.0, 52.0), ("1wk", 52.0, 52.0), ("1mo", 12.0, 12.0), ("3mo", 4.0, 4.0)],
)
def test_days_and_longer_follow_the_calendar(interval: str, every_day: float, on_weekdays: float) -> None:
    first, last = "2023-01-01", "2023-03-31"
    assert periods_per_year(daily(first, last), interval, "ANY") == every_day
    assert periods_per_year(weekdays(first, last), interval, "ANY") == on_weekdays


@pytest.mark.parametrize(
    ("interval", "every_day", "on_weekdays"),
    [("1h", 8760.0, 1764.0), ("90m", 5840.0, 1260.0), ("30m", 17520.0, 3276.0), ("1m", 525600.0, 98280.0)],
)
def test_intraday_bars_fill_the_clock_or_new_yorks_session(
    interval: str, every_day: float, on_weekdays: float
) -> None:
    first, last = "2023-01-02", "2023-01-15"
    assert periods_per_year(sessions(daily(first, last), *ROUND, interval), interval, "ANY") == every_day
    assert (
        periods_per_year(sessions(weekdays(first, last), *NEW_YORK, interval), interval, "ANY") == on_weekdays
    )


def test_london_has_nine_hours_a_day() -> None:
    prices = sessions(weekdays("2023-01-02", "2023-03-31"), "08:00", "16:30", "1h")
    assert periods_per_year(prices, "1h", "VOD.L") == 252 * 9


def test_currencies_have_twenty_four_hours_on_weekdays() -> None:
    assert periods_per_year(currencies("2023-01-01T00", "2023-03-31T21"), "1h", "EURUSD=X") == 252 * 24


def test_a_session_over_midnight_in_utc_is_one_day() -> None:
    evenings = flat(weekdays("2023-01-02", "2023-03-31").times - np.timedelta64(1, "D"))  # Monday in Sydney
    prices = sessions(evenings, "23:00", "05:00", "1h")
    assert periods_per_year(prices, "1h", "BHP.AX") == 252 * 6


def test_a_week_from_sunday_to_thursday_has_its_own_days() -> None:
    days = daily("2023-01-01", "2023-03-31").times.astype("M8[D]")
    prices = sessions(flat(days[np.is_busday(days, weekmask="1111001")]), "07:00", "12:00", "1h")
    assert periods_per_year(prices, "1h", "2222.SR") == 252 * 5


def test_half_days_and_cut_off_days_do_not_count() -> None:
    times = sessions(weekdays("2023-01-02", "2023-01-31"), *NEW_YORK, "1h").times
    assert periods_per_year(flat(np.delete(times[5:-4], [20, 21, 22])), "1h", "AAPL") == 252 * 7


def test_a_day_that_may_be_cut_off_counts_as_a_whole_session() -> None:
    prices = sessions(weekdays("2023-01-03", "2023-01-03"), "14:30", "15:00", "1m")
    assert bars_a_day(prices, "1m") == 390


@pytest.mark.parametrize(("saturdays", "days_a_year"), [(1, 252.0), (4, 252.0), (5, 365.0), (10, 365.0)])
def test_a_market_that_trades_every_day_opens_on_half_of_the_saturdays(
    saturdays: int, days_a_year: float
) -> None:
    days = daily("2023-01-02", "2023-03-12").times.astype("M8[D]")
    chosen = days[np.is_busday(days, weekmask="Sat")][:saturdays]
    prices = flat(
        days[
            np.is_busday(days, weekmask="1111101") & ~np.is_busday(days, weekmask="Sat")
            | np.isin(days, chosen)
        ]
    )
    assert periods_per_year(prices, "1d", "ANY") == days_a_year


def test_months_tell_no_calendar() -> None:
    months = flat(np.arange(np.datetime64("2015-01"), np.datetime64("2024-01")))
    assert calendar_of(months, "1mo", "ETH-USD") == "weekdays"


def test_sunday_to_wednesday_round_the_clock_is_every_day() -> None:
    prices = hours("2023-01-01T00", "2023-01-04T23")
    assert periods_per_year(prices, "1h", "ANY") == 8760
    assert not is_guess(prices, "1h", "ANY")


def test_currencies_from_sunday_evening_to_wednesday_are_weekdays() -> None:
    assert calendar_of(currencies("2023-01-01T00", "2023-01-04T23"), "1h", "EURUSD=X") == "weekdays"


@pytest.mark.parametrize(
    ("ticker", "calendar", "guess"),
    [
        ("ETH-USD", "every_day", False),
        ("btc-usdt", "every_day", False),
        ("EURUSD=X", "weekdays", False),
        ("ES=F", "weekdays", False),
        ("BRK-B", "weekdays", True),
        ("XAU", "weekdays", True),
    ],
)
def test_monday_to_friday_round_the_clock_is_what_the_ticker_says(
    ticker: str, calendar: str, guess: bool
) -> None:
    prices = hours("2023-01-02T00", "2023-01-06T23")
    assert (calendar_of(prices, "1h", ticker), is_guess(prices, "1h", ticker)) == (calendar, guess)


def test_a_session_from_monday_to_friday_is_no_question() -> None:
    prices = sessions(weekdays("2023-01-02", "2023-01-06"), *NEW_YORK, "1h")
    assert calendar_of(prices, "1h", "ETH-USD") == "weekdays"
    assert not is_guess(prices, "1h", "AAPL")


def test_a_free_saturday_settles_it() -> None:
    prices = currencies("2023-01-02T00", "2023-01-10T12")
    assert calendar_of(prices, "1h", "ETH-USD") == "weekdays"
    assert not is_guess(prices, "1h", "XAU")


def test_the_first_releases_year_is_kept_for_its_sessions() -> None:
    prices = currencies("2023-01-01T00", "2023-03-31T21")
    assert periods_as_first_released(prices, "1h") == 252 * 7
    assert periods_as_first_released(hours("2023-01-01T00", "2023-01-31T23"), "1h") == 8760
    assert periods_as_first_released(daily("2023-01-01", "2023-03-31"), "5d") == 73.0


def test_a_session_of_the_first_release_runs_again_with_its_own_year(tmp_path: Path) -> None:
    prices = currencies("2023-01-01T00", "2023-03-31T21")
    settings = config(ticker="EURUSD=X", interval="1h", end="2023-04-01")
    data = table.to_csv(prices)
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts" / "prices.csv").write_bytes(data)
    quality = assess(prices, interval="1h", ticker="EURUSD=X")
    facts = data_facts(settings, prices, quality, table.data_hash(data))
    today = rerun(tmp_path, asdict(settings), facts)
    first = rerun(
        tmp_path, asdict(settings), {name: facts[name] for name in facts if name != "periods_per_year"}
    )
    years = [each.figures.periods_per_year for each in (today, first)]
    assert years == [252 * 24, 252 * 7]


@settings(max_examples=100, deadline=None)
@given(
    gaps=st.lists(st.integers(1, 5 * 24 * 60), max_size=80),
    first=st.integers(-50_000, 50_000),
    unit=st.sampled_from(["s", "m"]),
)
def test_the_days_of_bars_are_those_that_looking_at_each_gives(
    gaps: list[int], first: int, unit: str
) -> None:
    since = np.array([0, *gaps]).cumsum().astype(f"m8[{unit}]").astype("m8[ns]")
    times = np.datetime64("2024-01-01", "ns") + np.timedelta64(first, "h") + since
    for some in (times, times[:0]):
        found, expected = dates_of(some), np.unique(days(some), return_counts=True)
        assert_array_equal(found[0], expected[0])
        assert_array_equal(found[1], expected[1])
