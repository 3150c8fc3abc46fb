"""Make a ledger, or bring an older one to this program's schema; from a checkout or from an installed wheel.

Alembic is imported only when there is something to migrate: its import costs more than a query.
"""

from __future__ import annotations

import logging
import os
import secrets
import sqlite3
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

import sqlalchemy as sa

from quantlab.base.errors import LedgerDamagedError, LedgerError
from quantlab.base.files import remove_abandoned
from quantlab.base.remedies import INDEX, RESTORE
from quantlab.ledger.advice import newer, no_ledger_on_server, older
from quantlab.ledger.location import Location
from quantlab.ledger.placing import (
    copy_database,
    log_of,
    make_empty,
    put_in_place,
    remove_with_side_files,
    use_wal,
)
from quantlab.ledger.postgres import connections
from quantlab.ledger.revision import HEAD_REVISION, migrations_folder
from quantlab.ledger.sqlite.locks import file_lock, write_lock
from quantlab.ledger.sqlite.opening import open_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from alembic.config import Config

logger = logging.getLogger(__name__)

MIGRATION_LOCK = 7_311_002_022
"""Key of the PostgreSQL advisory lock under which a ledger is made or upgraded."""


def prepare(location: Location, *, create: bool, upgrade: bool = True) -> None:
    """See to it that there is a ledger of this program's schema at the location.

    Raises:
        LedgerError: there is none and `create` is False, it is no ledger, it is newer than this program,
            or older and `upgrade` is False.
    """
    if location.file is None:
        _prepare_server(location, create=create, upgrade=upgrade)
    elif location.file.exists():
        _prepare_file(location, location.file, upgrade=upgrade)
    elif create:
        create_file(location.file)
    else:
        raise LedgerError(
            f"There is no ledger at {location}; run a session, or ", INDEX.of("ROOT"), " first."
        )


def revision_of(connection: sqlite3.Connection) -> str | None:
    """Return the schema revision of an open SQLite file; None where it holds no ledger."""
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return None
        raise
    return str(row[0]) if row else None


def revision_of_file(file: Path) -> str | None:
    """Return the schema revision of a SQLite file; None where it holds no ledger."""
    if file.stat().st_size == 0:
        return None  # SQLite would delete the log beside an empty file
    connection = open_file(file)
    try:
        return revision_of(connection)
    finally:
        connection.close()


def _prepare_file(location: Location, file: Path, *, upgrade: bool) -> None:
    revision = revision_of_file(file)
    if revision == HEAD_REVISION:
        return
    if revision is None:
        raise LedgerDamagedError(
            f"{file} is no QuantLab ledger ({file.stat().st_size} bytes, no schema). Nothing was changed; "
            "restore a backup with ",
            RESTORE,
            ", or move the file away and run ",
            INDEX.of("ROOT"),
            " to adopt the session folders anew.",
        )
    _require_known(revision, file)
    if not upgrade:
        raise older(file, revision, HEAD_REVISION)
    _upgrade_file(location, file)


def _require_known(revision: str, where: Path | Location) -> None:
    if revision > HEAD_REVISION:
        raise newer(where, revision, HEAD_REVISION)


def _upgrade_file(location: Location, file: Path) -> None:
    with write_lock(location):
        # Another process may have upgraded it meanwhile: a copy made now would no longer be the older ledger.
        revision = revision_of_file(file)
        if revision is None or revision == HEAD_REVISION:
            return
        before = file.with_name(f"{file.name}.before-{HEAD_REVISION}-from-{revision}")
        logger.warning(
            "Upgrading the ledger %s to schema %s; as it is now it is kept as %s.",
            file,
            HEAD_REVISION,
            before.name,
        )
        copy_database(file, before)
        _migrate_sqlite(file)


def upgrade_copy(file: Path) -> None:
    """Upgrade a ledger's copy that nobody else has open, with no backup; a file that is no ledger stays as it is."""
    revision = revision_of_file(file)
    if revision is not None and revision < HEAD_REVISION:
        _migrate_sqlite(file)


def create_file(file: Path, fill: Callable[[Path], None] | None = None) -> None:
    """Make the ledger aside and link it into place: of many that start at once one wins, and all find a whole one.

    Args:
        file: Its place.
        fill: Migrates the empty file aside; by default through Alembic's own API.
    """
    aside = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        make_empty(aside)
        remove_abandoned(aside, file)
        (fill or _migrate_sqlite)(aside)
        use_wal(aside)
        with file_lock(file.with_name(f"{file.name}.lock")) if log_of(file).exists() else nullcontext():
            put_in_place(aside, file)
    except OSError as error:
        raise LedgerError(
            f"The ledger {file} could not be made ({error.strerror or error}); "
            "check that its folder exists and can be written."
        ) from error
    finally:
        # Where nothing could be made there is nothing to remove, and why is told already.
        with suppress(OSError):
            remove_with_side_files(aside)


def migration_engine(location: Location) -> sa.Engine:
    """Return an engine whose transactions lock the ledger from their beginning, one connection a transaction."""
    file = location.file
    if file is None:
        return connections.create_engine(location, poolclass=sa.NullPool)
    engine = sa.create_engine("sqlite://", creator=lambda: open_file(file), poolclass=sa.NullPool)
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def _migrate_sqlite(file: Path) -> None:
    with migration_engine(Location(root=None, file=file)).begin() as connection:
        run_alembic(connection)


def _prepare_server(location: Location, *, create: bool, upgrade: bool) -> None:
    with migration_engine(location).begin() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        revision = _server_revision(connection)
        if revision == HEAD_REVISION:
            return
        if revision is None and not create:
            raise no_ledger_on_server(location)
        if revision is None:
            connections.require_utf8(connection, location)
        else:
            _require_known(revision, location)
            if not upgrade:
                raise older(location, revision, HEAD_REVISION)
            connections.lock_out(connection)
        run_alembic(connection)


def _server_revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    revision = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return None if revision is None else str(revision)


def run_alembic(connection: sa.Connection) -> None:
    """Bring a database to the newest migration, in the caller's transaction."""
    from alembic import command

    command.upgrade(_config(connection), "head")


def _config(connection: sa.Connection) -> Config:
    from alembic.config import Config as AlembicConfig

    config = AlembicConfig()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
