"""How a command is told which ledger to ask, and how it opens it."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, overload

import click

from quantlab.base.clock import iso, parse_iso, utc_now
from quantlab.base.errors import ConfigError
from quantlab.cli.naming import usual_root
from quantlab.ledger.location import Location, is_url, locate
from quantlab.ledger.trust import doubts
from quantlab.queries.rows import status_counts, unknown_status_sessions, unreadable_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from quantlab.ledger.reader import Reader

logger = logging.getLogger(__name__)

MOST_NAMED = 200
"""How many troubled sessions are named on stderr; the surfaces themselves have them all."""


def find_ledger(root: str | None, ledger: str | None) -> Location:
    """Return the ledger that a command's ROOT and --ledger name.

    Without either it is that of `outputs/paper_sessions`.

    Raises:
        ConfigError: neither names one and the usual folder is not there, or both do, or it lies where no ledger can.
    """
    location = _named(root, ledger)
    place = location.file or location.root
    if place is not None:
        require_text(place)
    return location


def require_text(path: Path) -> None:
    """Refuse a path that is no text, the working directory's part included: no ledger can hold it.

    Raises:
        ConfigError: it is not in UTF-8.
    """
    name = os.path.abspath(path)  # noqa: PTH100 - links stay as they were named
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise ConfigError(
            f"{name} is not in UTF-8; expected a path that can be written as text. Rename it, or work elsewhere."
        ) from error


def _named(root: str | None, ledger: str | None) -> Location:
    if root is None:
        return locate(Path(usual_root(root)) if ledger is None else None, ledger)
    if not root.strip():
        raise ConfigError("ROOT is empty; expected a folder of paper sessions (is a shell variable unset?).")
    if not is_url(root):
        return locate(Path(root), ledger)
    if given_by_hand("ledger", "url"):
        raise ConfigError("ROOT is a ledger URL and --ledger names another; expected one of them.")
    return locate(None, root)


@contextmanager
def asking(location: Location) -> Iterator[tuple[Reader, datetime]]:
    """Open a root for a question; yields its reader and the time of the question.

    Raises:
        ConfigError: there is no such folder.
        LedgerError: its ledger can't be read.
    """
    from quantlab.folders.roots import open_root

    now = utc_now()
    with open_root(location, now=now) as reader:
        if reader.in_memory:
            logger.info("NOTE: %s can't be written; this answer comes from a copy in memory.", location)
        yield reader, now


@overload
def stored_time(option: str, text: str) -> str: ...
@overload
def stored_time(option: str, text: None) -> None: ...
@overload
def stored_time(option: str, text: str | None) -> str | None: ...
def stored_time(option: str, text: str | None) -> str | None:
    """Return a time that was given by hand as it is stored; one without an offset is local.

    Raises:
        ConfigError: it is no time.
    """
    if text is None:
        return None
    try:
        return iso(parse_iso(text))
    except (ValueError, OverflowError) as error:
        raise ConfigError(
            f"{option}: {text!r} is no time; expected a day or an ISO 8601 time, such as 2026-01-31 or "
            "2026-01-31T08:00:00+00:00."
        ) from error


def require_sessions(reader: Reader) -> None:
    """Refuse a root that holds neither a ledger nor a session: of a wrong folder nobody may say that all is well.

    Raises:
        ConfigError: it is such a root.
    """
    location = reader.location
    if location.file is None or location.root is None or location.file.exists() or status_counts(reader):
        return
    raise ConfigError(
        f"{location.root} holds neither a ledger nor a session; expected a folder of paper sessions, such as "
        "outputs/paper_sessions. Was another one meant?"
    )


def name_troubles(reader: Reader) -> None:
    """Name on stderr what the answer might hide: doubts about the ledger, files that can't be read, odd statuses."""
    doubt = next(iter(doubts(reader)), None)
    if doubt is not None:
        logger.warning(
            "%s: %s; run 'quantlab ledger verify', which tells all that does not hold.",
            reader.location,
            doubt,
        )
    lines = [
        f"{row['session_id']}: can't be read: {', '.join(row['files'])}" for row in unreadable_files(reader)
    ]
    lines += [
        f"{row['session_id']}: unknown status {row['status']!r}" for row in unknown_status_sessions(reader)
    ]
    for line in lines[:MOST_NAMED]:
        logger.warning("%s", line)
    if len(lines) > MOST_NAMED:
        logger.warning("and %d more of these.", len(lines) - MOST_NAMED)


def given_by_hand(*names: str) -> bool:
    """Tell whether a flag stands on the command line itself, not in the environment or among the defaults."""
    context = click.get_current_context(silent=True)
    by_hand = click.core.ParameterSource.COMMANDLINE
    return context is not None and any(context.get_parameter_source(name) is by_hand for name in names)
