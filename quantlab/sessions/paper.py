"""A paper session: start it, let the trading go by with heartbeats, end it one way and for good."""

from __future__ import annotations

import logging
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import msgspec

from quantlab.base import process
from quantlab.base.clock import iso, utc_now
from quantlab.base.errors import LedgerError, QuantlabError
from quantlab.base.files import json_bytes, write_whole
from quantlab.base.remedies import Setting
from quantlab.domain import documents
from quantlab.domain.config import config_hash, rules_hash
from quantlab.domain.events import (
    OPERATOR,
    SESSION,
    Aborted,
    Event,
    Failed,
    Heartbeat,
    Started,
    Succeeded,
)
from quantlab.domain.events.event import long_before
from quantlab.domain.names import STATUS
from quantlab.exports import bundle
from quantlab.folders.kept import header_of
from quantlab.ledger import judging, known
from quantlab.ledger.log import Entry
from quantlab.runner.environment import code, environment
from quantlab.runner.execute import message_of
from quantlab.runner.strategy import chosen_built_in
from quantlab.sessions import stop_note

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from quantlab.base.values import JsonObject
    from quantlab.domain.config import RunConfig
    from quantlab.domain.forward import ForwardTerms
    from quantlab.domain.session import Session
    from quantlab.exports.report import ReportHeader
    from quantlab.ledger.recorder import Recorder
    from quantlab.runner.stopping import StopGate
    from quantlab.runner.strategy import Chosen

logger = logging.getLogger(__name__)

STATUS_SECONDS = 1.0
"""Least time between two writings of the status document while a session runs."""


