"""Alembic's way in: over the program's own connection, or over the ledger that a maintainer names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic import context

from quantlab.ledger import making, migrate
from quantlab.ledger.location import Location, locate
from quantlab.ledger.schema import metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection


def run(connection: Connection) -> None:
    """Migrate within one transaction; guards, views and the projection are made anew at its end."""
    context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()
        making.rebuild(connection)


def run_by_hand() -> None:
    """Serve `alembic upgrade head` from a checkout."""
    url = os.environ.get("QUANTLAB_LEDGER") or context.config.get_main_option("sqlalchemy.url")
    location = locate(None, url)
    if location.file is not None and not location.file.exists():
        location.file.parent.mkdir(parents=True, exist_ok=True)
        # Not through the program's own way: Alembic's context can't be entered from within itself.
        migrate.create_file(location.file, lambda aside: migrate_at(Location(root=None, file=aside)))
    else:
        migrate_at(location)


def migrate_at(location: Location) -> None:
    """Migrate a ledger that exists, under its lock."""
    with migrate.migration_engine(location).begin() as connection:
        run(connection)


if context.is_offline_mode():
    raise SystemExit(
        "Offline SQL is not offered: guards and views depend on the database; run against a ledger."
    )
given = context.config.attributes.get("connection")
if isinstance(given, sa.Connection):
    run(given)
else:
    run_by_hand()
