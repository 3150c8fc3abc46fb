"""What promotion says of a session at the moment of its end, before the ledger has its row.

The checks are SQL over a row (`domain.promotion`), and the report that tells the verdict has to be written before its
own digest can be recorded. So they are asked of a row that stands in memory: what they say is written once.
"""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from quantlab.base.clock import iso
from quantlab.domain.promotion import blockers_sql, cautions_sql, ready_sql, searched_sql
from quantlab.domain.session import NAMES
from quantlab.domain.vocabulary import DOUBTFUL_MINUTES
from quantlab.ledger.sqlite.opening import open_in_memory

if TYPE_CHECKING:
    from datetime import datetime

    from quantlab.base.values import JsonObject
    from quantlab.domain.session import Session
    from quantlab.ledger.store import Store

_SEARCHED = sa.text(f"SELECT {searched_sql()} FROM paper_sessions WHERE session_id = :session_id")


def verdict(store: Store, session: Session, *, now: datetime) -> JsonObject:
    """Return `ready`, `blockers`, `cautions` and `searched_configurations` of a session.

    Args:
        store: The ledger, which knows what else was tried on these bars.
        session: As its end will make it.
        now: The time of the call; aware.
    """
    soon = iso(now + timedelta(minutes=DOUBTFUL_MINUTES))
    with store.read() as connection:
        searched = connection.execute(_SEARCHED, {"session_id": session.session_id}).scalar()
    row: JsonObject = {
        **{name: getattr(session, name) for name in NAMES},
        "searched_configurations": searched,
    }
    columns = ", ".join(f":{name} AS {name}" for name in row)
    asked = f"SELECT {ready_sql()}, {blockers_sql()}, {cautions_sql(':soon')} FROM (SELECT {columns}) AS row"
    with closing(open_in_memory()) as memory:
        ready, blockers, cautions = memory.execute(asked, {**row, "soon": soon}).fetchone()
    return {
        "ready": bool(ready),
        "blockers": blockers.split(),
        "cautions": cautions.split(),
        "searched_configurations": searched,
    }
