"""Rows as every surface shows them: booleans that are booleans, absolute paths, nothing that JSON can't hold."""

from __future__ import annotations

import os
from math import isfinite
from typing import TYPE_CHECKING, TypedDict

from quantlab.domain.vocabulary import KNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from quantlab.ledger.location import Location
    from quantlab.ledger.reader import Reader, Row


class UnknownStatus(TypedDict):
    """A session whose status is none of the four."""

    session_id: str
    status: str


class Unreadable(TypedDict):
    """A session some of whose files can't be read, by their names."""

    session_id: str
    files: list[str]


def shown(row: Row, reader: Reader) -> Row:
    """Return a session's row with booleans and an absolute path."""
    for name in reader.flags:
        if row.get(name) is not None:
            row[name] = bool(row[name])
    row["path"] = absolute_path(row, reader.location)
    return finite(row)


def assessed(row: Row, reader: Reader) -> Row:
    """Return a row of `session_promotion` with its reasons, blockers and cautions as lists."""
    row = shown(row, reader)
    row["broker_promotion_ready"] = bool(row["broker_promotion_ready"])
    for name in ("broker_promotion_reasons", "broker_promotion_blockers", "cautions"):
        row[name] = row[name].split()
    return row


TOLD_OF_RANGE = ("kind", "watermark", "start_date", "end_date")
"""The columns by which `range_of` tells it."""


def range_of(row: Row) -> str:
    """Return the days that a session is about; of one that follows the market, and has no last day, how far it saw."""
    if row["kind"] == "forward":
        return f"forward to {row['watermark'][:10]}" if row["watermark"] else "forward"
    ends = row["start_date"], row["end_date"]
    return "" if ends == (None, None) else "..".join(end or "?" for end in ends)


def finite(row: Row) -> Row:
    """Return the row with null for numbers that are not finite."""
    for name in [name for name, value in row.items() if type(value) is float and not isfinite(value)]:
        row[name] = None
    return row


def absolute_path(row: Row, location: Location) -> str:
    """Return where a session's folder is: in its root as it stands now, or where a shared ledger says it was made."""
    return os.path.join(_base(row, location), row["path"])  # noqa: PTH118 - called a million times


def root_dir(location: Location) -> str:
    """Return the root as the surfaces name it: its absolute path, else the ledger, without a password."""
    return str(location) if location.root is None else os.path.abspath(location.root)  # noqa: PTH100 - keeps links


def _base(row: Row, location: Location) -> str:
    """Return the root of a session: a root's own ledger moves with it, a shared one knows each session's root."""
    if row.get("root") and not location.is_the_roots_own:
        return str(row["root"])
    return location.base


def status_counts(reader: Reader) -> dict[str, int]:
    """Return how many sessions have each status, by status."""
    rows = reader.rows(
        "SELECT status, CAST(SUM(sessions) AS BIGINT) AS sessions FROM session_counts"
        " GROUP BY status ORDER BY status"
    )
    return {row["status"]: row["sessions"] for row in rows}


def unknown_status_sessions(reader: Reader) -> list[UnknownStatus]:
    """Return the sessions whose status is none of the four, by id."""
    rows = reader.rows(
        f"SELECT session_id, status FROM paper_sessions WHERE status NOT IN {KNOWN} ORDER BY session_id"
    )
    return [{"session_id": row["session_id"], "status": row["status"]} for row in rows]


def unreadable_files(reader: Reader) -> list[Unreadable]:
    """Return the sessions with files that can't be read, by id."""
    rows = reader.rows(
        "SELECT session_id, unreadable FROM paper_sessions WHERE unreadable IS NOT NULL ORDER BY session_id"
    )
    return [{"session_id": row["session_id"], "files": row["unreadable"].split("\n")} for row in rows]


def ids(rows: Iterable[Row]) -> list[str]:
    """Return the session ids of rows."""
    return [row["session_id"] for row in rows]
