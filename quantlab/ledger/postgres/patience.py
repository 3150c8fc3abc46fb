"""How long a server is waited for, and who is told."""

from __future__ import annotations

import logging
import math
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from quantlab.ledger.location import Location

logger = logging.getLogger(__name__)

STATEMENT_SECONDS = 330.0
"""For any one statement, unless the URL sets the server's own limit: longer than that is by default."""
TELL_AFTER_SECONDS = 5.0
"""After so long without an answer the operator is told."""
LAST_SECONDS = 5.0
"""What is left of the wait once somebody has asked to stop: a server that restarts is back by then."""


class Patience:
    """How long one piece of work waits, over however many attempts.

    Args:
        location: What is waited for.
        seconds: For how long.
        asked_to_stop: Tells whether somebody wants the program to end, which shortens the wait.
    """

    def __init__(self, location: Location, seconds: float, asked_to_stop: Callable[[], bool]) -> None:
        self._location = location
        self._seconds = seconds
        self._asked_to_stop = asked_to_stop
        self._began = time.monotonic()
        self._hurried = False
        self._told = False

    @property
    def waited(self) -> float:
        """Seconds since the work began."""
        return time.monotonic() - self._began

    @property
    def left(self) -> float:
        """Seconds until the wait ends; not above zero when it is over."""
        if not self._hurried and self._asked_to_stop():
            self._hurried = True
            self._seconds = min(self._seconds, self.waited + LAST_SECONDS)
        return self._seconds - self.waited

    def tell(self, what: str) -> None:
        """Tell the operator, once, what is waited for."""
        if not self._told:
            self._told = True
            until = "" if math.isinf(self._seconds) else f" for up to {self._seconds:.0f} s"
            logger.warning("%s Waiting%s.", what, until)

    def check_timeout(self, seconds: float) -> None:
        """End the wait of a statement that has been without an answer for too long; tell of one that has for a while.

        Raises:
            TimeoutError: the wait is over.
        """
        if self.left <= 0:
            raise TimeoutError(f"no answer for {seconds:.0f} s")
        if seconds >= TELL_AFTER_SECONDS:
            self.tell(f"The ledger {self._location} has not answered for {seconds:.0f} s.")


class Waiting:
    """Which patience the statements of one engine go by.

    Attributes:
        location: What is waited for.
        asked_to_stop: Tells whether somebody wants the program to end; a server that is away is then left soon.
    """

    def __init__(self, location: Location) -> None:
        self.asked_to_stop: Callable[[], bool] = lambda: False
        self.location = location
        self._of_work: Patience | None = None

    @contextmanager
    def for_work(self, seconds: float) -> Iterator[Patience]:
        """Go by one patience within, however many statements and attempts there are."""
        patience = self._of_work = self._new(seconds)
        try:
            yield patience
        finally:
            self._of_work = None

    def patience(self) -> Patience:
        """Return the patience of the statement that begins now."""
        their_own = "statement_timeout" in (self.location.url or "")
        return self._of_work or self._new(math.inf if their_own else STATEMENT_SECONDS)

    def _new(self, seconds: float) -> Patience:
        return Patience(self.location, seconds, lambda: self.asked_to_stop())  # noqa: PLW0108 - what it is then
