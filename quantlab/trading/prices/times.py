"""Times as price files write them: ISO 8601, counts since 1970, days before months and months before days.

A time without an offset is UTC: bars belong to a market, not to the wall clock of the machine that reads them.
Bars of a day and longer whose times bear an offset keep the date that stands there. Between two meanings nothing
is guessed: which of two numbers is the month is settled by a number above 12, else asked for.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from quantlab.base.errors import DataError
from quantlab.base.remedies import Setting
from quantlab.trading.prices import epochs
from quantlab.trading.prices.quoting import plain

if TYPE_CHECKING:
    from numpy.typing import NDArray

MONTHS = 12
ISO = "ISO dates"
PLAIN = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d)?)?")
"""Times that numpy reads by itself."""
_COLONS = (len("2023-01-31 09"), len("2023-01-31 09:30"))
_DIGITS = re.compile(r"\d{9,20}(?:\.\d*)?")
_BEGINS = re.compile(r"[0-9]")
_OFFSET = re.compile(r"([T ]\d[\d:.,]*)\s*[+-]\d\d:?(?:\d\d)?$")
_HAS_OFFSET = r"[T ]\d[\d:.,]*\s*[+-]\d\d"
_UTC_IN_WORDS = re.compile(r"(?<=\d)\s*(?:UTC|GMT)$")
"""What no offset says as well."""
_TWO_NUMBERS = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})(?:[ T]+(.*))?")
_YEAR_FIRST = re.compile(r"(\d{4})[./](\d{1,2})[./](\d{1,2})(?:[ T]+(.*))?")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})[ T]+(\d{2}:?\d{2}(?::?\d{2})?)")
_HALF_DAYS = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})[ T]+(.*[AaPp]\.?[Mm]\.?)")
_NAMED = (
    "%b %d, %Y",
    "%d %b %Y",
    "%d-%b-%Y",
    "%b %d %Y",
    "%d %b, %Y",
    "%Y-%b-%d",
    "%B %d, %Y",
    "%d %B %Y",
    "%Y %b %d",
    "%d/%b/%Y",
)
_EXPECTED = (
    "write times as ISO 8601, such as 2023-01-31 or 2023-01-31T09:30:00Z, or say how they are written with ",
    Setting("time_format"),
    ", such as ",
    Setting("time_format", "%d.%m.%Y"),
)


class Times(NamedTuple):
    """Times (datetime64[ns], UTC), and in what form they stood, for people."""

    moments: NDArray[np.datetime64]
    form: str


def to_times(
    cells: pd.Series, rows: NDArray[np.int64], where: str, *, dated: bool, time_format: str | None
) -> Times:
    """Turn cells into times.

    Args:
        cells: Texts, numbers or times.
        rows: Number of each in its file, for messages.
        where: File and column, for messages.
        dated: Bars last a day or longer: where times bear an offset from UTC, each is midnight UTC of the date
            that stands there, so that a Monday in Tokyo stays a Monday.
        time_format: As for `strptime`, or `s`, `ms`, `us` or `ns` for counts since 1970; None where the cells tell.

    Raises:
        DataError: a cell is missing or no time, or may mean two; the message names it.
    """
    missing = cells.isna().to_numpy()
    if missing.any():
        raise DataError(
            f"{where}, row {rows[np.flatnonzero(missing)[0]]}: the time is missing; correct the file."
        )
    try:
        if time_format is not None:
            return _as_said(cells, time_format, dated=dated)
        return _parsed(cells, rows, where, dated=dated)
    except DataError:
        raise
    except (ValueError, TypeError, OverflowError, ArithmeticError) as error:
        told = _bad_cell(cells, rows, time_format, dated=dated)
        as_said = (f"expected {time_format}, as ", Setting("time_format"), " says")
        raise DataError(f"{where}{told}; ", *(as_said if time_format else _EXPECTED), ".") from error


def _bad_cell(cells: pd.Series, rows: NDArray[np.int64], time_format: str | None, *, dated: bool) -> str:
    """Name the first cell that is no time by itself."""
    for row, cell in zip(rows, cells, strict=True):
        one, at = pd.Series([cell], dtype=object), np.array([row])
        try:
            if time_format is not None:
                _as_said(one, time_format, dated=dated)
            else:
                _parsed(one, at, "", dated=False)
        except DataError:
            continue  # ambiguous, which is no fault by itself
        except (ValueError, TypeError, OverflowError, ArithmeticError):
            return f", row {row}: {plain(cell, 40)!r} is no time between 1678 and 2262"
    return " mixes dates with counts since 1970, or several ways to write a date"


def _parsed(cells: pd.Series, rows: NDArray[np.int64], where: str, *, dated: bool) -> Times:
    if cells.dtype.kind in "iuf":
        return Times(*epochs.from_counts(epochs.whole(cells), rows, where))
    if cells.dtype.kind == "M":
        return Times(_of_moments(cells, dated=dated), "times")
    plain_days = _of_one_length(cells)
    if plain_days is not None:
        return Times(plain_days, ISO)
    texts = cells.astype(str).str.strip().str.replace(_UTC_IN_WORDS, "", regex=True).astype(object)
    first = str(texts.iloc[0]) if len(texts) else ""
    if _DIGITS.fullmatch(first) and texts.map(lambda text: _DIGITS.fullmatch(text) is not None).all():
        counts = np.array([int(text.partition(".")[0]) for text in texts], dtype=np.int64)
        return Times(*epochs.from_counts(counts, rows, where))
    for reader in (_two_numbers, _year_first, _month_names):
        found = reader(texts, first, rows, where)
        if found is not None:
            return found
    moments = _iso(texts)
    if dated and _has_offset(texts):
        local = _utc(texts.str.replace(_OFFSET, r"\1", regex=True))
        moments = local.astype("M8[D]").astype("M8[ns]") if (local != moments).any() else moments
    return Times(moments, ISO)


def _has_offset(texts: pd.Series) -> bool:
    return bool(texts.str.contains(_HAS_OFFSET, regex=True).any())


def _of_one_length(cells: pd.Series) -> NDArray[np.datetime64] | None:
    """Read 2023-01-31, with or without a time of day, all of one length: numpy is quickest there."""
    values = cells.to_numpy(dtype=object)
    if not len(values) or not PLAIN.fullmatch(str(values[0])):
        return None
    length = len(str(values[0]))
    try:
        written = np.array(values, dtype=f"S{length + 1}")
    except (ValueError, TypeError):
        return None
    signs = written.view(np.uint8).reshape(len(values), length + 1)
    if signs[:, length].any() or not signs[:, length - 1].all():
        return None
    return of_plain(written, signs)


def of_plain(written: NDArray[np.bytes_], signs: NDArray[np.uint8]) -> NDArray[np.datetime64] | None:
    """Read texts of one length, the first of which is `PLAIN`; None where one is another way to write a time.

    Args:
        written: The texts.
        signs: Their bytes, a row for each.

    Raises:
        OverflowError: one lies beyond what nanoseconds in 64 bits hold, 1678 to 2262.
    """
    if any(len(written[0]) > at and (signs[:, at] != ord(":")).any() for at in _COLONS):
        return None  # numpy warns of offsets from UTC, which may stand there
    try:
        moments = written.astype("M8[s]")
    except (ValueError, TypeError):
        return None  # pandas knows more ways to write a time
    return None if np.isnat(moments).any() else _in_nanoseconds(moments)


def _iso(texts: pd.Series) -> NDArray[np.datetime64]:
    if not texts.map(lambda text: _BEGINS.match(text) is not None).all():
        # pandas reads "nan" as no time at all, and "now" and "today" off the clock.
        raise ValueError("times begin with a digit")
    return _utc(texts)


def _in_nanoseconds(seconds: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
    low, high = np.datetime64("1678-01-01", "s"), np.datetime64("2262-01-01", "s")
    if ((seconds < low) | (seconds > high)).any():
        raise OverflowError("times lie between 1678 and 2262")
    return seconds.astype("M8[ns]")


def _utc(texts: pd.Series) -> NDArray[np.datetime64]:
    return _naive(pd.to_datetime(texts, format="ISO8601", utc=True, cache=False).dt.tz_localize(None))


def _naive(moments: pd.Series) -> NDArray[np.datetime64]:
    result: NDArray[np.datetime64] = moments.astype("datetime64[ns]").to_numpy().astype("M8[ns]")
    return result


def _of_moments(cells: pd.Series, *, dated: bool) -> NDArray[np.datetime64]:
    if cells.dt.tz is None:
        return _naive(cells)
    moments, local = cells.dt.tz_convert("UTC").dt.tz_localize(None), cells.dt.tz_localize(None)
    return _naive(local.dt.normalize() if dated and (local != moments).any() else moments)


def _two_numbers(texts: pd.Series, first: str, rows: NDArray[np.int64], where: str) -> Times | None:
    """Read 31/01/2023 and 01/31/2023, told apart by a number above 12 alone."""
    if not _TWO_NUMBERS.fullmatch(first):
        return None
    parts = texts.str.extract(f"^{_TWO_NUMBERS.pattern}$")
    if parts[0].isna().any():
        raise ValueError("not every cell is such a date")
    one, two, year = (parts[at].to_numpy(dtype=np.int64) for at in (0, 1, 2))
    day_first, month_first = one > MONTHS, two > MONTHS
    if day_first.any() and month_first.any():
        at = (int(np.flatnonzero(mark)[0]) for mark in (day_first, month_first))
        shown = " and ".join(f"{plain(texts.iloc[place], 30)!r} (row {rows[place]})" for place in at)
        raise DataError(f"{where} has days before months and months before days: {shown}; ", *_EXPECTED, ".")
    if not (day_first.any() or month_first.any()):
        sign = first.strip("0123456789")[:1]
        ways = [f"'{sign.join(order)}'" for order in (("%d", "%m", "%Y"), ("%m", "%d", "%Y"))]
        raise DataError(
            f"{where}, row {rows[0]}: {plain(first, 30)!r} may be day or month first, and no date of the file settles "
            "it; say it with ",
            *(Setting("time_format"), ", such as ", Setting("time_format", ways[0]), f" or {ways[1]}."),
        )
    day, month = (one, two) if day_first.any() else (two, one)
    return Times(
        _built(year, month, day, parts[3]), "days before months" if day_first.any() else "months before days"
    )


def _year_first(texts: pd.Series, first: str, _rows: NDArray[np.int64], _where: str) -> Times | None:
    """Read 2023.01.31 and 2023/01/31, with a time of day, 20230131 093000 and 2023-01-31 9:30 AM."""
    pattern = next((one for one in (_YEAR_FIRST, _COMPACT, _HALF_DAYS) if one.fullmatch(first)), None)
    if pattern is None:
        return None
    parts = texts.str.extract(f"^{pattern.pattern}$")
    if parts[0].isna().any():
        return None
    clock = parts[3]
    if pattern is _COMPACT:
        clock = (
            clock.str.replace(":", "")
            .str.ljust(6, "0")
            .str.replace(r"^(\d\d)(\d\d)(\d\d)$", r"\1:\2:\3", regex=True)
        )
    year, month, day = (parts[at].to_numpy(dtype=np.int64) for at in (0, 1, 2))
    try:
        return Times(_built(year, month, day, clock), "dates with the year first")
    except ValueError:
        return None  # an offset behind the time of day, say: pandas knows


def _built(
    year: NDArray[np.int64], month: NDArray[np.int64], day: NDArray[np.int64], clock: pd.Series
) -> NDArray[np.datetime64]:
    """Put dates and times of day together."""
    dates = [
        f"{y:04d}-{m:02d}-{d:02d}"
        for y, m, d in zip(year.tolist(), month.tolist(), day.tolist(), strict=True)
    ]
    days = _in_nanoseconds(np.array(dates, dtype="M8[D]").astype("M8[s]"))
    if clock.isna().all() or not len(clock):
        return days
    if clock.isna().any():
        raise ValueError("some dates have a time of day, others none")
    return days + _of_day(clock.str.strip())


def _of_day(clock: pd.Series) -> NDArray[np.timedelta64]:
    """Read times of day: 09:30, 09:30:00.5, 9:30 PM."""
    parts = clock.str.extract(r"^(\d{1,2}):(\d{2})(?::(\d{2})(\.\d{1,9})?)?(?: ?([AaPp])\.?[Mm]\.?)?$")
    if parts[0].isna().any():
        raise ValueError("a time of day is none")
    hours, minutes = parts[0].astype(int), parts[1].astype(int)
    seconds = parts[2].fillna("0").astype(int)
    half = parts[4].str.lower()
    if half.notna().any():
        if half.isna().any() or (hours < 1).any() or (hours > MONTHS).any():
            raise ValueError("an hour before or after noon is none")
        hours = hours % 12 + 12 * (half == "p")
    if (hours > 23).any() or (minutes > 59).any() or (seconds > 59).any():  # noqa: PLR2004 - a clock's
        raise ValueError("a time of day is none")
    nanoseconds = parts[3].fillna(".0").str[1:].str.ljust(9, "0").astype("int64")
    total = ((hours * 60 + minutes) * 60 + seconds).astype("int64") * 10**9 + nanoseconds
    result: NDArray[np.timedelta64] = total.to_numpy().astype("m8[ns]")
    return result


def _month_names(texts: pd.Series, first: str, _rows: NDArray[np.int64], _where: str) -> Times | None:
    """Read Jan 31, 2023 and its like, in English; and CryptoDataDownload's 2023-01-31 11-PM."""
    if re.fullmatch(r"\d{4}-\d\d-\d\d \d\d-[AP]M", first):
        return Times(
            _naive(pd.to_datetime(texts, format="%Y-%m-%d %I-%p")), "dates with hours before and after noon"
        )
    if not re.search(r"[A-Za-z]{3}", first) or not re.search(r"\d{4}", first) or first.endswith("Z"):
        return None
    for form in _NAMED:
        try:
            return Times(_naive(pd.to_datetime(texts, format=form)), "dates with names of months")
        except ValueError:
            continue
    return None


def _as_said(cells: pd.Series, time_format: str, *, dated: bool) -> Times:
    if time_format in epochs.UNITS:
        counts = (
            epochs.whole(cells)
            if cells.dtype.kind in "iuf"
            else np.array([int(float(c)) if "." in str(c) else int(c) for c in cells])
        )
        return Times(epochs.counted(counts, time_format), epochs.UNITS[time_format])
    moments = pd.to_datetime(cells.astype(str).str.strip(), format=time_format)
    if moments.dtype == object:
        moments = pd.to_datetime(moments, utc=True)  # offsets that change from cell to cell
    return Times(_of_moments(moments, dated=dated), f"as {time_format}")
