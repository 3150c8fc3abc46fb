"""Exports that know more than the ledger does: it was rolled back, or its history is another."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from quantlab.base.errors import LedgerDamagedError
from quantlab.base.remedies import RESTORE
from quantlab.ledger.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from quantlab.base.values import Cells
    from quantlab.ledger.location import Location
    from quantlab.ledger.log import Head

    Ask = Callable[[str, Mapping[str, object]], Iterable[Sequence[Cells]]]
    """Yields a query's rows, in batches."""

EXPORT = "paper_sessions_index.json"
LARGEST_HEADER = 64 * 1024
"""Bytes within which an export says whose it is."""


class Said(NamedTuple):
    """The head that an export shows."""

    ledger_id: str | None
    sequence: int
    hash: str


def said_by(export: Path) -> Said | None:
    """Return the head that a root's `paper_sessions_index.json` shows; None where it can't be read."""
    try:
        with export.open("rb") as handle:
            header = handle.read(LARGEST_HEADER).partition(b',"sessions":[')[0]
        told = json.loads(header + b"}")
        return Said(told.get("ledger_id"), int(told["ledger_sequence"]), str(told["ledger_hash"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def require_none_later(ask: Ask, export: Path, ledger_id: str, head: Head) -> None:
    """Refuse to overwrite an export that knows a later head of this ledger, or another one at its place.

    Args:
        ask: Yields a query's rows, in batches.
        export: The root's JSON export.
        ledger_id: This ledger's identity.
        head: Its head.

    Raises:
        LedgerDamagedError: it does; the export stays.
    """
    said = said_by(export)
    if said is None or said.ledger_id != ledger_id:
        return
    if said.sequence > head.sequence:
        what = f"the ledger ends at sequence {head.sequence}, the export once saw {said.sequence}: events are missing"
    else:
        sql = "SELECT hash FROM events WHERE sequence = :sequence"
        held = [row[0] for rows in ask(sql, {"sequence": said.sequence}) for row in rows]
        if said.sequence == 0 or held == [said.hash]:
            return
        what = f"the ledger holds another event at sequence {said.sequence} than the export saw: history was rewritten"
    raise LedgerDamagedError(
        f"{export} knows more of this ledger than the ledger does ({what}), so it was not overwritten. Bring a later "
        "backup back with ",
        RESTORE,
        "; or, if what is missing is to be given up, move the export away.",
    )


def set_aside(root: Path, names: tuple[str, ...], head: Head, now: datetime) -> list[Path]:
    """Keep exports that know more than a ledger that was just restored, under dated names; returns these."""
    said = said_by(root / EXPORT)
    if said is None or said.sequence <= head.sequence:
        return []
    kept = []
    for name in names:
        if (root / name).is_file():
            aside = root / f"{name}.before-restore-{now:%Y%m%dT%H%M%S%fZ}"
            (root / name).replace(aside)
            kept.append(aside)
    return kept


def own_witnesses(location: Location) -> list[Witness]:
    """Return what a root's own export once saw of its ledger, to be held against it.

    A root whose exports can't be read has none: that is no fault of its ledger.
    """
    root = location.root
    said = None if root is None else said_by(root / EXPORT)
    if root is None or said is None:
        return []
    told = str(root / EXPORT)
    return [Witness(told=told, sequence=said.sequence, hash=said.hash, ledger_id=said.ledger_id)]
