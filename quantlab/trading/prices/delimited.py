"""Tables in text: which separator, where the header stands, and the columns that are wanted."""

from __future__ import annotations

import csv
import io
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from quantlab.base.errors import DataError
from quantlab.trading.prices import headerless, scanning
from quantlab.trading.prices.quoting import plain
from quantlab.trading.prices.roles import names_prices, simple
from quantlab.trading.prices.scanning import SEPARATORS

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from quantlab.trading.prices.roles import Roles

_HEAD_BYTES = 64 * 2**10
_HEADER_WITHIN = 40
"""Lines within which a header is looked for, below banners and licences."""
_SAMPLE_ROWS = 400
_COUNT_DIGITS = 9
_WEB_PAGE = ("<!doctype", "<html", "<head", "<body")
_EXPECTED = "Expected UTF-8 text, comma-separated: time,open,high,low,close,volume."


@dataclass(frozen=True, kw_only=True)
class TextLayout:
    """How a text is laid out.

    Attributes:
        header: Names of the columns; None where the first line is a bar.
        body: Lines above the first row.
        sample: The first rows, as texts.
        tickers: Each column's ticker, where a line above or below the header tells them (yfinance); empty at the time.
    """

    separator: str
    header: list[str] | None
    body: int
    sample: list[list[str]]
    tickers: list[str]


def layout_of(
    data: bytes,
    name: str,
    separator: str | None = None,
    wanted: tuple[str, ...] = (),
    *,
    by_number: bool = False,
) -> TextLayout:
    """Look at the beginning of a text.

    Args:
        data: The text, UTF-8.
        name: The file, for messages.
        separator: The one that the user named.
        wanted: Column names that the user named; a line with all of them is the header.
        by_number: Whether the user named columns by their numbers alone; a first line of numbers is no header then.

    Raises:
        DataError: it is no table.
    """
    lines = _head_lines(data, name)
    if lines[0].lower().startswith("sep=") and len(lines) > 1:
        separator = separator or lines[0][4:5] or None
    options = (separator,) if separator else tuple(SEPARATORS)
    for one in options:
        rows = _rows(lines, one)
        for at, row in enumerate(rows[:_HEADER_WITHIN]):
            if names_prices(row) or (wanted and set(wanted) <= {cell.strip() for cell in row}):
                return _with_header(rows, at, one)
    # Commas may be decimal: the other separators are asked first.
    for one in sorted(options, key=lambda option: option == ","):
        rows = _rows(lines, one)
        first = next((at for at, row in enumerate(rows[:_HEADER_WITHIN]) if headerless.is_bar(row)), None)
        if first is not None and (first == 0 or not _is_table(rows[:first])):
            return TextLayout(separator=one, header=None, body=first, sample=_sample(rows, first), tickers=[])
    if by_number:
        for one in sorted(options, key=lambda option: option == ","):
            rows = _rows(lines, one)
            if sum(map(headerless.is_number, rows[0])) >= headerless.FEWEST_COLUMNS - 1:
                return TextLayout(separator=one, header=None, body=0, sample=_sample(rows, 0), tickers=[])
    best = max(options, key=lambda one: len(_rows(lines[:1], one)[0]))
    return _with_header(_rows(lines, best), 0, best)


def whole_lines(data: bytes, name: str) -> bytes:
    """Leave out a last line that has not ended: somebody is writing it.

    Raises:
        DataError: nothing is left.
    """
    whole = data[: data.rfind(b"\n") + 1]
    if not whole.strip():
        raise DataError(
            f"{name} has no whole line; expected a header line and one row a bar, each with its end."
        )
    return whole


def _head_lines(data: bytes, name: str) -> list[str]:
    head = data[:_HEAD_BYTES]
    if b"\x00" in head:
        raise DataError(f"{name} is neither CSV nor Parquet (binary data). {_EXPECTED}")
    lines = head.splitlines()
    if len(lines[0]) >= _HEAD_BYTES:
        raise DataError(f"{name} has no header line in its first {_HEAD_BYTES:,} bytes. {_EXPECTED}")
    if len(data) > len(head) and len(lines) > 1:
        lines.pop()  # cut off by the look at the head alone
    texts = [line.decode(errors="replace") for line in lines]
    if texts[0].lstrip().lower().startswith(_WEB_PAGE):
        raise DataError(f"{name} is a web page and no table; download the file that the page leads to.")
    return texts


