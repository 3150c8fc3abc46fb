"""The rows of the root's index, as its three files show them.

The csv repeats the ledger's sequence and hash in its last two columns on every row, so that any reader of plain CSV
still reads the rows; the json has them at its top, the Markdown in its first lines. Cells that a spreadsheet could
take for formulas are marked as `text.csv_cell` says. None of the three holds a character that commands a terminal: they
are handed over and looked at with `cat`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from quantlab.base.text import csv_cell, markdown_cell, without_controls
from quantlab.domain.session import CONTRACT, EXPORTED

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from quantlab.base.values import Cells, JsonObject
    from quantlab.ledger.log import Head

COLUMNS = tuple(one.name for one in EXPORTED)
CSV_COLUMNS = (*COLUMNS, "ledger_sequence", "ledger_hash")

_FLAGS = [place for place, one in enumerate(EXPORTED) if one.type == "flag"]
_IN_MARKDOWN = len(CONTRACT)
_TRUTH = {None: None, 0: False, 1: True}
_COMMANDS = re.compile(rb"\xc2[\x80-\x9f]|\x7f")
"""DEL and C1 in UTF-8, among them the one-character form of the escape that begins a terminal's commands."""
_MAY_BE_FORMULAS = frozenset(one.name for one in EXPORTED if one.type in ("word", "text"))
_encode = msgspec.json.Encoder().encode
_markdown = lru_cache(maxsize=4_096)(markdown_cell)
_PLAIN_FIRSTS = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ/")
"""A text that begins with one of these is no formula."""


def rendered(
    rows: Sequence[Cells], head: Head, on_page: Container[str]
) -> tuple[list[bytes], Iterable[Cells], list[str]]:
    """Return rows as JSON objects, as CSV rows and, of the sessions whose ids are `on_page`, as Markdown lines."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    for place in _FLAGS:
        columns[place] = [_TRUTH[value] for value in columns[place]]
    lines = [_json_object(row) for row in zip(*columns, strict=True)]
    page = [_markdown_line(row) for row in zip(*columns[:_IN_MARKDOWN], strict=True) if row[0] in on_page]
    cells = [
        _csv_column(column) if name in _MAY_BE_FORMULAS else column
        for name, column in zip(COLUMNS, columns, strict=True)
    ]
    return (
        lines,
        zip(*cells, *([value] * len(rows) for value in (head.sequence, head.hash)), strict=True),
        page,
    )


def _csv_column(values: list[str | None]) -> list[str | None]:
    """Mark the texts that a spreadsheet could take for formulas; most columns hold none."""
    if {value[:1] for value in values if value} <= _PLAIN_FIRSTS and all(
        value.isprintable() for value in values if value
    ):
        return values
    return [csv_cell(without_controls(value)) if value else value for value in values]


def _json_object(row: Cells) -> bytes:
    """Return a row as a JSON object; JSON itself asks for escapes of the first 32 characters alone."""
    line = _encode(dict(zip(COLUMNS, row, strict=True)))
    if b"\xc2" in line or b"\x7f" in line:
        line = _COMMANDS.sub(lambda found: b"\\u%04x" % found.group()[-1], line)
    return line


def _markdown_line(row: Cells) -> str:
    """Return a row's line; the times are our own spelling and need no escaping."""
    session_id, status, created, started, updated, finished, terminal, reason, seconds, *rest = row
    request_id, error, contract, path = rest
    return (
        f"| {_name(session_id)} | {_markdown(status)} | {created or ''} | {started or ''} | {updated or ''} "
        f"| {finished or ''} | {'' if terminal is None else terminal} | {_markdown(reason or '')} "
        f"| {'' if seconds is None else seconds} | {_name(request_id or '')} | {_markdown(error or '')} "
        f"| {_markdown(contract or '')} | {_path(path)} |\n"
    )


def _is_plain(name: str) -> bool:
    """Tell the usual id, words joined by single underscores, which Markdown shows as it is."""
    return name.isascii() and all(map(str.isalnum, name.split("_")))


def _name(name: str) -> str:
    return name if _is_plain(name) else markdown_cell(name)


def _path(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    return _markdown(folder + slash) + name if _is_plain(name) else markdown_cell(path)


def markdown_header(header: JsonObject, *, shown: int) -> str:
    """Return the page's title, its facts, how many sessions it leaves to the other two, and the head of its table."""
    held = header["n_sessions"]
    left_out = f"\nThe newest {shown:,} of {held:,} sessions; the csv and json beside this page hold all.\n"
    facts = [f"- {name}: {markdown_cell(str(value))}\n" for name, value in header.items()]
    columns = " | ".join(CONTRACT)
    rule = " | ".join("---" for _ in CONTRACT)
    return (
        f"# Paper sessions\n\n{''.join(facts)}{left_out if shown < held else ''}\n| {columns} |\n| {rule} |\n"
    )
