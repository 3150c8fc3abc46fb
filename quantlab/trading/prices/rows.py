"""Tables that are no text: Parquet and Feather; and JSON, wherever in it the rows are."""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from quantlab.base.errors import DataError
from quantlab.base.remedies import Setting
from quantlab.base.values import JsonObject
from quantlab.trading.prices.headerless import FEWEST_COLUMNS
from quantlab.trading.prices.quoting import plain
from quantlab.trading.prices.roles import names_prices, simple

if TYPE_CHECKING:
    import pandas as pd


MAX_ROWS = 20_000_000
"""Files that announce more rows are refused: a few kilobytes can unfold into any number of them."""
PARQUET, FEATHER, JSON = b"PAR1", (b"ARROW1", b"FEA1"), (b"{", b"[")
MISSING_READER = "python -m pip install 'quantlab-sessions[parquet]', or write the bars as CSV."
_PAIR = re.compile(r"\('([^']*)', '([^']*)'\)")
_DEEPEST = 6
_LOOKED_AT = 100


class SeveralSymbolsError(DataError):
    """A file of several markets, and nothing says which one is meant."""

    def __init__(self, name: str, symbols: list[str]) -> None:
        shown = plain(", ".join(symbols), 120)
        super().__init__(
            f"{name} holds bars of {len(symbols)} symbols ({shown}); say which one with ",
            Setting("ticker"),
            ".",
        )


def parquet(data: bytes, name: str) -> pd.DataFrame:
    """Read a Parquet file, its index among the columns.

    Raises:
        DataError: it is damaged or too large, or pyarrow is not installed.
    """
    _require_pyarrow(name, "Parquet")
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(io.BytesIO(data)) as file:
            _require_bearable(file.metadata.num_rows, name)
            frame: pd.DataFrame = file.read().to_pandas(ignore_metadata=True)
    except (pa.ArrowException, OSError, ValueError, TypeError, MemoryError) as error:
        raise DataError(f"{name} cannot be read as Parquet: {plain(error)}. Write it again.") from error
    return frame


def feather(data: bytes, name: str) -> pd.DataFrame:
    """Read a Feather file.

    Raises:
        DataError: it is damaged or too large, or pyarrow is not installed.
    """
    _require_pyarrow(name, "Feather")
    import pyarrow as pa
    from pyarrow import feather as reader

    try:
        table = reader.read_table(io.BytesIO(data))
        _require_bearable(table.num_rows, name)
        frame: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    except (pa.ArrowException, OSError, ValueError, TypeError, MemoryError) as error:
        raise DataError(f"{name} cannot be read as Feather: {plain(error)}. Write it again.") from error
    return frame


def parted_names(header: list[str]) -> tuple[list[str], list[str]]:
    """Part names of two levels, such as "('Open', 'ETH-USD')", into names and tickers; none where they have one level.

    So pandas writes what yfinance gives. Other columns, such as the time, have no ticker.
    """
    pairs = [_PAIR.fullmatch(column) for column in header]
    for name, ticker in ((1, 2), (2, 1)) if any(pairs) else ():
        names = [column if pair is None else pair[name] for column, pair in zip(header, pairs, strict=True)]
        if names_prices(names):
            return names, ["" if pair is None else pair[ticker] for pair in pairs]
    return [], []


def _require_pyarrow(name: str, form: str) -> None:
    try:
        import pyarrow as pa  # noqa: F401
    except ImportError as error:
        raise DataError(f"{name} is a {form} file, which needs pyarrow: {MISSING_READER}") from error


def _require_bearable(rows: int, name: str) -> None:
    if rows > MAX_ROWS:
        raise DataError(
            f"{name} announces {rows:,} rows, more than the {MAX_ROWS:,} that are read; "
            "cut it down to the bars that are needed."
        )


def from_json(data: bytes, name: str, ticker: str | None) -> tuple[pd.DataFrame, bool, str | None]:
    """Find the rows in JSON: objects, lists, columns, or objects under their times; or a JSON object a line.

    Args:
        data: The JSON.
        name: The file, for messages.
        ticker: Chooses among several tables.

    Returns:
        The table; whether its columns have names; the symbol that stands beside the rows, if one does.

    Raises:
        DataError: it is no JSON, or holds no table of bars.
        SeveralSymbolsError: it holds several, and no ticker says which one is meant.
    """
    import pandas as pd

    search = _Search(ticker)
    try:
        loaded = _loaded(data)
        found = search.table_in(loaded, 0)
        if found is None:
            raise ValueError("no rows of bars in it")  # noqa: TRY301 - told with the rest
        frame = pd.DataFrame(found)
    except _SeveralTablesError as error:
        raise SeveralSymbolsError(name, error.names) from None
    except (ValueError, RecursionError, TypeError) as error:
        raise DataError(
            f"{name} cannot be read as JSON: {plain(error)}. "
            "Expected rows with time, open, high, low, close and volume."
        ) from error
    named = not all(isinstance(column, int) for column in frame.columns)
    return frame, named, search.chosen or _symbol_in(loaded)


