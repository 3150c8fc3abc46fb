"""How a command is told which ledger to ask, and how it opens it."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from quantlab.cli.output import printable
from quantlab.clock import utc_now
from quantlab.errors import ConfigError
from quantlab.queries.rows import unknown_status_sessions, unreadable_files
from quantlab.store.location import Location, is_url, locate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from quantlab.store.reader import Reader

MOST_NAMED = 200
"""How many troubled sessions are named on stderr; the surfaces themselves have them all."""


def find(root: str | None, ledger: str | None) -> Location:
    """Return the ledger that a command's ROOT and --ledger name.

    Raises:
        ConfigError: neither names one, or both do, or it lies where no ledger can.
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
        if ledger is None:
            raise ConfigError(
                "ROOT is missing; expected a folder of paper sessions, such as outputs/paper_sessions, or a ledger URL."
            )
        return locate(None, ledger)
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
    from quantlab.sessions.roots import open_root

    now = utc_now()
    with open_root(location, now=now, say=say) as reader:
        if reader.in_memory:
            say(f"NOTE: {location} can't be written; this answer comes from a copy in memory.")
        yield reader, now


def say(line: str) -> None:
    """Tell the operator something that is not the answer; where stderr takes nothing, the work goes on all the same."""
    with suppress(OSError):
        click.echo(printable(line), err=True)


def name_troubles(reader: Reader) -> None:
    """Name on stderr what the answer alone might hide: files that can't be read, statuses that nobody knows."""
    lines = [
        f"WARNING: {row['session_id']}: can't be read: {', '.join(row['files'])}"
        for row in unreadable_files(reader)
    ]
    lines += [
        f"WARNING: {row['session_id']}: unknown status {row['status']!r}"
        for row in unknown_status_sessions(reader)
    ]
    for line in lines[:MOST_NAMED]:
        say(line)
    if len(lines) > MOST_NAMED:
        say(f"WARNING: and {len(lines) - MOST_NAMED} more of these.")


def given_by_hand(*names: str) -> bool:
    """Tell whether a flag stands on the command line itself, not in the environment or among the defaults."""
    context = click.get_current_context(silent=True)
    by_hand = click.core.ParameterSource.COMMANDLINE
    return context is not None and any(context.get_parameter_source(name) is by_hand for name in names)
