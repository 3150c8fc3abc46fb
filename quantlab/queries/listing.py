"""Which sessions are there? Newest first, filtered in the database, and read off it one by one."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from quantlab.base.values import JsonObject
from quantlab.domain.vocabulary import TWINS
from quantlab.queries.rows import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quantlab.ledger.reader import Reader, Row

Query = tuple[str, JsonObject]
"""SQL, and the values of its parameters."""

_AT = "COALESCE(created_at, started_at, updated_at)"
"""When a session began, as far as it is told: an adopted folder may lack any of these."""
_NEWEST = f"{_AT} DESC NULLS LAST, session_id DESC"
_TWINS = f"""\
SELECT session_list.*, twins.sessions AS duplicates, twins.agree AS duplicates_agree
FROM session_duplicates AS twins
JOIN session_list ON {" AND ".join(f"session_list.{one} = twins.{one}" for one in TWINS.split(", "))}"""


_ALWAYS = ("session_id", "created_at", "started_at", "updated_at", "path", "root", "promotion_ready")
"""What the order of the sessions, their folders and their readiness are told by."""


@dataclass(frozen=True, kw_only=True)
class ListFilter:
    """Which sessions are asked for; without any of these, all.

    Attributes:
        statuses: These statuses alone.
        ticker: This ticker alone.
        strategy: This strategy alone.
        request_id: The sessions of this request alone.
        since: Sessions that began at or after this stored time.
        duplicates: Sessions whose rules, range, cash and prices equal another's, side by side; each then has
            `duplicates` (how many there are) and `duplicates_agree` (whether their results are the same; None where
            fewer than two have one).
        sort: Another order than the newest first: a column, and whether its greatest value comes first. Sessions
            that lack the value come last.
        limit: At most so many.
        columns: The columns that are looked at; all where empty. A few more come with them.
    """

    statuses: tuple[str, ...] = ()
    ticker: str | None = None
    strategy: str | None = None
    request_id: str | None = None
    since: str | None = None
    duplicates: bool = False
    sort: tuple[str, bool] | None = None
    limit: int | None = None
    columns: tuple[str, ...] = ()

    @property
    def is_filtered(self) -> bool:
        """Whether anything but an order and a limit is asked for."""
        return bool(
            self.statuses or self.ticker or self.strategy or self.request_id or self.since or self.duplicates
        )

    def parameters(self) -> JsonObject:
        """Return the values that the queries bind."""
        given = {name: getattr(self, name) for name in ("ticker", "strategy", "request_id", "since")}
        given["most"] = self.limit
        bound: JsonObject = {name: value for name, value in given.items() if value is not None}
        return bound | {f"status_{place}": status for place, status in enumerate(self.statuses)}


def sessions(reader: Reader, asked: ListFilter) -> Iterator[Row]:
    """Yield the sessions of the view `session_list`, newest first; memory does not grow with their number."""
    streams = [reader.stream(sql, **parameters) for sql, parameters in queries(asked)]
    rows = streams[0] if len(streams) == 1 else heapq.merge(*streams, key=_newness, reverse=True)
    try:
        for row in islice(rows, asked.limit):
            if row.get("duplicates_agree") is not None:
                row["duplicates_agree"] = bool(row["duplicates_agree"])
            row["promotion_ready"] = bool(row["promotion_ready"])
            yield shown(row, reader)
    finally:
        for stream in streams:
            stream.close()


def count(reader: Reader, asked: ListFilter) -> int:
    """Return how many sessions `sessions` yields."""
    if not asked.is_filtered and asked.limit is None:
        sql = "SELECT CAST(COALESCE(SUM(sessions), 0) AS BIGINT) AS n FROM session_counts"
        return int((reader.row(sql) or {})["n"])
    source = f"({_TWINS}) AS twins" if asked.duplicates else "session_list"
    most = "\nLIMIT :most" if asked.limit is not None else ""
    sql = f"SELECT COUNT(*) AS n FROM (SELECT 1 FROM {source}{_where(asked, _AT)}{most}) AS counted"
    return int((reader.row(sql, **asked.parameters()) or {})["n"])


def queries(asked: ListFilter) -> list[Query]:
    """Return the queries whose rows, merged, are the answer.

    The index of times of creation serves all but the sessions that have none, of which there are few.
    """
    parameters = asked.parameters()
    most = "\nLIMIT :most" if asked.limit is not None else ""
    picked = _picked(asked)
    if asked.duplicates:
        twins = f"SELECT {picked} FROM (\n{_TWINS}{_where(asked, _AT)}) AS twins"
        return [(f"{twins}\nORDER BY {TWINS}, {_NEWEST}{most}", parameters)]
    if asked.sort is not None:
        column, greatest_first = asked.sort
        order = f'"{column}" {"DESC" if greatest_first else "ASC"} NULLS LAST, {_NEWEST}'
        return [
            (f"SELECT {picked} FROM session_list{_where(asked, _AT)}\nORDER BY {order}{most}", parameters)
        ]
    dated = f"SELECT {picked} FROM session_list{_where(asked, 'created_at', 'created_at IS NOT NULL')}"
    undated = f"SELECT {picked} FROM session_list{_where(asked, _AT, 'created_at IS NULL')}"
    return [
        (f"{dated}\nORDER BY created_at DESC, session_id DESC{most}", parameters),
        (f"{undated}\nORDER BY {_NEWEST}{most}", parameters),
    ]


def _picked(asked: ListFilter) -> str:
    if not asked.columns:
        return "*"
    return ", ".join(f'"{name}"' for name in dict.fromkeys((*asked.columns, *_ALWAYS)))


def _where(asked: ListFilter, at: str, *conditions: str) -> str:
    """Return the condition that is asked for.

    Args:
        asked: What is asked for.
        at: SQL of the time that `since` is held against.
        conditions: Further ones.
    """
    statuses = ", ".join(f":status_{place}" for place in range(len(asked.statuses)))
    held = [
        *conditions,
        *([f"status IN ({statuses})"] if statuses else []),
        *(["ticker = :ticker"] if asked.ticker is not None else []),
        *(["strategy = :strategy"] if asked.strategy is not None else []),
        *(["request_id = :request_id"] if asked.request_id is not None else []),
        *([f"{at} >= :since"] if asked.since is not None else []),
    ]
    return f"\nWHERE {' AND '.join(held)}" if held else ""


def _newness(row: Row) -> tuple[bool, str, str]:
    at = row["created_at"] or row["started_at"] or row["updated_at"]
    return at is not None, at or "", row["session_id"]


def due_sessions(reader: Reader, now: str) -> list[Row]:
    """Return the forward sessions of a root whose next bar is due, or that have none yet, by id.

    Args:
        reader: The ledger.
        now: The present, as stored.
    """
    rows = reader.rows(_DUE, now=now)
    return [shown(row, reader) for row in rows]


_DUE = """\
SELECT * FROM paper_sessions
WHERE status = 'running' AND kind = 'forward' AND (next_due IS NULL OR next_due <= :now)
ORDER BY session_id"""
