"""From a price file's table to bars: times, numbers, adjustment, and what was understood."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from quantlab.base.errors import DataError
from quantlab.base.remedies import Setting
from quantlab.trading.prices import adjusting, decoded, delimited, headerless, numbers, rows, sources
from quantlab.trading.prices.limits import EMPTY_SHARE
from quantlab.trading.prices.quoting import PATH_LENGTH, plain
from quantlab.trading.prices.roles import PRICES, Roles, as_said, by_name, parse_columns
from quantlab.trading.prices.scanning import SEPARATORS
from quantlab.trading.prices.times import ISO, to_times

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from quantlab.trading.prices.reading import Reading

_FIXED_POINT = 1e9
"""Databento's whole numbers are billionths, unless they were made pretty."""
_WHOLE_PRICE = 1e6
_LOOKED_AT = 4_000


@dataclass(frozen=True, kw_only=True)
class FileBars:
    """A file's bars as they stand in it, in the file's order.

    Attributes:
        times: Opening times, datetime64[ns], UTC.
        values: Open, high, low, close, volume: the rows of a 5 x n array.
        symbols: Each row's symbol, where the file has such a column.
        symbol: The one symbol that the file names beside its rows.
        splits: Units that one unit became at each bar, as the file says it; 1 on others.
        empty: Opening times of the rows that have a time and no price.
        adjusted: Whether the prices are adjusted; None where nobody knows.
        notes: What was done to the prices, a sentence each.
        form: What was understood: source, form of the times, and so on.
    """

    times: NDArray[np.datetime64]
    values: NDArray[np.float64]
    symbols: NDArray[np.object_] | None
    symbol: str | None
    splits: NDArray[np.float64] | None
    empty: NDArray[np.datetime64]
    adjusted: bool | None
    notes: tuple[str, ...]
    form: tuple[str, ...]


class _Table(NamedTuple):
    frame: pd.DataFrame  # the columns of `roles`, by position
    roles: Roles
    first_row: int
    source: str
    decimal: str
    symbol: str | None
    time_form: str | None = None
    repeated_headers: int = 0


@dataclass
class _Told:
    """What is found out on the way."""

    form: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read(source: str, reading: Reading, *, dated: bool, ticker: str | None = None) -> FileBars:
    """Read a file.

    Args:
        source: Its path.
        reading: What the user said about it.
        dated: Bars last a day or longer.
        ticker: Chooses among columns of several tickers.

    Raises:
        DataError: it is missing, no table of bars, or holds impossible prices; the message names the file and, where
            there is one, the row (line of a text, row from 1 of another file) and column.
    """
    name = plain(source, PATH_LENGTH)
    data = decoded.content(Path(source))
    said = parse_columns(reading.columns) if reading.columns else {}
    if data.startswith(rows.PARQUET):
        table = _of_named(rows.parquet(data, name), name, said, "Parquet", ticker)
    elif data.startswith(rows.FEATHER):
        table = _of_named(rows.feather(data, name), name, said, "Feather", ticker)
    elif data[:_LOOKED_AT].lstrip()[:1] in rows.JSON:
        frame, named, symbol = rows.from_json(data, name, ticker)
        table = _of_frame(frame, name, said, "JSON", named=named, symbol=symbol)
    else:
        text, encoding = decoded.as_text(data)
        if reading.whole_lines:
            text = delimited.whole_lines(text, name)
        table = _of_text(text, name, said, reading, ticker)
        if encoding:
            table = table._replace(source=f"{table.source} in {encoding}")
    return _bars(table, name, reading, dated=dated)


def _of_named(frame: pd.DataFrame, name: str, said: dict[str, str], kind: str, ticker: str | None) -> _Table:
    """Read a frame with names; where yfinance made them, each is a price and a ticker."""
    header = [str(column) for column in frame.columns]
    names, tickers = ([], []) if said else rows.parted_names(header)
    if not tickers:
        return _of_frame(frame, name, said, kind, named=True, symbol=None)
    chosen = frame.set_axis(_of_one_ticker(names, tickers, ticker, name), axis="columns")
    symbol = next(one for column, one in zip(chosen.columns, tickers, strict=True) if column and one)
    table = _of_frame(chosen, name, said, kind, named=True, symbol=symbol)
    return table._replace(source=f"yfinance download in {kind}")


