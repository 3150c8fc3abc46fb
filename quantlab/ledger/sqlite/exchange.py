"""A writer notices that its ledger was exchanged beneath it: its file or log deleted, truncated, or copied over.

SQLite itself does not: it goes on in the file that it has open, from the pages that it has in memory, and what it
writes is gone once it closes. So every transaction looks at both files and at the head that the one before it left.

Where the log was cut, which a checkpoint may do too, a connection of its own reads the ledger anew. Where the file's
stamp has moved, which each checkpoint does, the file is read without its log: that holds every page of a young ledger,
and answers as if nothing had happened while the file beneath is another ledger's, until a checkpoint mixes the two.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from quantlab.base import platform
from quantlab.base.errors import LedgerExchangedError
from quantlab.base.remedies import INDEX, RESTORE, VERIFY
from quantlab.ledger.sqlite.opening import open_file, open_without_log

if TYPE_CHECKING:
    from quantlab.ledger.location import Location

_HEAD = "SELECT sequence, hash FROM ledger_head"
_AT = "SELECT hash FROM events WHERE sequence = ?"
_WRITTEN_BACK = "SELECT ledger_id, sequence FROM ledger_head"
_LOOK_AGAIN_SECONDS = 0.05
"""After this long a page that a checkpoint was writing is whole."""


class Mark(NamedTuple):
    """A head that the ledger had."""

    sequence: int
    hash: str


class Beneath(NamedTuple):
    """What a ledger's file holds without its log: whose it is, and how far checkpoints have brought it."""

    ledger_id: str
    sequence: int


