"""What a session asks of its ledger while it runs: where its prices come from, and what the time is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from quantlab.domain.events import Heartbeat, decode
from quantlab.domain.events.event import long_before
from quantlab.domain.names import SYNTHETIC
from quantlab.ledger.schema import events, paper_sessions

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from quantlab.base.values import JsonObject
    from quantlab.ledger.store import Store

UNRECORDED_DOWNLOAD = "unrecorded_download"
"""The doubt about prices of a cache entry that no session of the ledger downloaded: anybody can write such files."""

_made_up = (
    sa.select(sa.literal(1))
    # Literal, because a bound source would miss the partial index.
    .where(sa.text(f"price_source = '{SYNTHETIC}'"))
    .where(paper_sessions.c.data_hash == sa.bindparam("data_hash"))
    .limit(1)
)
_told_prices = (
    sa.select(events.c.payload)
    .where(events.c.session_id == sa.bindparam("session_id"))
    .where(events.c.type == Heartbeat.name)
    .where(events.c.payload.contains('"data":{'))
)
_last_time = sa.select(events.c.occurred_at).order_by(events.c.sequence.desc()).limit(1)


def made_up(connection: Connection, data_hash: str) -> bool:
    """Tell whether a synthetic session of the ledger had these very prices."""
    return connection.execute(_made_up, {"data_hash": data_hash}).first() is not None


def downloaded(connection: Connection, download: JsonObject) -> bool:
    """Tell whether the session that a cache entry names recorded that it downloaded just this entry.

    Args:
        connection: The ledger.
        download: The facts of a `Download`.
    """
    for payload in connection.execute(_told_prices, {"session_id": download["by"]}).scalars():
        beat = decode(Heartbeat.name, payload)
        data = beat.data if isinstance(beat, Heartbeat) else None
        if data is not None and data.get("from_cache") is False and data.get("download") == download:
            return True
    return False


def with_provenance(store: Store, facts: JsonObject) -> JsonObject:
    """Return facts of prices with what the ledger knows of where they come from.

    Prices that a synthetic session had are `made_up`; those of a cache entry that no session of the ledger downloaded
    are doubtful.
    """
    if facts.get("source") == SYNTHETIC:
        return facts
    with store.read() as connection:
        if made_up(connection, str(facts["hash"])):
            facts = facts | {"made_up": True}
        if facts.get("from_cache") and not downloaded(connection, facts["download"]):
            facts = facts | {"doubts": [*facts["doubts"], UNRECORDED_DOWNLOAD]}
    return facts


def later_than(store: Store, at: str) -> str | None:
    """Return when the ledger's last event happened, where it lies minutes after a stored time; else None."""
    with store.read() as connection:
        last = connection.execute(_last_time).scalar()
    return str(last) if last is not None and long_before(at, last) else None
