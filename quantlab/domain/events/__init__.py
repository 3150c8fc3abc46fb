"""The facts that a ledger holds. A new event is a class in one of these modules; everything else is made from it."""

from __future__ import annotations

from quantlab.domain.events.births import Adopted, Started
from quantlab.domain.events.ends import Aborted, Failed, Succeeded
from quantlab.domain.events.event import (
    GENESIS_HASH,
    IMPORT,
    OPERATOR,
    SCHEMA_VERSION,
    SESSION,
    TYPES,
    Event,
    Kind,
    Recorded,
    decode,
    encode,
    superseded,
)
from quantlab.domain.events.forward import Bar, Resumed, Revised
from quantlab.domain.events.notes import Amended, Found, Proved, Resolved, Vanished
from quantlab.domain.events.progress import Heartbeat, tells_prices

__all__ = [
    "ANNOTATIONS",
    "BIRTHS",
    "ENDS",
    "GENESIS_HASH",
    "IMPORT",
    "OPERATOR",
    "PROGRESS",
    "SCHEMA_VERSION",
    "SESSION",
    "TYPES",
    "Aborted",
    "Adopted",
    "Amended",
    "Bar",
    "Event",
    "Failed",
    "Found",
    "Heartbeat",
    "Kind",
    "Proved",
    "Recorded",
    "Resolved",
    "Resumed",
    "Revised",
    "Started",
    "Succeeded",
    "Vanished",
    "decode",
    "encode",
    "superseded",
    "tells_prices",
]


def of_kind(kind: Kind) -> tuple[str, ...]:
    """Return the names of the events of a kind, in the order of their definition."""
    return tuple(name for name, event in TYPES.items() if event.kind is kind)


BIRTHS, PROGRESS = of_kind(Kind.BIRTH), of_kind(Kind.PROGRESS)
ENDS, ANNOTATIONS = of_kind(Kind.END), of_kind(Kind.ANNOTATION)
