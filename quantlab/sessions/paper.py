"""A paper session: start it, let the trading go by with heartbeats, end it one way and for good."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from quantlab.clock import utc_now
from quantlab.config import config_hash
from quantlab.errors import LedgerError, QuantlabError
from quantlab.events import (
    OPERATOR,
    SESSION,
    Aborted,
    Event,
    Failed,
    Heartbeat,
    Recorded,
    Started,
    Succeeded,
)
from quantlab.exports import artifacts, bundle
from quantlab.exports.environment import environment
from quantlab.exports.report import ReportHeader
from quantlab.ledger import Entry
from quantlab.lifecycle import superseded
from quantlab.sessions import process, stop_note
from quantlab.trading.strategy import STRATEGY_NAME

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from quantlab.config import RunConfig
    from quantlab.research.stopping import StopGate
    from quantlab.sessions.recorder import Recorder


@dataclass
class PaperSession:
    """One session on its ledger: every step is recorded first, then shown in its files.

    Attributes:
        folder: The session's own folder, inside the root.
        heartbeat_seconds: Least time between two heartbeats while bars go by.
        warn: Told about files that could not be written; the ledger has the fact all the same.
        watch: Told stage, bars done and bars expected, whenever they change.
        recorded: The session's events so far that still tell something: of a run of heartbeats only the last.
    """

    recorder: Recorder
    folder: Path
    gate: StopGate
    heartbeat_seconds: float
    warn: Callable[[str], None]
    watch: Callable[[str, int, int | None], None]
    clock: Callable[[], datetime] = utc_now
    recorded: list[Recorded] = field(default_factory=list)
    _last_beat: float = 0.0
    _written: dict[str, bytes] = field(default_factory=dict)

    @property
    def session_id(self) -> str:
        """The session's id, which is its folder's name too."""
        return self.folder.name

    def start(self, config: RunConfig, *, request_id: str | None, reproduce: str) -> None:
        """Record `started` and write metadata, status and configuration.

        Raises:
            LedgerError: the ledger can't be written; no session exists then.
        """
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
        )
        self._record(started)

    def reach(
        self, stage: str, *, done: int, expected: int | None, data: dict[str, Any] | None = None
    ) -> None:
        """Record a heartbeat: the work has come to a stage.

        Raises:
            SessionEndedError: an operator closed the session meanwhile; nothing is changed.
            StopRequested: a signal asks the session to stop.
        """
        self.gate.check()
        self.watch(stage, done, expected)
        self._record(Heartbeat(stage=stage, bars_done=done, bars_expected=expected, data=data))

    def progress(self, *, done: int, expected: int) -> None:
        """Record a heartbeat if the last one is long enough ago; called by the loop that does the work."""
        self.gate.check()
        self.watch("simulating", done, expected)
        if time.monotonic() - self._last_beat >= self.heartbeat_seconds:
            self.reach("simulating", done=done, expected=expected)

    def succeed(self, succeeded: Succeeded) -> None:
        """Record the success and write every document that follows from it."""
        self._end(succeeded)

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
            if self._record(event, actor):
                self._note_files()

    def _record(self, event: Event, actor: str = SESSION) -> bool:
        """Append one event, then bring the files up to it; returns whether they show it."""
        with self.gate.deferred():
            entry = Entry(
                session_id=self.session_id,
                session_version=self.recorded[-1].session_version + 1 if self.recorded else 1,
                event=event,
                occurred_at=self.clock(),
                actor=actor,
            )
            recorded, _row = self.recorder.record(entry)
            self._keep(recorded)
            self._last_beat = time.monotonic()
            return self._write_documents()

    def _keep(self, recorded: Recorded) -> None:
        """Keep an event in mind, and no longer those that it supersedes: a session may go on for weeks."""
        last = self.recorded[-1] if self.recorded else None
        if last is not None and superseded(last.type, last.payload, recorded.type):
            self.recorded.pop()
        self.recorded.append(recorded)

    def _note_files(self) -> None:
        """Take the session off the list of those to be healed; left on it, it is healed for nothing."""
        with suppress(LedgerError):
            self.recorder.files_written(self.session_id)

    def _write_documents(self) -> bool:
        """Write the documents as the ledger has them; a file that can't be written can be re-made later."""
        made = artifacts.documents(self.recorded)
        changed = {name: data for name, data in made.items() if self._written.get(name) != data}
        try:
            bundle.write_files(self.folder, changed)
        except QuantlabError as error:
            self._written = {}
            self.warn(f"WARNING: {error} The ledger has the fact; the file is made anew by the next command.")
            return False
        self._written = made
        return True


def paper_header(first: Recorded) -> ReportHeader:
    """Return what a session's report says about the session itself, from its first event.

    Raises:
        TypeError: the event is no `started`.
    """
    started = first.event
    if not isinstance(started, Started):
        raise TypeError(f"Session {first.session_id} begins with {first.type!r}, not 'started'.")
    return ReportHeader(
        run_id=first.session_id,
        mode="paper",
        created_at=first.occurred_at,
        git_commit=started.git_commit,
        python_version=started.python_version,
        packages=started.packages,
        config_hash=started.config_hash,
        request_id=started.request_id,
        strategy=STRATEGY_NAME,
        reproduce=started.reproduce,
    )


def message_of(error: BaseException) -> str:
    """Return what an exception says; its name where it says nothing."""
    return str(error) or type(error).__name__
