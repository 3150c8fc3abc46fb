"""Who drives a forward session takes its next version; whoever comes second is fenced by the ledger and stops."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from quantlab.base import process
from quantlab.base.errors import ConflictError, QuantlabError, SessionEndedError
from quantlab.domain import documents
from quantlab.domain.events import ANNOTATIONS, SESSION, Bar, Event, Heartbeat
from quantlab.exports import bundle, index
from quantlab.ledger import log, projection
from quantlab.ledger.log import Entry
from quantlab.ledger.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from quantlab.domain.events import Recorded
    from quantlab.domain.session import Session
    from quantlab.exports.index import Beside
    from quantlab.ledger.store import Store
    from quantlab.runner.stopping import StopGate
    from quantlab.sessions.forward.memory import Memory

logger = logging.getLogger(__name__)

_TRIES = 5
"""How often a place is looked for anew when notes were taken of the session meanwhile."""
_SHOWN_EVERY = 1.0
"""Seconds between two writings of the documents: bars that come faster, and what is revised before a bar, share one."""


class FencedError(ConflictError):
    """Another driver has gone on with the session; this one writes nothing more, not even that it failed."""


class Driver:
    """One process's hold on a forward session.

    Args:
        store: The ledger.
        folder: The session's.
        memory: The session as its events tell it.
        gate: Holds signals back while something is recorded.
        clock: Tells the present, aware.
        beside: What else is written with the root's index.

    Attributes:
        filled_from: A file that bars are taken from in the source's stead; None where they are the source's own.
        before_next: What is recorded before anything else is: that this process drives it now. None where that is told.
    """

    def __init__(
        self,
        store: Store,
        folder: Path,
        memory: Memory,
        *,
        gate: StopGate,
        clock: Callable[[], datetime],
        beside: Beside | None = None,
    ) -> None:
        self.store = store
        self.folder = folder
        self.memory = memory
        self.clock = clock
        self.filled_from: str | None = None
        self.before_next: Callable[[], None] | None = None
        self._gate = gate
        self._beside = beside
        self._recorder = Recorder(store)
        self._written: dict[str, bytes] = {}
        self._behind: tuple[Session, Recorded] | None = None
        self._shown_at = float("-inf")
        host, pid, mark = process.identity()
        self.identity = {"host": host, "pid": pid, "process": mark}

    def record(self, event: Event, *, actor: str = SESSION, show: bool = True) -> Session:
        """Append an event at the session's next place; then the files show it.

        Args:
            event: What happened.
            actor: Who did it.
            show: Whether the documents are to show it; while catching up once a batch is enough. They do within
                `shown_in` seconds, and by the end of `bring_up`.

        Raises:
            FencedError: another driver has gone on with the session.
            SessionEndedError: the session has ended.
            LedgerError: the ledger can't be written.
        """
        with self._gate.deferred():
            if self.before_next is not None:
                first, self.before_next = self.before_next, None
                first()
            return self._record(event, actor, show=show)

    def _record(self, event: Event, actor: str, *, show: bool) -> Session:
        for _ in range(_TRIES):
            entry = Entry(
                session_id=self.memory.session_id,
                session_version=self.memory.version + 1,
                event=event,
                occurred_at=self.clock(),
                actor=actor,
            )
            try:
                recorded, session = self._recorder.record(entry)
            except SessionEndedError:
                self._behind = None  # whoever ended it has written its documents
                raise
            except ConflictError as error:
                self._pass_notes(error)
                continue
            self.memory.version = recorded.session_version
            # As it reads back: its keys are in the ledger's order, in which the files are made again one day.
            said = recorded.event if isinstance(event, Heartbeat) else None
            if isinstance(said, Heartbeat):
                self.memory.data = said.data or self.memory.data
                self.memory.note_wait(said)
            elif isinstance(event, Bar):
                self.memory.waits = {}
            if show:
                self._behind = (session, recorded)
                if session.ended or not self.shown_in:
                    self.bring_up()
            return session
        raise ConflictError(
            f"Session {self.memory.session_id}: so many notes are taken of it that no place could be had; nothing was "
            "recorded. Try again."
        )

    def require_hold(self) -> None:
        """Find out whether somebody ended the session, or took it over, since this driver last wrote.

        Raises:
            SessionEndedError, FencedError: they did.
        """
        with self.store.read() as connection:
            session = projection.read_row(connection, self.memory.session_id)
        if session is None or session.last_version == self.memory.version:
            return
        if session.ended:
            self._behind = None
            raise SessionEndedError(
                f"Session {self.memory.session_id} was ended meanwhile ({session.status}: "
                f"{session.message or session.status_reason}); this process leaves it, and changed nothing."
            )
        self._pass_notes(None)

    def _pass_notes(self, error: ConflictError | None) -> None:
        """Step behind what was only noted of the session meanwhile; another driver's event is the end of this one."""
        with self.store.read() as connection:
            events = log.read_events(connection, self.memory.session_id)
        since = [one for one in events if one.session_version > self.memory.version]
        others = [one for one in since if one.type not in ANNOTATIONS]
        if others or not since:
            self._behind = None  # the other driver's documents tell more
            raise FencedError(f"{self._who_else(events)} This process records nothing more.") from error
        self.memory.version = since[-1].session_version

    def _who_else(self, events: list[Recorded]) -> str:
        driver = self.memory.driver
        for one in events:
            if one.type in ("bar", "heartbeat"):
                driver = getattr(one.event, "driver", None) or driver
            elif one.type == "resumed":
                driver = {name: getattr(one.event, name) for name in ("host", "pid")}
        return (
            f"Session {self.memory.session_id} is driven by process {driver.get('pid')} on host "
            f"{driver.get('host')}, which has gone on with it."
        )

    @property
    def is_behind(self) -> bool:
        """Whether the documents are still to show an event."""
        return self._behind is not None

    @property
    def shown_in(self) -> float:
        """Seconds until the documents may be written again."""
        return max(0.0, self._shown_at + _SHOWN_EVERY - time.monotonic())

    def bring_up(self) -> None:
        """Bring the documents up, where they are behind; one that can't be written is made anew by a later command.

        Until the session ends they are not flushed: the next bar writes them again, and what a power cut takes is made
        anew from the ledger. The flushes would cost many times what the bar does.
        """
        if self._behind is None:
            return
        (session, last), self._behind = self._behind, None
        made = documents.as_files(
            documents.of_session(session, self.memory.started, self.memory.data, last.event, last.hash)
        )
        changed = {name: data for name, data in made.items() if self._written.get(name) != data}
        try:
            bundle.write_files(self.folder, changed, flush=session.ended)
            self._written = made
        except QuantlabError as error:
            self._written = {}
            logger.warning("%s The ledger has the fact; the file is made anew by the next command.", error)
        self._shown_at = time.monotonic()

    def refresh_index(self) -> None:
        """Bring the root's exports up to the ledger."""
        index.refresh_or_warn(self.store, self.folder.parent, now=self.clock(), beside=self._beside)

    def files_written(self) -> None:
        """Take the session off the list of those whose files are behind."""
        self._recorder.files_written(self.memory.session_id)
