"""Which spelling the pages and tables of a session have: those of earlier sessions stay byte for byte as they were."""

from __future__ import annotations

from enum import IntEnum


class FileLayout(IntEnum):
    """A spelling of trades.csv and run_report.md.

    FIRST: sides in small letters, no participation; trades before the data (0.1.0).
    SECOND: `BUY` and `SELL`, participation; rule and verdict at the top, months, trades after the data.
    """

    FIRST = 1
    SECOND = 2


def layout_of(code: object) -> FileLayout:
    """Return the layout of a session or run by what its `started` (or its metadata) tells of the program's own code.

    Args:
        code: The field `code`; None where an earlier program, which told none, began it.
    """
    return FileLayout.FIRST if code is None else FileLayout.SECOND
