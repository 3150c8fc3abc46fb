"""How is the root? Contract 6, from the counts that the ledger keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantlab.queries.rows import status_counts

if TYPE_CHECKING:
    from quantlab.base.values import JsonObject
    from quantlab.ledger.reader import Reader

HEALTH = "SELECT * FROM session_health"
KNOWN_STATUSES = ("success", "failed", "aborted", "running")


def health(reader: Reader) -> JsonObject:
    """Return contract 6's values in its order, then ours.

    Ours: `unknown_status_sessions`, `unreadable_sessions`, `vanished_sessions`. `active_sessions` is one text,
    the ids of the running sessions in order, joined by a comma and a space; None where nothing runs.
    """
    found = reader.row(HEALTH)
    return {} if found is None else found


def unknown_statuses(reader: Reader) -> dict[str, int]:
    """Return how many sessions have each status that is none of the four."""
    return {status: count for status, count in status_counts(reader).items() if status not in KNOWN_STATUSES}
