"""End a session that no process will end any more, in the operator's name."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from quantlab.base import platform
from quantlab.base.clock import parse_iso
from quantlab.base.errors import ConfigError, ConflictError, QuantlabError, SessionEndedError
from quantlab.base.process import is_alive, may_count_elsewhere, start_mark
from quantlab.base.remedies import ABORT, INDEX, SHOW, Setting
from quantlab.domain.events import OPERATOR, Aborted, Event, Found
from quantlab.domain.lifecycle import Status
from quantlab.exports import index
from quantlab.folders.adoption import home_of
from quantlab.folders.healing import heal
from quantlab.folders.page import beside_the_index
from quantlab.ledger import projection
from quantlab.ledger.location import no_session
from quantlab.ledger.log import Entry
from quantlab.ledger.recorder import Recorder
from quantlab.sessions import stop_note

if TYPE_CHECKING:
    from datetime import datetime

    from quantlab.domain.session import Session
    from quantlab.ledger.store import Store

logger = logging.getLogger(__name__)

WAIT_SECONDS = 30.0
"""How long a process is given to end its session once it was asked to stop."""
FRESH_MINUTES = 2
"""A session that beats at the usual interval has an event four times in so many minutes."""
_POLL_SECONDS = 0.05


def abort(
    store: Store,
    root: Path | None,
    session_id: str,
    reason: str,
    *,
    now: datetime,
    folder: str | None = None,
    signal_first: bool = False,
    force: bool = False,
    page: bool = False,
    wait_seconds: float = WAIT_SECONDS,
) -> Session:
    """Record a session as aborted, then bring its files and the exports up to that.

    Args:
        store: The ledger.
        root: The folder of sessions; None where only a shared ledger was named, which then says where it is.
        session_id: Which one.
        reason: The operator's own words.
        now: The time of the call.
        folder: The name by which the operator found it in the root, where it is not what the ledger knows.
        signal_first: Ask the session's process to stop first, and let it record its own end.
        force: Close a session of another host too, whose process can't be seen from here, and one whose process may be
            another that has its number since.
        page: Write the operators' page beside the index too.
        wait_seconds: How long to wait for a process that was asked to stop.

    Returns:
        The session, ended: by this call, or by its own process after the signal.

    Raises:
        ConfigError: the reason is empty, or there is no such session.
        SessionEndedError: it has ended already; nothing was changed.
        QuantlabError: its process lives, or may live on another host; nothing was changed.
    """
    if not reason.strip():
        raise ConfigError(
            "The reason is empty; expected ", Setting("reason", "TEXT"), ", which the ledger keeps."
        )
    began = time.monotonic()
    session = _open(store, session_id)
    home = root or home_of(session)
    if _may_close(store, session, home, now, force=force, signal_first=signal_first):
        with stop_note.left(None if home is None else home / session.path, reason.strip()):
            session = _ask_to_stop(store, session, wait_seconds)
    if folder is not None and home is not None and not session.ended:
        session = _found(store, session, home, folder, now)
    if not session.ended:
        elapsed = timedelta(seconds=time.monotonic() - began)
        session = _record(store, session, Aborted(message=reason.strip()), now + elapsed)
    if home is None:
        logger.info(
            "NOTE: the files of %s are not on this machine (root %s on host %s); the next command that writes there "
            "brings them up to date.",
            session_id,
            session.root,
            session.host,
        )
        return session
    heal(store, home)
    ended_at = now + timedelta(seconds=time.monotonic() - began)
    index.refresh_after_end(store, home, now=ended_at, beside=beside_the_index(wanted=page))
    return session


def _open(store: Store, session_id: str) -> Session:
    session = _session_of(store, session_id)
    if session is None:
        raise no_session(store.location, session_id)
    if session.status == Status.RUNNING.value and session.terminal:
        raise SessionEndedError(
            f"Session {session_id} came with files that call it running and terminal at once, so no end can follow. "
            "Write its true status into its session_status.json and run ",
            INDEX.of("ROOT"),
            ".",
        )
    if session.ended or session.terminal:
        raise SessionEndedError(
            f"Session {session_id} has ended already ({session.status} at {session.finished_at or 'an unknown time'}: "
            f"{session.message or session.status_reason}); nothing was changed."
        )
    return session


def _session_of(store: Store, session_id: str) -> Session | None:
    with store.read() as connection:
        return projection.read_row(connection, session_id)


def _is_fresh(session: Session, now: datetime) -> bool:
    """Tell whether a session's last event is so young that a process may well be behind it."""
    at = session.activity_at
    return at is not None and abs(now - parse_iso(at)) < timedelta(minutes=FRESH_MINUTES)


