"""A ledger as JSON Lines: a header, then every event as it is stored; out of one engine and into another.

Line 1: `{"format": "quantlab-ledger", "format_version": 1, "ledger_id": …, "sequence": …, "hash": …}`. Every further
line is one event, its columns under their names, `payload` as the text that was stored (and hashed).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from quantlab.base.errors import ConfigError, LedgerDamagedError
from quantlab.base.remedies import EXPORT_LEDGER, VERIFY, Setting
from quantlab.domain.events import GENESIS_HASH, SCHEMA_VERSION, Recorded
from quantlab.domain.events.event import event_hash
from quantlab.ledger.log import BY_SEQUENCE, Head, read_head, stream
from quantlab.ledger.schema import events, ledger_head

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from quantlab.base.values import JsonObject

FORMAT, FORMAT_VERSION = "quantlab-ledger", 1
BATCH = 1_000
STEP = 20_000

_identity = sa.select(ledger_head.c.ledger_id)
_take_identity = sa.update(ledger_head).values(ledger_id=sa.bindparam("identity"))
_insert = sa.insert(events)
_hash_at = sa.select(events.c.hash).where(events.c.sequence == sa.bindparam("at"))


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line: which ledger this is, and its head."""

    ledger_id: str
    sequence: int
    hash: str
    format: str = FORMAT
    format_version: int = FORMAT_VERSION


_header = msgspec.json.Decoder(Header)
_event = msgspec.json.Decoder(Recorded)
_encode = msgspec.json.Encoder().encode


def read_header(connection: sa.Connection) -> Header:
    """Return the ledger's identity and head."""
    head = read_head(connection)
    return Header(ledger_id=ledger_id(connection), sequence=head.sequence, hash=head.hash)


def ledger_id(connection: sa.Connection) -> str:
    """Return the name that a ledger was born with and keeps wherever it goes."""
    return str(connection.execute(_identity).scalar_one())


def hash_at(connection: sa.Connection, sequence: int) -> str | None:
    """Return the stored hash of an event; of sequence 0, what the first event follows; None where there is none."""
    if sequence == 0:
        return GENESIS_HASH
    found = connection.execute(_hash_at, {"at": sequence}).scalar_one_or_none()
    return None if found is None else str(found)


def stored_hashes(connection: sa.Connection) -> Iterator[tuple[int, str]]:
    """Yield every event's sequence and hash, in order."""
    return (
        (row[0], row[1]) for row in stream(connection, "SELECT sequence, hash FROM events ORDER BY sequence")
    )


def export_lines(
    connection: sa.Connection, progress: Callable[[int], None] = lambda _count: None
) -> Iterator[bytes]:
    """Yield the whole ledger line by line, ends of lines included, in flat memory."""
    yield _encode(msgspec.structs.asdict(read_header(connection))) + b"\n"
    for count, row in enumerate(stream(connection, BY_SEQUENCE), 1):
        if count % STEP == 0:
            progress(count)
        yield _encode(Recorded(*row)) + b"\n"


def parse_header(line: bytes, where: str) -> Header:
    """Read an export's first line.

    Raises:
        ConfigError: it is no header of an exported ledger.
    """
    try:
        header = _header.decode(line)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise _no_export(where, str(error)) from error
    doubled = _odd_name(line, header)
    if doubled is not None:
        raise _no_export(where, doubled)
    if not header.ledger_id.isprintable() or not header.ledger_id:
        raise _no_export(where, "its ledger_id is no name that can be shown")
    if (header.format, header.format_version) != (FORMAT, FORMAT_VERSION):
        raise _no_export(where, f"format {header.format!r}, version {header.format_version}")
    return header


def parse_events(lines: Iterable[bytes], header: Header, where: str) -> Iterator[Recorded]:
    """Yield the events of an export, each proved to follow from the one before it, up to the header's head.

    Raises:
        LedgerDamagedError: a line is no event, does not follow, or the last one is not the head; by sequence.
    """
    last = Head(0, GENESIS_HASH)
    for line in lines:
        recorded = _parsed(line, last, where)
        yield recorded
        last = Head(recorded.sequence, recorded.hash)
    if last != Head(header.sequence, header.hash):
        raise LedgerDamagedError(
            f"{where} ends at sequence {last.sequence}, its header says {header.sequence}; it is no whole export. "
            "Nothing was imported; export again."
        )


