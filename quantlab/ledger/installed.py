"""Which definitions a database holds, beside those that a fresh ledger has: a text for each, equal where they are.

SQLite keeps our own texts. PostgreSQL keeps what it made of them, so a trigger is compared by all that its text says, a
function by its body and settings, and tables, indexes and views by what the server makes of today's text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from quantlab.ledger import definitions
from quantlab.ledger.postgres import definitions as on_server

if TYPE_CHECKING:
    from quantlab.ledger.postgres.definitions import Made

TOLD = {"index": "the index ", "table": "the table "}
"""How a kind is named for people; triggers, views and functions go by their own names."""


def fresh() -> dict[str, str]:
    """Return the definitions of a ledger that the migrations make in memory, as `definitions.of_rows` has them."""
    from quantlab.ledger import migrate

    with sa.create_engine("sqlite://").begin() as connection:
        migrate.run_alembic(connection)
        return _stored(connection)


def made(connection: sa.Connection) -> Made | None:
    """Return what a server makes of today's texts; None where it lets us make none to see.

    Args:
        connection: In a transaction that has asked nothing yet, and that will be rolled back.
    """
    return None if connection.dialect.name == "sqlite" else on_server.made(connection)


def faults(connection: sa.Connection, made_there: Made | None) -> list[str]:
    """Tell which definitions are missing, altered, or none of ours.

    Args:
        connection: Holds the snapshot.
        made_there: What `made` returned; where that is None, a server's tables, indexes and views are looked for by
            name only.
    """
    if connection.dialect.name == "sqlite":
        return _compared(_expected(connection), _stored(connection))
    expected, found = on_server.expected(made_there), on_server.found(connection, made_there)
    return [*_compared(expected, found), *on_server.beside(connection)]


def altered_indexes(connection: sa.Connection, made_there: Made | None) -> set[str]:
    """Name the indexes that are there and are not as they should be."""
    if connection.dialect.name == "sqlite":
        expected, stored = _expected(connection), _stored(connection)
    else:
        expected, stored = on_server.expected(made_there), on_server.found(connection, made_there)
    return {
        name
        for name, text in stored.items()
        if text.startswith("index ") and text != expected.get(name) and not name.startswith("sqlite_")
    }


def _stored(connection: sa.Connection) -> dict[str, str]:
    rows = connection.exec_driver_sql(definitions.STORED).all()
    return definitions.of_rows((kind, name, table, sql) for kind, name, table, sql in rows)


def _expected(connection: sa.Connection) -> dict[str, str]:
    """Return a fresh ledger's definitions; where the stored ones are those already, they are it."""
    stored = _stored(connection)
    return stored if stored == definitions.known() else fresh()


def _compared(expected: dict[str, str], found: dict[str, str]) -> list[str]:
    told = []
    for name in sorted(expected.keys() | found.keys()):
        shown = TOLD.get((expected.get(name) or found[name]).split(" ", 1)[0], "") + name
        if name not in found:
            told.append(f"{shown} is missing")
        elif name not in expected:
            told.append(f"{shown} is none of ours")
        elif expected[name] != found[name]:
            told.append(f"{shown} was altered")
    return told
