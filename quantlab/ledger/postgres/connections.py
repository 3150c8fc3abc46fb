"""What a PostgreSQL ledger needs beyond SQL: driver, timeouts, the writers' turn, errors that say what to do."""

from __future__ import annotations

import importlib.util
import os
import random
import re
import sys
import time
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import exc

from quantlab.base.errors import ConfigError, LedgerAwayError, LedgerBusyError, LedgerError, LedgerGoneError
from quantlab.base.secrets import without_secrets, without_words_of
from quantlab.ledger.postgres.patience import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from quantlab.ledger.location import Location

DRIVER = "postgresql+psycopg"
PATIENCE_SECONDS = 60.0
"""For how long an append asks again while the server is away."""

SETTINGS = {
    # A writer that is stopped in the middle of its transaction holds everybody's turn: the server ends it before the
    # others lose their patience with the lock.
    "idle_in_transaction_session_timeout": "20s",
    "lock_timeout": "40s",
    "statement_timeout": "300s",
}
CONNECTING: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # milliseconds
    "application_name": "quantlab",
    "client_encoding": "utf8",
}
_POOLED = "pgbouncer"
"""A parameter of the URL, as others' clients have it: `?pgbouncer=true` says that a pooler stands between."""
_PREPARE = "prepare_threshold"
_AWAY = (
    "08",  # connection exceptions
    "40001",  # serialization failure
    "40P01",  # deadlock
    "53300",  # too many connections
    "57P",  # the server shuts down, crashed, or starts
    "25P03",  # idle in transaction for too long
)
_LOCKED = "55P03"  # lock not available
CANCELLED = "57014"  # statement cancelled, by its timeout or an administrator
_SHORT_TRY = "300ms"
"""Below the second after which a server looks for deadlocks (its `deadlock_timeout`)."""
_PASSING = ("starting up", "shutting down", "recovery", "too many", "remaining connection slots")


def create_engine(location: Location, waiting: Waiting | None = None, **options: Any) -> sa.Engine:
    """Return an engine on the server that the location names.

    Args:
        location: Where the ledger is.
        waiting: How long its connections wait for answers; by default as long as any one statement may.
        options: SQLAlchemy's own.

    Raises:
        ConfigError: its URL can't be read, or psycopg is not installed.
    """
    url = parsed(location)
    if importlib.util.find_spec("psycopg") is None:
        raise ConfigError(
            f"A PostgreSQL ledger needs psycopg (the extra quantlab-sessions[postgres]), which is not installed for "
            f"{sys.executable}; install it there: python -m pip install 'psycopg[binary]>=3.3'."
        )
    from quantlab.ledger.postgres.watched import watch

    _require_known_parameters(url, location)
    named = _connect_arguments(url)
    pooled = _is_yes(url.query.get(_POOLED))
    url = url.difference_update_query([_POOLED, _PREPARE])
    engine = sa.create_engine(url, connect_args=named, **options)
    watch(engine, waiting or Waiting(location), pooled=pooled)
    return engine


def parsed(location: Location) -> sa.URL:
    """Read the location's URL.

    Raises:
        ConfigError: it can't be read; the message never quotes a part that could be of the password.
    """
    try:
        url = sa.make_url(location.url or "")
    except (exc.ArgumentError, ValueError):
        url = None
    if url is None or url.drivername != DRIVER or "@" in f"{url.host}{url.database}":
        raise ConfigError(
            f"The ledger URL {location} can't be read; expected {DRIVER}://USER@HOST:PORT/DATABASE with any of "
            "@ : / ? # % in the password written as %40 %3A %2F %3F %23 %25."
        )
    return url


def _require_known_parameters(url: sa.URL, location: Location) -> None:
    """Refuse what stands behind the URL's question mark and is no setting of libpq's, nor of ours.

    Raises:
        ConfigError: it names the parameter.
    """
    from psycopg import pq

    known = {one.keyword.decode() for one in pq.Conninfo.get_defaults()} | {_POOLED, _PREPARE}
    for name, value in url.query.items():
        if name not in known:
            raise ConfigError(
                f"The ledger URL {location} has a parameter that PostgreSQL's client does not know; "
                "expected ones such as sslmode, options, connect_timeout, or pgbouncer=true for a pooler. Leave it out."
            )
        if name == _PREPARE and not (
            isinstance(value, str) and re.fullmatch(r"\d{1,9}|none", value, re.IGNORECASE)
        ):
            raise ConfigError(
                f"The ledger URL {location}: {_PREPARE} is no whole number; expected one, or none for a pooler."
            )


def _is_yes(value: object) -> bool:
    return str(value).lower() in ("true", "1", "yes", "on")


def begin_snapshot(connection: sa.Connection) -> sa.Connection:
    """Begin a transaction that sees one moment and locks nothing; whoever reads its answer may take his time."""
    connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
    return connection


def has_own_statement_timeout(location: Location) -> bool:
    """Tell whether the operator has said how long a statement may take."""
    return any(
        "statement_timeout" in text.replace("-", "_")
        for text in (location.url or "", os.environ.get("PGOPTIONS", ""))
    )