def _of_frame(
    frame: pd.DataFrame, name: str, said: dict[str, str], kind: str, *, named: bool, symbol: str | None
) -> _Table:
    sample = [[_text(cell) for cell in row] for row in frame.head(400).itertuples(index=False, name=None)]
    if not sample:
        raise DataError(f"{name} holds no bars; expected one row a bar.")
    header = [str(column) if named else str(at) for at, column in enumerate(frame.columns, start=1)]
    roles = _roles(said, header if named or said else None, sample, name)
    frame = frame.set_axis(range(frame.shape[1]), axis="columns")[list(roles.used)]
    if named:
        label = sources.source_by_names(header, kind, tickers=False)
    else:
        label = sources.without_header(headerless.source_of(roles, len(sample[0])), kind)
    decimal = numbers.POINT if kind != "JSON" else _decimal(frame, roles, name)
    return _Table(frame, roles, 1, label, decimal, symbol)


def _text(cell: object) -> str:
    return "" if cell is None or cell is pd.NaT or (isinstance(cell, float) and np.isnan(cell)) else str(cell)


def _roles(said: dict[str, str], header: list[str] | None, sample: list[list[str]], name: str) -> Roles:
    if said:
        header = header or [str(at) for at in range(1, max(map(len, sample), default=0) + 1)]
        return as_said(said, header, sample, name)
    return headerless.by_place(sample, name) if header is None else by_name(header, sample, name)


def _of_text(data: bytes, name: str, said: dict[str, str], reading: Reading, ticker: str | None) -> _Table:
    wanted = tuple(column for column in said.values() if not column.isdigit() and "+" not in column)
    layout = delimited.layout_of(data, name, reading.separator, wanted, by_number=bool(said) and not wanted)
    header, tickers = layout.header, layout.tickers
    if header is not None and tickers:
        header = _of_one_ticker(header, tickers, ticker, name)
    roles = _roles(said, header, layout.sample, name)
    if header is None:
        label = headerless.source_of(roles, max(map(len, layout.sample)))
    else:
        kind = (
            "CSV"
            if layout.separator == ","
            else f"text parted by {SEPARATORS.get(layout.separator, 'sign')}s"
        )
        label = sources.source_by_names(header, kind, tickers=bool(tickers))
    symbol = next((one for at, one in enumerate(tickers) if at in roles.prices), None)
    decimal = _sampled_decimal(layout.sample, roles, name)
    plain_times = reading.time_format is None
    frame = (
        None
        if decimal is None
        else delimited.typed(data, layout, roles, name, decimal=decimal, plain_times=plain_times)
    )
    again = 0
    if frame is None or decimal is None:
        frame = delimited.texts(data, layout, roles, name)
        again = delimited.without_repeated_headers(frame, layout.header, roles) if layout.header else 0
        decimal = _decimal(frame, roles, name)
    # A text holds no times but those that were read off it at once.
    time_form = ISO if frame[roles.time[0]].dtype.kind == "M" else None
    return _Table(frame, roles, layout.body + 1, label, decimal, symbol, time_form, again)


def _of_one_ticker(header: list[str], tickers: list[str], ticker: str | None, name: str) -> list[str]:
    """Keep the names of one ticker's columns, where yfinance was asked for several."""
    there = list(dict.fromkeys(one for one in tickers if one))
    if len(there) <= 1:
        return header
    chosen = next((one for one in there if ticker is not None and one.upper() == ticker.upper()), None)
    if chosen is None:
        raise rows.SeveralSymbolsError(name, there)
    return [column if one in ("", chosen) else "" for column, one in zip(header, tickers, strict=False)]


def _sampled_decimal(sample: list[list[str]], roles: Roles, name: str) -> str | None:
    """Tell the decimal mark for the quick reading by the first rows; None where they leave it open."""
    cells = (row[at].strip() for row in sample for at in (*roles.prices, *roles.volume) if len(row) > at)
    try:
        return numbers.decimal_mark(cells, name)
    except DataError:
        return None


