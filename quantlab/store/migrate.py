"""Make a ledger, or bring an older one to this program's schema; from a checkout or from an installed wheel.

Alembic is imported only when there is something to migrate: its import costs more than a query.
"""

from __future__ import annotations

import logging
import os
import secrets
import sqlite3
import uuid
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from quantlab.errors import LedgerDamagedError, LedgerError
from quantlab.events import GENESIS_HASH
from quantlab.store import guards, postgres, views
from quantlab.store.advice import BUSY_TIMEOUT_SECONDS
from quantlab.store.location import Location, sqlite_uri
from quantlab.store.lock import file_lock, write_lock
from quantlab.store.placing import (
    copy_database,
    log_of,
    make_empty,
    put_in_place,
    remove_with_side_files,
    use_wal,
)
from quantlab.store.reader import no_ledger_on_server
from quantlab.store.revision import HEAD_REVISION
from quantlab.store.schema import ledger_head, metadata

if TYPE_CHECKING:
    from collections.abc import Callable

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
            f"There is no ledger at {location}; run a session, or 'quantlab paper-sessions index' first."
        )


def migrations_folder() -> Path:
    """Return the migrations that this program was installed or checked out with."""
    package = Path(__file__).resolve().parent.parent
    shipped = package / "migrations"
    return shipped if shipped.is_dir() else package.parent / "migrations"


def replace_guards_and_views(connection: sa.Connection) -> None:
    """Drop every trigger and view and make today's anew; called at the end of each migration."""
    if connection.dialect.name == "sqlite":
        _drop_sqlite(connection)
        statements = (*guards.SQLITE, *views.SQLITE.values())
    else:
        _drop_postgres(connection)
        # psycopg reads a lone percent sign as a placeholder, such as the one in %ROWTYPE.
        statements = tuple(one.replace("%", "%%") for one in (*guards.POSTGRES, *views.POSTGRES.values()))
    for statement in statements:
        connection.exec_driver_sql(statement)
    if connection.dialect.name == "postgresql":
        postgres.pin_functions(connection)


def renew_guards(connection: sa.Connection) -> None:
    """Make triggers, views and lost indexes anew in a ledger that others may be reading."""
    if connection.dialect.name == "sqlite":
        _renew(connection)
        return
    postgres.lock_out(connection)
    postgres.lock_in_short_tries(connection, lambda: _renew(connection))


def _renew(connection: sa.Connection) -> None:
    replace_guards_and_views(connection)
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
    connection = sqlite3.connect(sqlite_uri(file, "rw"), uri=True, timeout=BUSY_TIMEOUT_SECONDS)
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
            "restore a backup with 'quantlab ledger restore', or move the file away and run "
            "'quantlab paper-sessions index' to adopt the session folders anew."
        )
    require_known(revision, str(file))
    if not upgrade:
        raise _older(revision, str(file), "(it backs the ledger up first)")
    _upgrade_file(location, file)


def _older(revision: str, where: str, how: str) -> LedgerError:
    return LedgerError(
        f"The ledger {where} has schema {revision}, older than this program's {HEAD_REVISION}; nothing was "
        f"changed. Run 'quantlab ledger migrate' {how}."
    )


def require_known(revision: str, where: str) -> None:
    """Refuse a ledger that a newer program made.

    Raises:
        LedgerError: the revision is not among this program's migrations.
    """
    if revision > HEAD_REVISION:
        raise LedgerError(
            f"The ledger {where} has schema {revision}, newer than this program's {HEAD_REVISION}; nothing "
            "was changed. Upgrade quantlab, or use the version that wrote it."
        )


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
        remove_with_side_files(aside)


def migration_engine(location: Location) -> sa.Engine:
    """Return an engine whose transactions lock the ledger from their beginning, one connection a transaction."""
    file = location.file
    if file is None:
        return postgres.create_engine(location, poolclass=sa.NullPool)
    engine = sa.create_engine("sqlite://", creator=lambda: _migrating_connection(file), poolclass=sa.NullPool)
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def _migrate_sqlite(file: Path) -> None:
    with migration_engine(Location(root=None, file=file)).begin() as connection:
        _run_alembic(connection)


def _migrating_connection(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        sqlite_uri(file, "rw"), uri=True, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None
    )


def _prepare_server(location: Location, *, create: bool, upgrade: bool) -> None:
    with migration_engine(location).begin() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        revision = _server_revision(connection)
        if revision == HEAD_REVISION:
            return
        if revision is None and not create:
            raise no_ledger_on_server(location)
        if revision is None:
            postgres.require_utf8(connection, location)
        else:
            require_known(revision, str(location))
            if not upgrade:
                raise _older(
                    revision, str(location), "after a backup ('quantlab ledger export' by the older program)"
                )
            postgres.lock_out(connection)
        _run_alembic(connection)


def _server_revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    revision = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return None if revision is None else str(revision)


def _run_alembic(connection: sa.Connection) -> None:
    from alembic import command

    command.upgrade(_config(connection), "head")


def _config(connection: sa.Connection) -> Config:
    from alembic.config import Config as AlembicConfig

    config = AlembicConfig()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


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
    for name in views.POSTGRES.keys() & set(names):
        connection.exec_driver_sql(f'DROP VIEW IF EXISTS "{name}" CASCADE')
    triggers = connection.exec_driver_sql(
        "SELECT tgname, relname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid"
        " WHERE NOT tgisinternal AND relnamespace = current_schema()::regnamespace"
    ).all()
    # A schema may hold tables and views of others, which are none of our business.
    for name, table in triggers:
        if table in metadata.tables:
            connection.exec_driver_sql(f'DROP TRIGGER "{name}" ON "{table}"')
