"""Files that are behind their ledger after a crash are made anew from the events."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from quantlab.base.errors import QuantlabError
from quantlab.base.files import remove_leftovers, write_whole
from quantlab.base.process import is_alive, name_of, names_of, this_host
from quantlab.domain.names import METADATA, METADATA_COPY
from quantlab.folders.comparing import Known, State
from quantlab.folders.places import ARTIFACTS_FOLDER, Seen, look, parse
from quantlab.folders.reading import UnreadableError, read_bytes
from quantlab.ledger import log
from quantlab.ledger.recorder import Recorder
from quantlab.ledger.schema import paper_sessions, pending_files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quantlab.ledger.store import Store

logger = logging.getLogger(__name__)


class FolderPlace(NamedTuple):
    """Where a session's folder is, and its process; the columns of its row that tell that.

    Attributes:
        moved_to: The root in which it was found, where that is another than the ledger says; see `of_moved_roots`.
    """

    session_id: str
    path: str
    origin: str
    status: str
    ended: bool
    vanished_at: str | None
    host: str | None
    root: str | None
    pid: int | None
    process: str | None
    last_version: int
    moved_to: str | None = None


_row = paper_sessions.c
PLACE_COLUMNS = [_row[name] for name in FolderPlace._fields if name != "moved_to"]
_IDS_AT_A_TIME = 500  # before 3.32 SQLite binds at most 999 values in a statement


def heal(store: Store, root: Path) -> dict[str, list[str]]:
    """Make the files anew of sessions that ended, or whose process died, before they were written.

    Edits are left for `reconcile` to record, and so is a folder that was already seen to be gone. A folder that can't
    be written is named, and healed by a later command.

    Returns:
        The files that were made, by session id.
    """
    healed: dict[str, list[str]] = {}
    if not root.is_dir():
        return healed
    for place in _places(store, root, pending=True):
        if not place.ended and is_worked_on(place):
            continue
        files = _heal_or_warn(store, root, place)
        if files:
            healed[place.session_id] = files
        # Only now: whoever dies before this leaves the mark, and the next command looks again.
        if files is not None and place.ended:
            Recorder(store).files_written(place.session_id)
    return healed


def rebuild_files(
    store: Store,
    root: Path,
    session_ids: Sequence[str] | None = None,
) -> dict[str, list[str]]:
    """Make every file anew that the ledger can make and that is missing or behind, of some sessions or of all.

    Sessions whose process may live are left to it, and folders that vanished are not brought back.

    Returns:
        The files that were made, by session id.
    """
    made: dict[str, list[str]] = {}
    for place in _places(store, root, session_ids=session_ids):
        folder = folder_of(root, place)
        if folder is None or not folder.is_dir() or (not place.ended and is_worked_on(place)):
            continue
        files = _heal_or_warn(store, root, place)
        if files:
            made[place.session_id] = files
    return made


def places_of(store: Store, root: Path) -> list[FolderPlace]:
    """Return where every session of a root is supposed to be, by session id."""
    return list(_places(store, root))


def of_moved_roots(store: Store, root: Path, session_ids: Sequence[str]) -> list[FolderPlace]:
    """Return those of the sessions that came to a shared ledger with no root, or whose root on this host is gone.

    Found in another root, they are its own: each place then says so under `moved_to`.
    """
    if store.location.is_own_of(root):
        return []
    query = sa.select(*PLACE_COLUMNS).where(sa.or_(_row.root.is_(None), _row.host == this_host()))
    with store.read() as connection:
        places = _some(connection, query, session_ids)
    return [
        one._replace(moved_to=name_of(root))
        for one in places
        if one.root is None or not Path(one.root).is_dir()
    ]


def is_worked_on(place: FolderPlace) -> bool:
    """Tell whether a process may still be at work on a session that has not ended.

    On another host that can't be told, so it may. Sessions that were adopted belong to no process of this program
    unless their files name one.
    """
    alive = is_alive(place.host, place.pid, place.process)
    return alive is True or (alive is None and place.origin == "session")


def folder_of(root: Path, place: FolderPlace) -> Path | None:
    """Return a session's folder; None where the ledger names one that is not right inside the root."""
    parts = PurePosixPath(place.path).parts
    if len(parts) != 1 or parts[0] in ("..", "/") or "\x00" in place.path:
        return None
    return root / parts[0]


def behind(known: Known, folder: Path, root: Path) -> list[str]:
    """Return the names of the files that the ledger can make and that are missing, or as they were earlier."""
    return [
        name for name in known.made if known.state(name, look(str(folder), name, str(root))) is State.BEHIND
    ]


def write_files(folder: Path, known: Known, root: Path, names: Sequence[str]) -> None:
    """Write some of the files that a session's events make, each whole.

    Where somebody's edit of session_metadata.json stands, metadata.json becomes a copy of that file, byte for byte.

    Raises:
        QuantlabError: one can't be written.
    """
    made = known.made
    # Readers of the copy are to see what readers of the file see, an edit included.
    if METADATA_COPY in names and METADATA not in names:
        made = made | _edited_metadata(folder, known, root)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise QuantlabError(f"{folder} can't be made: {error.strerror or error}.") from error
    remove_leftovers(folder)
    for name in names:
        write_whole(folder / name, made[name])


def _edited_metadata(folder: Path, known: Known, root: Path) -> dict[str, bytes]:
    try:
        data = read_bytes(f"{folder}/{METADATA}", str(root))
        seen = Seen(digest=hashlib.sha256(data).hexdigest(), document=parse(data))
    except (FileNotFoundError, UnreadableError):
        return {}
    return {METADATA_COPY: data} if known.state(METADATA, seen) is State.CURRENT else {}


def _heal_or_warn(store: Store, root: Path, place: FolderPlace) -> list[str] | None:
    """Return the files of a session that were made anew; None where they could not be, which is logged."""
    try:
        return _heal_one(store, root, place)
    except QuantlabError as error:
        logger.warning("%s: %s", place.session_id, error)
        return None


def _heal_one(store: Store, root: Path, place: FolderPlace) -> list[str]:
    folder = folder_of(root, place)
    if folder is None or place.vanished_at is not None or not (place.ended or folder.is_dir()):
        return []
    remove_leftovers(folder)
    remove_leftovers(folder / ARTIFACTS_FOLDER)
    with store.read() as connection:
        known = Known(log.read_events(connection, place.session_id))
    names = behind(known, folder, root)
    if names:
        write_files(folder, known, root, names)
    return names


def _places(
    store: Store, root: Path, *, pending: bool = False, session_ids: Sequence[str] | None = None
) -> list[FolderPlace]:
    query = sa.select(*PLACE_COLUMNS).order_by(_row.session_id)
    if pending:
        query = query.join(pending_files, pending_files.c.session_id == _row.session_id)
    with store.read() as connection:
        if not store.location.is_own_of(root):
            query = query.where(_row.host == this_host())
            roots = connection.execute(query.with_only_columns(_row.root).order_by(None).distinct()).scalars()
            query = query.where(_row.root.in_(names_of(root, roots)))
        if session_ids is not None:
            return _some(connection, query, session_ids)
        return [FolderPlace(*one) for one in connection.execute(query)]


def _some(connection: sa.Connection, query: sa.Select[Any], session_ids: Sequence[str]) -> list[FolderPlace]:
    found: list[FolderPlace] = []
    for start in range(0, len(session_ids), _IDS_AT_A_TIME):
        some = query.where(_row.session_id.in_(session_ids[start : start + _IDS_AT_A_TIME]))
        found += [FolderPlace(*one) for one in connection.execute(some)]
    return found
