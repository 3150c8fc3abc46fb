"""What a SQLite ledger's schema says, held against what this program makes; loads the standard library alone.

`sqlite/definitions.sql` has every definition in a fresh ledger as it is stored, so that a question can hold a ledger
against it in a fraction of a millisecond. Where a ledger's are spelled otherwise, as they are after a migration, what
each means is compared. `python tests/make_definitions.py` writes the file anew.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FILE = Path(__file__).with_name("sqlite") / "definitions.sql"
STORED = "SELECT type, name, tbl_name, sql FROM sqlite_master"
TABLES = frozenset(
    {"events", "ledger_head", "paper_sessions", "session_counts", "session_trials", "pending_files"}
)
"""The tables whose definitions count. In `alembic_version` one word counts, which every opening reads."""

_ENTRY = re.compile(
    r"^-- (\w+): (\w+) of (\w+)\n(.*?)\n(?=-- \w+: \w+ of \w+\n|\Z)", re.DOTALL | re.MULTILINE
)
_LITERAL = re.compile(r"('(?:[^']|'')*')")
_QUOTED_NAME = re.compile(r'"(\w+)"')
_BLANKS = re.compile(r"\s+")
_AROUND = re.compile(r" ?([(),]) ?")


def of_rows(rows: Iterable[tuple[str, str, str, str | None]]) -> dict[str, str]:
    """Return kind, table and text of every definition by its name, from the rows of `STORED`.

    Tables of others in the file are none of our business, and neither are their indexes.
    """
    return {name: f"{kind} {table} {_normalised(sql)}" for kind, name, table, sql in _ours(rows)}


def as_text(rows: Iterable[tuple[str, str, str, str | None]]) -> str:
    """Return the rows of `STORED` as `FILE` has them, in the order of their names."""
    return "".join(sorted(f"-- {name}: {kind} of {table}\n{sql}\n" for kind, name, table, sql in _ours(rows)))


def _ours(
    rows: Iterable[tuple[str, str, str, str | None]],
) -> Iterator[tuple[str, str, str, str]]:
    for kind, name, table, sql in rows:
        if kind in ("trigger", "view") or table in TABLES:
            yield kind, name, table, sql or ""


def known() -> dict[str, str]:
    """Return a fresh ledger's definitions, as `of_rows` does."""
    entries = _ENTRY.findall(FILE.read_text(encoding="utf-8"))
    return of_rows((kind, name, table, sql) for name, kind, table, sql in entries)


def _normalised(sql: str) -> str:
    """Return a definition as it means the same: blanks and needless quotes around names left out, literals kept."""
    parts = _LITERAL.split(sql)
    parts[::2] = [_AROUND.sub(r"\1", _BLANKS.sub(" ", _QUOTED_NAME.sub(r"\1", part))) for part in parts[::2]]
    return "".join(parts).strip()
