"""Which sessions follow the market now, how they stand, and what they wait for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quantlab.base.values import JsonObject
    from quantlab.ledger.reader import Reader

STANDING = ("stage", "watermark", "next_due", "equity")
"""What is told of a session that follows the market, wherever its status alone would say little."""
_FOLLOWING = f"""\
SELECT session_id, {", ".join(STANDING)} FROM paper_sessions
WHERE status = 'running' AND kind = 'forward' ORDER BY session_id"""
_ANY = "SELECT 1 AS found FROM paper_sessions WHERE kind = 'forward' LIMIT 1"


def following(reader: Reader) -> list[JsonObject]:
    """Return id and `STANDING` of each session that follows the market and goes on, by id."""
    return reader.rows(_FOLLOWING)


def has_followed(reader: Reader) -> bool:
    """Tell whether any session of the ledger follows the market, or did."""
    return reader.row(_ANY) is not None


def standing_of(reader: Reader, session_ids: Sequence[str]) -> dict[str, JsonObject]:
    """Return how some sessions stand, by id; those that follow no market are left out."""
    asked = set(session_ids)
    return (
        {row["session_id"]: row for row in following(reader) if row["session_id"] in asked} if asked else {}
    )