def take_turn(connection: sa.Connection) -> None:
    """Lock the head's row, as every writer's first statement: so none sees a state that another is changing."""
    connection.exec_driver_sql("SELECT 1 FROM ledger_head FOR UPDATE")


def lock_out(connection: sa.Connection) -> None:
    """Wait until every writer has ended its turn, and let none begin another: the first step to change guards."""
    lock = "LOCK TABLE ledger_head IN ACCESS EXCLUSIVE MODE"
    lock_in_short_tries(connection, lambda: connection.exec_driver_sql(lock))


def require_utf8(connection: sa.Connection, location: Location) -> None:
    """Refuse a database whose encoding can't hold every text.

    Raises:
        ConfigError: it is another encoding than UTF-8.
    """
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
    if encoding != "UTF8":
        raise ConfigError(
            f"The database {location} is encoded in {encoding}, which can't hold every text; expected UTF8. Make one "
            "with: CREATE DATABASE quantlab ENCODING 'UTF8' TEMPLATE template0."
        )


def lock_in_short_tries(connection: sa.Connection, work: Callable[[], object]) -> None:
    """Do work that locks whole tables and views, which others may be reading one after the other.

    Two that hold what the other waits for are a deadlock, and the server may end either. So this side never waits for
    as long as the server takes to look for one: it lets go of all that it has locked, and tries again.

    Raises:
        sqlalchemy.exc.DBAPIError: the locks could not be had for a long time; anything that the work raises.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    waits = pauses()
    usual = connection.exec_driver_sql("SHOW lock_timeout").scalar()
    while True:
        try:
            with connection.begin_nested():
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_SHORT_TRY}'")
                work()
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{usual}'")
            return  # noqa: TRY300 - the end of what may fail
        except exc.DBAPIError as error:
            if _sqlstate(error) != _LOCKED or time.monotonic() >= deadline:
                raise
        time.sleep(next(waits))


def pauses() -> Iterator[float]:
    """Yield the seconds to wait between attempts: doubling to two, each drawn at random below that."""
    ceiling = 0.05
    while True:
        yield random.uniform(0, ceiling)  # noqa: S311 - spreads attempts; no secret hangs on it
        ceiling = min(2.0, ceiling * 2)


def translated(location: Location, error: exc.DBAPIError) -> LedgerError:
    """Turn a server's error into ours, by its SQLSTATE where it has one."""
    original = error.orig
    state = _sqlstate(error)
    cause = without_words_of(location.url or "", without_secrets(_first_line(original)))
    if state == _LOCKED:
        return LedgerBusyError(
            f"The ledger {location} was busy for too long ({cause}); another process holds it. "
            "Nothing was recorded; try again."
        )
    if state == CANCELLED:
        return LedgerError(
            f"The ledger {location} gave the work up ({cause}); nothing was changed. Where it takes that long, let it "
            "with ?options=-cstatement_timeout%3D3600s in the URL."
        )
    if state.startswith(_AWAY) or error.connection_invalidated or (not state and _may_pass(original)):
        return LedgerAwayError(
            f"The ledger {location} can't be reached ({cause}); see that the server runs and that this machine "
            "can reach it, then try again."
        )
    if not state and isinstance(error, exc.OperationalError):
        return LedgerError(
            f"The ledger {location} could not be opened: {cause}; check the URL and the password."
        )
    return LedgerError(f"The ledger {location} refused: {cause} (SQLSTATE {state or 'none'}).")


def gave_up(error: LedgerAwayError | LedgerBusyError, waited: float) -> LedgerGoneError:
    """Say that a server stayed away, or busy, for longer than it was asked."""
    unknown = (
        "" if isinstance(error, LedgerBusyError) else "; whether it recorded what was sent last is not known"
    )
    return LedgerGoneError(f"{error} It was asked for {waited:.0f} s{unknown}.")


def _may_pass(original: object) -> bool:
    """Whether a connection that was never made may be made later: a FATAL answer is the server's last word."""
    text = str(original)
    passing = "FATAL" not in text or any(phrase in text for phrase in _PASSING)
    return type(original).__name__ in ("OperationalError", "ConnectionTimeout") and passing


def _sqlstate(error: exc.DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""


def _first_line(original: object) -> str:
    lines = str(original).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(original).__name__


def _connect_arguments(url: sa.URL) -> dict[str, Any]:
    """Our settings first, so that the operator's, which come after, win: the environment's, then the URL's."""
    given = {name: value for name, value in CONNECTING.items() if name not in url.query}
    prepare = url.query.get(_PREPARE)
    if isinstance(prepare, str):
        given["prepare_threshold"] = int(prepare) if prepare.isdigit() else None
    settings = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
    theirs = url.query.get("options", "")
    in_url = theirs if isinstance(theirs, str) else " ".join(theirs)
    return given | {"options": f"{settings} {os.environ.get('PGOPTIONS', '')} {in_url}".strip()}
