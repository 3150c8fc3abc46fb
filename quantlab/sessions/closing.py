"""End a session that no process will end any more, in the operator's name."""

from __future__ import annotations

import os
import signal
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from quantlab import projections
from quantlab.errors import ConfigError, ConflictError, QuantlabError, SessionEndedError
from quantlab.events import OPERATOR, Aborted, Event, Found
from quantlab.exports import index
from quantlab.ledger import Entry
from quantlab.lifecycle import Status
from quantlab.sessions import stop_note
from quantlab.sessions.adoption import home_of
from quantlab.sessions.healing import heal
from quantlab.sessions.process import is_alive, start_mark
from quantlab.sessions.recorder import Recorder
from quantlab.store.location import no_session

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from quantlab.lifecycle import Row
    from quantlab.store.engine import Store

WAIT_SECONDS = 30.0
"""How long a process is given to end its session once it was asked to stop."""
_POLL_SECONDS = 0.05


def abort(
    store: Store,
    root: Path | None,
    session_id: str,
    reason: str,
    *,
    now: datetime,
    say: Callable[[str], None],
    folder: str | None = None,
    signal_first: bool = False,
    force: bool = False,
    wait_seconds: float = WAIT_SECONDS,
) -> Row:
    """Record a session as aborted, then bring its files and the exports up to that.

    Args:
        store: The ledger.
        root: The folder of sessions; None where only a shared ledger was named, which then says where it is.
        session_id: Which one.
        reason: The operator's own words.
        now: The time of the call.
        say: Told what is waited for, and what could not be written.
        folder: The name by which the operator found it in the root, where it is not what the ledger knows.
        signal_first: Ask the session's process to stop first, and let it record its own end.
        force: Close a session of another host too, whose process can't be seen from here, and one whose process may be
            another that has its number since.
        wait_seconds: How long to wait for a process that was asked to stop.

    Returns:
        The session's row, ended: by this call, or by its own process after the signal.

    Raises:
        ConfigError: the reason is empty, or there is no such session.
        SessionEndedError: it has ended already; nothing was changed.
        QuantlabError: its process lives, or may live on another host; nothing was changed.
    """
    if not reason.strip():
        raise ConfigError("The reason is empty; expected --reason TEXT, which the ledger keeps.")
    began = time.monotonic()
    row = _open_row(store, session_id)
    home = root or home_of(row)
    if _may_close(store, row, home, force=force, signal_first=signal_first):
        with stop_note.left(None if home is None else home / row["path"], reason.strip()):
            row = _ask_to_stop(store, row, wait_seconds, say)
    if folder is not None and home is not None and not row["ended"]:
        row = _found(store, row, home, folder, now)
    if not row["ended"]:
        elapsed = timedelta(seconds=time.monotonic() - began)
        row = _record(store, row, Aborted(message=reason.strip()), now + elapsed)
    if home is None:
        say(
            f"NOTE: the files of {session_id} are not on this machine (root {row['root']} on host {row['host']}); "
            "the next command that writes there brings them up to date."
        )
        return row
    heal(store, home, say=say)
    index.refresh(store, home, warn=say)
    return row


def _open_row(store: Store, session_id: str) -> Row:
    row = _row(store, session_id)
    if row is None:
        raise no_session(store.location, session_id)
    if row["status"] == Status.RUNNING.value and row["terminal"]:
        raise SessionEndedError(
            f"Session {session_id} came with files that call it running and terminal at once, so no end can follow. "
            "Write its true status into its session_status.json and run 'quantlab paper-sessions index ROOT'."
        )
    if row["ended"] or row["terminal"]:
        raise SessionEndedError(
            f"Session {session_id} has ended already ({row['status']} at {row['finished_at'] or 'an unknown time'}: "
            f"{row['message'] or row['status_reason']}); nothing was changed."
        )
    return row


def _row(store: Store, session_id: str) -> Row | None:
    with store.read() as connection:
        return projections.read_row(connection, session_id)


def _may_close(store: Store, row: Row, home: Path | None, *, force: bool, signal_first: bool) -> bool:
    """Tell whether the session's process has to be asked first; a process that nobody can ask forbids the rest."""
    host, pid = row["host"], row["pid"]
    alive = is_alive(host, pid, row["process"])
    if alive is None and pid is not None and not force:
        raise QuantlabError(
            f"Session {row['session_id']} runs as process {pid} on host {host}, which can't be seen from here; nothing "
            "was changed. Abort it there, or say --force once you know that the process is gone."
        )
    if alive and row["process"] is None and start_mark(pid) is not None:
        if force:
            return False
        raise QuantlabError(
            f"Process {pid} of this host may be that of session {row['session_id']}, or another that has its number "
            "since: the session's files don't say when it began. Nothing was changed. Look at it with "
            f"'ps -fp {pid}', stop it if it is the session's, and say --force."
        )
    if alive and not signal_first:
        session = row["session_id"] if home is None else home / row["path"]
        session = f"{session}{store.location.option(home or Path())}"
        raise QuantlabError(
            f"Session {row['session_id']} is still at work as process {pid} on this host; nothing was changed. "
            f"'quantlab paper-sessions abort {session} --signal --reason TEXT' asks it to stop first."
        )
    return bool(alive)


def _ask_to_stop(store: Store, row: Row, wait_seconds: float, say: Callable[[str], None]) -> Row:
    """Send SIGTERM and wait for the session's end, or for its process to be gone without one."""
    session_id, pid = row["session_id"], row["pid"]
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        pass  # it went meanwhile
    except PermissionError as error:
        raise QuantlabError(
            f"Process {pid} of session {session_id} belongs to another user, so it can't be asked to stop; nothing "
            "was changed. Run the same command as that user."
        ) from error
    say(f"Asked process {pid} to stop; waiting up to {wait_seconds:.0f} s for its end.")
    deadline = time.monotonic() + wait_seconds
    while True:
        # Whether it lives is asked first: what it recorded before it went is then seen for certain.
        alive = is_alive(row["host"], pid, row["process"])
        now_row = _row(store, session_id) or row
        if now_row["ended"] or not alive:
            return now_row
        if time.monotonic() >= deadline:
            raise QuantlabError(
                f"Process {pid} of session {session_id} is still alive {wait_seconds:.0f} s after SIGTERM; nothing was "
                f"recorded. See what it is doing, or 'kill -9 {pid}' and abort the session again."
            )
        time.sleep(_POLL_SECONDS)


def _found(store: Store, row: Row, home: Path, folder: str, at: datetime) -> Row:
    """Note that a session's folder was renamed: its end is written where it is now."""
    if folder == row["path"] or (home / row["path"]).exists():
        return row
    return _record(store, row, Found(folder=folder), at)


def _record(store: Store, row: Row, event: Event, at: datetime) -> Row:
    entry = Entry(
        session_id=row["session_id"],
        session_version=row["last_version"] + 1,
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
            f"Session {row['session_id']} has moved on while it was being closed: somebody is at work on it. Nothing "
            "was recorded; look at it with 'quantlab paper-sessions show' and try again."
        ) from error
    return ended
