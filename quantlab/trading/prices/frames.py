"""Columns of a price file: found by their names, turned into times and numbers, faults named by row."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from quantlab.errors import DataError
from quantlab.trading.prices.asked import plain
from quantlab.trading.prices.limits import (
    EXPECTED_PRICE,
    EXPECTED_VOLUME,
    possible_prices,
    possible_volumes,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

TIME_NAMES = ("time", "timestamp", "date", "datetime")
NUMBER_NAMES = ("open", "high", "low", "close", "volume")
_PRICES = 4
_EPOCH_DIGITS = re.compile(r"\d{9,20}")
_DATE = re.compile(r"[0-9]")
_OFFSET = re.compile(r"([T ]\d[\d:.,]*)\s*[+-]\d\d:?(?:\d\d)?$")
_LEAST_COUNT = 100_000_000  # seconds: in 1973
_UNITS: tuple[tuple[float, Literal["s", "ms", "us", "ns"]], ...] = (
    (1e11, "s"),
    (1e14, "ms"),
    (1e17, "us"),
    (float("inf"), "ns"),
)


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Where the needed columns stand: their names in the file, and positions from 0, time first."""

    time: str
    numbers: tuple[str, ...]
    positions: tuple[int, ...]

    @property
    def all_names(self) -> tuple[str, ...]:
        """Return the names in the file, time first, then open, high, low, close, volume."""
        return (self.time, *self.numbers)


@dataclass(frozen=True, kw_only=True)
class Bars:
    """Times (datetime64[ns], UTC) and, in the rows of a 5 x n array, open, high, low, close and volume."""

    times: NDArray[np.datetime64]
    values: NDArray[np.float64]


def match_columns(header: list[str], name: str) -> Columns:
    """Find the needed columns, whatever their case.

    Raises:
        DataError: one is missing or there twice.
    """
    lowered = [column.strip().lower() for column in header]
    found = [_one(lowered, header, (wanted,), name) for wanted in NUMBER_NAMES]
    time = _one(lowered, header, TIME_NAMES, name)
    return Columns(
        time=header[time],
        numbers=tuple(header[at] for at in found),
        positions=(time, *found),
    )


def _one(lowered: list[str], header: list[str], wanted: tuple[str, ...], name: str) -> int:
    places = [at for at, column in enumerate(lowered) if column in wanted]
    if len(places) == 1 and header.count(header[places[0]]) == 1:
        return places[0]
    what = " or ".join(wanted)
    have = plain(", ".join(header), 120)
    if places:
        raise DataError(f"{name} has more than one column {what} (its columns: {have}); keep one.")
    raise DataError(
        f"{name} has no column {what} (its columns: {have}); "
        "expected time, open, high, low, close and volume, separated by commas."
    )


def to_bars(frame: pd.DataFrame, columns: Columns, *, name: str, first_row: int, dated: bool = False) -> Bars:
    """Turn the columns into times and numbers; blank rows are passed over.

    Args:
        frame: The file's table.
        columns: Where to find what in it.
        name: The file, for messages.
        first_row: Number of the table's first row, for messages.
        dated: Bars last a day or longer: where times bear an offset from UTC, each is midnight UTC of the date
            that stands there, so that a Monday in Tokyo stays a Monday.

    Raises:
        DataError: a cell is no time, no number, or an impossible price or volume.
    """
    frame = frame[list(columns.all_names)]
    rows = np.arange(first_row, first_row + len(frame))
    filled = ~frame.isna().all(axis=1).to_numpy()
    frame, rows = frame[filled], rows[filled]
    times = _times(frame[columns.time], rows, f"{name}, column {plain(columns.time, 20)}", dated=dated)
    values = np.empty((len(NUMBER_NAMES), len(frame)))
    for at, column in enumerate(columns.numbers):
        where = f"{name}, column {plain(column, 20)}"
        values[at] = _numbers(frame[column], rows, where)
        _check_values(values[at], rows, where, is_price=at < _PRICES)
    return Bars(times=times, values=values)


def _numbers(series: pd.Series, rows: NDArray[np.int64], where: str) -> NDArray[np.float64]:
    if series.dtype.kind in "iuf":
        return series.to_numpy(dtype=np.float64, na_value=np.nan)
    values = np.empty(len(series))
    for at, cell in enumerate(series):
        try:
            values[at] = _number(cell)
        except (TypeError, ValueError, OverflowError) as error:
            raise DataError(
                f"{where}, row {rows[at]}: {plain(cell, 40)!r} is no number; correct the file."
            ) from error
    return values


