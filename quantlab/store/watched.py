"""Connections that don't wait for ever: a frozen server keeps them open and never answers.

Neither the server's own timeouts nor TCP's tell of that, so the client counts the seconds of every statement itself.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import psycopg
import sqlalchemy as sa

if TYPE_CHECKING:
    from psycopg.abc import PQGen

    from quantlab.store.patience import Patience, Waiting


def watch(engine: sa.Engine, waiting: Waiting) -> None:
    """Have every connection that an engine makes count the seconds of its statements, and make none in vain."""
    # What the driver warns of, a statement that could not be cancelled, is told by our own error.
    logging.getLogger("psycopg").setLevel(logging.ERROR)

    class Watched(psycopg.Connection[Any]):
        def wait(self, gen: PQGen[Any], *arguments: Any, **named: Any) -> Any:
            return super().wait(_watched(self, gen, waiting.patience()), *arguments, **named)

    @sa.event.listens_for(engine, "do_connect")
    def connect(_dialect: object, _record: object, arguments: Any, named: dict[str, Any]) -> Watched:
        left = waiting.patience().left
        if left <= 0:
            raise psycopg.OperationalError("no answer")
        timeout = named.get("connect_timeout")
        if isinstance(timeout, int):  # one in the URL is text, and is the operator's own
            named = named | {"connect_timeout": max(1, round(min(timeout, left)))}
        return Watched.connect(*arguments, **named)


def _watched(connection: psycopg.Connection[Any], steps: PQGen[Any], patience: Patience) -> PQGen[Any]:
    """Pass a statement's steps on; whoever waits for them looks in ten times a second while nothing comes."""
    began = time.monotonic()
    try:
        wanted = next(steps)
        while True:
            ready = yield wanted
            if not ready:
                _bear(connection, patience, time.monotonic() - began)
            wanted = steps.send(ready)
    except StopIteration as done:
        return done.value


def _bear(connection: psycopg.Connection[Any], patience: Patience, seconds: float) -> None:
    try:
        patience.hear_of_silence(seconds)
    except TimeoutError as over:
        connection.close()  # what the server still answers would be taken for the next statement's answer
        raise psycopg.OperationalError(str(over)) from over
