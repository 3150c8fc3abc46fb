"""What a database's errors mean: ours instead, which say what to do."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from sqlalchemy import exc

from quantlab.errors import (
    ConflictError,
    LedgerBusyError,
    LedgerDamagedError,
    LedgerError,
    SessionEndedError,
)
from quantlab.store import guards, postgres
from quantlab.store.redaction import without_secrets

if TYPE_CHECKING:
    from quantlab.store.location import Location

BUSY_TIMEOUT_SECONDS = 30.0
"""For how long SQLite itself waits for another writer."""


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
        return postgres.translated(location, error)
    for told, (kind, advice) in _ADVICE.items():
        if told in cause:
            return kind(f"The ledger {location} {advice.format(cause=cause, wait=BUSY_TIMEOUT_SECONDS)}")
    return LedgerError(f"The ledger {location} refused: {cause}.")


_BUSY = (
    LedgerBusyError,
    "was busy for {wait:.0f} s; another process holds it. Nothing was recorded; try again.",
)
_DAMAGED = (
    LedgerDamagedError,
    "is damaged ({cause}). Nothing was changed; 'quantlab ledger verify' tells more and "
    "'quantlab ledger restore' brings a backup back.",
)
_CLOSED = (
    LedgerError,
    "can't be opened or written ({cause}); check that its folder exists and the permissions of both.",
)
_ADVICE: dict[str, tuple[type[LedgerError], str]] = {
    "is locked": _BUSY,
    "busy": _BUSY,
    "not a database": _DAMAGED,
    "malformed": _DAMAGED,
    "no such table": _DAMAGED,
    "no such column": _DAMAGED,
    "disk is full": (LedgerError, "is on a full disk; nothing was recorded. Free space and try again."),
    "disk I/O error": (
        LedgerError,
        "could not be read or written ({cause}); nothing was recorded. Check the disk (full, over quota, failing or "
        "gone?), then run 'quantlab ledger verify'.",
    ),
    "readonly": _CLOSED,
    "unable to open": _CLOSED,
}
"""What SQLite says -> the error, and the way out."""