def _rows(lines: list[str], separator: str) -> list[list[str]]:
    """Split lines one by one: an open quote in one must not swallow the others."""
    return [next(csv.reader([line], delimiter=separator, skipinitialspace=True), []) for line in lines]


def _is_table(rows: list[list[str]]) -> bool:
    """Tell whether the line above the first bar has names in it that no one knows, rather than a banner."""
    return bool(rows) and len(rows[-1]) >= headerless.FEWEST_COLUMNS


def _sample(rows: list[list[str]], first: int, header: list[str] | None = None) -> list[list[str]]:
    return [
        row
        for row in rows[first : first + _SAMPLE_ROWS]
        if any(cell.strip() for cell in row) and [cell.strip() for cell in row] != header
    ]


def _with_header(rows: list[list[str]], at: int, separator: str) -> TextLayout:
    header = [cell.strip() for cell in rows[at]]
    above = rows[at - 1] if at else []
    tickers = ["", *(cell.strip() for cell in above[1:])] if above and simple(above[0]) == "ticker" else []
    body = at + 1
    while body < len(rows) and rows[body] and simple(rows[body][0]) in ("ticker", "date", "datetime"):
        if simple(rows[body][0]) == "ticker":
            tickers = ["", *(cell.strip() for cell in rows[body][1:])]
        body += 1
    return TextLayout(
        separator=separator, header=header, body=body, sample=_sample(rows, body, header), tickers=tickers
    )


def typed(
    data: bytes, layout: TextLayout, roles: Roles, name: str, *, decimal: str, plain_times: bool
) -> pd.DataFrame | None:
    """Read the wanted columns, prices and volumes as numbers at once; None where a cell is none.

    Args:
        data: The text, UTF-8.
        layout: How it is laid out.
        roles: Which columns are wanted.
        name: The file, for messages.
        decimal: The decimal mark.
        plain_times: Whether ISO times that begin the rows may come as times, not as texts.

    Raises:
        DataError: a row is cut off or too long.
    """
    numbers = [*roles.prices, *roles.volume, *((roles.adj_close,) if roles.adj_close is not None else ())]
    words = [*roles.time, *((roles.symbol,) if roles.symbol is not None else ())]
    # Types are left to pandas, which is three times as fast as being told; but 093000 and 000001 are no numbers.
    dtypes: dict[int, type] = {at: object for at in words if _are_short_digits(at, layout.sample)}
    careless, moments = _without_care(data, layout, roles, plain_times=plain_times)
    wanted = roles.used if moments is None else tuple(at for at in roles.used if at not in roles.time)
    try:
        frame = _read(data, layout, wanted, dtypes, decimal, careless=careless)
    except (ValueError, OverflowError, Warning):
        return None
    _check_widths(data, layout, name)
    if moments is not None:
        if len(frame) != len(moments):
            return typed(data, layout, roles, name, decimal=decimal, plain_times=False)
        frame.insert(0, roles.time[0], moments)
    # Counts beside blank lines come as floats, which can't hold nanoseconds.
    if any(frame[at].dtype.kind not in "iuf" for at in numbers) or any(
        frame[at].dtype.kind == "f" for at in roles.time
    ):
        return None
    return frame


def _without_care(
    data: bytes, layout: TextLayout, roles: Roles, *, plain_times: bool
) -> tuple[bool, NDArray[np.datetime64] | None]:
    """Tell whether no cell is quoted or begins with a blank; and the times, where the rows begin with plain ones."""
    start = scanning.start_of(data, layout.body)
    if not layout.sample or not scanning.is_unquoted(data, layout.separator, start):
        return False, None
    moments = None
    if plain_times and roles.time == (0,):
        moments = scanning.times_of_rows(data, layout.separator, start, layout.sample[0][0])
    blanks = scanning.count(data, b" ", start)
    # One blank a row may stand between date and time of day.
    if blanks and (moments is None or " " not in layout.sample[0][0] or blanks != len(moments)):
        return False, None
    return True, moments


def _are_short_digits(at: int, sample: list[list[str]]) -> bool:
    return any(
        row[at].strip().isdigit() and len(row[at].strip()) < _COUNT_DIGITS for row in sample if len(row) > at
    )


