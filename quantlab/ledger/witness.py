"""What a ledger once said of itself, kept elsewhere: a head, signed or not, or an export; held against it later.

A chain that was cut or rewritten as a whole holds in itself; it no longer holds against a witness.
"""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from quantlab.base.errors import ConfigError, QuantlabError
from quantlab.base.remedies import EXPORT_LEDGER, INDEX, LEDGER_HEAD, Setting
from quantlab.ledger import transfer
from quantlab.ledger.signing import is_signed
from quantlab.ledger.verify import Fault

if TYPE_CHECKING:
    import sqlalchemy as sa

    from quantlab.base.values import JsonObject
    from quantlab.ledger.transfer import Header

HEAD_PATTERN = re.compile(r"^([0-9]+):([0-9a-f]{64})$")
LARGEST_SEQUENCE = 2**63 - 1
"""What both databases can hold."""
LARGEST_DOCUMENT = 64 * 2**20
"""Bytes that the first line of a kept head or an export may have."""


class Witness(msgspec.Struct, frozen=True, kw_only=True):
    """A head that the ledger once had.

    Attributes:
        told: Where it was kept and what it says, for people.
        sequence: Its sequence.
        hash: Its hash.
        ledger_id: Whose head it is, where it says so.
        signature: Its HMAC, where it is signed.
        key: The operator's key, where given.
        export: The exported ledger that it heads, where it is one.
    """

    told: str
    sequence: int
    hash: str
    ledger_id: str | None = None
    signature: str | None = None
    key: bytes | None = None
    export: Path | None = None

    def faults(self, connection: sa.Connection, header: Header) -> list[Fault]:
        """Return what of the ledger does not agree with it."""
        if self.ledger_id is not None and self.ledger_id != header.ledger_id:
            return [
                Fault(
                    "against", f"this is ledger {header.ledger_id}, {self.told} is of ledger {self.ledger_id}"
                )
            ]
        fault = (
            self._signature_fault() or self._export_fault(connection) or self._head_fault(connection, header)
        )
        return [] if fault is None else [fault]

    def _head_fault(self, connection: sa.Connection, header: Header) -> Fault | None:
        held = transfer.hash_at(connection, self.sequence)
        if held is None:
            end = header.sequence + 1
            what = (
                f"sequence {end}: missing; the ledger once went on to {self.sequence}, its tail was cut off"
            )
            return Fault("against", what, end)
        if held != self.hash:
            what = f"sequence {self.sequence}: its hash is {held}, {self.told} says {self.hash}; history was rewritten"
            return Fault("against", what, self.sequence)
        return None

    def _signature_fault(self) -> Fault | None:
        if self.key is None:
            return None
        if self.signature is None or self.ledger_id is None:
            return Fault("against", f"{self.told} is not signed, and a key was given")
        if not is_signed(self.key, self.ledger_id, self.sequence, self.hash, self.signature):
            return Fault(
                "against", f"{self.told} is signed with another key, or was changed after it was signed"
            )
        return None

    def _export_fault(self, connection: sa.Connection) -> Fault | None:
        if self.export is None:
            return None
        try:
            return _first_difference(connection, self.export)
        except QuantlabError as error:
            return Fault("against", str(error))


def read_witness(text: str, key: bytes | None) -> Witness:
    """Read what `--against` names: SEQUENCE:HASH, a kept head, an exported ledger, or an index export.

    Raises:
        ConfigError: it is none of these.
    """
    given = HEAD_PATTERN.match(text)
    try:
        if given:
            return Witness(
                told=f"the head {given[1]}:…", sequence=_sequence(given[1]), hash=given[2], key=key
            )
        return _read_file(Path(text), key)
    except _UNREADABLE as error:
        raise ConfigError(
            Setting("against", text),
            f": no head could be read from it ({_why(error)}); expected SEQUENCE:HASH, or a file that ",
            LEDGER_HEAD,
            ", ",
            EXPORT_LEDGER,
            " or ",
            INDEX,
            " wrote.",
        ) from error


_UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    OverflowError,
    RecursionError,
    csv.Error,
    msgspec.MsgspecError,
)
"""What files raise that anybody may have written."""


def _why(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"it names no {error}"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"{type(error).__name__}: {error}"


def _sequence(value: str | int) -> int:
    sequence = int(value)
    if not 0 <= sequence <= LARGEST_SEQUENCE:
        raise ValueError(f"its sequence is not between 0 and {LARGEST_SEQUENCE}")
    return sequence


def _read_file(file: Path, key: bytes | None) -> Witness:
    if file.suffix == ".md":
        raise ConfigError(
            Setting("against", file), ": a Markdown index holds no head; name the .csv or .json beside it."
        )
    with file.open("rb") as handle:
        first = handle.readline(LARGEST_DOCUMENT)
    if transfer.FORMAT.encode() in first:
        header = transfer.parse_header(first, str(file))
        said: JsonObject = msgspec.structs.asdict(header)
    else:
        said = _from_csv(file) if file.suffix == ".csv" else _from_document(file)
    for name in ("ledger_id", "signature"):
        if not isinstance(said.get(name), str | None):
            raise TypeError(f"its {name} is no text")
    return Witness(
        told=str(file),
        sequence=_sequence(said["sequence"]),
        hash=str(said["hash"]),
        ledger_id=said.get("ledger_id"),
        signature=said.get("signature"),
        key=key,
        export=file if "format" in said else None,
    )


def _from_csv(file: Path) -> JsonObject:
    with file.open(newline="", encoding="utf-8") as handle:
        row = next(csv.DictReader(handle), None)
    if row is None:
        raise ValueError("it has no rows")
    return _index_head(row)


def _from_document(file: Path) -> JsonObject:
    text = file.read_text(encoding="utf-8")
    if not text.lstrip().startswith("{"):
        pairs = (line.partition(":") for line in text.splitlines())
        return {name.strip(): value.strip() for name, _colon, value in pairs}
    document = json.loads(text)
    return document if "hash" in document else _index_head(document)


def _index_head(said: JsonObject) -> JsonObject:
    return {
        "sequence": said["ledger_sequence"],
        "hash": said["ledger_hash"],
        "ledger_id": said.get("ledger_id"),
    }


def _first_difference(connection: sa.Connection, file: Path) -> Fault | None:
    """Hold an exported ledger against the stored one, event by event."""
    with file.open("rb") as lines:
        header = transfer.parse_header(lines.readline(), str(file))
        stored = transfer.stored_hashes(connection)
        for recorded in transfer.parse_events(lines, header, str(file)):
            held = next(stored, None)
            if held is None:
                return None  # the tail is missing: the head shows it
            if held != (recorded.sequence, recorded.hash):
                what = f"sequence {recorded.sequence}: not what {file} holds there"
                return Fault("against", what, recorded.sequence)
    return None
