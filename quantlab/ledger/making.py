"""Make what a ledger is made of, in an open transaction: guards, views, indexes, the head, and the projection anew.

Migrations end with it, and a rebuild and a root that is adopted into memory ask for parts of it.
"""

from __future__ import annotations

import logging
import time
import uuid
from typing import TYPE_CHECKING

import sqlalchemy as sa

from quantlab.base.errors import LedgerDamagedError
from quantlab.base.levels import PROGRESS
from quantlab.base.remedies import RESTORE
from quantlab.domain.events import GENESIS_HASH
from quantlab.ledger import installed, projection
from quantlab.ledger.postgres import connections, grants
from quantlab.ledger.schema import ledger_head, metadata, paper_sessions, session_trials
from quantlab.ledger.sql import guards, views

if TYPE_CHECKING:
    from collections.abc import Callable

    from quantlab.ledger.postgres.definitions import Made

logger = logging.getLogger(__name__)


def rebuild(connection: sa.Connection) -> None:
    """Drop guards, views and the projection, make today's, and fill them from the events; each migration ends so.

    Raises:
        LedgerDamagedError: the events hold what no session can have.
    """
    granted = drop_guards_and_views(connection)
    if connection.dialect.name == "sqlite":
        paper_sessions.drop(connection)  # its stored generated column can't be altered
        paper_sessions.create(connection)
    else:
        _alter_projection(connection)
    session_trials.create(connection, checkfirst=True)
    make_guards_and_views(connection, granted)
    try:
        projection.rebuild(connection, _tell_sessions())
    except projection.UNFOLDABLE as error:
        raise LedgerDamagedError(
            f"The ledger holds an event that says what none can ({type(error).__name__}: {error}), so it can't be "
            "upgraded. Nothing was changed; ",
            RESTORE,
            " brings a backup back.",
        ) from error


def _alter_projection(connection: sa.Connection) -> None:
    """Give a server's table today's columns: it may have rights, and views of others, that dropping it would take."""
    connection.execute(sa.delete(paper_sessions))
    there = {column["name"] for column in sa.inspect(connection).get_columns(paper_sessions.name)}
    for column in paper_sessions.columns:
        if column.computed is not None and column.name in there:
            connection.exec_driver_sql(f"ALTER TABLE {paper_sessions.name} DROP COLUMN {column.name}")
        if column.computed is not None or column.name not in there:
            declared = sa.schema.CreateColumn(column).compile(dialect=connection.dialect)
            connection.exec_driver_sql(f"ALTER TABLE {paper_sessions.name} ADD COLUMN {declared}")
        else:
            default = getattr(column.server_default, "arg", None)
            set_to = "DROP DEFAULT" if default is None else f"SET DEFAULT {default}"
            connection.exec_driver_sql(
                f"ALTER TABLE {paper_sessions.name} ALTER COLUMN {column.name} {set_to}"
            )
    for name in {index.name for index in paper_sessions.indexes}:
        connection.exec_driver_sql(
            f'DROP INDEX IF EXISTS "{name}"'
        )  # one of that name may be over other columns
    for index in lost_indexes(connection):
        index.create(connection)


def _tell_sessions() -> Callable[[int], None]:
    """Return what says how many sessions were made, once a second."""
    said_at = time.monotonic()

    def tell(sessions: int) -> None:
        nonlocal said_at
        if time.monotonic() - said_at >= 1.0:
            said_at = time.monotonic()
            logger.log(PROGRESS, "Upgrading the ledger: %s sessions made anew.", f"{sessions:,}")

    return tell


def rebuild_guards_and_views(connection: sa.Connection) -> None:
    """Drop every trigger and view and make today's anew."""
    make_guards_and_views(connection, drop_guards_and_views(connection))


def drop_guards_and_views(connection: sa.Connection) -> list[str]:
    """Drop every trigger and view that is ours; returns the statements that give again what was granted."""
    if connection.dialect.name == "sqlite":
        _drop_sqlite(connection)
        return []
    granted = grants.given(connection)
    _drop_postgres(connection)
    return granted


def make_guards_and_views(connection: sa.Connection, granted: list[str]) -> None:
    """Make today's triggers and views, where there are none, and give again what was granted."""
    is_sqlite = connection.dialect.name == "sqlite"
    if is_sqlite:
        statements = (*guards.of_sqlite(), *views.of(sqlite=True).values())
    else:
        # Pinned last: a function that is made over one that is there keeps none of its settings.
        statements = (*guards.of_postgres(), *views.of(sqlite=False).values(), guards.pinning(), *granted)
    for statement in statements:
        # psycopg reads a lone percent sign as a placeholder, such as the one in %ROWTYPE.
        connection.exec_driver_sql(statement if is_sqlite else statement.replace("%", "%%"))


def rebuild_guards(connection: sa.Connection, made: Made | None) -> None:
    """Make triggers, views, and indexes that are lost or altered, anew in a ledger that others may be reading.

    Args:
        connection: Holds the transaction.
        made: What `installed.made` returned.
    """
    if connection.dialect.name == "sqlite":
        _rebuild_guards(connection, made)
        return
    connections.lock_out(connection)
    connections.lock_in_short_tries(connection, lambda: _rebuild_guards(connection, made))


def _rebuild_guards(connection: sa.Connection, made: Made | None) -> None:
    rebuild_guards_and_views(connection)
    for name in installed.altered_indexes(connection, made):
        connection.exec_driver_sql(f'DROP INDEX "{name}"')
    for index in lost_indexes(connection):
        index.create(connection)


def lost_indexes(connection: sa.Connection) -> list[sa.Index]:
    """Return the indexes that a ledger should have and lacks; one of them keeps sessions from ending twice."""
    there = sa.inspect(connection).get_multi_indexes()
    names = {index["name"] for indexes in there.values() for index in indexes}
    return [index for table in metadata.tables.values() for index in table.indexes if index.name not in names]


def seed_head(connection: sa.Connection) -> None:
    """Give a new ledger its identity and its empty head."""
    connection.execute(
        sa.insert(ledger_head).values(id=1, ledger_id=uuid.uuid4().hex, sequence=0, hash=GENESIS_HASH)
    )


def _drop_sqlite(connection: sa.Connection) -> None:
    found = connection.exec_driver_sql(
        "SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'view') ORDER BY type, name"
    ).all()
    for kind, name in found:
        connection.exec_driver_sql(f'DROP {kind} "{name}"')


def _drop_postgres(connection: sa.Connection) -> None:
    names = connection.exec_driver_sql(
        "SELECT viewname FROM pg_views WHERE schemaname = current_schema()"
    ).scalars()
    for name in views.of(sqlite=False).keys() & set(names):
        connection.exec_driver_sql(f'DROP VIEW IF EXISTS "{name}" CASCADE')
    triggers = connection.exec_driver_sql(
        "SELECT tgname, relname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid"
        " WHERE NOT tgisinternal AND relnamespace = current_schema()::regnamespace"
    ).all()
    # A schema may hold tables and views of others, which are none of our business.
    for name, table in triggers:
        if table in metadata.tables:
            connection.exec_driver_sql(f'DROP TRIGGER "{name}" ON "{table}"')