def _may_close(
    store: Store, session: Session, home: Path | None, now: datetime, *, force: bool, signal_first: bool
) -> bool:
    """Tell whether the session's process has to be asked first; a process that nobody can ask forbids the rest."""
    host, pid = session.host, session.pid
    alive = is_alive(host, pid, session.process)
    if alive is None and pid is not None and not force:
        raise QuantlabError(
            f"Session {session.session_id} runs as process {pid} on host {host}, which can't be seen from here "
            "(another machine, or another container); nothing was changed. Abort it there, or say ",
            Setting("force"),
            " once you know that the process is gone.",
        )
    if alive is False and not force and may_count_elsewhere(session.process) and _is_fresh(session, now):
        raise QuantlabError(
            f"Session {session.session_id} had an event at {session.activity_at}, though no process {pid} is to be "
            f"seen here: it may be at work in another container of this host's name. Nothing was changed. Look again "
            f"in {FRESH_MINUTES} minutes, or say ",
            Setting("force"),
            " once you know that the process is gone.",
        )
    if alive and pid is not None and session.process is None and start_mark(pid) is not None:
        if force:
            return False
        raise QuantlabError(
            f"Process {pid} of this host may be that of session {session.session_id}, or another that has its number "
            "since: the session's files don't say when it began. Nothing was changed. Look at it with "
            f"'ps -fp {pid}', stop it if it is the session's, and say ",
            Setting("force"),
            ".",
        )
    if alive and not signal_first:
        ledger = store.location.option(home or Path())
        named = session.session_id if home is None else home / session.path
        raise QuantlabError(
            f"Session {session.session_id} is still at work as process {pid} on this host; nothing was changed. ",
            ABORT.of(named, *ledger, Setting("signal"), Setting("reason", "TEXT")),
            " asks it to stop first.",
        )
    return bool(alive)


def _ask_to_stop(store: Store, session: Session, wait_seconds: float) -> Session:
    """Send SIGTERM and wait for the session's end, or for its process to be gone without one."""
    session_id, pid = session.session_id, session.pid
    if pid is None:
        raise TypeError(f"Session {session_id} names no process, so none can be asked.")
    try:
        platform.ask_to_stop(pid)
    except ProcessLookupError:
        pass  # it went meanwhile
    except PermissionError as error:
        raise QuantlabError(
            f"Process {pid} of session {session_id} belongs to another user, so it can't be asked to stop; nothing "
            "was changed. Run the same command as that user."
        ) from error
    logger.info("Asked process %d to stop; waiting up to %.0f s for its end.", pid, wait_seconds)
    deadline = time.monotonic() + wait_seconds
    while True:
        # Whether it lives is asked first: what it recorded before it went is then seen for certain.
        alive = is_alive(session.host, pid, session.process)
        now_session = _session_of(store, session_id) or session
        if now_session.ended or not alive:
            return now_session
        if time.monotonic() >= deadline:
            raise QuantlabError(
                f"Process {pid} of session {session_id} is still alive {wait_seconds:.0f} s after SIGTERM; nothing was "
                f"recorded. See what it is doing, or 'kill -9 {pid}' and abort the session again."
            )
        time.sleep(_POLL_SECONDS)


def _found(store: Store, session: Session, home: Path, folder: str, at: datetime) -> Session:
    """Note that a session's folder was renamed: its end is written where it is now."""
    if folder == session.path or (home / session.path).exists():
        return session
    return _record(store, session, Found(folder=folder), at)


def _record(store: Store, session: Session, event: Event, at: datetime) -> Session:
    entry = Entry(
        session_id=session.session_id,
        session_version=session.last_version + 1,
        event=event,
        occurred_at=at,
        actor=OPERATOR,
    )
    try:
        _recorded, ended = Recorder(store).record(entry)
    except SessionEndedError:
        raise
    except ConflictError as error:
        raise ConflictError(
            f"Session {session.session_id} has moved on while it was being closed: somebody is at work on it. Nothing "
            "was recorded; look at it with ",
            SHOW,
            " and try again.",
        ) from error
    return ended