def import_events(
    connection: sa.Connection,
    header: Header,
    recorded: Iterator[Recorded],
    progress: Callable[[int], None] = lambda _count: None,
) -> int:
    """Append an export's events, as they are, to a ledger that holds none or the first of them.

    The caller holds the write transaction, rolls back on an error, and projects.

    Returns:
        The number of events that were new.

    Raises:
        ConfigError: the ledger holds something else.
        LedgerDamagedError: the export is not whole or its chain does not hold.
    """
    start = _adopted_identity(connection, header)
    batch: list[dict[str, object]] = []
    added = 0
    for one in recorded:
        if one.sequence <= start.sequence:
            _require_common(start, one)
            continue
        batch.append(msgspec.structs.asdict(one))
        added += 1
        if len(batch) == BATCH:
            connection.execute(_insert, batch)
            batch = []
            progress(added)
    if batch:
        connection.execute(_insert, batch)
    return added


def _parsed(line: bytes, last: Head, where: str) -> Recorded:
    place = f"{where}, line {last.sequence + 2}"
    try:
        recorded = _event.decode(line)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise LedgerDamagedError(
            f"{place} is no event ({error}). Nothing was imported; export again."
        ) from error
    odd = _odd_name(line, recorded) or _odd_payload(recorded.payload) or _odd_number(recorded)
    if odd is not None:
        raise LedgerDamagedError(f"{place} is no event of ours ({odd}). Nothing was imported; export again.")
    fields = msgspec.structs.astuple(recorded)
    follows = recorded.sequence == last.sequence + 1 and recorded.previous_hash == last.hash
    if not follows or event_hash(last.hash, fields[:8]) != recorded.hash:
        raise LedgerDamagedError(
            f"{place} (sequence {recorded.sequence}) does not follow from the line before it: the chain is broken "
            "there. Nothing was imported; use an export that ",
            VERIFY.with_settings(Setting("against")),
            " accepts.",
        )
    return recorded


def _odd_name(line: bytes, read: msgspec.Struct) -> str | None:
    """Tell of a name that stands twice in a line, or of one that is none of ours: readers would differ about it."""
    if _encode(read) == line.rstrip(b"\r\n"):
        return None  # as an export writes it
    names = [name for name, _value in json.loads(line, object_pairs_hook=lambda pairs: pairs)]
    twice = _twice(names)
    if twice is not None:
        return f"{twice!a} stands twice in it"
    strange = next((name for name in names if name not in read.__struct_fields__), None)
    return None if strange is None else f"{strange!a} is none of its names"


def _odd_payload(payload: str) -> str | None:
    """Tell of a name that stands twice in what an event says: SQLite takes the first of them, others the last."""
    try:
        if _encode(msgspec.json.decode(payload)) == payload.encode():
            return None
        found: list[str] = []

        def seen(pairs: list[tuple[str, object]]) -> JsonObject:
            found.extend(name for name in [_twice([name for name, _value in pairs])] if name is not None)
            return dict(pairs)

        json.loads(payload, object_pairs_hook=seen)
    except (ValueError, RecursionError) as error:  # msgspec's own are ValueErrors
        return f"its payload is no JSON: {error}"
    return f"{found[0]!a} stands twice in its payload" if found else None


def _odd_number(recorded: Recorded) -> str | None:
    if not 1 <= recorded.schema_version <= SCHEMA_VERSION:
        return (
            f"its schema_version is none up to {SCHEMA_VERSION}, which this program knows; upgrade quantlab"
        )
    if not 1 <= recorded.session_version <= recorded.sequence:
        return "its session_version is none that it can have at its sequence"
    return None


def _twice(names: list[str]) -> str | None:
    return next((name for place, name in enumerate(names) if name in names[:place]), None)


def _adopted_identity(connection: sa.Connection, header: Header) -> Head:
    """Give the export's identity to an empty ledger; a ledger that holds events has to have it already."""
    head = read_head(connection)
    if head.sequence == 0:
        connection.execute(_take_identity, {"identity": header.ledger_id})
        return head
    held = ledger_id(connection)
    if held != header.ledger_id or head.sequence > header.sequence:
        raise ConfigError(
            f"The ledger holds {head.sequence} events of ledger {held}, the export {header.sequence} of ledger "
            f"{header.ledger_id}; expected an empty ledger, or the first events of the same one. Import into another."
        )
    return head


def _require_common(start: Head, one: Recorded) -> None:
    # The chain makes one comparison enough: with this hash equal, all before it is.
    if one.sequence == start.sequence and one.hash != start.hash:
        raise ConfigError(
            f"The ledger and the export went different ways before sequence {start.sequence}; expected a ledger that "
            "holds the export's first events. Import into an empty one and compare."
        )


def _no_export(where: str, why: str) -> ConfigError:
    return ConfigError(
        f"{where} is no exported ledger ({why}); expected JSON Lines as ", EXPORT_LEDGER, " writes them."
    )
