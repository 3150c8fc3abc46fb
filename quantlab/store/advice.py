"""What SQLite's errors mean: ours instead, which say what to do. Questions start with this, so it loads nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantlab.errors import LedgerBusyError, LedgerDamagedError, LedgerError

if TYPE_CHECKING:
    from quantlab.store.location import Location

BUSY_TIMEOUT_SECONDS = 30.0
"""For how long whoever wants a SQLite ledger waits for the one who has it."""


def of_sqlite(location: Location, cause: str) -> LedgerError:
    """Return our error for what SQLite said about a ledger."""
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
    "can't be read or written ({cause}); check that its folder exists and the permissions of both.",
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