def _loaded(data: bytes) -> object:
    try:
        return json.loads(data)
    except ValueError:
        lines = [line for line in data.splitlines() if line.strip()]
        if len(lines) < 2 or not lines[0].strip().startswith((b"{", b"[")):  # noqa: PLR2004 - one line is no list of lines
            raise
        return [json.loads(line) for line in lines]


Table = JsonObject | list[JsonObject] | list[list[object]]
"""What pandas makes a table of: columns by their names, or rows with or without names."""


@dataclass
class _Search:
    """Where in JSON the rows are; of several tables the one that bears the ticker.

    Attributes:
        ticker: The market that is meant; None where nobody said.
        chosen: The name of the table that was taken among several.
    """

    ticker: str | None
    chosen: str | None = None

    def table_in(self, value: object, depth: int) -> Table | None:  # noqa: PLR0911 - a list of shapes
        """Return rows or columns that pandas makes a table of; None where there are none."""
        if depth > _DEEPEST:
            return None
        if isinstance(value, list):
            return self._rows_in(value, depth)
        if not isinstance(value, dict):
            return None
        if isinstance(value.get("timestamp"), list) and isinstance(value.get("indicators"), dict):
            return _yahoo_chart(value)
        if (
            {"columns", "data"} <= value.keys()
            and isinstance(value["data"], list)
            and isinstance(value["columns"], list)
        ):
            return _split(value)
        for kind in (list, dict):
            columns = {name: one for name, one in value.items() if isinstance(one, kind)}
            if names_prices(list(columns)):
                return _columns(columns)
        under_times = [one for one in value.values() if isinstance(one, dict) and names_prices(list(one))]
        if len(under_times) == len(value) and value:
            return [{"time": time, **one} for time, one in value.items()]
        return self._only([(name, self.table_in(one, depth + 1)) for name, one in value.items()])

    def _rows_in(self, value: list[Any], depth: int) -> Table | None:
        if value and all(isinstance(one, dict) and names_prices(list(one)) for one in value[:1]):
            return value
        if value and all(isinstance(one, list) and len(one) >= FEWEST_COLUMNS for one in value[:1]):
            if all(isinstance(cell, str) for cell in value[0]) and names_prices(value[0]):
                return [dict(zip(value[0], row, strict=False)) for row in value[1:]]
            return value
        return self._only(
            [
                (_symbol_in(one) or f"number {at}", self.table_in(one, depth + 1))
                for at, one in enumerate(value[:_LOOKED_AT], start=1)
                if isinstance(one, (list, dict))
            ]
        )

    def _only(self, found: list[tuple[str, Table | None]]) -> Table | None:
        """Return the one table that there is, or the ticker's own."""
        tables = {name: table for name, table in found if table is not None}
        if len(tables) <= 1:
            return next(iter(tables.values()), None)
        meant = [name for name in tables if self.ticker and _letters(name) == _letters(self.ticker)]
        if len(meant) != 1:
            raise _SeveralTablesError(list(tables))
        self.chosen = meant[0]
        return tables[self.chosen]


class _SeveralTablesError(Exception):
    """Several tables, and nothing says which one is meant."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(names)
        self.names = names


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name)).upper()


def _split(value: JsonObject) -> list[JsonObject]:
    """Read pandas' `orient="split"`: names, rows and, where it has times, an index."""
    index = value.get("index")
    rows = [dict(zip(value["columns"], row, strict=False)) for row in value["data"]]
    has_time = any(simple(column) in ("time", "date", "timestamp", "datetime") for column in value["columns"])
    return (
        rows
        if has_time or not index
        else [{"time": time, **row} for time, row in zip(index, rows, strict=True)]
    )


def _columns(value: JsonObject) -> JsonObject:
    """Read columns: lists, or objects under their times (pandas' own way)."""
    if isinstance(_first(value), list):
        return {column: cells for column, cells in value.items() if len(cells) == len(_first(value))}
    keys = list(_first(value))
    columns = {column: [cells.get(key) for key in keys] for column, cells in value.items()}
    has_time = any(simple(column) in ("time", "date", "timestamp", "datetime") for column in columns)
    return columns if has_time else {"time": keys, **columns}


def _first(value: JsonObject) -> Any:
    return next(cells for column, cells in value.items() if names_prices([column, "high", "low"]))


def _yahoo_chart(value: JsonObject) -> JsonObject:
    indicators = value["indicators"]
    columns = {"time": value["timestamp"], **indicators["quote"][0]}
    for one in indicators.get("adjclose") or ():
        columns["adj close"] = one["adjclose"]
    return columns


def _symbol_in(loaded: object) -> str | None:
    """Return the symbol that stands beside the rows: Polygon's `ticker`, Alpha Vantage's `2. Symbol`, Yahoo's meta."""
    places = [loaded] if isinstance(loaded, dict) else []
    while places:
        place = places.pop(0)
        for key, value in place.items():
            if isinstance(value, str) and simple(key) in (
                "symbol",
                "ticker",
                "digital currency code",
                "pair",
            ):
                return value
            if isinstance(value, dict) and len(value) < 40:  # noqa: PLR2004 - facts beside the rows, not the rows
                places.append(value)
            if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
                places.append(value[0])
    return None
