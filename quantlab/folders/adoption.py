"""Folders that the ledger has not seen: read them as they are, and record each once as `adopted`."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from quantlab.base.levels import PROGRESS
from quantlab.base.process import name_of, this_host
from quantlab.base.values import JsonObject
from quantlab.domain.events import IMPORT, Adopted
from quantlab.domain.lifecycle import Status
from quantlab.domain.names import EQUITY, METADATA, METADATA_COPY, REPORT, SESSION_MARKERS, TRADES
from quantlab.folders import heads
from quantlab.folders.evidence import Evidence, Tables, weigh
from quantlab.folders.fields import fields_of
from quantlab.folders.places import (
    ARTIFACTS_FOLDER,
    DOCUMENTS,
    TABLES,
    artifact_names,
    look,
    read_document,
)
from quantlab.folders.reading import UnreadableError, read_bytes
from quantlab.ledger.log import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from quantlab.domain.session import Session
    from quantlab.ledger.location import Location
    from quantlab.ledger.recorder import Recorder

logger = logging.getLogger(__name__)

LARGEST_KEPT = 1024 * 1024
"""Bytes of a document above which the ledger keeps its digest alone."""
_BATCH_FOLDERS = 500
_BATCH_BYTES = 32 * 1024 * 1024


class FolderFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a session's folder says.

    Attributes:
        folder: Its name, relative to the root.
        session_id: As its files say, else the folder's name.
        fields: Columns of the projection; what the folder does not tell is null.
        documents: Its JSON objects, by file name.
        digests: SHA-256 of each file that could be read, by name.
        unreadable: Files that could not be used, and `file: field` for single values.
        ledger: What its metadata say of the ledger that recorded it; None where they say nothing.
        size: Bytes of the documents that were read.
        evidence: What speaks against the result that it shows; None where it shows none.
    """

    folder: str
    session_id: str
    fields: JsonObject
    documents: dict[str, JsonObject]
    digests: dict[str, str]
    unreadable: list[str]
    ledger: object
    size: int
    evidence: Evidence | None = None

    def adopted(self) -> Adopted:
        """Return the event that brings the folder into a ledger."""
        told = {name: value for name, value in self.fields.items() if value is not None}
        return Adopted(
            folder=self.folder,
            terminal=self.fields["terminal"] is True,
            fields={**told, "terminal": self.fields["terminal"]},
            documents=self.documents,
            digests=self.digests,
            unreadable=self.unreadable,
            evidence=None if self.evidence is None else self.evidence._asdict(),
        )


class Copy(NamedTuple):
    """A folder that claims the id of a session which another folder holds."""

    folder: str
    session_id: str


class Adoption(msgspec.Struct):
    """What adopting some folders came to.

    Attributes:
        adopted: Ids of the sessions that were recorded.
        copies: Folders that were left out, being copies.
        unreadable: Session id -> what of its folder could not be used.
    """

    adopted: list[str] = msgspec.field(default_factory=list)
    copies: list[Copy] = msgspec.field(default_factory=list)
    unreadable: dict[str, list[str]] = msgspec.field(default_factory=dict)


def read_folder(folder: Path, root: Path) -> FolderFacts | None:
    """Read a session's folder; None where it holds none of the files that make it one.

    A file that can't be used is named in the facts, and the rest still counts.
    """
    place, top = str(folder), str(root)
    there = _names_in(place)
    if there.isdisjoint(SESSION_MARKERS):
        return None
    documents, digests, unreadable, size = _read_documents(place, top, there)
    artifacts = artifact_names(place) if ARTIFACTS_FOLDER in there else []
    for name in (*there.intersection(TABLES), *artifacts):
        seen = look(place, name, top)
        if seen.digest is not None:
            digests[name] = seen.digest
        elif not seen.missing:
            unreadable.append(name)
    fields, problems = fields_of(documents)
    fields["report_present"] = REPORT in documents or REPORT in unreadable
    return FolderFacts(
        folder=folder.name,
        session_id=fields.pop("session_id") or folder.name,
        fields=fields,
        documents=_kept(documents, digests, size),
        digests=digests,
        unreadable=sorted([*unreadable, *problems]),
        ledger=(documents.get(METADATA) or documents.get(METADATA_COPY) or {}).get("ledger"),
        size=sum(size.values()),
        evidence=_evidence(place, top, documents, digests) if fields["status"] == Status.SUCCESS else None,
    )


def adopt(
    recorder: Recorder,
    root: Path,
    names: Sequence[str],
    *,
    home: JsonObject,
    now: datetime,
) -> Adoption:
    """Record session folders of a root that the ledger has not seen, each session once.

    Of folders that claim one id, the one that bears it as its name is adopted, else the first; the others are named
    as copies.

    Args:
        recorder: The ledger.
        root: The folder of sessions.
        names: Folders in it.
        home: Columns that tell this root's sessions, from `shared_home`.
        now: The time of the events.
    """
    outcome = Adoption()
    progress = LoggedProgress(f"Adopting {root}", len(names))
    renamed: list[str] = []
    # First those that bear their id as their name: of several that claim one id, such a folder is the session.
    facts = _facts(root, names, progress)
    _record(recorder, home, now, outcome, (one for one in facts if _bears_its_id(one, renamed)))
    _record(recorder, home, now, outcome, _facts(root, renamed, progress))
    outcome.copies.sort()
    return outcome


