"""Rows as every surface shows them: booleans that are booleans, absolute paths, nothing that JSON can't hold."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

from quantlab.store.vocabulary import KNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from quantlab.store.location import Location
    from quantlab.store.reader import Reader

Row = dict[str, Any]

BOOLEANS = ("terminal", "ended", "report_present", "lifecycle_amended")
"""Columns that SQLite keeps as 0 and 1."""


def shown(row: Row, location: Location) -> Row:
    """Return a session's row with booleans and an absolute path."""
    for name in BOOLEANS:
        if row.get(name) is not None:
            row[name] = bool(row[name])
    row["path"] = absolute_path(row, location)
    return finite(row)


def assessed(row: Row, location: Location) -> Row:
    """Return a row of `session_promotion` with its reasons and blockers as lists."""
    row = shown(row, location)
    row["broker_promotion_ready"] = bool(row["broker_promotion_ready"])
    for name in ("broker_promotion_reasons", "broker_promotion_blockers"):
        row[name] = row[name].split()
    return row


def finite(row: Row) -> Row:
    """Return the row with null for numbers that are not finite."""
    for name, value in row.items():
        if isinstance(value, float) and not math.isfinite(value):
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


def unknown_status_sessions(reader: Reader) -> list[Row]:
    """Return `session_id` and `status` of the sessions whose status is none of the four, by id."""
    return reader.rows(
        f"SELECT session_id, status FROM paper_sessions WHERE status NOT IN {KNOWN} ORDER BY session_id"
    )


def unreadable_files(reader: Reader) -> list[Row]:
    """Return `session_id` and `files` (names) of the sessions with files that can't be read, by id."""
    rows = reader.rows(
        "SELECT session_id, unreadable FROM paper_sessions WHERE unreadable IS NOT NULL ORDER BY session_id"
    )
    return [{"session_id": row["session_id"], "files": row["unreadable"].split("\n")} for row in rows]


def ids(rows: Iterable[Row]) -> list[str]:
    """Return the session ids of rows."""
    return [row["session_id"] for row in rows]
