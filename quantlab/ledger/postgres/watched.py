"""Connections that don't wait for ever: a frozen server keeps them open and never answers.

Neither the server's own timeouts nor TCP's tell of that, so the client counts the seconds of every statement itself.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import psycopg
import sqlalchemy as sa

from quantlab.ledger.postgres import holders, pooling

if TYPE_CHECKING:
    from psycopg.abc import PQGen

    from quantlab.ledger.postgres.patience import Patience, Waiting


def watch(engine: sa.Engine, waiting: Waiting, *, pooled: bool = False) -> None:
    """Have every connection that an engine makes count the seconds of its statements, and make none in vain.

    Args:
        engine: Makes the connections.
        waiting: For how long they wait.
        pooled: Whether the URL says that a pooler stands between.
    """
    # What the driver warns of, a statement that could not be cancelled, is told by our own error.
    logging.getLogger("psycopg").setLevel(logging.ERROR)

    class Watched(psycopg.Connection):
        begins_with: str | None = None
        """What each of its transactions begins with, behind a pooler."""

        def wait(self, gen: PQGen[Any], *arguments: Any, **named: Any) -> Any:
            return super().wait(_watched(self, gen, waiting), *arguments, **named)

    @sa.event.listens_for(engine, "do_connect")
    def connect(_dialect: object, _record: object, arguments: Any, named: dict[str, Any]) -> Watched:
        left = waiting.patience().left
        if left <= 0:
            raise psycopg.OperationalError("no answer")
        timeout = named.get("connect_timeout")
        if isinstance(timeout, int):  # one in the URL is text, and is the operator's own
            named = named | {"connect_timeout": max(1, round(min(timeout, left)))}
        made, settings = pooling.connect_either_way(Watched.connect, arguments, named, pooled=pooled)
        connection: Watched = made
        connection.begins_with = settings
        return connection

    pooling.set_in_transactions(engine, lambda driver: getattr(driver, "begins_with", None))


def _watched(connection: psycopg.Connection, steps: PQGen[Any], waiting: Waiting) -> PQGen[Any]:
    """Pass a statement's steps on; whoever waits for them looks in ten times a second while nothing comes."""
    patience = waiting.patience()
    began = time.monotonic()
    asked = False
    try:
        wanted = next(steps)
        while True:
            ready = yield wanted
            if not ready:
                seconds = time.monotonic() - began
                if not asked and seconds >= holders.TOLD_AFTER_SECONDS:
                    asked = True
                    holders.tell(waiting.location, connection)
                _check_timeout(connection, patience, seconds)
            wanted = steps.send(ready)
    except StopIteration as done:
        return done.value


def _check_timeout(connection: psycopg.Connection, patience: Patience, seconds: float) -> None:
    try:
        patience.check_timeout(seconds)
    except TimeoutError as over:
        connection.close()  # what the server still answers would be taken for the next statement's answer
        raise psycopg.OperationalError(str(over)) from over
