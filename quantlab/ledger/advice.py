"""What SQLite's errors and another schema mean, and what to do. Questions start with this, so it loads nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from quantlab.base.errors import LedgerBusyError, LedgerDamagedError, LedgerError, LedgerOlderError
from quantlab.base.remedies import EXPORT_LEDGER, INDEX, MIGRATE, REBUILD, RESTORE, VERIFY, Setting

if TYPE_CHECKING:
    from pathlib import Path

    from quantlab.ledger.location import Location

BUSY_TIMEOUT_SECONDS = 30.0
"""For how long whoever wants a SQLite ledger waits for the one who has it."""

PATIENCE_SECONDS = 30.0
"""For so long a question may give no row."""


def of_sqlite(location: Location, cause: str) -> LedgerError:
    """Return our error for what SQLite said about a ledger."""
    for told, (kind, *advice) in _ADVICE.items():
        if told in cause:
            if kind is LedgerError and "readonly" in cause:
                cause += _only_readable(location)
            known = {"cause": cause, "wait": BUSY_TIMEOUT_SECONDS}
            parts = (part.format(**known) if isinstance(part, str) else part for part in advice)
            return kind(f"The ledger {location} ", *parts)
    return LedgerError(f"The ledger {location} refused: {cause}.")


def no_answer(location: Location, seconds: float) -> LedgerError:
    """Say that a question gave no row for so long that it was interrupted."""
    return LedgerError(
        f"The ledger {location} gave no row for {seconds:.0f} s, and the question was interrupted. Somebody "
        "may have put another view in place of ours: ",
        VERIFY,
        " tells, ",
        REBUILD,
        " makes views anew. Where the machine is only slow, ask again.",
    )


def newer(where: Location | Path, revision: str, ours: str) -> LedgerError:
    """Say that a newer program made a ledger."""
    return LedgerError(
        f"The ledger {where} has schema {revision}, newer than this program's {ours}; nothing was changed. Upgrade "
        "quantlab, or use the version that wrote it."
    )


def older(where: Location | Path, revision: str, ours: str) -> LedgerOlderError:
    """Say that an older program made a ledger, which may not be upgraded here."""
    on_server = getattr(where, "is_sqlite", True) is False
    how = (
        ("after a backup (", EXPORT_LEDGER, " by the older program)")
        if on_server
        else ("(it backs the ledger up first)",)
    )
    return LedgerOlderError(
        f"The ledger {where} has schema {revision}, older than this program's {ours}; nothing was changed. Run ",
        MIGRATE,
        " ",
        *how,
        ".",
    )


def no_ledger_on_server(location: Location) -> LedgerError:
    """Say that a database holds no ledger, and how it comes to hold one."""
    return LedgerError(
        f"There is no ledger in {location}; run a session against it first, or adopt a root with ",
        INDEX.of("ROOT", Setting("ledger", "URL")),
        ".",
    )


def _only_readable(location: Location) -> str:
    """Name the files that may only be read: SQLite gives those that it makes beside a ledger the ledger's mode."""
    if location.file is None:
        return ""
    files = [location.file.with_name(location.file.name + end) for end in ("", "-wal", "-shm")]
    effective = os.access in os.supports_effective_ids
    closed = [
        one.name for one in files if one.exists() and not os.access(one, os.W_OK, effective_ids=effective)
    ]
    return f": {', '.join(closed)} may only be read" if closed else ""


_BUSY = (
    LedgerBusyError,
    "was busy for {wait:.0f} s; another process holds it. Nothing was recorded; try again.",
)
_DAMAGED = (
    LedgerDamagedError,
    "is damaged ({cause}). Nothing was changed; ",
    VERIFY,
    " tells more and ",
    RESTORE,
    " brings a backup back.",
)
_CLOSED = (
    LedgerError,
    "can't be read or written ({cause}); check that its folder exists and the permissions of both.",
)
_ADVICE: dict[str, tuple[type[LedgerError], *tuple[object, ...]]] = {
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
        "gone?), then run ",
        VERIFY,
        ".",
    ),
    "readonly": _CLOSED,
    "unable to open": _CLOSED,
}
"""What SQLite says -> the error, and the parts of its message, which tell the way out."""
