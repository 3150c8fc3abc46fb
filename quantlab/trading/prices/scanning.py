"""A text table looked at as bytes: whether its cells need any care, and the times that begin its rows.

Nearly every price file is plain: no quotes, no blank before a cell, times of one length. Then pandas needs not look for
them, which costs it a third of its time, and the times are read off the bytes without a text for each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quantlab.trading.prices import times

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_UTF8_MARK = b"\xef\xbb\xbf"
_FEED = ord("\n")
_PIECE = 2**18
"""Bytes that are compared at once: as many as stay in the processor's cache."""
_DATE = len("2023-01-31")


def start_of(data: bytes, lines: int) -> int:
    """Return the place behind some lines."""
    start = 0
    for _ in range(lines):
        start = data.find(b"\n", start) + 1
    return start


def count(data: bytes, sign: bytes, start: int) -> int:
    """Count a sign in a text from some place on."""
    if len(sign) != 1:
        return data.count(sign, start)
    return sum(int(np.count_nonzero(piece == sign[0])) for _, piece in _pieces(data, start))


def _pieces(data: bytes, start: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    signs = np.frombuffer(data, np.uint8)
    for begin in range(start, len(signs), _PIECE):
        yield begin, signs[begin : begin + _PIECE]


def is_unquoted(data: bytes, separator: str, start: int) -> bool:
    """Tell whether the rows from some place on are parted by line feeds and separators alone, blanks aside."""
    return (
        separator in SEPARATORS
        and b'"' not in data
        and (separator == "\t" or b"\t" not in data)
        and (b"\r" not in data or data.count(b"\r") == data.count(b"\r\n"))
        and not data.startswith(_UTF8_MARK, start)
    )


def times_of_rows(data: bytes, separator: str, start: int, first: str) -> NDArray[np.datetime64] | None:
    """Read the first cells of all rows of an unquoted text; None unless all are plain times of one length.

    Args:
        data: The text.
        separator: What ends the cells.
        start: Where the first row begins.
        first: The first row's cell.
    """
    if not times.PLAIN.fullmatch(first):
        return None
    length, rows = len(first), _rows(data, start)
    if rows[-1] + length >= len(data):
        return None
    everywhere = np.ndarray(len(data) - length, f"V{length + 1}", buffer=data, strides=(1,))
    cells = everywhere[rows]
    signs = cells.view(np.uint8).reshape(len(cells), length + 1)
    if (signs[:, length] != ord(separator)).any() or (signs[:, (0, length - 1)] < ord("0")).any():
        return None  # another length, or a blank before or behind
    if length > _DATE and (signs[:, _DATE] != signs[0, _DATE]).any():
        return None
    written = np.ndarray(len(cells), f"S{length}", buffer=cells, strides=(length + 1,))
    try:
        return times.of_plain(written, signs)
    except OverflowError:
        return None


def _rows(data: bytes, start: int) -> NDArray[np.int64]:
    """Return where each row begins."""
    feeds = [np.flatnonzero(piece == _FEED) + begin for begin, piece in _pieces(data, start)]
    begins = np.concatenate([[start], *(places + 1 for places in feeds)])
    return begins[:-1] if data.endswith(b"\n") else begins
