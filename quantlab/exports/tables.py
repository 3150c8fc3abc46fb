"""The tables that a session leaves: trades.csv for its readers, equity.csv to compare a re-run with.

Floats are written as Python's `repr` writes them, the shortest text that reads back equal.
"""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from quantlab.base.errors import DataError
from quantlab.base.text import csv_cell
from quantlab.exports.layout import FileLayout
from quantlab.trading.fills import Fills, participation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from quantlab.trading.results import Outcome

TRADES_COLUMNS = (
    "timestamp",
    "side",
    "close",
    "exec_price",
    "qty",
    "fee",
    "equity_after",
    "slippage",
    "reason",
    "signal_timestamp",
    "cash_after",
    "position_after",
)
"""The columns of the first layout; later ones add `participation`."""
EQUITY_COLUMNS = ("time", "cash", "quantity", "mark", "equity")
_UTC = "+00:00"


@dataclass(frozen=True, kw_only=True)
class EquityTable:
    """What equity.csv holds; all arrays have one entry a bar.

    Attributes:
        times: Opening time of each bar, datetime64[ns], UTC.
        cash: Cash after the bar, in the quote currency (so is equity).
        quantity: Units held after the bar.
        mark: Price at which the units are valued.
        equity: cash + quantity x mark.
    """

    times: NDArray[np.datetime64]
    cash: NDArray[np.float64]
    quantity: NDArray[np.float64]
    mark: NDArray[np.float64]
    equity: NDArray[np.float64]


def trades_csv(outcome: Outcome, layout: FileLayout = FileLayout.SECOND) -> bytes:
    """Return trades.csv (contract 3): one row a fill, in the order of the fills; `layout` says how they are spelled."""
    first = layout == FileLayout.FIRST
    fills, prices = Fills.of(outcome.simulation.fills), outcome.prices
    sides = fills.column("side").tolist()
    columns: list[Sequence[str]] = [
        iso_times(prices.times[fills.column("bar")]),
        sides if first else [side.upper() for side in sides],
        *(_texts(fills, name) for name in ("close", "price", "quantity", "fee", "equity_after", "slippage")),
        [csv_cell(reason) for reason in fills.column("reason").tolist()],
        iso_times(prices.times[fills.column("signal_bar")]),
        *(_texts(fills, name) for name in ("cash_after", "position_after")),
    ]
    if not first:
        shares = participation(fills, prices).tolist()
        columns.append([repr(share) if math.isfinite(share) else "" for share in shares])
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(TRADES_COLUMNS if first else (*TRADES_COLUMNS, "participation"))
    writer.writerows(zip(*columns, strict=True))
    return text.getvalue().encode()


def _texts(fills: Fills, name: str) -> list[str]:
    return [repr(value) for value in fills.column(name).tolist()]


def equity_csv(outcome: Outcome) -> bytes:
    """Return equity.csv: cash, quantity, mark and equity of every bar, to the last bit."""
    simulation = outcome.simulation
    columns = (simulation.cash, simulation.quantity, simulation.mark, simulation.equity)
    rows = zip(iso_times(outcome.prices.times), *(column.tolist() for column in columns), strict=True)
    lines = [",".join(EQUITY_COLUMNS)]
    lines += [
        f"{time},{cash!r},{quantity!r},{mark!r},{equity!r}" for time, cash, quantity, mark, equity in rows
    ]
    return ("\n".join(lines) + "\n").encode()


def read_equity_csv(data: bytes) -> EquityTable:
    """Read what `equity_csv` wrote, every number equal to the one written.

    Raises:
        DataError: the bytes are not such a table; the message names the line.
    """
    header, *rows = _lines(data)
    if header != ",".join(EQUITY_COLUMNS):
        raise DataError(
            f"equity.csv: line 1 is not the header {','.join(EQUITY_COLUMNS)}; "
            "the file was changed or comes from elsewhere: restore it, or run the session again."
        )
    cells = [row.split(",") for row in rows]
    _check_widths(cells)
    times, *numbers = zip(*cells, strict=True) if cells else [()] * len(EQUITY_COLUMNS)
    cash, quantity, mark, equity = (
        _floats(name, column) for name, column in zip(EQUITY_COLUMNS[1:], numbers, strict=True)
    )
    return EquityTable(times=_times(times), cash=cash, quantity=quantity, mark=mark, equity=equity)


def iso_times(times: NDArray[np.datetime64]) -> list[str]:
    """Return each time as `clock.iso` writes it: ISO 8601, UTC, six decimals."""
    return [text + _UTC for text in np.datetime_as_string(times, unit="us").tolist()]


def _lines(data: bytes) -> list[str]:
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError as error:
        raise DataError(
            f"equity.csv: byte {error.start} is no plain text; expected a CSV table of numbers. "
            "Restore the file, or run the session again."
        ) from error
    if not text.endswith("\n"):
        raise DataError(
            "equity.csv: the last line has no end, so the file was cut off; "
            "restore it, or run the session again."
        )
    return text[:-1].split("\n")


def _check_widths(rows: list[list[str]]) -> None:
    for number, row in enumerate(rows, start=2):
        if len(row) != len(EQUITY_COLUMNS):
            raise DataError(
                f"equity.csv: line {number} has {len(row)} cells, expected {len(EQUITY_COLUMNS)}; "
                "restore the file, or run the session again."
            )


def _floats(name: str, cells: Sequence[str]) -> NDArray[np.float64]:
    try:
        return np.fromiter(map(float, cells), dtype=np.float64, count=len(cells))
    except ValueError as error:
        line = next(number for number, cell in enumerate(cells, start=2) if not _is_float(cell))
        raise DataError(
            f"equity.csv: line {line}: {name} is {cells[line - 2]!r}, expected a number; "
            "restore the file, or run the session again."
        ) from error


def _is_float(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _times(cells: Sequence[str]) -> NDArray[np.datetime64]:
    try:
        return np.array([_naive_utc(cell) for cell in cells], dtype="datetime64[ns]")
    except ValueError as error:
        raise DataError(
            f"equity.csv: time: {error}; expected ISO 8601 in UTC, such as 2023-01-01T00:00:00.000000+00:00. "
            "Restore the file, or run the session again."
        ) from error


def _naive_utc(cell: str) -> str:
    if not cell.endswith(_UTC):
        raise ValueError(f"{cell!r} is not in UTC")
    return cell.removesuffix(_UTC)
