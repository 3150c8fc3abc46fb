"""What an event is: past tense, plain and frozen, stored as canonical JSON.

An event's payload is what it says; where it stands in the ledger (sequence, version, time, actor, hash) is the
envelope, `Recorded`, whose hash covers it and the one before. Payloads only ever gain optional fields; anything else
takes a new schema version.

A class of events says all about itself: its name, its kind, what it makes of its session, what of it a timeline shows,
and in the first line of its docstring what happened. Guards, views, timeline and docs are made from that.
"""

from __future__ import annotations

from abc import abstractmethod
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING, ClassVar

import msgspec

from quantlab.domain.vocabulary import DOUBTFUL_MINUTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quantlab.domain.session import Session

SCHEMA_VERSION = 1
GENESIS_HASH = "0" * 64
"""The hash before the first event of every ledger."""

SESSION, OPERATOR, IMPORT = "session", "operator", "import"
"""The actors: the session's own process, a person at a terminal, a folder from elsewhere."""


def long_before(at: str, other: str) -> bool:
    """Tell whether a stored time lies so far before another that clocks, which differ by seconds, can't explain it."""
    if at >= other:
        return False
    return datetime.fromisoformat(other) - datetime.fromisoformat(at) > timedelta(minutes=DOUBTFUL_MINUTES)


class Kind(StrEnum):
    """What an event is in the life of its session: its beginning, a step, its end, or a note, even after the end."""

    BIRTH = "birth"
    PROGRESS = "progress"
    END = "end"
    ANNOTATION = "annotation"


TYPES: dict[str, type[Event]] = {}
"""Every class of events by its name, in the order of their definition."""


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happened to a session.

    Attributes:
        name: The type, as the ledger has it.
        kind: What it is in the life of a session.
        line: The fields of its payload that a timeline shows as its message, joined by a colon.
        kept_for: An event that another of its type follows is passed over by a fold, for the next one sets every
            column that it sets; unless its payload has this text in it. None for types of which each one counts.
    """

    name: ClassVar[str]
    kind: ClassVar[Kind]
    line: ClassVar[tuple[str, ...]] = ()
    kept_for: ClassVar[str | None] = None

    def __init_subclass__(cls) -> None:
        """Take the class into `TYPES`."""
        TYPES[cls.name] = cls

    @abstractmethod
    def apply(self, session: Session, at: str) -> Session:
        """Return what the event makes of its session; a birth is given one that nothing is known of.

        Args:
            session: As it was before; it already knows its id and the event's place in the ledger.
            at: When it happened, as stored.
        """


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """An event where it stands in the ledger, in the columns of the table `events` and their order."""

    sequence: int
    session_id: str
    session_version: int
    type: str
    schema_version: int
    occurred_at: str
    actor: str
    payload: str
    previous_hash: str
    hash: str

    @property
    def event(self) -> Event:
        """The payload, typed."""
        return decode(self.type, self.payload)


_encoder = msgspec.json.Encoder(order="deterministic")
_decoders: dict[str, msgspec.json.Decoder[Event]] = {}


def encode(event: Event) -> str:
    """Return the payload as canonical JSON: fixed field order, sorted keys, no spaces, null for non-finite."""
    return _encoder.encode(event).decode()


def decode(name: str, payload: str) -> Event:
    """Read a payload back.

    Raises:
        KeyError: no event has that name.
        msgspec.ValidationError: the payload is not of that event's shape.
    """
    decoder = _decoders.get(name)
    if decoder is None:
        decoder = _decoders[name] = msgspec.json.Decoder(TYPES[name])
    return decoder.decode(payload)


def superseded(name: str, payload: str, next_name: str) -> bool:
    """Tell whether a session's next event sets every column anew that this one sets, without decoding either."""
    if name != next_name:
        return False
    kept_for = TYPES[name].kept_for if name in TYPES else None
    return kept_for is not None and kept_for not in payload


def event_hash(previous_hash: str, fields: Sequence[object]) -> str:
    """Return the SHA-256, in hex, that chains an event to the one before it.

    The text hashed is the previous hash and the stored columns from `sequence` to `payload`, joined by newlines. Only
    the payload, which comes last, may hold a newline, so that no two events share a text.
    """
    sequence, session_id, version, kind, schema_version, occurred_at, actor, payload = fields
    text = (
        f"{previous_hash}\n{sequence}\n{session_id}\n{version}\n{kind}\n"
        f"{schema_version}\n{occurred_at}\n{actor}\n{payload}"
    )
    return sha256(text.encode()).hexdigest()
