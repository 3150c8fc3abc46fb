"""Numbers as price files write them: decimal points and commas, thousands parted, currency signs, 1.2K."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from quantlab.base.errors import DataError
from quantlab.trading.prices.limits import (
    EXPECTED_PRICE,
    EXPECTED_VOLUME,
    possible_prices,
    possible_volumes,
)
from quantlab.trading.prices.quoting import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

POINT, COMMA = ".", ","
NOTHING = frozenset({"null", "nan", "na", "n/a", "none", "nil", "-", "--", "#n/a"})
"""How sources write that there is no value."""
_SIGNS = str.maketrans("", "", "$€£¥₹ '\u00a0\u202f\u2019")
_POWERS = {"k": 3, "m": 6, "b": 9, "t": 12}
_GROUPS = re.compile(r"[-+]?[1-9]\d{0,2}([.,]\d{3})+")


def decimal_mark(cells: Iterable[str], name: str) -> str:
    """Tell whether commas part thousands or decimals, by all numbers of a file.

    Args:
        cells: Texts, other ones than numbers among them.
        name: The file, for messages.

    Raises:
        DataError: both stand for decimals, or nothing tells: 1,234 may be either.
    """
    seen: dict[str, str] = {}
    doubtful = ""
    for text in cells:
        if COMMA not in text and POINT not in text:
            continue
        mark = _mark_of(text.translate(_SIGNS).strip("%KkMmBbTt"))
        if mark is not None:
            seen.setdefault(mark, text)
        elif COMMA in text and any(map(str.isdigit, text)):
            doubtful = doubtful or text
    if len(seen) > 1:
        both = " and ".join(plain(repr(text), 40) for text in seen.values())
        raise DataError(f"{name} writes decimals with a point and with a comma: {both}; write all one way.")
    if doubtful and not seen:
        raise DataError(
            f"{name}: {plain(doubtful, 40)!r} may be a decimal or a thousand and more, and no number of the file "
            "settles it; write numbers with a decimal point and thousands unparted."
        )
    return next(iter(seen), POINT)


def _mark_of(text: str) -> str | None:
    """Return the decimal mark that one number gives away; None where it may be either."""
    if COMMA in text and POINT in text:
        return COMMA if text.rfind(COMMA) > text.rfind(POINT) else POINT
    mark, other = (COMMA, POINT) if COMMA in text else (POINT, COMMA)
    if text.count(mark) > 1:
        return other if _GROUPS.fullmatch(text) else None
    if re.fullmatch(rf"[-+]?\d*[{mark}]\d*([eE][-+]?\d+)?", text) and not _GROUPS.fullmatch(text):
        return mark
    return None


def to_numbers(
    cells: pd.Series, rows: NDArray[np.int64], where: str, *, decimal: str = POINT, is_volume: bool = False
) -> NDArray[np.float64]:
    """Turn cells into numbers, to the last bit as Python reads them; what says nothing is NaN.

    Raises:
        DataError: a cell is no number; the message names it.
    """
    if cells.dtype.kind in "iuf":
        return cells.to_numpy(dtype=np.float64, na_value=np.nan)
    values = np.empty(len(cells))
    for at, cell in enumerate(cells):
        try:
            values[at] = _number(cell, decimal, is_volume=is_volume)
        except (TypeError, ValueError, OverflowError, InvalidOperation) as error:
            raise DataError(
                f"{where}, row {rows[at]}: {plain(cell, 40)!r} is no number; correct the file."
            ) from error
    return values


def _number(cell: Any, decimal: str, *, is_volume: bool) -> float:
    """Read a cell as Python reads numbers, but for its underscores and truth values; nothing is NaN."""
    if isinstance(cell, (bool, np.bool_)):
        raise TypeError(cell)
    if not isinstance(cell, str):
        return np.nan if cell is None or cell is pd.NA else float(cell)
    if "_" in cell:
        raise ValueError(cell)
    try:
        if decimal == POINT:
            return float(cell)
    except ValueError:
        pass
    text = cell.strip()
    if text.lower() in NOTHING:
        return np.nan
    text = text.translate(_SIGNS)
    power = 0
    if is_volume and text[-1:].lower() in _POWERS:
        text, power = text[:-1], _POWERS[text[-1:].lower()]
    other = COMMA if decimal == POINT else POINT
    if other in text:
        if not re.fullmatch(rf"[-+]?\d{{1,3}}([{other}]\d{{2,3}})*[{other}]\d{{3}}([{decimal}]\d*)?", text):
            raise ValueError(cell)
        text = text.replace(other, "")
    plain_text = text.replace(decimal, POINT)
    # 37.065K are 37065, which 37.065 x 1000 in floats is not.
    return float(Decimal(plain_text).scaleb(power)) if power else float(plain_text)


def check_values(values: NDArray[np.float64], rows: NDArray[np.int64], where: str, *, is_price: bool) -> None:
    """Refuse prices and volumes that no market had.

    Raises:
        DataError: there is one; the message names the first.
    """
    bad = ~(possible_prices(values) if is_price else possible_volumes(values))
    expected = EXPECTED_PRICE if is_price else EXPECTED_VOLUME
    if bad.any():
        at = int(np.flatnonzero(bad)[0])
        raise DataError(
            f"{where}, row {rows[at]}: {values[at]!s} is unusable ({int(bad.sum())} such rows); expected {expected}."
        )
