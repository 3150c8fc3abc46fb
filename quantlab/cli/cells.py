"""Rows as lines of CSV, made a column at a time: most columns need no look at each of their cells."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from quantlab.base.text import csv_cell, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def csv_names(columns: Sequence[str]) -> str:
    """Return the line of the columns' names."""
    return f"{','.join(map(_quoted, columns))}\n"


def csv_lines(columns: Sequence[str], rows: Sequence[Mapping[str, object]], *, on_terminal: bool) -> str:
    """Return rows as the standard library's `csv.writer` writes them; what a row lacks is an empty cell."""
    by_column = [_cells([row.get(name) for row in rows], on_terminal=on_terminal) for name in columns]
    if len(by_column) == 1:  # a line without anything in it would be no row
        by_column = [[cell or '""' for cell in by_column[0]]]
    return "".join([f"{','.join(cells)}\n" for cells in zip(*by_column, strict=True)])


def _cells(values: list[Any], *, on_terminal: bool) -> Iterable[str]:
    kinds = set(map(type, values))
    missing = type(None) in kinds
    kinds.discard(type(None))
    if not kinds:
        return [""] * len(values)
    if kinds == {str} and _are_plain(
        {value for value in values if value is not None} if missing else set(values)
    ):
        return [value or "" for value in values] if missing else values
    if kinds <= {int, float}:
        return ["" if value is None else str(value) for value in values]
    if kinds in ({str}, {bool}):
        made = {value: _quoted(_cell(value, on_terminal=on_terminal)) for value in set(values)}
        return map(made.__getitem__, values)
    return [_quoted(_cell(value, on_terminal=on_terminal)) for value in values]


def _are_plain(texts: set[str]) -> bool:
    """Tell texts that are nothing but themselves: no formula, no quotes, nothing that a terminal obeys."""
    together = "".join(texts)
    return (
        together.isascii()
        and together.isprintable()
        and '"' not in together
        and "," not in together
        and "".join([text[:1] for text in texts]).isalnum()
    )


def _cell(value: Any, *, on_terminal: bool) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        value = " ".join(map(str, value))
    if not isinstance(value, str):
        return value
    return printable(csv_cell(value)) if on_terminal else csv_cell(value)


def _quoted(cell: Any) -> str:
    """Return a cell as it stands in a row, quoted where it has to be."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow((cell, ""))
    return text.getvalue()[: -len(",\n")]
