"""A session's files beside what the ledger says they are: the same, merely behind, or edited. Pure.

The files that events make (`domain.documents`) are compared with what the events made at each point; the
others with the digest under which they were recorded.
"""

from __future__ import annotations

import hashlib
from enum import Enum
from typing import TYPE_CHECKING, cast

import msgspec

from quantlab.domain.documents import documents
from quantlab.domain.events import ANNOTATIONS, Adopted, Amended, Recorded, Succeeded, tells_prices
from quantlab.domain.names import (
    EQUITY,
    METADATA,
    METADATA_COPY,
    PRICES,
    REPORT,
    RUN_REPORT,
    TRADES,
    WHOLE_FILE,
)
from quantlab.folders.fields import fields_of, lifecycle_of
from quantlab.folders.places import DOCUMENTS, TABLES, Seen, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from quantlab.base.values import JsonObject


RESULT_FILES = frozenset([TRADES, EQUITY, PRICES, RUN_REPORT])
"""Files of which every byte is a result, what it stands on, or what people read of it."""


class State(Enum):
    """How a file stands to what the ledger says of it."""

    CURRENT = "as it was made or last recorded; or missing, as it was recorded"
    BEHIND = "one that the events make: missing, or what earlier events made of it"
    EDITED = "anything else that is there"
    GONE = "missing, and the ledger can't make it"


