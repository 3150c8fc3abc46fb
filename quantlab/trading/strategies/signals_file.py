"""Decisions that another tool took, in a CSV file: `time`, `enter`, `leave` and, where it likes, `size`.

A row belongs to the bar that opens at its time; bars without a row signal nothing, and rows before the first or after
the last bar are left aside. Whether the tool knew the future nobody can check.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from quantlab.base.errors import ConfigError, DataError
from quantlab.trading.strategies.decisions import Decisions
from quantlab.trading.strategies.source import Source, digest_of_files
from quantlab.trading.strategies.strategy import BUILT_IN

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from quantlab.trading.market import Prices

MOST_BYTES = 512 * 2**20
COLUMNS = ("time", "enter", "leave", "size")
_FLAGS = {
    **dict.fromkeys(("", "0", "0.0", "false", "no"), False),
    **dict.fromkeys(("1", "1.0", "true", "yes"), True),
}
"""1.0 is what pandas makes of 1 where another row was empty once."""
_SECONDS = 1e11
"""Counts since 1970 below this are seconds, others milliseconds."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row: the line it stands in, its time, what is wanted, and the part of equity that a buy puts in."""

    line: int
    time: np.datetime64
    enter: bool
    leave: bool
    size: float


def read_signals(place: Path) -> Source:
    """Read a file of signals; its digest stands for the strategy, its name for what it is called.

    Raises:
        ConfigError: there is none.
        DataError: it is too large.
    """
    try:
        if place.exists() and not place.is_file():
            raise ConfigError(f"signals: {place} is no file; expected CSV with time, enter, leave.")
        if place.exists() and place.stat().st_size > MOST_BYTES:
            raise DataError(f"{place} is larger than {MOST_BYTES:,} bytes; expected one row a bar at most.")
        files = {place.name: place.read_bytes()}
    except OSError as error:
        raise ConfigError(
            f"signals: {place} can't be read ({error.strerror or error}); expected CSV with time, enter, leave."
        ) from error
    if place.stem == BUILT_IN:
        raise ConfigError(f"signals: {place} has the built-in strategy's name; rename the file.")
    return Source(
        kind="signals",
        name=place.stem,
        digest=digest_of_files(files),
        place=str(place.absolute()),
        files=files,
    )


def rows_of(source: Source) -> list[Row]:
    """Return the rows of a file of signals, in their order.

    Raises:
        DataError: the file is no such table; the message names the line.
    """
    ((name, data),) = source.files.items()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name} is not UTF-8 text (byte {error.start}); expected CSV with time, enter, leave."
        ) from error
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        header = [field.strip().lower() for field in next(reader, [])]
        places = {column: header.index(column) for column in COLUMNS if column in header}
        if not {"time", "enter", "leave"} <= places.keys() or len(set(header)) != len(header):
            raise DataError(
                f"{name}: the header is {','.join(header)[:100]!r}; expected the columns time, enter, leave "
                "and, for parts of equity, size."
            )
        return [_row(name, reader.line_num, fields, places) for fields in reader if any(fields)]
    except csv.Error as error:
        raise DataError(
            f"{name}, line {reader.line_num}: {error}; expected CSV with time, enter, leave."
        ) from error


def decisions_at(rows: list[Row], prices: Prices, name: str) -> Decisions:
    """Lay rows on bars.

    Raises:
        DataError: a row belongs to no bar within the history, two belong to one, or an entry's size is none.
    """
    times = np.array([row.time for row in rows], "datetime64[ns]")
    bars = np.searchsorted(prices.times, times)
    inside = (times >= prices.times[0]) & (times <= prices.times[-1])
    enter, leave = np.zeros(len(prices), np.bool_), np.zeros(len(prices), np.bool_)
    size = np.ones(len(prices))
    taken: NDArray[np.bool_] = np.zeros(len(prices), np.bool_)
    for place in np.flatnonzero(inside).tolist():
        row, bar = rows[place], int(bars[place])
        if prices.times[bar] != row.time:
            _refuse(name, row, "no bar opens then", "a time of a bar, in UTC where no offset stands")
        if taken[bar]:
            _refuse(name, row, "another row has that time too", "one row a bar")
        if row.enter and not 0 < row.size <= 1:
            _refuse(name, row, f"size is {row.size:g}", "a fraction of equity above 0, at most 1")
        taken[bar], enter[bar], leave[bar], size[bar] = True, row.enter, row.leave, row.size
    return Decisions(
        enter=enter,
        leave=leave,
        enter_reason=np.zeros(len(prices), np.uint8),
        leave_reason=np.ones(len(prices), np.uint8),
        reasons=("enter", "leave"),
        size=None if np.all(size[enter] == 1) else size,
        values={},
    )


def _refuse(name: str, row: Row, what: str, expected: str) -> NoReturn:
    moment = np.datetime_as_string(row.time, unit="s")
    raise DataError(f"{name}, line {row.line} ({moment}): {what}; expected {expected}. Correct the file.")


def _row(name: str, line: int, fields: list[str], places: dict[str, int]) -> Row:
    cells = {column: fields[at].strip() if at < len(fields) else "" for column, at in places.items()}
    flags = {column: _FLAGS.get(cells[column].lower()) for column in ("enter", "leave")}
    for column, flag in flags.items():
        if flag is None:
            raise DataError(
                f"{name}, line {line}: {column} is {cells[column][:40]!r}; expected 1 or 0, true or false."
            )
    return Row(
        line=line,
        time=_time(name, line, cells["time"]),
        enter=bool(flags["enter"]),
        leave=bool(flags["leave"]),
        size=_size(name, line, cells.get("size", "")),
    )


def _time(name: str, line: int, text: str) -> np.datetime64:
    """Read ISO 8601, UTC where no offset stands, or seconds or milliseconds since 1970."""
    try:
        if text.isdecimal():
            count = int(text)
            return np.datetime64(count * 10**9 if count < _SECONDS else count * 10**6, "ns")
        moment = datetime.fromisoformat(text)
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return np.datetime64(aware.astimezone(UTC).replace(tzinfo=None), "ns")
    except (ValueError, OverflowError) as error:
        raise DataError(
            f"{name}, line {line}: the time is {text[:40]!r}; expected ISO 8601, such as 2024-01-31 or "
            "2024-01-31T14:00:00+00:00, or seconds or milliseconds since 1970."
        ) from error


def _size(name: str, line: int, text: str) -> float:
    if not text:
        return 1.0
    try:
        return float(text)
    except ValueError as error:
        raise DataError(
            f"{name}, line {line}: size is {text[:40]!r}; expected a fraction of equity above 0, at most 1."
        ) from error
