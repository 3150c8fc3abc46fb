"""`views.sql`: the operators' questions; and the texts of all views, those of `alerts.sql` and `forward.sql` included.

A command asks the views; where an answer depends on the time, it runs the view's own text with its time bound
(`alerts.asked`).
"""

from __future__ import annotations

import textwrap
from functools import cache
from typing import TYPE_CHECKING

from quantlab.domain.events import TYPES
from quantlab.domain.promotion import blockers_sql, cautions_sql, reasons_sql, searched_sql
from quantlab.domain.session import NAMES
from quantlab.domain.vocabulary import ARE_TWINS, BLOCKED_AND_DONE, KNOWN, TWINS, newest, newest_first
from quantlab.ledger.sql import alerts, dialects, forward, texts

if TYPE_CHECKING:
    from quantlab.ledger.sql.dialects import Dialect

_WIDTH = 110
_ALL = ("promotion_ready = 1", BLOCKED_AND_DONE, "status = 'running'")
"""Conditions that every session meets one of, each with an index of its own."""
_ISSUES = ("status = 'failed'", "status = 'aborted'", "status = 'running'")


@cache
def of(*, sqlite: bool) -> dict[str, str]:
    """Return the statement that makes each view, by name."""
    dialect = dialects.of(sqlite=sqlite)
    return {
        name: text
        for file, given in FILES.items()
        for name, text in texts.statements(f"{dialect.folder}/{file}", given(dialect)).items()
    }


def parts(dialect: Dialect) -> dict[str, str]:
    """Return what the domain gives to the file, by the name of each part."""
    field, number = dialect.field.format, dialect.number.format
    return {
        "columns": _columns(indent=2),
        "columns_within": _columns(indent=4),
        "statuses": KNOWN,
        "running_ids": dialect.joined.format(
            rows="SELECT session_id FROM paper_sessions WHERE status = 'running'"
        ),
        "latest": _latest(dialect.soon, *_ALL),
        "latest_issue": _latest(dialect.soon, *_ISSUES),
        "reasons": _a_word_a_line(reasons_sql()),
        "blockers": _a_word_a_line(blockers_sql()),
        "cautions": _a_word_a_line(cautions_sql(dialect.soon)),
        "searched": searched_sql(),
        "stage": field(name="stage"),
        "bars_done": f"COALESCE({number(name='bars_done')}, {number(name='bars')})",
        "bars_expected": f"COALESCE({number(name='bars_expected')}, {number(name='bars')})",
        "lines": _lines(dialect),
        "twins": TWINS,
        "are_twins": ARE_TWINS,
    }


FILES = {"views.sql": parts, "alerts.sql": alerts.parts, "forward.sql": forward.parts}
"""The files of views, and what the domain gives to each."""


def _columns(indent: int) -> str:
    wrapped = textwrap.wrap(", ".join(NAMES), _WIDTH - indent, break_long_words=False, break_on_hyphens=False)
    return f"\n{' ' * indent}".join(wrapped)


def _latest(soon: str, *conditions: str) -> str:
    """Return SQL for the latest session among those that meet any of the conditions, each one served by an index."""
    columns = "session_id, status, activity_at, error_type, message"
    found = " UNION ALL ".join(
        newest(columns, "paper_sessions", condition, "1", soon) for condition in conditions
    )
    arms = found.replace(" UNION ALL ", "\n    UNION ALL ").replace("(SELECT ", "(\n      SELECT ")
    for clause in (" FROM paper_sessions", " WHERE ", " ORDER BY "):
        arms = arms.replace(clause, f"\n      {clause.lstrip()}")
    return f"SELECT * FROM (\n    {arms}) AS found\n  ORDER BY {newest_first(soon)} LIMIT 1"


def _a_word_a_line(sql: str) -> str:
    return sql.replace("ltrim(", "ltrim(\n    ", 1).replace(" END || CASE ", " END\n    || CASE ")


def _lines(dialect: Dialect) -> str:
    """Return what the timeline says of each type of event, of which it says anything."""
    return "\n".join(
        f"    WHEN '{name}' THEN "
        + " || ': ' || ".join(dialect.field.format(name=field) for field in event.line)
        for name, event in TYPES.items()
        if event.line
    )
