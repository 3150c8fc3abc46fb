"""Which session a SESSION_DIR means: a folder, the place of a folder that is gone, or an id in a shared ledger."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from quantlab.base.errors import ConfigError
from quantlab.cli.asking import require_text
from quantlab.domain.names import SESSION_MARKERS, STATUS
from quantlab.folders.reading import UnreadableError, is_session, read_bytes
from quantlab.ledger.location import LEDGER_FILE, Location, is_url, locate

if TYPE_CHECKING:
    from quantlab.base.values import JsonObject

_WHOLE_URL = re.compile(r"[\w+]+://[^/]*/.*[^/]$")
"""A URL with a database or a file in it."""


def find_session(session_dir: str, ledger: str | None) -> tuple[Location, str]:
    """Return the ledger to ask and the id of the session.

    Raises:
        ConfigError: it can't be a session; the message says what was expected.
    """
    if not session_dir.strip():
        raise ConfigError("SESSION_DIR is empty; expected a session's folder (is a shell variable unset?).")
    if is_url(session_dir):
        return _in_url(session_dir.rstrip("/"))
    folder = Path(os.path.abspath(session_dir))  # noqa: PTH100 - links stay as they were named
    require_text(folder)
    if folder.is_file():
        raise ConfigError(f"{session_dir} is a file; expected a session's folder.")
    if ledger is not None:
        return locate(folder.parent if folder.is_dir() else None, ledger), _id_of(folder)
    if not is_session(str(folder)) and (folder / LEDGER_FILE).exists():
        raise ConfigError(
            f"{session_dir} is a root of sessions; expected one of them. 'quantlab paper-sessions list {session_dir}' "
            "names them."
        )
    location = locate(folder.parent, None)
    if not is_session(str(folder)) and not (folder.parent / LEDGER_FILE).exists():
        raise ConfigError(
            f"No session at {session_dir}; expected a folder with one of {', '.join(SESSION_MARKERS)}, or an id, the "
            f"end of one or 'latest' where outputs/paper_sessions is. "
            f"'quantlab paper-sessions list {_parent_of(session_dir)}' names the sessions there."
        )
    return location, _id_of(folder)


def _in_url(text: str) -> tuple[Location, str]:
    url, _slash, session_id = text.rpartition("/")
    if not _WHOLE_URL.match(url):
        from quantlab.base.secrets import redacted

        raise ConfigError(
            f"SESSION_DIR is a URL that names no session: {redacted(text)}; expected URL/SESSION_ID, or a session's "
            "folder."
        )
    return locate(None, url), session_id


def _id_of(folder: Path) -> str:
    """Return the id under which the folder was or would be adopted: what its files say, else its name."""
    if not is_session(str(folder)) or _status_of(folder).get("session_id") == folder.name:
        return folder.name
    from quantlab.folders.adoption import read_folder  # loads much, which most folders do without

    facts = read_folder(folder, folder.parent)
    return folder.name if facts is None else facts.session_id


def _status_of(folder: Path) -> JsonObject:
    """Return what the status file says; nothing where it can't be read (adoption names such files)."""
    try:
        document = json.loads(read_bytes(str(folder / STATUS), str(folder.parent)))
    except (FileNotFoundError, UnreadableError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _parent_of(session_dir: str) -> str:
    return os.path.dirname(session_dir.rstrip("/")) or "."  # noqa: PTH120 - as the operator spelled it
