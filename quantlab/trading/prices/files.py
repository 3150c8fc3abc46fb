"""Bars from a CSV or Parquet file of the user's.

The file has a time column (`time`, `timestamp`, `date` or `datetime`) and open, high, low, close and
volume, in any case and order; other columns are ignored. Times are ISO 8601 or a count since 1970 (seconds,
milliseconds, microseconds or nanoseconds, told apart by their size). A time without an offset is UTC: bars
belong to a market, not to the wall clock of the machine that reads them. Bars of a day and longer whose times bear
an offset keep the date that stands there. An empty volume is unknown, an
empty price is an error.
"""

from __future__ import annotations

import csv
import stat
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from quantlab.errors import DataError
from quantlab.trading.intervals import is_intraday, time_text
from quantlab.trading.market import Origin, Prices
from quantlab.trading.prices import frames
from quantlab.trading.prices.asked import (
    PATH_LENGTH,
    Asked,
    Received,
    closed_only,
    noted,
    plain,
    select,
    within,
)
from quantlab.trading.quality import inconsistent

if TYPE_CHECKING:
    import pandas as pd

    from quantlab.trading.prices.frames import Columns

MAX_FILE_BYTES = 512 * 2**20
"""Larger files are refused unread: this is several million bars of CSV."""
MAX_ROWS = 20_000_000
"""Parquet files that announce more rows are refused: a few kilobytes can unfold into any number of them."""
_HEAD_BYTES = 64 * 2**10
_PARQUET = b"PAR1"


def fetch(source: str, asked: Asked) -> Received:
    """Read the bars asked for.

    Raises:
        DataError: the file is missing, no table of bars, or holds impossible prices; the message names the
        file
            and, where there is one, the row (line of a CSV file, row from 1 of a Parquet file) and column.
    """
    path = Path(source)
    name = plain(source, PATH_LENGTH)
    head = _head(path, name)
    is_parquet = head.startswith(_PARQUET)
    frame, columns = _parquet(path, name) if is_parquet else _csv(path, name, head)
    first_row = 1 if is_parquet else 2
    dated = not is_intraday(asked.interval)
    bars = frames.to_bars(frame, columns, name=name, first_row=first_row, dated=dated)
    received = _in_order(bars, name, asked)
    if not len(received.prices):
        raise DataError(f"{name} holds no bars; expected one row a bar below the header.")
    return _in_range(received, name, asked)


