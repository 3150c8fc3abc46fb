"""How far bars can be trusted: gaps against the calendar, empty volume, and what was left out.

The calendar is read off the bars (`calendars`). Public holidays count as missing bars on a weekday calendar,
but are too few to raise a doubt.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from quantlab.trading import breaks
from quantlab.trading.calendars import EVERY_DAY, calendar_of, is_guess, periods_per_year, weeks_of
from quantlab.trading.intervals import bar_length, days, is_intraday, time_text
from quantlab.trading.results import DataQuality

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from quantlab.trading.calendars import Weeks
    from quantlab.trading.market import Prices
    from quantlab.trading.prices.asked import Split

MISSING_SHARE = {"every_day": 0.05, "weekdays": 0.10}
"""Share of the expected bars above which `missing_bars` is raised; ten per cent of the weekdays are twice the
holidays of the market that has most (Japan and China, 7 to 8 %)."""
MISSING_RUN_DAYS = {"every_day": 3.0, "weekdays": 8.0}
"""Trading days missing in a row above which `missing_bars` is raised; the longest closures of markets in this
century (Lunar New Year and Golden Week of 2020) left out six weekdays."""
SPARSE_STEPS = 2
"""Median distance of intraday bars, in bars, from which `missing_bars` is raised on a weekday calendar, where a
usual day may itself be full of holes."""
SPARSE_FEWEST = 4
"""Distances below which that is not judged: a night or two may be the median."""
MISSING_RUN_LONG_BARS = 2
"""The same for bars of a week or more, in bars."""
ZERO_VOLUME_SHARE = 0.05
"""Share of the bars with a known volume above which `zero_volume` is raised."""
INCONSISTENT_SHARE = 0.01
"""Share of the bars with open or close outside [low, high] above which `inconsistent_bars` is raised."""
ROUNDING = 1e-6
"""Relative difference between prices of one bar that rounding and adjustment explain."""
SHOWN_GAPS = 5
"""How many of the longest gaps are kept."""

_DAY = np.timedelta64(1, "D").astype("m8[ns]")
_WEEK = 7 * _DAY
_LONG = ("1mo", "3mo")


@dataclass(frozen=True)
class _Gaps:
    """Missing bars: how many are expected in all, how many are absent, and after which bars how many."""

    expected: int
    missing: int
    after: NDArray[np.int64]
    counts: NDArray[np.int64]
    longest_days: float


def inconsistent(prices: Prices) -> NDArray[np.bool_]:
    """Mark bars whose high is below another price, or whose low is above one, beyond rounding."""
    top = np.maximum.reduce([prices.open, prices.close, prices.low])
    bottom = np.minimum.reduce([prices.open, prices.close, prices.high])
    slack = ROUNDING * top
    marked: NDArray[np.bool_] = (prices.high < top - slack) | (prices.low > bottom + slack)
    return marked


def assess(
    prices: Prices,
    *,
    interval: str,
    ticker: str,
    dropped: Sequence[str] = (),
    splits: Sequence[Split] = (),
    repeated_bars: int = 0,
    unfinished_bar_dropped: bool = False,
) -> DataQuality:
    """Judge bars by the thresholds of this module.

    Args:
        prices: At least one bar.
        interval: Length of a bar, in Yahoo's spelling.
        ticker: The market, in Yahoo's spelling.
        dropped: Opening times, ISO 8601 UTC, of bars that the source left out because they had no price.
        splits: Splits that the source tells of.
        repeated_bars: Bars that came twice.
        unfinished_bar_dropped: Whether bars that had not closed were left out.
    """
    calendar = calendar_of(prices, interval, ticker)
    gaps = _with_ends(_gaps(prices, interval, calendar), prices, dropped)
    zero_volume = int((prices.volume == 0).sum())
    findings = [
        _missing(gaps, interval, calendar) or _sparse(prices, interval) or ("", ""),
        _zero_volume(zero_volume, int(np.isfinite(prices.volume).sum())),
        _inconsistent(int(inconsistent(prices).sum()), len(prices)),
        _broken(prices, interval, splits),
        _frozen(prices, interval),
        ("", _GUESS if is_guess(prices, interval, ticker) else ""),
        ("", f"{len(dropped)} bars came without any price and were left out." if dropped else ""),
        ("", f"{repeated_bars} bars came more than once; one of each was kept." if repeated_bars else ""),
    ]
    return DataQuality(
        bars=len(prices),
        first_bar=time_text(prices.times[0]),
        last_bar=time_text(prices.times[-1]),
        calendar=calendar,
        missing_bars=gaps.missing,
        gaps=_longest(prices, gaps),
        zero_volume_bars=zero_volume,
        unfinished_bar_dropped=unfinished_bar_dropped,
        dropped_bars=len(dropped),
        repeated_bars=repeated_bars,
        periods_per_year=periods_per_year(prices, interval, ticker),
        doubts=tuple(code for code, _ in findings if code),
        warnings=(*(text for _, text in findings if text), *prices.origin.notes),
    )


_GUESS = (
    "No weekend lies between the first bar and the last, so nothing tells whether this market trades on weekends; "
    "yearly figures take 252 days a year. A longer range tells."
)


def _missing(gaps: _Gaps, interval: str, calendar: str) -> tuple[str, str] | None:
    share = gaps.missing / max(gaps.expected, 1)
    run_limit = MISSING_RUN_DAYS[calendar]
    if not is_intraday(interval) and bar_length(interval) > _DAY:
        run_limit = float(MISSING_RUN_LONG_BARS)
    if share <= MISSING_SHARE[calendar] and gaps.longest_days <= run_limit:
        return None
    longest = int(gaps.counts.max(initial=0))
    return "missing_bars", (
        f"{gaps.missing} of {gaps.expected} expected bars are missing ({share:.1%}), "
        f"at most {longest} in a row."
    )


def _sparse(prices: Prices, interval: str) -> tuple[str, str] | None:
    distances = np.diff(prices.times)
    if not is_intraday(interval) or len(distances) < SPARSE_FEWEST:
        return None
    steps = float(np.median(distances / bar_length(interval)))
    if steps < SPARSE_STEPS:
        return None
    return (
        "missing_bars",
        f"Bars follow each other {steps:.0f} times farther apart than --interval {interval} says.",
    )


def _zero_volume(zero: int, known: int) -> tuple[str, str]:
    if zero <= ZERO_VOLUME_SHARE * known:
        return "", ""
    return "zero_volume", f"Nothing was traded in {zero} of {known} bars, so their prices may be stale."


def _inconsistent(count: int, bars: int) -> tuple[str, str]:
    if not count:
        return "", ""
    code = "inconsistent_bars" if count > INCONSISTENT_SHARE * bars else ""
    return code, f"{count} of {bars} bars have an open or close outside their low and high."


def _broken(prices: Prices, interval: str, splits: Sequence[Split]) -> tuple[str, str]:
    found = breaks.price_breaks(prices, interval=interval, splits=splits)
    return ("price_break", breaks.describe_breaks(prices, found)) if found else ("", "")


def _frozen(prices: Prices, interval: str) -> tuple[str, str]:
    first, length = breaks.frozen_run(prices, interval=interval)
    if not length:
        return "", ""
    return "frozen_prices", (
        f"{length} bars in a row are equal, from {time_text(prices.times[first])} on: nothing was traded, "
        "or the source stood still."
    )


def _with_ends(gaps: _Gaps, prices: Prices, dropped: Sequence[str]) -> _Gaps:
    """Count bars that came without a price before the first bar or after the last, which no gap shows."""
    first, last = time_text(prices.times[0]), time_text(prices.times[-1])
    outside = sum(not first < moment < last for moment in dropped)
    return replace(gaps, expected=gaps.expected + outside, missing=gaps.missing + outside)


def _longest(prices: Prices, gaps: _Gaps) -> tuple[tuple[str, str, int], ...]:
    order = np.argsort(-gaps.counts, kind="stable")[:SHOWN_GAPS]
    return tuple(
        (time_text(prices.times[bar]), time_text(prices.times[bar + 1]), int(count))
        for bar, count in zip(gaps.after[order], gaps.counts[order], strict=True)
    )


def _gaps(prices: Prices, interval: str, calendar: str) -> _Gaps:
    length = bar_length(interval)
    if calendar == EVERY_DAY or interval in _LONG or length % _WEEK == np.timedelta64(0, "ns"):
        return _grid_gaps(prices.times, interval)
    weeks = weeks_of(prices)
    if is_intraday(interval):
        return _session_gaps(prices.times, weeks)
    return _day_gaps(days(prices.times), weeks, length // _DAY)


def _grid_gaps(times: NDArray[np.datetime64], interval: str) -> _Gaps:
    """Compare with a grid without holes: one bar each `step`."""
    length = bar_length(interval)
    skipped = np.maximum(np.rint(np.diff(times) / length).astype(np.int64) - 1, 0)
    scale = float(length / _DAY) if length < _DAY else 1.0
    return _runs(skipped, len(times), scale)


def _day_gaps(dates: NDArray[np.datetime64], weeks: Weeks, days_a_bar: int) -> _Gaps:
    """Compare daily bars (or those of some days) with the weekdays between them."""
    between = weeks.days_in(dates[:-1] + 1, dates[1:])
    if days_a_bar > 1:
        between = np.rint((between + 1) / days_a_bar).astype(np.int64) - 1
    return _runs(np.maximum(between, 0), len(dates), float(days_a_bar))


def _session_gaps(times: NDArray[np.datetime64], weeks: Weeks) -> _Gaps:
    """Compare intraday bars by their days: a whole day against the median one.

    The first and the last day may be cut off by the range and are not judged.
    """
    dates, first, counts = np.unique(days(times), return_index=True, return_counts=True)
    trading = weeks.days_in(dates, dates + 1) > 0
    usual = int(np.median(counts[trading])) if trading.any() else 0
    inner = trading.copy()
    inner[[0, -1]] = False
    short = int(np.maximum(usual - counts[inner], 0).sum())
    whole = weeks.days_in(dates[:-1] + 1, dates[1:])
    after = np.flatnonzero(whole)
    missing = int(whole.sum()) * usual + short
    return _Gaps(
        expected=len(times) + missing,
        missing=missing,
        after=first[after + 1] - 1,
        counts=whole[after] * usual,
        longest_days=float(whole.max(initial=0)),
    )


def _runs(skipped: NDArray[np.int64], bars: int, days_a_bar: float) -> _Gaps:
    after = np.flatnonzero(skipped)
    missing = int(skipped.sum())
    return _Gaps(
        expected=bars + missing,
        missing=missing,
        after=after,
        counts=skipped[after],
        longest_days=float(skipped.max(initial=0)) * days_a_bar,
    )
