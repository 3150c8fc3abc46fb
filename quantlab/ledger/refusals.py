"""What a database's errors mean: ours instead, which say what to do."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from sqlalchemy import exc

from quantlab.base.errors import ConflictError, LedgerError, SessionEndedError
from quantlab.base.secrets import without_secrets
from quantlab.ledger.advice import of_sqlite
from quantlab.ledger.postgres import connections
from quantlab.ledger.sql import guards

if TYPE_CHECKING:
    from quantlab.ledger.location import Location


class translated:  # noqa: N801 - used as a function, and for every event: a class enters in half a generator's time
    """Turn the database's errors into ours, which say what to do.

    Raises:
        LedgerBusyError: other writers held the ledger for too long.
        LedgerDamagedError: the file is no sound database.
        SessionEndedError, ConflictError: a guard refused an event.
        LedgerAwayError: a server went away.
        LedgerError: anything else that the database could not do.
    """

    def __init__(self, location: Location) -> None:
        self._location = location

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, (exc.DBAPIError, sqlite3.Error)):
            raise _ours(self._location, error) from error


def _ours(location: Location, error: exc.DBAPIError | sqlite3.Error) -> LedgerError:
    cause = str(getattr(error, "orig", None) or error).strip()
    cause = without_secrets(cause.splitlines()[0]) if cause else type(error).__name__
    if cause.startswith(guards.PREFIX):
        refused = SessionEndedError if cause == guards.ENDED else ConflictError
        why = cause.removeprefix(guards.PREFIX)
        return refused(f"The ledger {location} refused an event: {why}; nothing was recorded.")
    if not location.is_sqlite and isinstance(error, exc.DBAPIError):
        return connections.translated(location, error)
    return of_sqlite(location, cause)
