"""prices.csv: bars as text that reads back to the last bit."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from quantlab.base.errors import DataError
from quantlab.trading.market import Prices
from quantlab.trading.prices.asked import plain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quantlab.trading.market import Origin

HEADER = "time,open,high,low,close,volume"
_COLUMNS = 6
_UTC = "+00:00"
_SECOND = np.timedelta64(1, "s")


def to_csv(prices: Prices) -> bytes:
    """Write bars: a header, then `time,open,high,low,close,volume` with ISO 8601 UTC times.

    Numbers are the shortest text that reads back to the same float (`nan` for an unknown volume); times have
    whole seconds, or nine decimals where any bar needs them.
    """
    numbers = (prices.open, prices.high, prices.low, prices.close, prices.volume)
    columns = [map(repr, column.astype(float).tolist()) for column in numbers]
    rows = map(",".join, zip(_time_texts(prices.times), *columns, strict=True))
    return "".join(f"{row}\n" for row in (HEADER, *rows)).encode("ascii")


def _time_texts(times: NDArray[np.datetime64]) -> list[str]:
    whole = not (times - times.astype("M8[s]")).astype(np.int64).any()
    texts = np.datetime_as_string(times, unit="s" if whole else "ns")
    return [f"{text}{_UTC}" for text in texts.tolist()]


def from_csv(data: bytes, origin: Origin) -> Prices:
    """Read what `to_csv` wrote.

    Raises:
        DataError: the bytes are no such table; the message names the line where it is known.
    """
    try:
        lines = data.decode("ascii").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(
            f"The price table is damaged: byte {error.start} is no plain text. {_REMEDY}"
        ) from error
    if not lines or lines[0] != HEADER:
        found = plain(lines[0], 60) if lines else "nothing"
        raise DataError(f"The price table is damaged: expected the header {HEADER}, got {found}. {_REMEDY}")
    rows = [line.split(",") for line in lines[1:]]
    for number, row in enumerate(rows, start=2):
        if len(row) != _COLUMNS:
            raise DataError(
                f"The price table is damaged: line {number} has {len(row)} fields, not 6. {_REMEDY}"
            )
    return _prices(rows, origin)


_REMEDY = "Restore the file, or obtain the prices again."


def _prices(rows: list[list[str]], origin: Origin) -> Prices:
    columns = list(zip(*rows, strict=True)) if rows else [()] * _COLUMNS
    try:
        times = np.array([text.removesuffix(_UTC) for text in columns[0]], dtype="M8[ns]")
        numbers = [np.array(list(map(float, column)), dtype=np.float64) for column in columns[1:]]
    except ValueError as error:
        raise DataError(f"The price table is damaged: {plain(error)}. {_REMEDY}") from error
    if not (times[1:] > times[:-1]).all():
        raise DataError(f"The price table is damaged: its times do not rise from line to line. {_REMEDY}")
    names = ("open", "high", "low", "close", "volume")
    return Prices(times=times, origin=origin, **dict(zip(names, numbers, strict=True)))


def data_hash(data: bytes) -> str:
    """Return the SHA-256, in hex, of a price table's bytes."""
    return hashlib.sha256(data).hexdigest()
