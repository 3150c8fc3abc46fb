"""Read the files of session folders that anybody may have written: bounded, never beyond the root, never trusted."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from quantlab.domain.names import (
    CONFIG,
    METADATA,
    METADATA_COPY,
    METRICS,
    REPORT,
    RUN_REPORT,
    STATUS,
    TRADES,
)
from quantlab.folders.reading import UnreadableError, is_session, open_regular, read_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from quantlab.base.values import JsonObject


DOCUMENTS = (STATUS, METADATA, METADATA_COPY, REPORT, CONFIG, METRICS)
"""The JSON objects of a session."""
TABLES = (TRADES, RUN_REPORT)
ARTIFACTS_FOLDER = "artifacts"
DEEPEST_DOCUMENT = 100
NOT_UTF_8 = "its name is not in UTF-8, so no ledger can hold the session; rename it and run 'index' again."
_CHUNK = 1024 * 1024


class Seen(NamedTuple):
    """A file as it is on the disk.

    Attributes:
        digest: SHA-256 of its bytes; None where it is missing or can't be read.
        document: The JSON object in it, if there is one.
        missing: There is no such file.
    """

    digest: str | None = None
    document: JsonObject | None = None
    missing: bool = False


class Read(NamedTuple):
    """A JSON object with the SHA-256 and the number of the bytes that it was read from."""

    document: JsonObject
    digest: str
    size: int


def read_document(file: str, root: str) -> Read:
    """Read a JSON object from a file.

    Raises:
        FileNotFoundError: there is no such file.
        UnreadableError: it is no regular file inside the root, too large, or holds no JSON object.
    """
    data = read_bytes(file, root)
    digest = hashlib.sha256(data).hexdigest()
    try:
        return Read(parse(data), digest, len(data))
    except UnreadableError as error:
        raise UnreadableError(str(error), digest) from error


def digest_of_file(file: str, root: str) -> str:
    """Return the SHA-256 of a file of any size, in flat memory.

    Raises:
        FileNotFoundError: there is no such file.
        UnreadableError: it is no regular file inside the root, or can't be read.
    """
    handle, _size = open_regular(file, root)
    digest = hashlib.sha256()
    try:
        while chunk := os.read(handle, _CHUNK):
            digest.update(chunk)
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from error
    finally:
        os.close(handle)
    return digest.hexdigest()


def look(folder: str, name: str, root: str) -> Seen:
    """See what a session's file is like; never an error."""
    file = f"{folder}/{name}"
    try:
        if name in DOCUMENTS:
            read = read_document(file, root)
            return Seen(digest=read.digest, document=read.document)
        return Seen(digest=digest_of_file(file, root))
    except FileNotFoundError:
        return Seen(missing=True)
    except UnreadableError as error:
        return Seen(digest=error.digest)


def parse(data: bytes) -> JsonObject:
    """Read bytes as a JSON object that the ledger can hold; NaN and infinities become null.

    Raises:
        UnreadableError: they are no such thing.
    """
    try:
        document = msgspec.json.decode(data)
    except (ValueError, RecursionError):
        document = _parse_leniently(data)
    if not isinstance(document, dict):
        raise UnreadableError("not a JSON object")
    if data.count(b"[") + data.count(b"{") > DEEPEST_DOCUMENT and _depth(document) > DEEPEST_DOCUMENT:
        raise UnreadableError(f"nested more than {DEEPEST_DOCUMENT} levels deep")
    return document


def artifact_names(folder: str) -> list[str]:
    """Return the names of the regular files in a session's artifacts folder, relative to the session's."""
    path = os.path.join(folder, ARTIFACTS_FOLDER)  # noqa: PTH118 - ten thousand folders at a time: plain strings
    if os.path.islink(path):  # noqa: PTH114 - the same
        return []
    try:
        with os.scandir(path) as found:
            names = [one.name for one in found if one.is_file(follow_symlinks=False)]
    except OSError:
        return []
    return [f"{ARTIFACTS_FOLDER}/{name}" for name in sorted(names) if is_storable(name)]


def session_folders(root: Path) -> list[str]:
    """Return the names of the folders in a root that hold a session, in their order.

    Links and hidden folders are no sessions, and neither are folders that can't be looked into.

    Raises:
        OSError: the root itself can't be listed.
    """
    with os.scandir(root) as found:
        names = sorted(one.name for one in found if one.name[0] != "." and one.is_dir(follow_symlinks=False))
    return [name for name in names if is_storable(name) and is_session(f"{root}/{name}")]


def closed_folders(root: Path) -> list[str]:
    """Return the names of the folders in a root that nobody may look into, so that what they hold can't be told."""
    with os.scandir(root) as found:
        folders = [one.name for one in found if one.name[0] != "." and one.is_dir(follow_symlinks=False)]
    effective = os.access in os.supports_effective_ids
    return sorted(
        name
        for name in folders
        if is_storable(name) and not os.access(f"{root}/{name}", os.R_OK | os.X_OK, effective_ids=effective)
    )


def unstorable_folders(root: Path) -> list[str]:
    """Return the names of the session folders in a root that are no text, so that no ledger can hold them."""
    with os.scandir(root) as found:
        names = sorted(one.name for one in found if one.name[0] != "." and one.is_dir(follow_symlinks=False))
    return [name for name in names if not is_storable(name) and is_session(f"{root}/{name}")]


def is_storable(name: str) -> bool:
    """Tell whether a name can be written as UTF-8 (a file system's may be any bytes)."""
    return name.isascii() or not any("\ud800" <= character <= "\udfff" for character in name)


def _parse_leniently(data: bytes) -> object:
    """Read what older programs wrote: a byte order mark, NaN, Infinity."""
    try:
        document = json.loads(data.decode("utf-8-sig"), parse_constant=lambda _name: None)
        # What the ledger could not give back must not go into it: numbers out of range, halves of characters.
        return msgspec.json.decode(msgspec.json.encode(document))
    except (ValueError, RecursionError) as error:
        raise UnreadableError("not JSON") from error


def _depth(document: JsonObject) -> int:
    depth = 0
    level: list[JsonObject | list[object]] = [document]
    while level and depth <= DEEPEST_DOCUMENT:
        depth += 1
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
    return depth
