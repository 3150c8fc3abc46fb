"""What people and programs read: tables, ages, colours, JSON, CSV."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LEAST_WIDTH = 80
COLOURS = {"success": "green", "failed": "red", "aborted": "yellow", "running": "cyan"}
SEVERITIES = {"critical": "red", "warning": "yellow", "ok": "green"}
NOTHING = "None"
"""How a missing value is printed in `name : value` lines."""

_ELLIPSIS = "…"
_GAP, _NARROW_GAP = "  ", " "
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def printable(text: str) -> str:
    """Return the text as one line that a terminal shows and does not obey."""
    if text.isprintable():
        return text
    from quantlab.text import printable as escaped  # its patterns cost more than most answers

    return escaped(text)


def as_json(document: Any) -> str:
    """Return strict JSON for people and programs; ASCII alone, so that no terminal obeys what data says."""
    import json

    return json.dumps(document, indent=2, allow_nan=False)


def as_csv(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> str:
    """Return rows as CSV with a header; texts that a spreadsheet would take for formulas are marked.

    In a pipe or file the cells are exact; on a terminal control characters become visible escapes.
    """
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([[_cell(row.get(name)) for name in columns] for row in rows])
    return text.getvalue().rstrip("\n")


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return _text_cell(" ".join(map(str, value)))
    return _text_cell(value) if isinstance(value, str) else value


def _text_cell(text: str) -> str:
    from quantlab.text import csv_cell

    return printable(csv_cell(text)) if is_terminal() else csv_cell(text)


def age(moment: str | None, now: datetime) -> str:
    """Return how long ago a stored time was, such as `3 min ago`; empty for no time."""
    if moment is None:
        return ""
    seconds = int((now - datetime.fromisoformat(moment)).total_seconds())
    size, unit = next(((size, unit) for size, unit in _UNITS if abs(seconds) >= size), (1, "s"))
    count = abs(seconds) // size
    return f"in {count} {unit}" if seconds < 0 else f"{count} {unit} ago"


def short_time(moment: str | None) -> str:
    """Return a stored time in UTC to the second, without its offset; empty for no time."""
    if moment is None:
        return ""
    return f"{datetime.fromisoformat(moment).astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def is_terminal() -> bool:
    """Tell whether a person is watching stdout."""
    return sys.stdout.isatty()


def is_dumb() -> bool:
    """Tell a terminal that obeys no escape codes, such as an editor's."""
    return os.environ.get("TERM") == "dumb"


def coloured(text: str, colour: str | None) -> str:
    """Return the text in a colour where a terminal shows it and NO_COLOR does not forbid it."""
    if colour is None or not is_terminal() or os.environ.get("NO_COLOR") or is_dumb():
        return text
    return click.style(text, fg=colour)


def status_coloured(text: str, status: str) -> str:
    """Return the text in its status's colour."""
    return coloured(text, COLOURS.get(status, "magenta"))


def terminal_width() -> int:
    """Return the columns of the terminal, at least 80."""
    try:
        return max(LEAST_WIDTH, os.get_terminal_size(sys.stdout.fileno()).columns)
    except (OSError, ValueError):
        return LEAST_WIDTH


class Table:
    """Rows under headings: in a pipe nothing is ever cut, on a terminal what may be cut is, until it fits.

    Attributes:
        headings: The columns' names.
        never_cut: Places of the columns that keep their full text whatever the width.
        cut_first: Places of those that are cut before any other.
    """

    def __init__(
        self, headings: Sequence[str], never_cut: Sequence[int] = (0,), cut_first: Sequence[int] = ()
    ) -> None:
        self.headings = list(headings)
        self.never_cut = never_cut
        self.cut_first = cut_first
        self._rows: list[list[str]] = []
        self._styles: list[dict[int, str | None]] = []

    def add(self, cells: Sequence[str], colours: dict[int, str | None] | None = None) -> None:
        """Add a row; `colours` names the colour of a cell by its place."""
        self._rows.append([printable(cell) for cell in cells])
        self._styles.append(colours or {})

    def text(self, width: int | None = None) -> str:
        """Return the table, fitted to a width where one is given."""
        lines = [self.headings, *self._rows]
        widths = [max(shown_width(line[place]) for line in lines) for place in range(len(self.headings))]
        gap = _GAP if width is None else self._fit(widths, width)
        styles: list[dict[int, str | None]] = [{}, *self._styles]
        return "\n".join(_line(line, widths, gap, style) for line, style in zip(lines, styles, strict=True))

    def _fit(self, widths: list[int], width: int) -> str:
        """Narrow the gap, then columns, of those that are alike the last ones first: they say the least.

        Returns:
            The gap.
        """
        gaps = len(widths) - 1
        if sum(widths) + len(_GAP) * gaps <= width:
            return _GAP
        excess = sum(widths) + len(_NARROW_GAP) * gaps - width
        others = [place for place in range(len(widths)) if place not in (*self.never_cut, *self.cut_first)]
        for place in (*reversed(self.cut_first), *reversed(others)):
            taken = max(0, min(excess, widths[place] - 1))
            widths[place] -= taken
            excess -= taken
        return _NARROW_GAP


def shown_width(text: str) -> int:
    """Return the columns of a terminal that a text takes: ideographs take two, marks above others none."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(one) else 2 if east_asian_width(one) in "FW" else 1 for one in text)


def _cut(text: str, width: int) -> str:
    while shown_width(text) > width:
        text = text[:-1]
    return text


def _line(cells: list[str], widths: list[int], gap: str, colours: dict[int, str | None]) -> str:
    shown = []
    for place, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        text = cell if shown_width(cell) <= width else _cut(cell, width - 1) + _ELLIPSIS
        padded = text + " " * (width - shown_width(text)) if place < len(cells) - 1 else text
        shown.append(coloured(padded, colours[place]) if place in colours else padded)
    return gap.join(shown).rstrip()


def named_values(values: dict[str, Any]) -> str:
    """Return `name : value` lines; a missing value is `None`, for scripts that split at the colon."""
    return "\n".join(f"{printable(name)} : {_value(value)}" for name, value in values.items())


def _value(value: Any) -> str:
    return NOTHING if value is None else printable(str(value))
