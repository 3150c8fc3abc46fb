"""The rows of the root's index, as its three files show them.

The csv repeats the ledger's sequence and hash in its last two columns on every row, so that any reader of plain CSV
still reads the rows; the json has them at its top, the Markdown in its first lines. Cells that a spreadsheet could
take for formulas are marked as `text.csv_cell` says.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from quantlab.store.vocabulary import SUMMARY
from quantlab.text import csv_cell, markdown_cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from quantlab.ledger import Head

COLUMNS = (
    *SUMMARY,
    "ticker",
    "start_date",
    "end_date",
    "interval",
    "price_source",
    "host",
    "stage",
    "bars_done",
    "bars_expected",
    "total_return",
    "sharpe_simple",
    "max_drawdown",
    "trades",
    "win_rate",
    "config_hash",
    "data_hash",
    "result_digest",
    "amendments",
    "unreadable",
    "vanished_at",
    "proved_outcome",
    "origin",
    "message",
)
CSV_COLUMNS = (*COLUMNS, "ledger_sequence", "ledger_hash")

_TERMINAL = SUMMARY.index("terminal")
_IN_MARKDOWN = len(SUMMARY)
_TRUTH = {None: None, 0: False, 1: True}
_NEVER_TEXT = frozenset(
    {
        *("created_at", "started_at", "updated_at", "finished_at", "vanished_at"),
        *("terminal", "duration_seconds", "bars_done", "bars_expected", "amendments"),
        *("total_return", "sharpe_simple", "max_drawdown", "trades", "win_rate"),
    }
)
_encode = msgspec.json.Encoder().encode
_markdown = lru_cache(maxsize=4_096)(markdown_cell)
_PLAIN_FIRSTS = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ/")
"""A text that begins with one of these is no formula."""


def rendered(rows: Sequence[Sequence[Any]], head: Head) -> tuple[list[bytes], Iterable[Any], list[str]]:
    """Return rows as JSON objects, as CSV rows and as Markdown lines."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    columns[_TERMINAL] = [_TRUTH[value] for value in columns[_TERMINAL]]
    lines = [_encode(dict(zip(COLUMNS, row, strict=True))) for row in zip(*columns, strict=True)]
    page = [_markdown_line(row) for row in zip(*columns[:_IN_MARKDOWN], strict=True)]
    cells = [
        column if name in _NEVER_TEXT else _csv_column(column)
        for name, column in zip(COLUMNS, columns, strict=True)
    ]
    return (
        lines,
        zip(*cells, *([value] * len(rows) for value in (head.sequence, head.hash)), strict=True),
        page,
    )


def _csv_column(values: list[Any]) -> list[Any]:
    """Mark the texts that a spreadsheet could take for formulas; most columns hold none."""
    if {value[:1] for value in values if value} <= _PLAIN_FIRSTS:
        return values
    return [csv_cell(value) if value else value for value in values]


def _markdown_line(row: Sequence[Any]) -> str:
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


def markdown_header(header: dict[str, Any]) -> str:
    """Return the page's title, its facts and the head of its table."""
    facts = [f"- {name}: {markdown_cell(str(value))}\n" for name, value in header.items()]
    columns = " | ".join(SUMMARY)
    rule = " | ".join("---" for _ in SUMMARY)
    return f"# Paper sessions\n\n{''.join(facts)}\n| {columns} |\n| {rule} |\n"