class LoggedProgress:
    """Says how far a long piece of work has come, once a second, and nothing about a short one."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total = what, total
        self._done = 0
        self._said_at = time.monotonic()

    def step(self) -> None:
        """Count one more."""
        self._done += 1
        if time.monotonic() - self._said_at >= 1.0:
            self._said_at = time.monotonic()
            logger.log(PROGRESS, "%s: %s of %s folders.", self._what, f"{self._done:,}", f"{self._total:,}")


def shared_home(location: Location, root: Path) -> JsonObject:
    """Return the columns that tell this root's sessions in a ledger that several roots share; none in its own."""
    return {} if location.is_own_of(root) else {"root": name_of(root), "host": this_host()}


def home_of(session: Session) -> Path | None:
    """Return the root that a session of a shared ledger lives in; None where it is not on this machine."""
    if session.root is None or session.host != this_host():
        return None
    root = Path(session.root)
    return root if root.is_dir() else None


def _names_in(place: str) -> set[str]:
    try:
        return set(os.listdir(place))  # noqa: PTH208 - ten thousand folders at a time: plain strings
    except OSError:
        return set()


def _read_documents(
    place: str, root: str, there: set[str]
) -> tuple[dict[str, JsonObject], dict[str, str], list[str], dict[str, int]]:
    documents: dict[str, JsonObject] = {}
    digests: dict[str, str] = {}
    unreadable: list[str] = []
    size: dict[str, int] = {}
    for name in DOCUMENTS:
        if name not in there:
            continue
        try:
            documents[name], digests[name], size[name] = read_document(f"{place}/{name}", root)
        except FileNotFoundError:
            continue  # it went since the folder was listed
        except UnreadableError as error:
            unreadable.append(name)
            if error.digest is not None:
                digests[name] = error.digest
    return documents, digests, unreadable, size


def _evidence(place: str, root: str, documents: dict[str, JsonObject], digests: dict[str, str]) -> Evidence:
    found: dict[str, bytes | None] = {}
    for name in (TRADES, EQUITY):
        try:
            found[name] = read_bytes(f"{place}/{name}", root) if name in digests else None
        except (FileNotFoundError, UnreadableError):
            found[name] = None
    return weigh(documents, digests, Tables(found[TRADES], found[EQUITY]))


def _kept(
    documents: dict[str, JsonObject], digests: dict[str, str], size: dict[str, int]
) -> dict[str, JsonObject]:
    """Return what the ledger keeps whole: no huge documents, and the metadata's exact copy only once."""
    same = digests.get(METADATA) == digests.get(METADATA_COPY)
    return {
        name: document
        for name, document in documents.items()
        if size[name] <= LARGEST_KEPT and not (name == METADATA_COPY and same)
    }


def _facts(root: Path, names: Iterable[str], progress: LoggedProgress) -> Iterator[FolderFacts]:
    for name in names:
        facts = read_folder(root / name, root)
        progress.step()
        if facts is not None:
            yield facts


def _bears_its_id(facts: FolderFacts, renamed: list[str]) -> bool:
    if facts.folder == facts.session_id:
        return True
    renamed.append(facts.folder)
    return False


def _record(
    recorder: Recorder,
    home: JsonObject,
    now: datetime,
    outcome: Adoption,
    facts: Iterator[FolderFacts],
) -> None:
    for batch in _batches(facts, outcome):
        by_id = {one.session_id: one for one in batch}
        elsewhere = heads.recorded_elsewhere(recorder.store, {one.session_id: one.ledger for one in batch})
        entries = [_entry(one, home | elsewhere.get(one.session_id, {}), now) for one in batch]
        recorded = set(recorder.record_births(entries))
        outcome.adopted += [one.session_id for one in batch if one.session_id in recorded]
        outcome.unreadable |= {name: by_id[name].unreadable for name in recorded if by_id[name].unreadable}
        outcome.copies += [
            Copy(one.folder, one.session_id) for one in batch if one.session_id not in recorded
        ]


def _entry(facts: FolderFacts, home: JsonObject, now: datetime) -> Entry:
    event = facts.adopted()
    if home:
        event = msgspec.structs.replace(event, fields={**event.fields, **home})
    return Entry(session_id=facts.session_id, session_version=1, event=event, occurred_at=now, actor=IMPORT)


def _batches(facts: Iterator[FolderFacts], outcome: Adoption) -> Iterator[list[FolderFacts]]:
    """Yield facts by the hundred or by the size of their documents; of one id only the first in a batch."""
    batch: list[FolderFacts] = []
    ids: set[str] = set()
    held = 0
    for one in facts:
        if one.session_id in ids:
            outcome.copies.append(Copy(one.folder, one.session_id))
            continue
        batch.append(one)
        ids.add(one.session_id)
        held += one.size
        if len(batch) >= _BATCH_FOLDERS or held >= _BATCH_BYTES:
            yield batch
            batch, ids, held = [], set(), 0
    if batch:
        yield batch
