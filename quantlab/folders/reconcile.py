"""Bring ledger and disk together: what is on the disk is recorded, what is behind is made anew, nothing is dropped."""

from __future__ import annotations

import hashlib
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, cast
from unicodedata import normalize

import msgspec
import sqlalchemy as sa

from quantlab.base.errors import ConfigError, QuantlabError
from quantlab.base.files import remove_leftovers
from quantlab.base.process import this_host
from quantlab.base.values import JsonObject
from quantlab.domain.events import OPERATOR, Amended, Event, Found, Recorded, Vanished
from quantlab.domain.names import METADATA, METADATA_COPY
from quantlab.folders.adoption import Copy, LoggedProgress, adopt, shared_home
from quantlab.folders.comparing import Known, State
from quantlab.folders.healing import (
    FolderPlace,
    folder_of,
    heal,
    is_worked_on,
    of_moved_roots,
    places_of,
    write_files,
)
from quantlab.folders.places import (
    NOT_UTF_8,
    Seen,
    closed_folders,
    look,
    parse,
    session_folders,
    unstorable_folders,
)
from quantlab.ledger.log import Entry
from quantlab.ledger.recorder import Recorder
from quantlab.ledger.schema import events

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from quantlab.ledger.store import Store

_SESSIONS_AT_A_TIME = 200
_of_sessions = (
    sa.select(*events.columns)
    .where(events.c.session_id.in_(sa.bindparam("session_ids", expanding=True)))
    .order_by(events.c.session_id, events.c.session_version)
)


class Edit(msgspec.Struct, frozen=True):
    """An edited file that was recorded."""

    session_id: str
    file: str
    changes: dict[str, JsonObject]
    lifecycle: bool


class Moved(msgspec.Struct, frozen=True):
    """A session whose folder is back, or under another name."""

    session_id: str
    folder: str


class Reconciled(msgspec.Struct):
    """What bringing ledger and disk together came to.

    Attributes:
        adopted: Sessions that the ledger had not seen.
        amended: Edits that were recorded.
        vanished: Sessions whose folder is gone; they stay listed.
        found: Sessions whose folder is back, or under another name.
        copies: Folders that are copies of another session's, and were left out.
        remade: Files that were behind the ledger and were made anew, by session id.
        unreadable: What could not be used, by session id, as far as it is new.
        at_work: Sessions that a process may still be at work on; they were left alone.
        troubles: What could not be looked at or mended, a line each.
    """

    adopted: list[str] = msgspec.field(default_factory=list)
    amended: list[Edit] = msgspec.field(default_factory=list)
    vanished: list[str] = msgspec.field(default_factory=list)
    found: list[Moved] = msgspec.field(default_factory=list)
    copies: list[Copy] = msgspec.field(default_factory=list)
    remade: dict[str, list[str]] = msgspec.field(default_factory=dict)
    unreadable: dict[str, list[str]] = msgspec.field(default_factory=dict)
    at_work: list[str] = msgspec.field(default_factory=list)
    troubles: list[str] = msgspec.field(default_factory=list)


def reconcile(store: Store, root: Path, *, now: datetime) -> Reconciled:
    """Record what is new, edited, gone or back in a root, and make anew what is merely behind.

    Called again right away it finds nothing. Sessions that a process may be at work on are left alone.

    Args:
        store: The ledger.
        root: The folder of sessions.
        now: The time of the events.

    Raises:
        ConfigError: the root can't be listed.
        LedgerError: the ledger can't be written.
    """
    findings = Reconciled(remade=heal(store, root))
    remove_leftovers(root)
    try:
        names, closed, odd = session_folders(root), closed_folders(root), unstorable_folders(root)
    except OSError as error:
        raise ConfigError(
            f"{root} can't be listed: {error.strerror or error}; expected a folder of sessions."
        ) from error
    findings.troubles += [f"{root / name}: may not be looked into; check its permissions." for name in closed]
    findings.troubles += [f"{root / name}: {NOT_UTF_8}" for name in odd]
    places = [place for place in places_of(store, root) if place.path not in closed]
    moved = _adopt_new(store, root, names, places, findings, now)
    names_there = set(names)
    progress = LoggedProgress(f"Comparing {root}", len(places))
    for start in range(0, len(places), _SESSIONS_AT_A_TIME):
        some = places[start : start + _SESSIONS_AT_A_TIME]
        _reconcile_some(store, root, some, moved, names_there, findings, now, progress)
    findings.troubles += _look_alikes([*(place.session_id for place in places), *findings.adopted])
    return findings


def _look_alikes(ids: Sequence[str]) -> list[str]:
    """Name the ids that differ only in how their accents are encoded, which no reader can tell apart."""
    alike: dict[str, set[str]] = {}
    for one in ids:
        if not one.isascii():
            alike.setdefault(normalize("NFC", one), set()).add(one)
    return [
        f"{' and '.join(ascii(one) for one in sorted(names))} look alike and are different sessions; rename a folder."
        for names in alike.values()
        if len(names) > 1
    ]


def _adopt_new(
    store: Store,
    root: Path,
    names: Sequence[str],
    places: list[FolderPlace],
    findings: Reconciled,
    now: datetime,
) -> dict[str, str]:
    """Adopt the folders that no session is known to have; returns those of known sessions that have moved.

    Sessions whose whole root was moved here, or that had none, join the places.
    """
    taken = {place.path for place in places}
    new = [name for name in names if name not in taken]
    outcome = adopt(Recorder(store), root, new, home=shared_home(store.location, root), now=now)
    findings.adopted = outcome.adopted
    findings.unreadable = outcome.unreadable
    places += of_moved_roots(store, root, [copy.session_id for copy in outcome.copies])
    homes = {place.session_id: place for place in places}
    there = set(names)
    moved: dict[str, str] = {}
    for copy in outcome.copies:
        place = homes.get(copy.session_id)
        if place is None or copy.session_id in moved or _is_elsewhere_too(root, place, there):
            findings.copies.append(copy)
        else:
            moved[copy.session_id] = copy.folder
    return moved


