"""The list of sessions, as a table, JSON or CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quantlab.cli import output
from quantlab.clock import iso
from quantlab.queries.rows import root_dir
from quantlab.store.vocabulary import OURS, SUMMARY

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from quantlab.store.location import Location

Row = dict[str, Any]

_HOME = ("host", "root")
"""Told of the sessions of a ledger that was asked for by its URL: they may be anywhere."""
_CUT_FIRST = ("ticker", *_HOME)
"""The columns that a narrow terminal cuts first."""
_AGREEMENT = {None: "?", True: "yes", False: "NO"}


def as_table(rows: list[Row], location: Location, now: datetime) -> str:
    """Return the table for people; the time is that of the session's last event."""
    if not rows:
        return f"No sessions to show in {root_dir(location)}."
    twins = "duplicates" in rows[0]
    headings = [
        *("session_id", "status"),
        *(["agree"] if twins else []),
        *("ticker", "last event (UTC)", "age"),
        *(_HOME if location.root is None else []),
    ]
    table = output.Table(
        headings,
        never_cut=(0, 1),
        cut_first=[headings.index(name) for name in _CUT_FIRST if name in headings],
    )
    for row in rows:
        agreement = [_AGREEMENT[row["duplicates_agree"]]] if twins else []
        at = row["activity_at"]
        table.add(
            [
                row["session_id"],
                row["status"],
                *agreement,
                row["ticker"] or "",
                output.short_time(at)[:16],
                output.age(at, now),
                *([row[name] or "" for name in _HOME] if location.root is None else []),
            ],
            {1: output.COLOURS.get(row["status"], "magenta")},
        )
    return table.text(output.terminal_width() if output.is_terminal() else None)


def as_json(rows: list[Row], location: Location, now: datetime) -> str:
    """Return the rows as one JSON object."""
    document = {
        "root_dir": root_dir(location),
        "generated_at": iso(now),
        "n_sessions": len(rows),
        "sessions": rows,
    }
    return output.as_json(document)


def as_csv(rows: list[Row], _location: Location, _now: datetime) -> str:
    """Return the rows as CSV: contract 5's columns, then ours."""
    twins = ("duplicates", "duplicates_agree") if rows and "duplicates" in rows[0] else ()
    return output.as_csv((*SUMMARY, *OURS, "promotion_ready", *twins), rows)


FORMATS: dict[str, Callable[[list[Row], Location, datetime], str]] = {
    "table": as_table,
    "json": as_json,
    "csv": as_csv,
}