class Known:
    """What the ledger says of a session's files.

    Attributes:
        made: The files that the events make, as they have to be now.
        documents: JSON objects by file name, recorded edits applied.
        digests: SHA-256 by file name as last recorded; None for a file that was removed.
        unreadable: What could not be used when it was last looked at.
    """

    def __init__(self, recorded: Sequence[Recorded]) -> None:
        self._recorded = recorded
        self.made = documents(recorded)
        self.documents: dict[str, JsonObject] = {}
        self.digests: dict[str, str | None] = {}
        self.unreadable: list[str] = []
        self._amended_at: dict[str, int] = {}
        self._written: dict[str, str] = {}
        for place, one in enumerate(recorded):
            self._learn(place, one)
        self.documents |= {name: parse(data) for name, data in self.made.items()}

    def names(self) -> list[str]:
        """Return the files to look at: those that a session has, and those that were recorded."""
        return list(dict.fromkeys((*self.made, *self._usual(), *self.digests)))

    def state(self, name: str, seen: Seen) -> State:
        """Return how a file that was seen stands to what the ledger says of it."""
        if self._is_current(name, seen):
            return State.CURRENT
        if self._is_behind(name, seen):
            return State.BEHIND
        return State.GONE if seen.missing else State.EDITED

    def _is_current(self, name: str, seen: Seen) -> bool:
        if seen.digest is None and not seen.missing:
            return name in self.unreadable and self.digests.get(name) is None
        if name in self.unreadable and (seen.missing or seen.document is not None):
            return False
        if name in self.made:
            return seen.digest in self._current(name)
        return seen.digest == self.digests.get(name)

    def _is_behind(self, name: str, seen: Seen) -> bool:
        if name not in self.made:
            return False
        if seen.digest is None:
            return seen.missing
        return seen.digest not in self._current(name) and any(
            seen.digest == digest for digest in self._earlier(name, seen)
        )

    def amend(self, name: str, seen: Seen) -> Amended:
        """Return the amendment that records a file as it is seen, and know it from now on."""
        before = self.documents.get(name)
        after = dict(self.documents)
        is_document = name in DOCUMENTS
        problems = [one for one in self.unreadable if not _is_of(name, one)]
        if seen.document is not None:
            after[name] = seen.document
            problems += [one for one in fields_of({name: seen.document})[1] if _is_of(name, one)]
        elif seen.missing:
            after.pop(name, None)
        elif is_document or seen.digest is None:
            problems.append(name)
        fields = _changed_columns(self.documents, after) if is_document else {}
        if name == REPORT and seen.missing:
            fields["report_present"] = False
        if sorted(problems) != sorted(self.unreadable):
            fields["unreadable"] = "\n".join(sorted(problems)) or None
        amended = Amended(
            file=name,
            changes=self._changes(name, before, seen),
            fields=fields,
            lifecycle=lifecycle_of(name, before or {}) != lifecycle_of(name, after.get(name, {})),
            digest=seen.digest,
            results=name in RESULT_FILES and seen.digest not in (None, self._written.get(name)),
        )
        self.documents, self.digests[name], self.unreadable = after, seen.digest, sorted(problems)
        self._amended_at[name] = len(self._recorded)
        return amended

    def copy_lags(self, metadata: Seen, copy: Seen) -> bool:
        """Tell whether metadata.json, which nobody edited, is no exact copy of session_metadata.json as it is known."""
        return (
            METADATA_COPY in self.made
            and METADATA_COPY not in self._amended_at
            and metadata.document is not None
            and self.state(METADATA, metadata) is State.CURRENT
            and copy.digest != metadata.digest
        )

    def _changes(self, name: str, before: JsonObject | None, seen: Seen) -> dict[str, JsonObject]:
        changes = _changed_fields(before or {}, seen.document) if seen.document is not None else {}
        if changes:
            return changes
        known = self.digests.get(name) or (_digest(self.made[name]) if name in self.made else None)
        told = {"before": known, "after": seen.digest}
        return {WHOLE_FILE: {moment: digest for moment, digest in told.items() if digest is not None}}

    def _learn(self, place: int, one: Recorded) -> None:
        if one.type not in ("adopted", "amended", "succeeded"):
            return
        event = one.event
        if isinstance(event, Adopted):
            self.documents |= event.documents
            self.digests |= event.digests
            self._written |= event.digests
            self.unreadable = list(event.unreadable)
            same = event.digests.get(METADATA) == event.digests.get(METADATA_COPY)
            if same and METADATA in event.documents:
                self.documents[METADATA_COPY] = event.documents[METADATA]
        elif isinstance(event, Succeeded):
            names = {one["file_name"]: one["sha256"] for one in event.artifacts}
            self._written |= names
            self.digests |= {name: digest for name, digest in names.items() if name not in self.made}
        else:
            self._learn_amendment(place, cast("Amended", event))

    def _learn_amendment(self, place: int, event: Amended) -> None:
        self._amended_at[event.file] = place
        self.digests[event.file] = event.digest
        if "unreadable" in event.fields:
            self.unreadable = (event.fields["unreadable"] or "").splitlines()
        if event.digest is None and not any("after" in change for change in event.changes.values()):
            if event.file not in self.unreadable:
                self.documents.pop(event.file, None)
            return
        if WHOLE_FILE in event.changes:
            return
        document = dict(self.documents.get(event.file, {}))
        for field, change in event.changes.items():
            if "after" in change:
                document[field] = change["after"]
            else:
                document.pop(field, None)
        self.documents[event.file] = document

    def _usual(self) -> tuple[str, ...]:
        return (*DOCUMENTS, *TABLES) if self._recorded[0].type == "adopted" else DOCUMENTS

    def _current(self, name: str) -> set[str]:
        current = {_digest(self.made[name])}
        digest = self.digests.get(name)
        if name in self._amended_at and digest is not None:
            since = self._recorded[self._amended_at[name] :]
            if all(one.type in ANNOTATIONS for one in since):
                current.add(digest)
        return current | self._current(METADATA) if name == METADATA_COPY else current

    def _earlier(self, name: str, seen: Seen) -> Iterator[str | None]:
        """Yield digests that the file had before, back to the last edit of it: going behind that is an edit too."""
        since = self._amended_at.get(name)
        at = (seen.document or {}).get("updated_at")
        for place in range(len(self._recorded) - 1, 0 if since is None else since, -1):
            if _could_have_made(self._recorded[place - 1], at):
                made = documents(self._recorded[:place]).get(name)
                yield None if made is None else _digest(made)
        yield self.digests.get(name)


def _could_have_made(last: Recorded, at: object) -> bool:
    """Of thousands of heartbeats only the one whose time the file shows can have been the last it knew."""
    return last.type != "heartbeat" or last.occurred_at == at or tells_prices(last.payload)


def _changed_fields(before: JsonObject, after: JsonObject) -> dict[str, JsonObject]:
    changes: dict[str, JsonObject] = {}
    for field in dict.fromkeys((*before, *after)):
        told = {
            moment: document[field]
            for moment, document in (("before", before), ("after", after))
            if field in document
        }
        if len(told) == 1 or _differ(told["before"], told["after"]):
            changes[field] = told
    return changes


def _differ(before: object, after: object) -> bool:
    # 1, 1.0 and true are equal to Python and three things to a reader of JSON.
    return bool(before != after) or msgspec.json.encode(before, order="sorted") != msgspec.json.encode(
        after, order="sorted"
    )


def _changed_columns(before: dict[str, JsonObject], after: dict[str, JsonObject]) -> JsonObject:
    old, _ = fields_of(before)
    new, _ = fields_of(after)
    return {name: value for name, value in new.items() if value != old[name] and name != "session_id"}


def _is_of(name: str, problem: str) -> bool:
    return problem == name or problem.startswith(f"{name}: ")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