def texts(data: bytes, layout: TextLayout, roles: Roles, name: str) -> pd.DataFrame:
    """Read the wanted columns as they are written; an empty cell is missing.

    Raises:
        DataError: it can't be read as a table, or a row is cut off or too long.
    """
    try:
        frame = _read(data, layout, roles.used, dict.fromkeys(roles.used, object), ".")
    except (ValueError, OverflowError, Warning) as error:
        if "Too many columns" in str(error):  # pandas' words for rows that are all too short
            _check_widths(data, layout, name)
        # ParserError and UnicodeDecodeError are ValueErrors.
        raise DataError(f"{name} cannot be read as CSV: {plain(error)}. {_EXPECTED}") from error
    _check_widths(data, layout, name)
    return frame


def without_repeated_headers(frame: pd.DataFrame, header: list[str], roles: Roles) -> int:
    """Empty the rows that say the header once more, as files do that were put together; returns how many there were."""
    first, *others = roles.used
    again = (frame[first] == header[first]).to_numpy(dtype=bool, copy=True)
    for at in others if again.any() else ():
        again &= [isinstance(cell, str) and cell.strip() == header[at] for cell in frame[at]]
    frame.loc[again] = np.nan
    return int(again.sum())


def _read(
    data: bytes,
    layout: TextLayout,
    wanted: tuple[int, ...],
    dtypes: dict[int, type],
    decimal: str,
    *,
    careless: bool = False,
) -> pd.DataFrame:
    import pandas as pd

    width = max(map(len, layout.sample), default=0)
    if width <= max(wanted):
        width = max(width, len(layout.header or ()))
    # Before 3.1 only this reads numbers to the last bit; since then it is the default, and the word deprecated.
    exact = (
        {} if tuple(map(int, pd.__version__.split(".")[:2])) >= (3, 1) else {"float_precision": "round_trip"}
    )
    if not layout.sample:
        return pd.DataFrame({at: [] for at in wanted})
    file = io.BytesIO(data)
    if careless:  # either way to skip costs a third of the time
        file.seek(scanning.start_of(data, layout.body))
    with warnings.catch_warnings():
        warnings.simplefilter("error", category=pd.errors.ParserWarning)
        warnings.simplefilter("error", category=pd.errors.DtypeWarning)
        return pd.read_csv(  # type: ignore[no-any-return, call-overload]
            file,
            sep=layout.separator,
            decimal=decimal,
            header=None,
            skiprows=None if careless else layout.body,
            names=list(range(width)),
            usecols=sorted(wanted),
            dtype=dtypes,
            index_col=False,
            keep_default_na=False,
            na_values=[""],
            skip_blank_lines=False,
            skipinitialspace=not careless,
            encoding="utf-8",
            **exact,
        )


def _check_widths(data: bytes, layout: TextLayout, name: str) -> None:
    """Refuse rows that were cut off or have cells that no column names, both of which pandas passes over."""
    separator, header = layout.separator.encode(), layout.header
    start = scanning.start_of(data, layout.body)
    rows = scanning.count(data, b"\n", start) + (not data.endswith(b"\n"))
    names = len(header) if header is not None else max(map(len, layout.sample))
    if rows * (names - 1) == scanning.count(data, separator, start) and b'"' not in data:
        return
    width = (
        max((at for at, column in enumerate(header, start=1) if column), default=names) if header else names
    )
    with io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", errors="replace", newline="") as file:
        reader = csv.reader(file, delimiter=layout.separator, skipinitialspace=True)
        try:
            for row in reader:
                if reader.line_num <= layout.body or not row:
                    continue
                if len(row) < width and (
                    header is not None
                    or len(row) < max(headerless.FEWEST_COLUMNS, min(map(len, layout.sample)))
                ):
                    raise DataError(
                        f"{name}, line {reader.line_num}: the row ends after {len(row)} of {width} fields; "
                        "complete it, or remove it if the file was cut off."
                    )
                if any(cell.strip() for cell in row[names:]):
                    raise DataError(
                        f"{name} cannot be read as CSV: line {reader.line_num} has {len(row)} fields, "
                        f"the header {names}. {_EXPECTED}"
                    )
        except csv.Error as error:
            raise DataError(f"{name} cannot be read as CSV: {plain(error)}. {_EXPECTED}") from error