class _Log:
    """The log beside a ledger: in place, and no shorter than before?

    Its times are never asked for. A kernel that was asked for a file's times marks the next ones exactly, and has the
    next commit write them to the disk (Linux since 6.13): an append took a sixth longer.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._handle = platform.open_to_read(path)
        self._place = platform.place_of(self._handle)
        self._size = self._length()

    def is_in_place(self) -> bool:
        """Tell whether the path still leads to it."""
        if self._place is not None and platform.place_of(self._handle) == self._place:
            return True
        there = _stat(self._path)
        return there is not None and os.path.samestat(there, os.fstat(self._handle))

    def has_shrunk(self) -> bool:
        """Tell whether it is shorter than at the last look."""
        before, self._size = self._size, self._length()
        return self._size < before

    def _length(self) -> int:
        return os.lseek(self._handle, 0, os.SEEK_END)

    def close(self) -> None:
        """Let go of it."""
        os.close(self._handle)


class Continuity:
    """What a writer knows of its ledger, transaction after transaction; of one in memory there is nothing to know."""

    def __init__(self, location: Location) -> None:
        self._location = location
        self._file = "" if location.file is None else str(location.file)
        self._opened: os.stat_result | None = None
        self._stamp: os.stat_result | None = None
        self._beneath: Beneath | None = None
        self._log: _Log | None = None
        self._log_of: sqlite3.Connection | None = None
        self._first: Mark | None = None
        self._last: Mark | None = None

    def require_in_place(self, driver: sqlite3.Connection) -> None:
        """See, before a transaction, that file and log are those that this connection has open.

        Raises:
            LedgerExchangedError: one of them was deleted, replaced, truncated or overwritten.
        """
        if not self._file:
            return
        now = _stat(self._file)
        if self._opened is None:
            self._opened = self._stamp = now
            self._beneath = _read_beneath(self._file)
        if now is None or self._opened is None or not os.path.samestat(now, self._opened):
            raise self._exchanged("was deleted or replaced while it was open")
        # Of another connection's log nothing is known: SQLite deletes the log when the last connection closes.
        if self._log is not None and self._log_of is driver:
            self._require_log(self._log)
            # An append makes the log longer or begins it again at full length; only a checkpoint or a stranger cuts it.
            if self._log.has_shrunk():
                self._require_heads()
        stamp = self._stamp
        if stamp is None or (now.st_mtime_ns, now.st_size) != (stamp.st_mtime_ns, stamp.st_size):
            self._require_same_beneath()
            self._stamp = now

    def require_head(self, driver: sqlite3.Connection) -> None:
        """See, at the beginning of a transaction, that the head goes on from the last one that was seen.

        Raises:
            LedgerExchangedError: the ledger no longer holds it.
        """
        last = self._last
        head = self.read_head(driver)
        if head is None:
            return
        if last is None:
            self._first = self._last = head
        elif head != last and not _holds(driver, last):
            raise self._exchanged(
                f"no longer holds the event at sequence {last.sequence}, which it held before"
            )

    def read_head(self, driver: sqlite3.Connection) -> Mark | None:
        """Return the head as the transaction sees it; None in memory, and where there is none."""
        row = driver.execute(_HEAD).fetchone() if self._file else None
        return None if row is None else Mark(*row)

    def committed(self, driver: sqlite3.Connection, head: Mark | None) -> None:
        """Take note of what a transaction left."""
        if head is None:
            return
        self._last = head
        if self._log_of is not driver:  # later transactions look at the log as they begin
            self.close()
            with suppress(OSError):
                self._log = _Log(f"{self._file}-wal")
            self._log_of = driver

    def require_recorded(self) -> None:
        """See that a connection of its own finds what was recorded: so everybody else does.

        Raises:
            LedgerExchangedError: it does not.
        """
        if self._log_of is None:
            return  # nothing was recorded
        if self._log is not None:
            self._require_log(self._log)
        now = _stat(self._file)
        if now is None or self._opened is None or not os.path.samestat(now, self._opened):
            raise self._exchanged("was deleted or replaced while it was open")
        self._require_same_beneath()
        self._require_heads()

    def close(self) -> None:
        """Let go of the log, before the connection does: SQLite deletes it then."""
        if self._log is not None:
            self._log.close()
            self._log = None

    def _require_log(self, log: _Log) -> None:
        if not log.is_in_place():
            raise self._exchanged("lost the log beside it (its name ends in -wal) while it was open")

    def _require_heads(self) -> None:
        """See that a connection of its own finds the heads that were seen."""
        try:
            with closing(open_file(Path(self._file))) as another:
                for mark in (self._last, self._first):
                    if mark is not None and not _holds(another, mark):
                        raise self._exchanged(
                            f"no longer holds the event at sequence {mark.sequence}, which it held before; its file "
                            "or log was exchanged"
                        )
        except sqlite3.Error as error:
            if "locked" in str(error):
                return  # by somebody who holds it for long; the transaction waits for him too
            raise self._exchanged(f"can no longer be read from its file ({error})") from error

    def _require_same_beneath(self) -> None:
        """See that the file without its log is the ledger that was opened, and no earlier state of it."""
        before, now = self._beneath, _read_beneath(self._file)
        if now is None or (before is not None and not _goes_on(before, now)):
            time.sleep(_LOOK_AGAIN_SECONDS)
            now = _read_beneath(self._file)
        if now is None:
            raise self._exchanged("can no longer be read from its file without the log")
        if before is not None and not _goes_on(before, now):
            what = "another ledger" if now.ledger_id != before.ledger_id else "an earlier state of itself"
            raise self._exchanged(f"was overwritten by {what} while it was open")
        self._beneath = now

    def _exchanged(self, how: str) -> LedgerExchangedError:
        return LedgerExchangedError(
            f"The ledger {self._location} {how}; nothing more was recorded, and what was recorded last may be "
            "lost. Put it back, or bring a backup back with ",
            RESTORE,
            "; then run ",
            VERIFY,
            ", and ",
            INDEX.of("ROOT"),
            ", which brings in what session folders know beyond it.",
        )


def _holds(connection: sqlite3.Connection, mark: Mark) -> bool:
    return mark.sequence == 0 or connection.execute(_AT, (mark.sequence,)).fetchone() == (mark.hash,)


def _read_beneath(file: str) -> Beneath | None:
    """Return what a file holds without its log; None where it can't be read so."""
    try:
        with closing(open_without_log(Path(file))) as connection:
            row = connection.execute(_WRITTEN_BACK).fetchone()
    except sqlite3.Error:
        return None
    return None if row is None else Beneath(*row)


def _goes_on(before: Beneath, now: Beneath) -> bool:
    return now.ledger_id == before.ledger_id and now.sequence >= before.sequence


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116 - for every event
    except OSError:  # gone, or a file stands where its folder was
        return None