def _head(path: Path, name: str) -> bytes:
    """Look at the file without reading it all: it must be a regular one of bearable size."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise DataError(f"{name} is not a regular file; expected the path of a CSV or Parquet file.")
        if status.st_size > MAX_FILE_BYTES:
            raise DataError(
                f"{name} has {status.st_size:,} bytes, more than the {MAX_FILE_BYTES:,} that are read; "
                "cut it down to the bars that are needed."
            )
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except FileNotFoundError as error:
        raise DataError(
            f"No such price file: {name}. Check --prices; it takes yahoo, synthetic, cache or a path."
        ) from error
    except (OSError, ValueError) as error:
        raise DataError(f"{name} cannot be read ({plain(error)}); check its path and permissions.") from error
    if not head.strip():
        raise DataError(f"{name} is empty; expected a header line and one row a bar.")
    return head


def _csv(path: Path, name: str, head: bytes) -> tuple[pd.DataFrame, Columns]:
    import pandas as pd

    header = _header_line(head, name)
    columns = frames.match_columns(header, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", category=pd.errors.ParserWarning)
            frame = pd.read_csv(
                path,
                dtype=str,  # numbers too: Python reads them to the last bit, whatever pandas does
                header=0,
                names=list(range(len(header))),  # the header itself may repeat names of no interest
                index_col=False,
                keep_default_na=False,
                na_values=[""],
                skip_blank_lines=False,
                encoding="utf-8-sig",
                compression=None,  # what is text stays text, whatever its name ends in
            )
        _check_widths(path, header, name)
    except (ValueError, OverflowError, csv.Error, Warning) as error:
        # ParserError and UnicodeDecodeError are ValueErrors; a warning means that rows were cut to fit.
        raise DataError(f"{name} cannot be read as CSV: {plain(error)}. {_EXPECTED}") from error
    frame = frame[list(columns.positions)]
    frame.columns = pd.Index(columns.all_names)
    return frame, columns


def _check_widths(path: Path, header: list[str], name: str) -> None:
    """Refuse rows that were cut off, which pandas fills up without a word; blank lines are none."""
    width = max(place for place, column in enumerate(header, start=1) if column)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        for row in reader:
            if 0 < len(row) < width:
                raise DataError(
                    f"{name}, line {reader.line_num}: the row ends after {len(row)} of {width} fields; "
                    "complete it, or remove it if the file was cut off."
                )


_EXPECTED = "Expected UTF-8 text, comma-separated: time,open,high,low,close,volume."


def _header_line(head: bytes, name: str) -> list[str]:
    if b"\x00" in head:
        raise DataError(f"{name} is neither CSV nor Parquet (binary data). {_EXPECTED}")
    line = head.splitlines()[0] if head.splitlines() else b""
    if len(line) >= _HEAD_BYTES:
        raise DataError(f"{name} has no header line in its first {_HEAD_BYTES:,} bytes. {_EXPECTED}")
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{name} is not UTF-8 text (byte {error.start}). {_EXPECTED}") from error
    return [field.strip() for field in next(csv.reader([text], skipinitialspace=True), [])]


def _parquet(path: Path, name: str) -> tuple[pd.DataFrame, Columns]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            if file.metadata.num_rows > MAX_ROWS:
                raise DataError(
                    f"{name} announces {file.metadata.num_rows:,} rows, more than the {MAX_ROWS:,} "
                    "that are read; cut it down to the bars that are needed."
                )
            columns = frames.match_columns(list(file.schema_arrow.names), name)
            table = file.read(columns=list(columns.all_names))
        return table.to_pandas(ignore_metadata=True), columns
    except (pa.ArrowException, OSError, ValueError, TypeError, MemoryError) as error:
        raise DataError(f"{name} cannot be read as Parquet: {plain(error)}. Write it again.") from error


def _in_order(bars: frames.Bars, name: str, asked: Asked) -> Received:
    """Sort the bars by time and keep one of each that is repeated."""
    times, values = bars.times, bars.values
    unsorted = bool((times[1:] < times[:-1]).any())
    if unsorted:
        order = np.argsort(times, kind="stable")
        times, values = times[order], values[:, order]
    again = np.zeros(len(times), dtype=bool)
    again[1:] = times[1:] == times[:-1]
    differs = again.copy()
    differs[1:] &= ~np.isclose(values[:, 1:], values[:, :-1], rtol=0, atol=0, equal_nan=True).all(axis=0)
    if differs.any():
        moment = time_text(times[np.flatnonzero(differs)[0]])
        raise DataError(f"{name} has two different bars at {moment}; keep the right one.")
    origin = Origin(
        source="file", detail=plain(Path(name).name), adjusted=None, retrieved_at=asked.retrieved_at
    )
    names = ("open", "high", "low", "close", "volume")
    prices = Prices(times=times, origin=origin, **dict(zip(names, values, strict=True)))
    prices = select(prices, ~again)
    if unsorted:
        prices = noted(prices, "The file's rows were not in time order; they were sorted.")
    return Received(prices=prices, repeated_bars=int(again.sum()))


def _in_range(received: Received, name: str, asked: Asked) -> Received:
    prices = within(received.prices, asked)
    if not len(prices):
        first, last = (time_text(received.prices.times[at]) for at in (0, -1))
        raise DataError(
            f"{name} has no bars in {asked.range_text}: it runs from {first} to {last}. "
            "Choose --start and --end within that."
        )
    wrong = np.flatnonzero(inconsistent(prices))
    if len(wrong):
        raise DataError(
            f"{name}: the bar at {time_text(prices.times[wrong[0]])} has its high below its low, or its open "
            f"or close outside them ({len(wrong)} such bars); correct the file."
        )
    return closed_only(Received(prices=prices, repeated_bars=received.repeated_bars), asked)