def _decimal(frame: pd.DataFrame, roles: Roles, name: str) -> str:
    return numbers.decimal_mark(_number_texts(frame, roles), name)


def _number_texts(frame: pd.DataFrame, roles: Roles) -> Iterator[str]:
    for at in (*roles.prices, *roles.volume):
        yield from (cell.strip() for cell in frame[at] if isinstance(cell, str))


def _bars(table: _Table, name: str, reading: Reading, *, dated: bool) -> FileBars:
    told = _Told()
    frame, roles = table.frame, table.roles
    row_numbers = np.arange(table.first_row, table.first_row + len(frame))
    if frame[roles.prices[0]].isna().any():
        filled = ~frame[[*roles.time, *roles.prices]].isna().all(axis=1).to_numpy()
        frame, row_numbers = frame[filled], row_numbers[filled]
    if not len(frame):
        raise DataError(f"{name} holds no bars; expected one row a bar below the header.")
    times, time_form = to_times(
        _time_cells(frame, roles), row_numbers, f"{name}, column {_shown(roles, roles.time[0])}",
        dated=dated, time_format=reading.time_format,
    )  # fmt: skip
    told.form += [table.source, table.time_form or time_form, "UTC"]
    if table.repeated_headers:
        told.notes.append(
            f"The header stood {table.repeated_headers} times more between the bars; it was left out."
        )
    values = np.empty((5, len(frame)))
    for row, at in enumerate(roles.prices):
        values[row] = _column(table, frame, row_numbers, at, name)
    values[4] = _volume(table, frame, row_numbers, name, told)
    if table.decimal == numbers.COMMA:
        told.form.append("decimal commas")
    if table.source.startswith("Databento") and _is_fixed_point(values[:4]):
        values[:4] /= _FIXED_POINT
        told.form.append("prices in billionths")
    empty = _without_prices(values)
    priced, priced_rows = (
        (values, row_numbers) if not empty.any() else (values[:, ~empty], row_numbers[~empty])
    )
    for row, at in enumerate(roles.prices):
        numbers.check_values(priced[row], priced_rows, f"{name}, column {_shown(roles, at)}", is_price=True)
    if roles.volume:
        where = f"{name}, column {_shown(roles, roles.volume[0])}"
        numbers.check_values(values[4], row_numbers, where, is_price=False)
    values, splits, adjusted = _adjusted(table, frame, row_numbers, times, values, name, reading, told)
    symbols = (
        frame[roles.symbol].astype(str).str.strip().to_numpy(dtype=object)
        if roles.symbol is not None
        else None
    )
    dropped = times[empty]
    if len(dropped):
        times, values = times[~empty], values[:, ~empty]
        symbols = None if symbols is None else symbols[~empty]
        splits = None if splits is None else splits[~empty]
    return FileBars(
        times=times,
        values=values,
        symbols=symbols,
        symbol=table.symbol,
        splits=splits,
        empty=dropped,
        adjusted=adjusted,
        notes=tuple(told.notes),
        form=tuple(told.form),
    )


def _shown(roles: Roles, at: int) -> str:
    return plain(roles.header[at] if at < len(roles.header) else at + 1, 20)


def _time_cells(frame: pd.DataFrame, roles: Roles) -> pd.Series:
    if len(roles.time) == 1:
        return frame[roles.time[0]]
    day, clock = (frame[at].astype(str).str.strip() for at in roles.time)
    if clock.str.fullmatch(r"\d{1,6}").all():
        # Stooq's 93000: six digits without the zeros that a spreadsheet took away; MetaTrader's may be four.
        width = 4 if clock.str.len().max() <= 4 else 6  # noqa: PLR2004 - hours and minutes
        clock = (
            clock.str.zfill(width)
            .str.ljust(6, "0")
            .str.replace(r"^(\d\d)(\d\d)(\d\d)$", r"\1:\2:\3", regex=True)
        )
    if day.str.fullmatch(r"\d{8}").all():
        day = day.str.replace(r"^(\d{4})(\d\d)(\d\d)$", r"\1-\2-\3", regex=True)
    return (day + " " + clock).astype(object)


