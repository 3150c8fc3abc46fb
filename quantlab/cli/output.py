"""What people and programs read: tables, ages, colours, JSON, CSV."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

T = TypeVar("T")

LEAST_WIDTH = 80
COLOURS = {"success": "green", "failed": "red", "aborted": "yellow", "running": "cyan"}
SEVERITIES = {"critical": "red", "warning": "yellow", "ok": "green"}
NOTHING = "None"
"""How a missing value is printed in `name : value` lines."""

_ELLIPSIS = "…"
_GAP, _NARROW_GAP = "  ", " "
_ROWS_AT_A_TIME = 50
"""As many as stay in the processor's cache."""
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def printable(text: str) -> str:
    """Return the text as one line that a terminal shows and does not obey."""
    if text.isprintable():
        return text
    from quantlab.base.text import printable as escaped  # its patterns cost more than most answers

    return escaped(text)


def as_json(document: object) -> str:
    """Return strict JSON for people and programs; ASCII alone, so that no terminal obeys what data says."""
    import json

    return json.dumps(document, indent=2, allow_nan=False)


def as_csv(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """Return rows as CSV with a header; texts that a spreadsheet would take for formulas are marked.

    In a pipe or file the cells are exact; on a terminal control characters become visible escapes.
    """
    return "".join(csv_pieces(columns, rows)).rstrip("\n")


def csv_pieces(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> Iterator[str]:
    """Yield rows as `as_csv` writes them, some lines at a time."""
    from quantlab.cli.cells import csv_lines, csv_names  # load what the other formats do without

    on_terminal = is_terminal()
    yield csv_names(columns)
    for some in pieces_of(rows):
        yield csv_lines(columns, some, on_terminal=on_terminal)


def pieces_of(rows: Iterable[T]) -> Iterator[list[T]]:
    """Yield rows in lists, so that each write to stdout holds many."""
    rest = iter(rows)
    while some := list(islice(rest, _ROWS_AT_A_TIME)):
        yield some


def as_cell(value: object) -> str:
    """Return a value as a cell for people: nothing where it is missing, a number in six digits."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def parted(changes: Mapping[str, Mapping[str, object]]) -> dict[str, Mapping[str, object]]:
    """Return what was changed by its smallest parts: of two objects the members that differ, each by its own name."""
    told: dict[str, Mapping[str, object]] = {}
    for name, change in changes.items():
        before, after = change.get("before"), change.get("after")
        if isinstance(before, dict) and isinstance(after, dict):
            parts = {
                f"{name}.{key}": {
                    when: whole[key] for when, whole in (("before", before), ("after", after)) if key in whole
                }
                for key in {**before, **after}
                if before.get(key) != after.get(key) or (key in before) != (key in after)
            }
            told |= parted(parts)
        else:
            told[name] = change
    return told


def age(moment: str | None, now: datetime) -> str:
    """Return how long ago a stored time was, such as `3 min ago`; empty for no time."""
    if moment is None:
        return ""
    seconds = int((now - datetime.fromisoformat(moment)).total_seconds())
    size, unit = next(((size, unit) for size, unit in _UNITS if abs(seconds) >= size), (1, "s"))
    count = abs(seconds) // size
    return f"in {count} {unit}" if seconds < 0 else f"{count} {unit} ago"


def minutes_in_words(minutes: int | None) -> str:
    """Return an age in its largest unit, such as `3 h`; a question mark where it is not known."""
    if minutes is None:
        return "?"
    size, unit = next(((size, unit) for size, unit in _UNITS if minutes * 60 >= size), _UNITS[-1])
    return f"{minutes * 60 // size} {unit}"


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


Cells = tuple["Sequence[str]", "dict[int, str | None]"]
"""A row of a table: its texts, and the colours of cells by their place."""


class TableLayout:
    """How rows stand under headings: in a pipe nothing is ever cut, on a terminal what may be cut is, until it fits.

    Attributes:
        headings: The columns' names.
        never_cut: Places of the columns that keep their full text whatever the width.
        cut_first: Places of those that are cut before any other, in this order.
        flush_right: Places of columns of numbers, never cut either.
    """

    def __init__(
        self,
        headings: Sequence[str],
        never_cut: Sequence[int] = (0,),
        cut_first: Sequence[int] = (),
        flush_right: Sequence[int] = (),
    ) -> None:
        self.headings = [printable(heading) for heading in headings]
        self.never_cut = never_cut
        self.cut_first = cut_first
        self.flush_right = flush_right

    def lines(self, rows: Callable[[], Iterable[Cells]], width: int | None = None) -> Iterator[str]:
        """Yield the heading and the rows as lines, fitted to a width where one is given.

        Args:
            rows: Gives the rows: asked twice, for the widths first, so that no row has to be held.
            width: The columns of the terminal.
        """
        widths = [shown_width(heading) for heading in self.headings]
        for cells, _colours in rows():
            widths = [
                max(known, shown_width(printable(cell))) for known, cell in zip(widths, cells, strict=True)
            ]
        gap = _GAP if width is None else self._fit(widths, width)
        yield self._line(self.headings, widths, gap, {})
        for cells, colours in rows():
            yield self._line([printable(cell) for cell in cells], widths, gap, colours)

    def _fit(self, widths: list[int], width: int) -> str:
        """Narrow the gap, then columns, of those that are alike the last ones first: they say the least.

        Returns:
            The gap.
        """
        gaps = len(widths) - 1
        if sum(widths) + len(_GAP) * gaps <= width:
            return _GAP
        excess = sum(widths) + len(_NARROW_GAP) * gaps - width
        kept = (*self.never_cut, *self.cut_first, *self.flush_right)
        others = [place for place in range(len(widths)) if place not in kept]
        for place in (*self.cut_first, *reversed(others)):
            taken = max(0, min(excess, widths[place] - 1))
            widths[place] -= taken
            excess -= taken
        for place in reversed(self.flush_right):  # half a number is none: such a column goes as a whole
            if excess > 0:
                excess -= widths[place] + len(_NARROW_GAP)
                widths[place] = 0
        return _NARROW_GAP

    def _line(self, cells: list[str], widths: list[int], gap: str, colours: dict[int, str | None]) -> str:
        shown = []
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True)):
            if width == 0:
                continue
            text = cell if shown_width(cell) <= width else _cut(cell, width - 1) + _ELLIPSIS
            blanks = " " * (width - shown_width(text))
            padded = blanks + text if place in self.flush_right else text + blanks
            if place == len(cells) - 1:
                padded = padded.rstrip()
            shown.append(coloured(padded, colours[place]) if place in colours else padded)
        return gap.join(shown).rstrip()


class Table:
    """A few rows under headings, laid out as `Layout` says."""

    def __init__(
        self, headings: Sequence[str], never_cut: Sequence[int] = (0,), cut_first: Sequence[int] = ()
    ) -> None:
        self._layout = TableLayout(headings, never_cut, cut_first)
        self._rows: list[Cells] = []

    def add(self, cells: Sequence[str], colours: dict[int, str | None] | None = None) -> None:
        """Add a row; `colours` names the colour of a cell by its place."""
        self._rows.append((cells, colours or {}))

    def text(self, width: int | None = None) -> str:
        """Return the table, fitted to a width where one is given."""
        return "\n".join(self._layout.lines(lambda: self._rows, width))


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


def named_values(values: Mapping[str, object]) -> str:
    """Return `name : value` lines; a missing value is `None`, for scripts that split at the colon."""
    return "\n".join(f"{printable(name)} : {_value(value)}" for name, value in values.items())


def _value(value: object) -> str:
    return NOTHING if value is None else printable(str(value))
