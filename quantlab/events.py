"""The facts that a ledger holds: past tense, plain and frozen, each stored as canonical JSON.

An event's payload is what it says; where it stands in the ledger (sequence, version, time, actor, hash) is the
envelope, `Recorded`. Payloads only ever gain optional fields; anything else takes a new schema version.
"""

from __future__ import annotations

from typing import Any

import msgspec

SCHEMA_VERSION = 1
GENESIS_HASH = "0" * 64
"""The hash before the first event of every ledger."""

SESSION, OPERATOR, IMPORT = "session", "operator", "import"
"""The actors: the session's own process, a person at a terminal, a folder from elsewhere."""


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happened to a session."""


class Started(Event, frozen=True, kw_only=True):
    """A process began a session.

    Attributes:
        config: The whole configuration, as config.json lists it.
        folder: The session's folder, relative to the root.
        root: The root's absolute path on that host, for ledgers that several roots share.
        process: Identity of the process beyond its pid (boot and start time), where the system tells.
        packages: Versions of the packages that results depend on.
        reproduce: A command line that runs the session again.
    """

    config: dict[str, Any]
    config_hash: str
    folder: str
    root: str
    host: str
    pid: int
    process: str | None
    request_id: str | None
    git_commit: str | None
    code_version: str
    python_version: str
    python_executable: str
    packages: dict[str, str]
    reproduce: str
    config_path: str = "inline_cli"


class Heartbeat(Event, frozen=True, kw_only=True):
    """The loop that does the work got this far; evidence of progress, never a timer's.

    Attributes:
        stage: `prices_loaded`, `simulating`, `simulated`, `reported`.
        data: Facts of the prices (source, hash, range, quality), on `prices_loaded`.
    """

    stage: str
    bars_done: int
    bars_expected: int | None = None
    data: dict[str, Any] | None = None


class Succeeded(Event, frozen=True, kw_only=True):
    """The session completed.

    Attributes:
        summary: The contract's summary figures.
        best_result: The contract's best_result.
        figures: Every figure, by name.
        result_digest: SHA-256 over fills and equity.
        artifacts: Files of the session: file_name, size_bytes, sha256.
        warnings: What a reader should know, a sentence each.
    """

    summary: dict[str, Any]
    best_result: dict[str, Any]
    figures: dict[str, Any]
    result_digest: str
    bars: int
    artifacts: list[dict[str, Any]]
    warnings: list[str]


class Failed(Event, frozen=True, kw_only=True):
    """The session ended with an exception."""

    error_type: str
    message: str
    exit_code: int


class Aborted(Event, frozen=True, kw_only=True):
    """A signal stopped the session, or an operator closed it.

    Attributes:
        message: For people: the signal, or the operator's reason.
        signal: The signal's name; None where an operator closed a dead session.
    """

    message: str
    signal: str | None = None
    error_type: str = "SessionAborted"


class Adopted(Event, frozen=True, kw_only=True):
    """A folder that the ledger had not seen was brought in.

    Attributes:
        folder: The folder, relative to the root.
        terminal: Whether the folder says that the session has ended.
        fields: Columns of the projection as far as the folder tells them.
        documents: The lifecycle documents as they were read, by file name.
        digests: SHA-256 of each file that was read, by file name.
        unreadable: Names of the files that could not be read.
    """

    folder: str
    terminal: bool
    fields: dict[str, Any]
    documents: dict[str, Any]
    digests: dict[str, str]
    unreadable: list[str]


class Amended(Event, frozen=True, kw_only=True):
    """A file of the session was edited outside the program.

    Attributes:
        file: Its name, relative to the session's folder.
        changes: Field -> {"before": …, "after": …}; for a file that is no JSON object, the field `sha256`.
        fields: Columns of the projection that the edit changes, with their new values.
        lifecycle: Whether a lifecycle field was among them.
        digest: SHA-256 of the file as it is now.
    """

    file: str
    changes: dict[str, dict[str, Any]]
    fields: dict[str, Any]
    lifecycle: bool
    digest: str | None = None


class Vanished(Event, frozen=True, kw_only=True):
    """The session's folder is no longer where it was."""

    folder: str


class Found(Event, frozen=True, kw_only=True):
    """A folder that had vanished, or was renamed, is here.

    Attributes:
        root: The root's absolute path now, where a root of a shared ledger was moved or came to it; else None.
        host: The root's host, with it.
    """

    folder: str
    root: str | None = None
    host: str | None = None


class Proved(Event, frozen=True, kw_only=True):
    """The session was run again from what it kept.

    Attributes:
        outcome: `identical`, `different` or `impossible`.
        detail: The first differing bar and field, or why it could not be run.
        result_digest: What the second run gave.
    """

    outcome: str
    detail: str
    result_digest: str | None = None


TYPES: dict[str, type[Event]] = {
    "started": Started,
    "heartbeat": Heartbeat,
    "succeeded": Succeeded,
    "failed": Failed,
    "aborted": Aborted,
    "adopted": Adopted,
    "amended": Amended,
    "vanished": Vanished,
    "found": Found,
    "proved": Proved,
}
NAMES: dict[type[Event], str] = {kind: name for name, kind in TYPES.items()}
BIRTHS = ("started", "adopted")
ENDS = ("succeeded", "failed", "aborted")
ANNOTATIONS = ("amended", "vanished", "found", "proved")

_decoders = {name: msgspec.json.Decoder(kind) for name, kind in TYPES.items()}
_encoder = msgspec.json.Encoder(order="deterministic")


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """An event where it stands in the ledger, in the columns of the table `events` and their order."""

    sequence: int
    session_id: str
    session_version: int
    type: str
    schema_version: int
    occurred_at: str
    actor: str
    payload: str
    previous_hash: str
    hash: str

    @property
    def event(self) -> Event:
        """The payload, typed."""
        return decode(self.type, self.payload)


def encode(event: Event) -> str:
    """Return the payload as canonical JSON: fixed field order, sorted keys, no spaces, null for non-finite."""
    return _encoder.encode(event).decode()


def decode(name: str, payload: str) -> Event:
    """Read a payload back.

    Raises:
        KeyError: no event has that name.
        msgspec.ValidationError: the payload is not of that event's shape.
    """
    return _decoders[name].decode(payload)