def _number(cell: Any) -> float:
    """Read a cell as Python reads numbers, but for its underscores and truth values; nothing is NaN."""
    if isinstance(cell, str):
        if "_" in cell:
            raise ValueError(cell)
        return float(cell)
    if isinstance(cell, (bool, np.bool_)):
        raise TypeError(cell)
    return np.nan if cell is None or cell is pd.NA else float(cell)


def _check_values(
    values: NDArray[np.float64], rows: NDArray[np.int64], where: str, *, is_price: bool
) -> None:
    bad = ~(possible_prices(values) if is_price else possible_volumes(values))
    expected = EXPECTED_PRICE if is_price else EXPECTED_VOLUME
    if bad.any():
        at = int(np.flatnonzero(bad)[0])
        raise DataError(
            f"{where}, row {rows[at]}: {values[at]!s} is unusable ({int(bad.sum())} such rows); "
            f"expected {expected}."
        )


def _times(series: pd.Series, rows: NDArray[np.int64], where: str, *, dated: bool) -> NDArray[np.datetime64]:
    missing = series.isna().to_numpy()
    if missing.any():
        raise DataError(
            f"{where}, row {rows[np.flatnonzero(missing)[0]]}: the time is missing; correct the file."
        )
    try:
        return _parsed(series, dated=dated)
    except (ValueError, TypeError, OverflowError, ArithmeticError) as error:
        raise DataError(
            f"{where}{_bad_time(series, rows)}; "
            "write times as ISO 8601, such as 2023-01-31 or 2023-01-31T09:30:00Z."
        ) from error


def _bad_time(series: pd.Series, rows: NDArray[np.int64]) -> str:
    """Name the first cell that is no time by itself."""
    for row, cell in zip(rows, series, strict=True):
        try:
            _parsed(pd.Series([cell]), dated=False)
        except (ValueError, TypeError, OverflowError, ArithmeticError):
            return f", row {row}: {plain(cell, 40)!r} is no time between 1678 and 2262"
    return " mixes dates with counts since 1970"


def _parsed(series: pd.Series, *, dated: bool) -> NDArray[np.datetime64]:
    if series.dtype.kind in "iuf":
        return _since_epoch(_whole(series))
    if series.dtype.kind != "M":
        texts = series.astype(str).str.strip()
        if len(texts) and texts.map(lambda text: _EPOCH_DIGITS.fullmatch(text) is not None).all():
            return _since_epoch(np.array([int(text) for text in texts], dtype=np.int64))
        if not texts.map(lambda text: _DATE.match(text) is not None).all():
            # pandas reads "nan" as no time at all, and "now" and "today" off the clock.
            raise ValueError("times begin with a digit")
        moments = _utc(texts)
        local = _utc(texts.str.replace(_OFFSET, r"\1", regex=True)) if dated else moments
    elif series.dt.tz is None:
        moments = local = series
    else:
        moments, local = series.dt.tz_convert("UTC").dt.tz_localize(None), series.dt.tz_localize(None)
    if dated and (local != moments).any():
        moments = local.dt.normalize()
    converted = moments.astype("datetime64[ns]")
    result: NDArray[np.datetime64] = converted.to_numpy().astype("M8[ns]")
    return result


def _utc(texts: pd.Series) -> pd.Series:
    return pd.to_datetime(texts, format="ISO8601", utc=True).dt.tz_localize(None)


def _whole(series: pd.Series) -> NDArray[np.int64]:
    counts = series.to_numpy()
    if not np.isfinite(counts).all() or (np.abs(counts) >= 2.0**63).any():
        raise ValueError("counts since 1970 are finite")
    return counts.astype(np.int64)


def _since_epoch(counts: NDArray[np.int64]) -> NDArray[np.datetime64]:
    if len(counts) and counts.min() < _LEAST_COUNT:
        raise ValueError("counts since 1970 have nine digits and more")
    largest = int(counts.max(initial=0))
    unit = next(unit for limit, unit in _UNITS if largest < limit)
    moments = pd.to_datetime(pd.Series(counts), unit=unit).astype("datetime64[ns]")
    result: NDArray[np.datetime64] = moments.to_numpy().astype("M8[ns]")
    return result
