"""Who holds what a statement waits for on a server, as far as the server says."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import psycopg

from quantlab.base.text import printable

if TYPE_CHECKING:
    from quantlab.ledger.location import Location

logger = logging.getLogger(__name__)

TOLD_AFTER_SECONDS = 2.0
"""For so long whoever waits for a lock says nothing."""

# A pooler hands out process numbers of its own: where ours is none of the server's, whoever waits of ours is meant.
_WHO = """\
SELECT DISTINCT holder.pid, holder.usename, holder.application_name, host(holder.client_addr), holder.state,
  floor(extract(epoch FROM clock_timestamp() - holder.xact_start))::int
FROM pg_stat_activity AS waiting CROSS JOIN LATERAL unnest(pg_blocking_pids(waiting.pid)) AS blocking
JOIN pg_stat_activity AS holder ON holder.pid = blocking
WHERE waiting.wait_event_type = 'Lock' AND waiting.datname = current_database()
  AND (waiting.pid = %(pid)s OR NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = %(pid)s))
LIMIT 3"""


def tell(location: Location, connection: psycopg.Connection) -> None:
    """Say who holds what this connection waits for, once the server has told; the wait itself goes on meanwhile."""
    info = connection.info
    parameters = info.get_parameters() | {"connect_timeout": 2}
    threading.Thread(
        target=_tell, args=(location, info.backend_pid, parameters, info.password), daemon=True
    ).start()


def _tell(location: Location, pid: int, parameters: dict[str, Any], password: str) -> None:
    try:
        with psycopg.connect(
            **parameters, password=password, autocommit=True, prepare_threshold=None
        ) as server:
            holders = server.execute(_WHO, {"pid": pid}).fetchall()
    except psycopg.Error:
        return  # a server that does not answer is told of as such
    if holders:
        names = " and ".join(_named(*one) for one in holders)
        logger.warning("The ledger %s is held by %s. Waiting.", location, names)


def _named(
    pid: int, user: str | None, program: str | None, address: str | None, state: str | None, age: int | None
) -> str:
    """Name a holder by what its server shows to this role: the number always, the rest perhaps."""
    facts = [
        f"user {user}" if user else "",
        program or "",
        f"from {address}" if address else "",
        f"{state or 'in a transaction'} for {age} s" if age is not None else state or "",
    ]
    told = ", ".join(fact for fact in facts if fact)
    return printable(f"server process {pid}" + (f" ({told})" if told else ""))
