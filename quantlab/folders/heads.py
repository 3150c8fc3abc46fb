"""The heads that session files carry: which ledger recorded them, and where their last event stood in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from quantlab.base.text import printable
from quantlab.domain.names import METADATA
from quantlab.folders.places import read_document, session_folders
from quantlab.folders.reading import UnreadableError
from quantlab.ledger import transfer
from quantlab.ledger.verify import Fault
from quantlab.ledger.witness import LARGEST_SEQUENCE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import sqlalchemy as sa

    from quantlab.ledger.location import Location
    from quantlab.ledger.store import Store
    from quantlab.ledger.transfer import Header

_UNKNOWN = "a ledger that its files name in no way that can be read"
_LONGEST = 255


class HeadPlace(NamedTuple):
    """Where a session's last event stood, as its files say."""

    ledger_id: str
    sequence: int
    hash: str

    def __str__(self) -> str:
        return f"{self.ledger_id} {self.sequence}:{self.hash}"


def own_heads(location: Location) -> list[FolderHeads]:
    """Return what the session files of a root say, where there is a root and they say anything."""
    if location.root is None:
        return []
    heads = FolderHeads(location.root)
    return [heads] if heads.count else []


class FolderHeads:
    """What the session files in a root say of its ledger, to be held against it; those of other ledgers are left out.

    Attributes:
        count: How many there are.
        told: The same, and where, for people.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._places = dict(_places_in(root))
        self.count = len(self._places)
        self.told = f"what {self.count:,} session files in {root} say"

    def faults(self, connection: sa.Connection, header: Header) -> list[Fault]:
        """Return what of the ledger does not agree with them."""
        found = []
        for name, place in self._places.items():
            if place.ledger_id == header.ledger_id:
                held = transfer.hash_at(connection, place.sequence)
                if held != place.hash:
                    what = "has no such event" if held is None else "holds another event there"
                    found.append(
                        Fault(
                            "against",
                            f"{self._root / name / METADATA} says {place.sequence}:{place.hash}, the ledger {what}",
                            min(place.sequence, header.sequence + 1),
                        )
                    )
        return found


def recorded_elsewhere(store: Store, told: Mapping[str, object]) -> dict[str, dict[str, str]]:
    """Tell which folders another ledger recorded, or this one in a history that it no longer has.

    Args:
        store: The ledger that is about to adopt them.
        told: Session id -> what its metadata say of a ledger, whatever that is; None where they say nothing.

    Returns:
        Session id -> the column that says so.
    """
    said = {name: value for name, value in told.items() if value is not None}
    if not said:
        return {}
    found = {}
    with store.read() as connection:
        own = transfer.ledger_id(connection)
        for session_id, value in said.items():
            place = _place(value)
            here = place is not None and place.ledger_id == own
            if place is None or not here or transfer.hash_at(connection, place.sequence) != place.hash:
                found[session_id] = {"recorded_elsewhere": _UNKNOWN if place is None else str(place)}
    return found


def _places_in(root: Path) -> list[tuple[str, HeadPlace]]:
    found = []
    for name in session_folders(root):
        try:
            document = read_document(f"{root}/{name}/{METADATA}", str(root)).document
        except (FileNotFoundError, UnreadableError):
            continue  # that is no fault of the ledger's; `index` names it
        place = _place(document.get("ledger"))
        if place is not None:
            found.append((name, place))
    return found


def _place(value: object) -> HeadPlace | None:
    """Read what metadata say of a ledger; None where it is nothing of ours."""
    if not isinstance(value, dict):
        return None
    ledger_id, sequence, digest = (value.get(name) for name in ("id", "sequence", "hash"))
    if not isinstance(sequence, int) or isinstance(sequence, bool) or not 0 < sequence <= LARGEST_SEQUENCE:
        return None
    if not all(isinstance(text, str) and len(text) <= _LONGEST for text in (ledger_id, digest)):
        return None
    return HeadPlace(printable(str(ledger_id)), sequence, printable(str(digest)))
