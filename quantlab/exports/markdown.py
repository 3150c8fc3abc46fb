"""Tables, links and numbers of Markdown pages; what comes from outside is escaped here and nowhere else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from quantlab.base.text import markdown_cell, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

UNDEFINED = "n/a"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Sequence[int] = ()) -> str:
    """Return a table of cells that are Markdown already; the columns at `numbers` are set flush right."""
    rule = ["---:" if place in numbers else "---" for place in range(len(columns))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (columns, rule, *rows))


def link(target: str) -> str:
    """Return a link to a file beside the page, under its own name."""
    return f"[{markdown_cell(target)}]({quote(target, errors='replace')})"


def picture(target: str, description: str) -> str:
    """Return a picture from a file beside the page."""
    return f"![{markdown_cell(description)}]({quote(target, errors='replace')})"


def code_block(text: str) -> str:
    """Return the text, line by line, in a block that nothing within it can close."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    lines = "\n".join(printable(line) for line in text.split("\n"))
    return f"{fence}sh\n{lines}\n{fence}"


def percent(fraction: float | None, *, signed: bool = False) -> str:
    """Return a fraction as percent with two decimals, such as 12.30 %."""
    if fraction is None:
        return UNDEFINED
    return f"{100 * fraction:{'+' if signed else ''},.2f} %"


def amount(value: float | None, *, signed: bool = False) -> str:
    """Return an amount of money or a price: two decimals, or four digits where it is below 1."""
    if value is None:
        return UNDEFINED
    sign = "+" if signed else ""
    return f"{value:{sign},.2f}" if value == 0 or abs(value) >= 1 else f"{value:{sign}.4g}"


def number(value: float | None, decimals: int = 2) -> str:
    """Return a plain number."""
    return UNDEFINED if value is None else f"{value:,.{decimals}f}"


def setting(value: object) -> str:
    """Return the value of a setting or parameter."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return markdown_cell(str(value))


def plural(count: int, noun: str) -> str:
    """Return `1 bar`, `2 bars`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
