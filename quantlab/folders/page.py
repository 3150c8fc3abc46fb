"""The operators' page as a file: of a question's moment, or beside a root's index, as often as that is written."""

from __future__ import annotations

import logging
import re
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from quantlab.base.remedies import MAKE_PAGE
from quantlab.domain.vocabulary import STALE_MINUTES

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from quantlab.base.values import JsonObject
    from quantlab.exports.index import Beside
    from quantlab.exports.page.made import SessionFile
    from quantlab.ledger.location import Location
    from quantlab.ledger.log import Head
    from quantlab.ledger.reader import Reader
    from quantlab.ledger.store import Store

logger = logging.getLogger(__name__)

NAME = "paper_sessions.html"
MOST = 200
"""How many sessions a page tells in full, unless another number is asked for."""
_HEAD = re.compile(rb'<meta name=ledger-head content="([0-9]+) ([0-9a-f]{64})">')
_HEAD_BYTES = 4_096


def made_of(reader: Reader, *, now: datetime, stale_after: timedelta, most: int) -> tuple[bytes, int]:
    """Return the page of a ledger, UTF-8, and the sequence of the head that it shows.

    Args:
        reader: The ledger.
        now: The time of the question; aware.
        stale_after: How long a running session may go without an event.
        most: How many sessions to tell in full, the newest first.

    Raises:
        LedgerError: the ledger can't be read, or holds what no page can be made of.
    """
    from quantlab.exports.page.made import made
    from quantlab.queries.page import page

    found = page(reader, now=now, stale_after=stale_after, most=most)
    return made(found, reading(reader.location)), found["sequence"]


def beside_the_index(*, wanted: bool) -> Beside | None:
    """Return the page as what is written with a root's exports; None where nobody wants it there."""
    return PageBeside() if wanted else None


class PageBeside:
    """The page in its root: whole or not at all, and never a reason for anything else to fail."""

    def shown(self, root: Path) -> Head | None:
        """Return the state of the ledger that a root's page shows; None where there is none that tells."""
        from quantlab.ledger.log import Head  # loads SQLAlchemy, which questions do without

        try:
            with (root / NAME).open("rb") as handle:
                found = _HEAD.search(handle.read(_HEAD_BYTES))
        except OSError:
            return None
        return None if found is None else Head(int(found[1]), found[2].decode())

    def write(self, store: Store, root: Path, *, now: datetime) -> None:
        """Write the page, or warn; the old one then stays as it is."""
        from quantlab.base.files import write_whole
        from quantlab.ledger.reader import open_reader

        begun = time.monotonic()
        stale_after = timedelta(minutes=STALE_MINUTES)
        try:
            with open_reader(store.location) as reader:
                at = now + timedelta(seconds=time.monotonic() - begun)
                data, _sequence = made_of(reader, now=at, stale_after=stale_after, most=MOST)
            write_whole(root / NAME, data)
        except Exception as error:  # noqa: BLE001 - a session that has ended has ended, whatever befalls its picture
            again = MAKE_PAGE.of(root, *store.location.option(root))
            logger.warning(
                "the page %s was not written (%s: %s). Ledger and index have it all; '%s' makes it.",
                root / NAME,
                type(error).__name__,
                error,
                again,
            )


def reading(location: Location) -> Callable[[JsonObject, str], SessionFile]:
    """Return what reads a session's recorded files, in the root where it stands now, or where it was made."""
    from quantlab.exports.page.made import SessionFile
    from quantlab.folders.reading import recorded_bytes

    def read(row: JsonObject, name: str) -> SessionFile:
        root = row["root"] if row.get("root") and not location.is_the_roots_own else location.base
        return SessionFile(*recorded_bytes(f"{row['path']}/{name}", root, row["digests"][name]))

    return read