def _is_elsewhere_too(root: Path, place: FolderPlace, names: set[str]) -> bool:
    return place.moved_to is None and _is_there(root, place, names)


def _is_there(root: Path, place: FolderPlace, names: set[str]) -> bool:
    """Tell whether a session's folder is where it was; ours may lack every file, for they can be re-made."""
    if place.path in names:
        return True
    folder = folder_of(root, place)
    return place.origin == "session" and folder is not None and folder.is_dir()


def _reconcile_some(
    store: Store,
    root: Path,
    places: Sequence[FolderPlace],
    moved: dict[str, str],
    names: set[str],
    findings: Reconciled,
    now: datetime,
    progress: LoggedProgress,
) -> None:
    todo: dict[str, _Session] = {}
    for place in places:
        progress.step()
        session = _located(root, place, moved, names, findings)
        if session is not None:
            todo[place.session_id] = session
    present = [session_id for session_id, session in todo.items() if session.folder is not None]
    for session_id, recorded in _events(store, present):
        todo[session_id].compare(recorded, root, findings)
    entries = [entry for session in todo.values() for entry in session.entries(now)]
    if entries:
        _note(Recorder(store).record_annotations(entries), findings)
    for session in todo.values():
        session.rebuild(root, findings)


def _located(
    root: Path, place: FolderPlace, moved: dict[str, str], names: set[str], findings: Reconciled
) -> _Session | None:
    """Find a session's folder; None where there is nothing to do about it."""
    session_id = place.session_id
    if not place.ended and is_worked_on(place):
        findings.at_work.append(session_id)
        return None
    if folder_of(root, place) is None:
        findings.troubles.append(f"{session_id}: its folder {place.path!r} is not right inside {root}.")
        return None
    if session_id in moved:
        folder = moved[session_id]
        return _Session(place, root / folder, [_found(place, folder)])
    if _is_there(root, place, names):
        back = place.vanished_at is not None
        return _Session(place, root / place.path, [Found(folder=place.path)] if back else [])
    if place.vanished_at is None:
        return _Session(place, None, [Vanished(folder=place.path)])
    return None


def _found(place: FolderPlace, folder: str) -> Found:
    host = None if place.moved_to is None else this_host()
    return Found(folder=folder, root=place.moved_to, host=host)


class _Session:
    """One session while it is compared: what to record of it, and what to make anew."""

    def __init__(self, place: FolderPlace, folder: Path | None, noted: list[Event]) -> None:
        self.place = place
        self.folder = folder
        self._noted = noted
        self._known: Known | None = None
        self._behind: list[str] = []

    def compare(self, recorded: Sequence[Recorded], root: Path, findings: Reconciled) -> None:
        known = self._known = Known(recorded)
        if len(recorded) != self.place.last_version:
            return  # it has moved on since it was listed; the next call looks again
        found = {name: look(str(self.folder), name, str(root)) for name in known.names()}
        for name, seen in found.items():
            state = known.state(name, seen)
            if state is State.CURRENT:
                continue
            if state is State.BEHIND:
                self._behind.append(name)
                if name not in known.unreadable:
                    continue
                data = known.made[name]
                seen = Seen(digest=hashlib.sha256(data).hexdigest(), document=parse(data))  # noqa: PLW2901
            self._noted.append(known.amend(name, seen))
        lags = METADATA not in self._behind and known.copy_lags(found[METADATA], found[METADATA_COPY])
        if lags and METADATA_COPY not in self._behind:
            self._behind.append(METADATA_COPY)
        if self._noted and known.unreadable and isinstance(self._noted[-1], Amended):
            findings.unreadable[self.place.session_id] = known.unreadable

    def entries(self, now: datetime) -> Iterator[Entry]:
        for version, event in enumerate(self._noted, self.place.last_version + 1):
            yield Entry(
                session_id=self.place.session_id,
                session_version=version,
                event=event,
                occurred_at=now,
                actor=OPERATOR,
            )

    def rebuild(self, root: Path, findings: Reconciled) -> None:
        if not self._behind or self.folder is None or self._known is None:
            return
        session_id = self.place.session_id
        try:
            write_files(self.folder, self._known, root, self._behind)
        except QuantlabError as error:
            findings.troubles.append(f"{session_id}: {error}")
            return
        findings.remade[session_id] = [*findings.remade.get(session_id, []), *self._behind]


def _events(store: Store, session_ids: Sequence[str]) -> Iterator[tuple[str, list[Recorded]]]:
    with store.read() as connection:
        rows = connection.execute(_of_sessions, {"session_ids": list(session_ids)})
        recorded = (Recorded(*row) for row in rows)
        for session_id, of_session in groupby(recorded, attrgetter("session_id")):
            yield session_id, list(of_session)


def _note(recorded: Sequence[Entry], findings: Reconciled) -> None:
    for entry in recorded:
        event = entry.event
        if isinstance(event, Vanished):
            findings.vanished.append(entry.session_id)
        elif isinstance(event, Found):
            findings.found.append(Moved(entry.session_id, event.folder))
        else:
            edit = cast("Amended", event)
            findings.amended.append(Edit(entry.session_id, edit.file, edit.changes, edit.lifecycle))
