"""Poolers between program and server (pgbouncer, Supabase, Neon): recognised, and worked with.

A pooler in transaction mode lends a server's connection for one transaction. So nothing may be set for a connection
(it would stay with the next one who gets it), no statement may be prepared under a name, and most poolers refuse, or
pass over, the settings that a connection begins with. Behind one, every transaction sets its own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from collections.abc import Callable

    import sqlalchemy as sa

_MARK = "quantlab.direct"
"""A setting of our own: where a new connection does not know it, somebody between has passed over the settings."""
_REFUSED = "unsupported startup parameter"
_OPTION = re.compile(r"(?:-c\s*|--)([A-Za-z][\w.\-]*)=((?:\\.|[^\s\\])*)")


def connect_either_way(
    connect: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any], *, pooled: bool
) -> tuple[Any, str | None]:
    """Connect with our settings where they get through, and without them where a pooler stands between.

    Args:
        connect: The driver's own.
        arguments: Its arguments.
        named: Its arguments by name, `options` with the settings among them.
        pooled: Whether the URL says that there is a pooler (`?pgbouncer=true`).

    Returns:
        The connection; and what each of its transactions has to begin with, None where nothing.
    """
    options = str(named.get("options", ""))
    if not pooled:
        try:
            connection = connect(*arguments, **named | {"options": f"{options} -c {_MARK}=yes".strip()})
        except psycopg.OperationalError as error:
            if _REFUSED not in str(error):
                raise
        else:
            if _is_direct(connection):
                return connection, None
            connection.prepare_threshold = None
            return connection, _of_transaction(options)
    without = {name: value for name, value in named.items() if name != "options"}
    connection = connect(*arguments, **without)
    connection.prepare_threshold = None
    return connection, _of_transaction(options)


def set_in_transactions(engine: sa.Engine, settings_of: Callable[[Any], str | None]) -> None:
    """Begin every transaction of an engine with what its connection needs."""
    from sqlalchemy import event

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        settings = settings_of(connection.connection.driver_connection)
        if settings:
            connection.exec_driver_sql(settings.replace("%", "%%"))


def _is_direct(connection: psycopg.Connection) -> bool:
    row = connection.execute(f"SELECT current_setting('{_MARK}', true)".encode(), prepare=False).fetchone()
    connection.rollback()
    return row is not None and row[0] == "yes"


def _of_transaction(options: str) -> str:
    """Return what libpq's `options` say as statements for one transaction; the last of a name wins, as there."""
    pairs = {
        name.replace("-", "_"): re.sub(r"\\(.)", r"\1", value) for name, value in _OPTION.findall(options)
    }
    return "; ".join(f"SET LOCAL {name} TO {_literal(name, value)}" for name, value in pairs.items())


def _literal(name: str, value: str) -> str:
    parts = [part.strip().strip('"') for part in value.split(",")] if name == "search_path" else [value]
    return ", ".join("'" + part.replace("'", "''") + "'" for part in parts)
