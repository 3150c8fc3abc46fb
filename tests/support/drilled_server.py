"""A PostgreSQL server of a test module's own, which its tests may stop, and a ledger on it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from quantlab.ledger.location import Location, locate
from support.postgres_server import NoServerError, own_schema, start_own

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.postgres_server import PostgresServer


@contextmanager
def own_server() -> Iterator[PostgresServer]:
    """Start a server and remove it in the end; skips where there is none to start."""
    try:
        server = start_own()
    except NoServerError as error:
        pytest.skip(str(error))
    yield server
    server.remove()


def running(server: PostgresServer) -> PostgresServer:
    """Return a server that runs, also after a test that left it stopped."""
    if server._process is None:
        server.start()
    return server


@contextmanager
def own_location(server: PostgresServer) -> Iterator[Location]:
    """Name an empty ledger's place on a server; it is removed in the end, and for that the server runs again."""
    with own_schema(server.url()) as url:
        yield locate(None, url)
        running(server)
