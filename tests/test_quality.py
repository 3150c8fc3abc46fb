"""Judging bars: what counts as missing on which calendar, and what raises a doubt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from support.prices_cases import daily, flat, weekdays, with_values, without

from quantlab.trading import quality
from quantlab.trading.prices.asked import noted
from quantlab.trading.quality import assess as assess_of

if TYPE_CHECKING:
    from quantlab.trading.market import Prices
    from quantlab.trading.results import DataQuality

US_HOLIDAYS_2023 = (
    "2023-01-02", "2023-01-16", "2023-02-20", "2023-04-07", "2023-05-29",
    "2023-06-19", "2023-07-04", "2023-09-04", "2023-11-23", "2023-12-25",
)  # fmt: skip
GOLDEN_WEEKS_2020 = (
    "2020-01-24", "2020-01-27", "2020-01-28", "2020-01-29", "2020-01-30", "2020-01-31", "2020-04-06",
    "2020-05-01", "2020-05-04", "2020-05-05", "2020-06-25", "2020-06-26",
    "2020-10-01", "2020-10-02", "2020-10-05", "2020-10-06", "2020-10-07", "2020-10-08",
)  # fmt: skip


def assess(prices: Prices, *, interval: str, ticker: str = "ANY", **facts: Any) -> DataQuality:
    return assess_of(prices, interval=interval, ticker=ticker, **facts)


def intraday(days: Prices, hours: range) -> Prices:
    """Give each day an hourly bar at each of these hours, UTC."""
    offsets = np.array(list(hours)).astype("m8[h]").astype("m8[ns]")
    return flat((days.times[:, None] + offsets[None, :]).ravel())


def test_a_whole_year_raises_nothing() -> None:
    judged = assess(daily("2023-01-01", "2023-12-31"), interval="1d")
    assert (judged.doubts, judged.warnings, judged.gaps, judged.missing_bars) == ((), (), (), 0)


def test_the_first_and_last_bars_are_told_in_utc() -> None:
    judged = assess(daily("2023-01-01", "2023-12-31"), interval="1d")
    assert (judged.first_bar, judged.last_bar) == ("2023-01-01T00:00:00+00:00", "2023-12-31T00:00:00+00:00")


def test_weekend_bars_mean_a_market_that_trades_every_day() -> None:
    assert assess(daily("2023-01-01", "2023-12-31"), interval="1d").calendar == "every_day"


def test_no_weekend_bars_mean_weekdays() -> None:
    assert assess(weekdays("2023-01-01", "2023-12-31"), interval="1d").calendar == "weekdays"


def test_special_sessions_on_weekends_make_no_every_day_market() -> None:
    days = daily("2023-01-01", "2024-12-31").times.astype("M8[D]")
    special = np.isin(days, np.array(["2023-11-12", "2024-01-20", "2024-03-02"], dtype="M8[D]"))
    judged = assess(flat(days[np.is_busday(days) | special]), interval="1d")
    assert (judged.calendar, judged.periods_per_year, judged.doubts) == ("weekdays", 252.0, ())


def test_a_guessed_week_is_told() -> None:
    hours = intraday(weekdays("2023-01-02", "2023-01-06"), range(24))
    judged = assess(hours, interval="1h", ticker="XAU")
    assert judged.calendar == "weekdays"
    assert "No weekend lies between the first bar and the last" in judged.warnings[0]
    assert assess(hours, interval="1h", ticker="ETH-USD").warnings == ()


def test_american_holidays_are_missing_bars_but_no_doubt() -> None:
    judged = assess(without(weekdays("2022-12-30", "2023-12-29"), *US_HOLIDAYS_2023), interval="1d")
    assert (judged.missing_bars, judged.doubts, judged.warnings) == (10, (), ())


def test_the_longest_chinese_holidays_are_no_doubt() -> None:
    judged = assess(without(weekdays("2020-01-02", "2020-12-31"), *GOLDEN_WEEKS_2020), interval="1d")
    assert (judged.missing_bars, judged.doubts) == (18, ())


def test_a_week_from_sunday_to_thursday_has_no_gaps() -> None:
    days = daily("2023-01-01", "2023-12-28").times.astype("M8[D]")
    judged = assess(flat(days[np.is_busday(days, weekmask="1111001")]), interval="1d")
    assert (judged.missing_bars, judged.doubts) == (0, ())


def test_the_longest_gaps_come_first_and_are_five_at_most() -> None:
    absent = [f"2023-{month:02}-10" for month in range(1, 8)]
    judged = assess(
        without(daily("2023-01-01", "2023-12-31"), *absent, "2023-09-10", "2023-09-11"), interval="1d"
    )
    assert len(judged.gaps) == 5
    assert judged.gaps[0] == ("2023-09-09T00:00:00+00:00", "2023-09-12T00:00:00+00:00", 2)


def test_more_than_a_twentieth_missing_every_day_is_doubtful() -> None:
    absent = [f"2023-{month:02}-{day}" for month in range(1, 13) for day in (10, 20)]
    judged = assess(without(daily("2023-01-01", "2023-12-31"), *absent), interval="1d")
    assert judged.doubts == ("missing_bars",)
    assert judged.warnings == ("24 of 365 expected bars are missing (6.6%), at most 1 in a row.",)


def test_a_long_hole_is_doubtful_though_few_bars_are_missing() -> None:
    hole = ("2023-05-01", "2023-05-02", "2023-05-03", "2023-05-04")
    assert assess(without(daily("2023-01-01", "2023-12-31"), *hole), interval="1d").doubts == (
        "missing_bars",
    )
    assert assess(without(daily("2023-01-01", "2023-12-31"), *hole[:3]), interval="1d").doubts == ()


def test_weekly_bars_are_judged_by_their_grid() -> None:
    weeks = daily("2023-01-02", "2023-12-31").times[::7]
    assert assess(flat(weeks), interval="1wk").missing_bars == 0
    judged = assess(flat(np.delete(weeks, [20, 21, 22])), interval="1wk")
    assert (judged.missing_bars, judged.doubts) == (3, ("missing_bars",))


def test_monthly_bars_have_no_gaps_though_months_differ() -> None:
    months = np.arange(np.datetime64("2015-01"), np.datetime64("2024-01"))
    assert assess(flat(months), interval="1mo").missing_bars == 0


def test_hours_around_the_clock_are_judged_one_by_one() -> None:
    hours = intraday(daily("2023-01-01", "2023-02-28"), range(24))
    judged = assess(flat(np.delete(hours.times, [100, 101])), interval="1h")
    assert judged.missing_bars == 2
    assert judged.gaps == (("2023-01-05T03:00:00+00:00", "2023-01-05T06:00:00+00:00", 2),)


def test_four_days_without_hours_are_doubtful() -> None:
    days = without(daily("2023-01-01", "2023-12-31"), "2023-05-01", "2023-05-02", "2023-05-03", "2023-05-04")
    assert assess(intraday(days, range(24)), interval="1h").doubts == ("missing_bars",)


def test_a_session_of_seven_hours_has_no_gaps() -> None:
    judged = assess(intraday(weekdays("2023-01-02", "2023-06-30"), range(14, 21)), interval="1h")
    assert (judged.calendar, judged.missing_bars, judged.doubts) == ("weekdays", 0, ())


def test_a_lunch_break_is_no_gap() -> None:
    days = weekdays("2023-01-02", "2023-06-30")
    times = np.concatenate([intraday(days, range(3)).times, intraday(days, range(4, 6)).times])
    assert assess(flat(np.sort(times)), interval="1h").missing_bars == 0


def test_days_that_are_full_of_holes_are_doubtful() -> None:
    minutes = (weekdays("2023-01-02", "2023-01-31").times[:, None] + np.arange(390).astype("m8[m]")).ravel()
    traded = np.random.default_rng(1).random(len(minutes)) < 0.1
    judged = assess(flat(minutes[traded]), interval="1m")
    assert judged.doubts == ("missing_bars",)
    assert judged.warnings[-1] == "Bars follow each other 7 times farther apart than --interval 1m says."


def test_a_few_bars_over_some_nights_are_not_judged_by_their_distance() -> None:
    days = intraday(weekdays("2023-01-02", "2023-01-05"), range(14, 15))
    assert assess(days, interval="1h").doubts == ()


def test_a_whole_day_missing_counts_as_a_session() -> None:
    days = without(weekdays("2023-01-02", "2023-06-30"), "2023-03-15")
    judged = assess(intraday(days, range(14, 21)), interval="1h")
    assert judged.missing_bars == 7
    assert judged.gaps == (("2023-03-14T20:00:00+00:00", "2023-03-16T14:00:00+00:00", 7),)


def test_a_short_day_counts_what_it_lacks() -> None:
    hours = intraday(weekdays("2023-01-02", "2023-06-30"), range(14, 21))
    assert assess(flat(np.delete(hours.times, [73, 74])), interval="1h").missing_bars == 2


def test_currencies_that_open_on_sunday_evening_trade_on_weekdays() -> None:
    times = intraday(daily("2023-01-01", "2023-06-30"), range(24)).times
    weekday = (times.astype("M8[D]").astype(int) + 3) % 7
    hour = times.astype("M8[h]").astype(int) % 24
    open_hours = (weekday < 4) | ((weekday == 4) & (hour < 22)) | ((weekday == 6) & (hour >= 22))
    judged = assess(flat(times[open_hours]), interval="1h")
    assert (judged.calendar, judged.doubts) == ("weekdays", ())
    assert judged.missing_bars < 60


def test_intraday_bars_on_a_single_weekend_day_are_judged_without_failing() -> None:
    judged = assess(intraday(daily("2023-01-07", "2023-01-07"), range(24)), interval="1h")
    assert judged.missing_bars == 0


def test_many_bars_without_volume_are_doubtful() -> None:
    prices = daily("2023-01-01", "2023-01-20")
    judged = assess(with_values(prices, volume=[0, 0, *[5] * 18]), interval="1d")
    assert (judged.zero_volume_bars, judged.doubts) == (2, ("zero_volume",))
    assert "2 of 20 bars" in judged.warnings[0]


def test_a_few_bars_without_volume_are_only_counted() -> None:
    judged = assess(with_values(daily("2023-01-01", "2023-01-20"), volume=[0, *[5] * 19]), interval="1d")
    assert (judged.zero_volume_bars, judged.doubts, judged.warnings) == (1, (), ())


def test_an_unknown_volume_is_not_zero() -> None:
    judged = assess(with_values(daily("2023-01-01", "2023-01-20"), volume=[np.nan] * 20), interval="1d")
    assert (judged.zero_volume_bars, judged.doubts) == (0, ())


def test_rounding_makes_no_bar_inconsistent() -> None:
    prices = with_values(daily("2023-01-01", "2023-01-02"), high=[100 * (1 - 1e-9), 100.0])
    assert not quality.inconsistent(prices).any()


def test_a_close_above_the_high_is_inconsistent() -> None:
    prices = with_values(daily("2023-01-01", "2023-01-02"), close=[101.0, 100.0])
    assert quality.inconsistent(prices).tolist() == [True, False]


def test_one_inconsistent_bar_in_a_year_is_a_warning() -> None:
    judged = assess(
        with_values(daily("2023-01-01", "2023-12-31"), low=[100.5, *[100.0] * 364]), interval="1d"
    )
    assert judged.doubts == ()
    assert judged.warnings == ("1 of 365 bars have an open or close outside their low and high.",)


def test_many_inconsistent_bars_are_doubtful() -> None:
    judged = assess(with_values(daily("2023-01-01", "2023-01-20"), high=[50.0] * 20), interval="1d")
    assert judged.doubts == ("inconsistent_bars",)


def test_what_was_left_out_is_told() -> None:
    judged = assess(
        noted(daily("2023-01-01", "2023-01-20"), "A note."),
        interval="1d", dropped=["2023-01-05T00:00:00+00:00"] * 3, repeated_bars=2, unfinished_bar_dropped=True,
    )  # fmt: skip
    assert (judged.dropped_bars, judged.repeated_bars, judged.unfinished_bar_dropped) == (3, 2, True)
    assert judged.warnings == (
        "3 bars came without any price and were left out.",
        "2 bars came more than once; one of each was kept.",
        "A note.",
    )


def test_a_single_bar_is_judged_without_failing() -> None:
    assert assess(daily("2023-01-01", "2023-01-01"), interval="1d").bars == 1
