"""Keeping a ledger: verify, rebuild, export, import, whichever engine holds it."""

from __future__ import annotations

import logging
import sqlite3
from typing import TYPE_CHECKING, Protocol

import msgspec
import sqlalchemy as sa

from quantlab.base.errors import LedgerDamagedError
from quantlab.base.remedies import REBUILD, VERIFY
from quantlab.ledger import installed, making, projection, transfer
from quantlab.ledger import verify as verification
from quantlab.ledger.log import Head, read_head
from quantlab.ledger.postgres import grants
from quantlab.ledger.signing import signature
from quantlab.ledger.verify import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import IO

    from quantlab.base.values import JsonObject
    from quantlab.ledger.store import Store

    Progress = Callable[[int], None]


logger = logging.getLogger(__name__)

_BY_NAME = (
    "triggers; tables, indexes and views by name only, for nothing temporary can be made here to compare with"
)


def _silent(_count: int) -> None:
    """Report no progress."""


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification looked at, and what does not hold.

    Attributes:
        checked: A line for each check, in order: its name, and how much it looked at.
        faults: Empty where all holds.
    """

    ledger_id: str
    head: Head
    checked: list[tuple[str, str]]
    faults: list[Fault]

    @property
    def first_bad_sequence(self) -> int | None:
        """The lowest sequence that a fault names."""
        return min((fault.sequence for fault in self.faults if fault.sequence is not None), default=None)

    def as_document(self, where: str) -> JsonObject:
        """Return the findings for machines."""
        return {
            "ledger": where,
            "ledger_id": self.ledger_id,
            "sequence": self.head.sequence,
            "hash": self.head.hash,
            "holds": not self.faults,
            "first_bad_sequence": self.first_bad_sequence,
            "checked": dict(self.checked),
            "faults": [msgspec.structs.asdict(fault) for fault in self.faults],
        }


class ToldHead(Protocol):
    """What the ledger once said of itself."""

    @property
    def told(self) -> str:
        """Where it was kept, for people."""

    def faults(self, connection: sa.Connection, header: transfer.Header) -> list[Fault]:
        """Return what of the ledger does not agree with it."""


def verify(store: Store, witnesses: Iterable[ToldHead] = (), progress: Progress = _silent) -> Findings:
    """Check all that can be checked of a ledger, in one snapshot; nothing is changed.

    Args:
        store: The ledger.
        witnesses: What the ledger once said of itself (earlier heads and exports), to be held against it.
        progress: Called with the number of events that a pass has seen.
    """
    with store.read() as connection:  # of its own: it is rolled back, and what it locks is let go of at once
        made = installed.made(connection)
    with store.read() as connection:
        header = transfer.read_header(connection)
        head = Head(header.sequence, header.hash)
        integrity = verification.check_integrity(connection)
        guards = verification.check_guards(connection, made)
        chain = verification.check_chain(connection, progress)
        lifecycles = verification.Lifecycles(progress)
        projection = _projection_fault(connection, lifecycles)
        against = [fault for witness in witnesses for fault in witness.faults(connection, header)]
    faults = [
        *integrity,
        *guards,
        chain.fault,
        verification.check_head(chain, head),
        lifecycles.fault,
        projection,
    ]
    checked = [
        ("integrity", "SQLite's pages and indexes" if store.location.is_sqlite else "left to the server"),
        (
            "guards",
            _BY_NAME
            if made is None and not store.location.is_sqlite
            else "tables, indexes, triggers and views",
        ),
        (
            "chain",
            f"{chain.head.sequence} events hashed as stored, up to {chain.head.sequence}:{chain.head.hash}",
        ),
        ("head", f"{head.sequence}:{head.hash}"),
        ("sessions", f"{lifecycles.sessions} sessions of {lifecycles.events} events: versions, births, ends"),
        ("projection", f"{lifecycles.sessions} rows and their counts against the fold of the events"),
        *(("against", witness.told) for witness in witnesses),
    ]
    found = [*(fault for fault in faults if fault is not None), *against]
    return Findings(ledger_id=header.ledger_id, head=head, checked=checked, faults=found)


def require_sound(store: Store, what: str, so: str = "Nothing was put in its place.") -> Findings:
    """Verify a copy.

    Args:
        store: The copy.
        what: What is verified, for people.
        so: What follows where something does not hold, a sentence.

    Raises:
        LedgerDamagedError: something does not hold.
    """
    findings = verify(store)
    if findings.faults:
        raise LedgerDamagedError(f"{what} does not verify: {findings.faults[0].what}. {so}")
    return findings


def rebuild(store: Store, progress: Progress = _silent) -> int:
    """Make guards, views and lost indexes anew, and then the projection; returns the sessions.

    These are two transactions: on a server the first one keeps readers out, and so has to be short.

    Raises:
        LedgerDamagedError: an event says what no event can; the projection stays as it was.
    """
    with store.read() as connection:
        made = installed.made(connection)
    with store.alone() as connection:
        if store.location.is_sqlite or grants.owns_ledger(connection):
            making.rebuild_guards(connection, made)
        else:
            logger.warning(
                "Guards and views stay as they are: only the role that owns them makes them anew. Rows are made anew."
            )
    with store.write() as connection:
        return _projected(connection, progress)


def _projected(connection: sa.Connection, progress: Progress = _silent) -> int:
    try:
        return projection.rebuild(connection, progress)
    except projection.UNFOLDABLE as error:
        raise LedgerDamagedError(
            f"An event can't be folded ({type(error).__name__}: {error}); no session was changed. ",
            VERIFY,
            " names the first event that does not hold.",
        ) from error


def read_head_document(store: Store, key: bytes | None) -> JsonObject:
    """Return the head as it is kept elsewhere, signed where there is a key."""
    with store.read() as connection:
        document = {
            "ledger_id": transfer.ledger_id(connection),
            **msgspec.structs.asdict(read_head(connection)),
        }
    if key is None:
        return document
    return {**document, "signature": signature(key, *document.values())}


def export(store: Store, progress: Progress = _silent) -> Iterator[bytes]:
    """Yield a ledger as JSON Lines, from one snapshot."""
    with store.read() as connection:
        yield from transfer.export_lines(connection, progress)


def import_export(
    store: Store, lines: IO[bytes], where: str, progress: Progress = _silent
) -> tuple[int, Head]:
    """Bring an export into a ledger and project it, in one transaction; returns the events added and the head.

    Raises:
        ConfigError: it is no export, or the ledger holds something else.
        LedgerDamagedError: the export is not whole, or its chain does not hold.
    """
    header = transfer.parse_header(lines.readline(), where)
    with store.write() as connection:
        recorded = transfer.parse_events(lines, header, where)
        added = transfer.import_events(connection, header, recorded, progress)
        _projected(connection)
        return added, read_head(connection)


def _projection_fault(connection: sa.Connection, lifecycles: verification.Lifecycles) -> Fault | None:
    try:
        first = None
        for one in projection.differences(connection, lifecycles.watch):
            first = first or one  # the others are passed over, yet all events have to go by `lifecycles`
    except (sqlite3.DatabaseError, sa.exc.DBAPIError) as error:
        return Fault("projection", f"can't be compared ({error})")
    except projection.UNFOLDABLE as error:
        return Fault(
            "projection", f"can't be compared: an event can't be folded ({type(error).__name__}: {error})"
        )
    if first is None:
        return None
    what = f"{first.session_id}, column {first.column}: {first.stored!r} is stored, the events make {first.expected!r}"
    return Fault("projection", f"{what}; '{REBUILD}' makes it anew")