@dataclass
class PaperSession:
    """One session on its ledger: every step is recorded first, then shown in its files.

    Attributes:
        folder: The session's own folder, inside the root.
        heartbeat_seconds: Least time between two heartbeats while bars go by.
        watch: Told stage, bars done and bars expected, whenever they change.
        session: As its events make it; None until it has begun.
        started: Its first event.
    """

    recorder: Recorder
    folder: Path
    gate: StopGate
    heartbeat_seconds: float
    watch: Callable[[str, int, int | None], None]
    clock: Callable[[], datetime] = utc_now
    session: Session | None = None
    started: Started | None = None
    _data: JsonObject | None = None
    _last_beat: float = 0.0
    _last_hash: str = ""
    _written: dict[str, bytes] = field(default_factory=dict)
    _done: tuple[int, int] | None = None
    _status_is_behind: bool = False
    _status_written_at: float = 0.0
    _clock_set_back: bool = False

    @property
    def session_id(self) -> str:
        """The session's id, which is its folder's name too."""
        return self.folder.name

    def start(
        self,
        config: RunConfig,
        *,
        request_id: str | None,
        reproduce: str,
        strategy: Chosen | None = None,
        forward: ForwardTerms | None = None,
        research_trials: int | None = None,
    ) -> None:
        """Record `started` and write metadata, status and configuration.

        Raises:
            LedgerError: the ledger can't be written; no session exists then.
        """
        chosen = strategy or chosen_built_in()
        host, pid, start_mark = process.identity()
        made_with = environment()
        started = Started(
            config=config.as_dict(),
            config_hash=config_hash(config),
            folder=self.session_id,
            root=os.path.abspath(self.folder.parent),  # noqa: PTH100 - links stay
            host=host,
            pid=pid,
            process=start_mark,
            request_id=request_id,
            git_commit=made_with.git_commit,
            code_version=made_with.code_version,
            python_version=made_with.python_version,
            python_executable=made_with.python_executable,
            packages=made_with.packages,
            reproduce=reproduce,
            code=asdict(code()),
            strategy=chosen.facts(config),
            rules_hash=rules_hash(config),
            like=chosen.like,
            like_changes=chosen.unlike(config),
            forward=forward,
            ledger=self.recorder.store.ledger_id(),
            research_trials=research_trials,
            clock_before=known.later_than(self.recorder.store, iso(self.clock())),
        )
        self.started = started
        self._record(started)

    def header(self) -> ReportHeader:
        """Return what the session's report says about the session itself.

        Raises:
            TypeError: it has not begun.
        """
        if self.started is None or self.session is None or self.session.created_at is None:
            raise TypeError(f"Session {self.session_id} has not begun.")
        return header_of(self.session_id, self.session.created_at, self.started)

    def stand_at(self, session: Session) -> None:
        """Go on behind what another part of the program has recorded of the session."""
        self.session = session

    def reach(self, stage: str, *, done: int, expected: int | None, data: JsonObject | None = None) -> None:
        """Record a heartbeat: the work has come to a stage.

        Raises:
            SessionEndedError: an operator closed the session meanwhile; nothing is changed.
            StopRequested: a signal asks the session to stop.
        """
        self.gate.check()
        self.watch(stage, done, expected)
        self._done = None
        told = None if data is None else known.with_provenance(self.recorder.store, data)
        if told is not None and known.UNRECORDED_DOWNLOAD in told.get("doubts", ()):
            logger.warning(
                "no session of this ledger downloaded the prices that the cache holds, so promotion doubts them. Run "
                "once with %s and a network, or give their table as what it is: %s.",
                Setting("prices", "yahoo"),
                Setting("prices", "FILE"),
            )
        self._record(Heartbeat(stage=stage, bars_done=done, bars_expected=expected, data=told))

    def progress(self, *, done: int, expected: int) -> None:
        """Record a heartbeat if the last one is long enough ago; called by the loop that does the work."""
        self._done = (done, expected)
        self.gate.check()
        self.watch("simulating", done, expected)
        if time.monotonic() - self._last_beat >= self.heartbeat_seconds:
            self.reach("simulating", done=done, expected=expected)
        else:
            self._write_status()

    def judge(self, result: Succeeded) -> JsonObject | None:
        """Return what promotion would say if the session ended so now."""
        if self.session is None:
            return None
        now = self.clock()
        end = msgspec.structs.replace(result, clock_set_back=self._clock_set_back)
        return judging.verdict(self.recorder.store, end.apply(self.session, iso(now)), now=now)

    def succeed(self, succeeded: Succeeded) -> None:
        """Record the success and write every document that follows from it."""
        self._end(msgspec.structs.replace(succeeded, clock_set_back=self._clock_set_back))

    def fail(self, error: BaseException) -> None:
        """Record that an exception ended the session."""
        code = error.exit_code if isinstance(error, QuantlabError) else 1
        self._end(Failed(error_type=type(error).__name__, message=message_of(error), exit_code=code))

    def abort(self, signal_name: str) -> None:
        """Record that a signal stopped the session; where an operator sent it and said why, in his name and words."""
        reason = stop_note.read(self.folder)
        if reason is None:
            self._end(Aborted(message=f"Stopped by {signal_name}.", signal=signal_name))
        else:
            self._end(Aborted(message=reason, signal=signal_name), actor=OPERATOR)

    def _end(self, event: Event, actor: str = SESSION) -> None:
        with self.gate.deferred():
            if self._done is not None and not isinstance(event, Succeeded):
                done, expected = self._done  # how far it came is told, though no heartbeat was due yet
                self._done = None
                self._record(Heartbeat(stage="simulating", bars_done=done, bars_expected=expected))
            if self._record(event, actor):
                self._note_files()

    def _record(self, event: Event, actor: str = SESSION) -> bool:
        """Append one event, then bring the files up to it; returns whether they show it."""
        with self.gate.deferred():
            now = self.clock()
            if self.session is not None and self.session.updated_at is not None:
                self._clock_set_back |= long_before(iso(now), self.session.updated_at)
            entry = Entry(
                session_id=self.session_id,
                session_version=1 if self.session is None else self.session.last_version + 1,
                event=event,
                occurred_at=now,
                actor=actor,
            )
            recorded, self.session = self.recorder.record(entry)
            self._last_beat = time.monotonic()
            self._last_hash = recorded.hash
            said = recorded.event
            if isinstance(said, Heartbeat):
                self._data = said.data or self._data
                self._status_is_behind = True
                self._write_status()
                return False
            return self._write_documents(self.session, said)

    def _note_files(self) -> None:
        """Take the session off the list of those to be healed; left on it, it is healed for nothing."""
        with suppress(LedgerError):
            self.recorder.files_written(self.session_id)

    def _write_status(self) -> None:
        """Write the status document alone where it is behind, at most once a second and without flushing it.

        It is all that a heartbeat changes but for the facts of the prices, which the metadata have at the end.
        """
        waits = time.monotonic() - self._status_written_at < STATUS_SECONDS
        if not self._status_is_behind or waits or self.session is None:
            return
        data = json_bytes(documents.status_document(self.session))
        self._status_is_behind, self._status_written_at = False, time.monotonic()
        try:
            write_whole(self.folder / STATUS, data, flush=False)
        except QuantlabError as error:
            self._warn_of_files(error)
            return
        self._written[STATUS] = data

    def _write_documents(self, session: Session, last: Event) -> bool:
        """Write the documents as the ledger has them; a file that can't be written can be re-made later."""
        # The event as it reads back: its keys are in the ledger's order, in which the files are made again one day.
        if isinstance(last, Started):
            self.started = last
        if self.started is None:
            raise TypeError(f"Session {self.session_id} has not begun.")
        made = documents.as_files(
            documents.of_session(session, self.started, self._data, last, self._last_hash)
        )
        changed = {name: data for name, data in made.items() if self._written.get(name) != data}
        try:
            bundle.write_files(self.folder, changed)
        except QuantlabError as error:
            self._warn_of_files(error)
            return False
        self._written, self._status_is_behind, self._status_written_at = made, False, time.monotonic()
        return True

    def _warn_of_files(self, error: QuantlabError) -> None:
        self._written = {}
        logger.warning("%s The ledger has the fact; the file is made anew by the next command.", error)
