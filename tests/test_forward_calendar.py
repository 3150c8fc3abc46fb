"""Calendars of exchanges: holidays and half days are neither due nor missing, and no bar is refused by them."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest
from support.forward_market import WARMUP, Market
from test_forward import rows
from test_forward_commands import begun, words
from test_forward_tape import market as bars
from test_forward_tape import picked

from quantlab.base.errors import ConfigError
from quantlab.cli.main import run
from quantlab.trading.forward import exchange_hours
from quantlab.trading.forward.exchange_hours import Hours, hours_of, schedule_with
from quantlab.trading.forward.schedule import missing_between, next_end

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from quantlab.trading.market import Prices

installed = pytest.mark.skipif(
    importlib.util.find_spec("exchange_calendars") is None, reason="needs quantlab-sessions[calendars]"
)


def new_york(*, holidays: Sequence[str] = (), half_days: Sequence[str] = ()) -> Hours:
    """New York in the winter of 2023: 14:30 to 21:00, on half days to 18:00."""
    dates = np.arange(np.datetime64("2023-11-01"), np.datetime64("2024-01-06"))
    dates = dates[np.is_busday(dates, holidays=list(holidays))]
    short = np.isin(dates, np.array(half_days, dtype="M8[D]"))
    closes = dates + np.where(short, np.timedelta64(18 * 60, "m"), np.timedelta64(21 * 60, "m"))
    opens = dates + np.timedelta64(14 * 60 + 30, "m")
    return Hours(
        name="XNYS",
        zone="America/New_York",
        dates=dates,
        opens=opens.astype("M8[ns]"),
        closes=closes.astype("M8[ns]"),
    )


HOURS = new_york(holidays=["2023-11-23", "2023-12-25", "2024-01-01"], half_days=["2023-11-24"])


def weekdays(first: str, last: str) -> Prices:
    daily = bars(int((np.datetime64(last) - np.datetime64(first)).astype(int)), start=first)
    return picked(daily, np.is_busday(daily.times.astype("M8[D]")))


def hourly(first: str, last: str) -> Prices:
    """Bars as Yahoo opens them: at half past, from half past nine in New York on."""
    dates = np.arange(np.datetime64(first), np.datetime64(last))
    dates = dates[np.is_busday(dates)]
    openings = np.timedelta64(14 * 60 + 30, "m") + np.arange(7) * np.timedelta64(60, "m")
    times = (dates[:, None] + openings[None, :]).ravel().astype("M8[ns]")
    return replace(bars(len(times)), times=times)


def at(text: str) -> np.datetime64:
    return np.datetime64(text, "ns")


def test_a_holiday_is_neither_due_nor_missing() -> None:
    schedule = schedule_with(HOURS, weekdays("2023-10-02", "2023-11-22"), "1d", "AAPL")
    wednesday, friday = at("2023-11-22"), at("2023-11-24")
    assert len(missing_between(schedule, wednesday, friday)) == 0
    assert next_end(schedule, wednesday, "1d") == at("2023-11-25")
    without = schedule_with(None, weekdays("2023-10-02", "2023-11-22"), "1d", "AAPL")
    assert missing_between(without, wednesday, friday).tolist() == [at("2023-11-23").astype(int)]


def test_after_a_half_day_the_next_bar_is_mondays() -> None:
    schedule = schedule_with(HOURS, hourly("2023-10-30", "2023-11-22"), "1h", "AAPL")
    last_of_the_half_day = at("2023-11-24T17:30")
    assert next_end(schedule, last_of_the_half_day, "1h") == at("2023-11-27T15:30")
    assert len(missing_between(schedule, last_of_the_half_day, at("2023-11-27T14:30"))) == 0
    assert next_end(schedule, at("2023-11-22T20:30"), "1h") == at("2023-11-24T15:30")


def test_a_bar_that_is_missing_on_a_trading_day_is_missed_all_the_same() -> None:
    schedule = schedule_with(HOURS, hourly("2023-10-30", "2023-11-22"), "1h", "AAPL")
    missed = missing_between(schedule, at("2023-11-24T14:30"), at("2023-11-24T17:30"))
    assert [str(one)[11:16] for one in missed] == ["15:30", "16:30"]


def test_bars_by_the_clock_overlap_the_session_they_are_of() -> None:
    dates = np.arange(np.datetime64("2023-10-30"), np.datetime64("2023-11-22"))
    dates = dates[np.is_busday(dates)]
    times = (dates[:, None] + np.array([12, 16, 20], dtype="m8[h]")[None, :]).ravel().astype("M8[ns]")
    schedule = schedule_with(HOURS, replace(bars(len(times)), times=times), "4h", "AAPL")
    expected = schedule.openings(at("2023-11-22T20:00"), at("2023-11-27T12:00"))
    assert [str(one)[5:16] for one in expected] == ["11-24T12:00", "11-24T16:00", "11-27T12:00"]


@pytest.mark.parametrize(
    ("friday", "monday"), [("2024-03-08T20:30", "2024-03-11T14:30"), ("2024-11-01T19:30", "2024-11-04T15:30")]
)
def test_an_exchanges_hours_stay_when_its_clock_changes(friday: str, monday: str) -> None:
    summer = friday > "2024-03-11"
    dates = np.arange(at(friday).astype("M8[D]") - 40, at(friday).astype("M8[D]") + 1)
    dates = dates[np.is_busday(dates)]
    openings = np.timedelta64((13 if summer else 14) * 60 + 30, "m") + np.arange(7) * np.timedelta64(60, "m")
    times = (dates[:, None] + openings[None, :]).ravel().astype("M8[ns]")
    schedule = schedule_with(None, replace(bars(len(times)), times=times), "1h", "AAPL", "America/New_York")
    assert times[-1] == at(friday)
    assert next_end(schedule, at(friday), "1h") == at(monday)
    assert len(missing_between(schedule, at(friday), at(monday) - np.timedelta64(60, "m"))) == 0


@pytest.mark.parametrize("day", ["2024-03-31", "2024-10-27"])  # 23 and 25 hours long in Berlin
def test_round_the_clock_a_change_of_clocks_is_no_hole(day: str) -> None:
    times = at(day) - np.timedelta64(20, "D") + np.arange(21 * 24) * np.timedelta64(60, "m")
    schedule = schedule_with(None, replace(bars(len(times)), times=times), "1h", "BTC-EUR", "Europe/Berlin")
    assert len(schedule.openings(at(day), at(day) + np.timedelta64(1, "D"))) == 24


def test_beyond_the_calendars_end_the_week_of_the_bars_holds() -> None:
    schedule = schedule_with(HOURS, weekdays("2023-11-01", "2024-01-06"), "1d", "AAPL")
    assert HOURS.end == at("2024-01-06")
    expected = schedule.openings(at("2024-01-03"), at("2024-01-09"))
    assert [str(one)[:10] for one in expected] == ["2024-01-04", "2024-01-05", "2024-01-08", "2024-01-09"]


def test_a_market_that_never_rests_keeps_to_its_exchanges_sessions() -> None:
    schedule = schedule_with(HOURS, bars(60), "1d", "ETH-USD")
    assert next_end(schedule, at("2023-11-22"), "1d") == at("2023-11-25")


@pytest.mark.slow  # a start asks git which code it is
def test_a_session_takes_bars_on_days_that_the_calendar_does_not_know(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange_hours, "_hours", lambda _name, _since: HOURS)
    market = Market(tmp_path / "prices.csv")
    folder = begun(market, capsys, "--calendar", "XNYS")
    market.to(WARMUP + 3)
    assert run(["paper-sessions", "step", str(folder)]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["bars_taken"] == 3
    assert told.err.count("WARNING: the calendar XNYS ends before today") == 1
    asked = "SELECT json_extract(payload, '$.forward.calendar') FROM events WHERE type = 'started'"
    assert rows(folder, asked) == [("XNYS",)]


def test_without_the_library_it_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange_hours._hours.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "exchange_calendars", None)
    assert run([*words(Market(tmp_path / "prices.csv")), "--calendar", "XNYS"]) == 2
    assert "pip install 'quantlab-sessions[calendars]'" in capsys.readouterr().err


@installed
def test_the_librarys_new_york_rests_on_thanksgiving_and_closes_early_after_it() -> None:
    hours = hours_of("XNYS", at("2023-11-20"))
    thanksgiving = np.datetime64("2023-11-23")
    assert thanksgiving not in hours.dates
    (friday,) = np.flatnonzero(hours.dates == thanksgiving + 1)
    assert hours.closes[friday] == at("2023-11-24T18:00")
    assert hours.zone == "America/New_York"


@installed
def test_a_calendar_of_no_name_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*words(Market(tmp_path / "prices.csv")), "--calendar", "NYC"]) == 2
    assert "there is none named 'NYC'; expected one such as XNYS" in capsys.readouterr().err


@installed
def test_a_calendar_that_the_library_can_not_make_is_refused() -> None:
    with pytest.raises(ConfigError, match="can't be had from"):
        hours_of("XNYS", np.datetime64(datetime(2262, 1, 1, tzinfo=UTC).replace(tzinfo=None), "ns"))
