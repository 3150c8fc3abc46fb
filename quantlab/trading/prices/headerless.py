"""Rows without a header: known by how many columns they have and by which of them is always the highest and lowest."""

from __future__ import annotations

import re

import numpy as np

from quantlab.base.errors import DataError
from quantlab.base.remedies import Setting
from quantlab.trading.prices.quoting import plain
from quantlab.trading.prices.roles import Roles

ORDERS: dict[str, tuple[int, int, int, int]] = {
    "open, high, low, close": (0, 1, 2, 3),
    "low, high, open, close": (2, 1, 0, 3),
    "open, close, high, low": (0, 2, 3, 1),
}
"""Where open, high, low and close stand after the time: nearly everybody's, Coinbase's, Bitfinex' and KuCoin's way."""
FEWEST_COLUMNS = 5
_KRAKEN_WITH_VWAP, _BINANCE = 8, (11, 12)
_HOLDS = 0.95
"""Share of rows that an order must hold for: a source may have an odd bar."""
_NUMBER = re.compile(r"[-+]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?")
_TIME = re.compile(r"\d{9,20}(\.\d*)?|\d{8}([ T]?\d{4,6})?|\d{1,4}[-./]\d{1,2}[-./]\d{1,4}([ T].*)?")
_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?|\d{4,6}")


def is_bar(cells: list[str]) -> bool:
    """Tell whether a line is a bar by itself: a time, perhaps a time of day, and at least four numbers."""
    cells = [cell.strip() for cell in cells]
    at = _time_columns(cells)
    return (
        at is not None
        and len(cells) >= at[-1] + FEWEST_COLUMNS
        and all(map(_NUMBER.fullmatch, cells[at[-1] + 1 :][:4]))
    )


def is_number(cell: str) -> bool:
    """Tell whether a cell is a number, with a decimal point or comma."""
    return _NUMBER.fullmatch(cell.strip()) is not None


def _time_columns(cells: list[str]) -> tuple[int, ...] | None:
    # A symbol or a row's number may stand before the time.
    for at in (0, 1):
        if len(cells) > at and _TIME.fullmatch(cells[at]):
            has_clock = (
                len(cells) > at + FEWEST_COLUMNS and ":" in cells[at + 1] and _CLOCK.fullmatch(cells[at + 1])
            )
            return (at, at + 1) if has_clock else (at,)
    return None


def by_place(sample: list[list[str]], name: str) -> Roles:
    """Find the columns of rows without names.

    Raises:
        DataError: no known order fits, or two do.
    """
    time = _time_columns([cell.strip() for cell in sample[0]])
    if time is None:
        raise DataError(f"{name} has neither a header line nor a time in its first column; ", *_REMEDY)
    after = time[-1] + 1
    try:
        rows = np.array(
            [[float(cell.replace(",", ".")) for cell in row[after : after + 4]] for row in sample]
        )
    except ValueError as error:
        raise DataError(
            f"{name} has no header line, and rows that are no bars ({plain(error)}); ", *_REMEDY
        ) from error
    order = _order(rows, name)
    open_, high, low, close = (after + at for at in ORDERS[order])
    width, rest = min(map(len, sample)), after + 4
    vwap_first = width == _KRAKEN_WITH_VWAP and time == (0,)
    volume = rest + 1 if vwap_first else rest
    return Roles(
        time=time,
        prices=(open_, high, low, close),
        volume=(volume,) if width > volume else (),
        header=tuple(str(at) for at in range(1, max(map(len, sample)) + 1)),
        symbol=0 if time[0] == 1 and not _NUMBER.fullmatch(sample[0][0].strip()) else None,
    )


_REMEDY = (
    "name the columns, such as ",
    Setting("columns", "time=1,open=2,high=3,low=4,close=5,volume=6"),
    ".",
)


def _order(rows: np.ndarray, name: str) -> str:
    """Return the one order in which the high is highest and the low lowest."""
    moving = rows[(rows != rows[:, :1]).any(axis=1)]
    if not len(moving):
        return next(iter(ORDERS))
    fitting = []
    for order, (open_, high, low, close) in ORDERS.items():
        top, bottom = moving[:, [open_, close]].max(axis=1), moving[:, [open_, close]].min(axis=1)
        slack = 0.005 * np.abs(top)
        if np.mean((moving[:, high] >= top - slack) & (moving[:, low] <= bottom + slack)) >= _HOLDS:
            fitting.append((order, np.mean((moving[:, high] >= top) & (moving[:, low] <= bottom))))
    best = [order for order, share in fitting if share == max(share for _, share in fitting)]
    if len(best) == 1:
        return best[0]
    what = f"fit {' and '.join(best)}" if best else "fit no known order of open, high, low and close"
    raise DataError(f"{name} has no header line, and its columns {what}; ", *_REMEDY)


def source_of(roles: Roles, width: int) -> str:
    """Name the source whose rows look like this."""
    first, (open_, high, *_rest) = roles.time[-1] + 1, roles.prices
    if len(roles.time) == 2:  # noqa: PLR2004 - a date and a time of day
        return "MetaTrader bars without a header"
    if open_ != first:
        return "Coinbase candles without a header"
    if high != first + 1:
        return "candles without a header, in the order of Bitfinex and KuCoin"
    if width in _BINANCE:
        return "Binance klines without a header"
    if width in (first + 6, _KRAKEN_WITH_VWAP) and roles.time == (0,):
        return "Kraken bars without a header"
    return "bars without a header"
