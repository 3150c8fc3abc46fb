"""Which session a SESSION_DIR means: a folder, the place of a folder that is gone, or an id in a shared ledger."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from quantlab.errors import ConfigError
from quantlab.exports.names import METADATA, METADATA_COPY, REPORT, SESSION_MARKERS, STATUS
from quantlab.sessions.fields import fields_of
from quantlab.sessions.folders import UnreadableError, read_document
from quantlab.store.location import LEDGER_FILE, Location, is_url, locate


def find_session(session_dir: str, ledger: str | None) -> tuple[Location, str]:
    """Return the ledger to ask and the id of the session.

    Raises:
        ConfigError: it can't be a session; the message says what was expected.
    """
    if not session_dir.strip():
        raise ConfigError("SESSION_DIR is empty; expected a session's folder (is a shell variable unset?).")
    if is_url(session_dir):
        raise ConfigError(
            "SESSION_DIR is a URL; expected a session's folder, or its id together with --ledger URL."
        )
    folder = Path(os.path.abspath(session_dir))  # noqa: PTH100 - links stay as they were named
    if folder.is_file():
        raise ConfigError(f"{session_dir} is a file; expected a session's folder.")
    if ledger is not None:
        return locate(folder.parent if folder.is_dir() else None, ledger), _id_of(folder)
    location = locate(folder.parent, None)
    if not is_session(folder) and not (folder.parent / LEDGER_FILE).exists():
        raise ConfigError(
            f"No session at {session_dir}; expected a folder with one of {', '.join(SESSION_MARKERS)}. "
            f"'quantlab paper-sessions list {_parent_of(session_dir)}' names the sessions there."
        )
    return location, _id_of(folder)


def is_session(folder: Path) -> bool:
    """Tell whether a folder is a session's."""
    return any((folder / name).is_file() for name in SESSION_MARKERS)


def _id_of(folder: Path) -> str:
    """Return the id under which the folder was or would be adopted: what its files say, else its name."""
    documents = {name: _document(folder, name) for name in (STATUS, METADATA, METADATA_COPY, REPORT)}
    told, _problems = fields_of(documents)
    return told["session_id"] or folder.name


def _document(folder: Path, name: str) -> dict[str, Any]:
    """Return the object in a file; empty where there is none that can be read (adoption names such files)."""
    try:
        return read_document(str(folder / name), str(folder.parent)).document
    except (FileNotFoundError, UnreadableError):
        return {}


def _parent_of(session_dir: str) -> str:
    return os.path.dirname(session_dir.rstrip("/")) or "."  # noqa: PTH120 - as the operator spelled it