def _column(
    table: _Table,
    frame: pd.DataFrame,
    row_numbers: NDArray[np.int64],
    at: int,
    name: str,
    *,
    is_volume: bool = False,
) -> NDArray[np.float64]:
    where = f"{name}, column {_shown(table.roles, at)}"
    return numbers.to_numbers(frame[at], row_numbers, where, decimal=table.decimal, is_volume=is_volume)


def _volume(
    table: _Table, frame: pd.DataFrame, row_numbers: NDArray[np.int64], name: str, told: _Told
) -> NDArray[np.float64]:
    """Return the first volume that is not zero throughout; NaN where the file has none."""
    roles = table.roles
    if not roles.volume:
        told.form.append("volume unknown")
        return np.full(len(frame), np.nan)
    first = _column(table, frame, row_numbers, roles.volume[0], name, is_volume=True)
    if len(roles.volume) > 1 and not (first > 0).any():
        second = _column(table, frame, row_numbers, roles.volume[-1], name, is_volume=True)
        if (second > 0).any():
            told.form.append(f"volume from {_shown(roles, roles.volume[-1])}")
            return second
    return first


def _is_fixed_point(prices: NDArray[np.float64]) -> bool:
    known = prices[np.isfinite(prices)]
    return bool(len(known) and (known == np.rint(known)).all() and known.min() >= _WHOLE_PRICE)


def _without_prices(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark rows with a time and no price, if they are few; many make the file unusable."""
    empty: NDArray[np.bool_] = np.isnan(values[0])
    if empty.any():
        empty &= np.isnan(values[1:4]).all(axis=0) & ~(values[4] > 0)
    return empty if empty.sum() <= EMPTY_SHARE * len(empty) else np.zeros_like(empty)


def _adjusted(
    table: _Table, frame: pd.DataFrame, row_numbers: NDArray[np.int64], times: NDArray[np.datetime64],
    values: NDArray[np.float64], name: str, reading: Reading, told: _Told,
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None, bool | None]:  # fmt: skip
    """Adjust the prices by an adjusted close, if there is one; returns them, splits, and whether they are adjusted."""
    roles = table.roles
    splits = None
    if roles.splits is not None:
        found = numbers.to_numbers(
            frame[roles.splits], row_numbers, f"{name}, column {_shown(roles, roles.splits)}"
        )
        splits = np.where(np.isfinite(found) & (found > 0), found, 1.0)
    if roles.adj_close is None:
        return values, splits, None
    column = _shown(roles, roles.adj_close)
    target = _column(table, frame, row_numbers, roles.adj_close, name)
    factor = adjusting.factors(values[3], target)
    if reading.adjust == "none":
        told.form.append(f"raw prices, {column} left aside")
        told.notes.append(f"Prices are raw: {column} was left aside (--adjust none).")
        return values, _with(splits, factor, np.argsort(times, kind="stable")), False
    _require_adjusted(target, values[3], row_numbers, f"{name}, column {column}")
    if (factor == 1.0).all():
        return values, splits, True
    adjusted = np.vstack([adjusting.adjusted_prices(values[:4], factor, target), values[4]])
    told.form.append(f"adjusted by {column}")
    told.notes.append(
        f"Open, high, low and close were multiplied by {column} / {PRICES[3]}; --adjust none keeps the raw ones."
    )
    return adjusted, splits, True


def _require_adjusted(
    target: NDArray[np.float64], close: NDArray[np.float64], row_numbers: NDArray[np.int64], where: str
) -> None:
    """Refuse a close without an adjusted one beside others that have it: it would stand out by a whole split."""
    bad = np.isfinite(close) & ~(np.isfinite(target) & (target > 0))
    if bad.any():
        at = int(np.flatnonzero(bad)[0])
        raise DataError(
            f"{where}, row {row_numbers[at]}: {target[at]!s} is no price ({int(bad.sum())} such rows); correct the "
            "file, or leave the column aside with ",
            Setting("adjust", "none"),
            ".",
        )


def _with(
    splits: NDArray[np.float64] | None, factor: NDArray[np.float64], order: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Add the splits that the factor tells from bar to bar, in time order."""
    ratios = np.ones(len(factor))
    ratios[order] = adjusting.split_ratios(factor[order])
    return ratios if splits is None else np.where(splits != 1.0, splits, ratios)
