"""`guards.sql`: what the database itself refuses, whoever connects, and how it says so.

Guards are dropped and made anew after every migration, so that there is one text of each, there. Every message begins
with `PREFIX`, by which the engine tells a guard's refusal from any other database error.
"""

from __future__ import annotations

from functools import cache

from quantlab.domain.events import ANNOTATIONS, BIRTHS, ENDS, PROGRESS
from quantlab.ledger.sql import texts
from quantlab.ledger.sql.dialects import POSTGRES_PAYLOAD

FILE = "guards.sql"
PREFIX = "quantlab: "
OUT_OF_SEQUENCE = "quantlab: an event must take the next sequence of the ledger"
WRONG_PREVIOUS = "quantlab: previous_hash must be the hash of the head"
OUT_OF_VERSION = "quantlab: an event must take the next version of its session"
WRONG_BIRTH = f"quantlab: a session begins once, with {' or '.join(BIRTHS)}"
ENDED = "quantlab: the session has ended; only annotations may follow"
UNKNOWN_TYPE = "quantlab: unknown event type"
APPEND_ONLY = "quantlab: events are append-only"
HEAD_MOVES_BY_EVENTS = "quantlab: the head moves with the events alone"


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"'{name}'" for name in names)


ENDS_A_SESSION = f"type <> 'heartbeat' AND type IN ({_listed(ENDS)})"
"""Which events end a session, as SQL, as its index has it: a heartbeat, as most events are, is passed at one word."""


@cache
def of_sqlite() -> tuple[str, ...]:
    """Return the statements that make SQLite's guards."""
    return tuple(texts.statements(f"sqlite/{FILE}", parts(sqlite=True)).values())


@cache
def of_postgres() -> tuple[str, ...]:
    """Return the statements that make PostgreSQL's guards: functions, then triggers; `pinning` goes with them."""
    return tuple(text for name, text in _postgres().items() if name)


def pinning() -> str:
    """Return the statement that ties the functions to their schema."""
    return _postgres()[""]


def parts(*, sqlite: bool) -> dict[str, str]:
    """Return what the domain gives to an engine's file, by the name of each part."""
    both = {
        "out_of_sequence": OUT_OF_SEQUENCE,
        "wrong_previous": WRONG_PREVIOUS,
        "out_of_version": OUT_OF_VERSION,
        "wrong_birth": WRONG_BIRTH,
        "ended": ENDED,
        "unknown_type": UNKNOWN_TYPE,
        "append_only": APPEND_ONLY,
        "head_moves_by_events": HEAD_MOVES_BY_EVENTS,
        "events": _listed((*BIRTHS, *PROGRESS, *ENDS, *ANNOTATIONS)),
        "births": _listed(BIRTHS),
        "annotations": _listed(ANNOTATIONS),
        "ends_a_session": ENDS_A_SESSION,
    }
    if sqlite:
        return both | {"before_an_end": _listed(("started", *PROGRESS))}
    return both | {"payload": POSTGRES_PAYLOAD}


def _postgres() -> dict[str, str]:
    return texts.statements(f"postgres/{FILE}", parts(sqlite=False))
