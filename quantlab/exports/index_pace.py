"""How often the end of a session writes the root's index anew: seldom where that takes long.

When the last refresh began or ended, and how long it took, stands in the index's lock file.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from quantlab.base.clock import iso, parse_iso

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

LOCK = ".paper_sessions_index.lock"
PROMPT_SECONDS = 0.5
"""A refresh that takes no longer is made at every end."""
REST = 20
"""After one that took longer, ends leave the exports alone for so many times as long: under 5 % of the time."""

CLOSE_SECONDS = 0.25
"""An end so soon after a refresh is one of many: sessions that run one after the other are further apart."""


class Refresh(NamedTuple):
    """The last refresh of a root's exports.

    Attributes:
        at: When it ended; while it is under way, when it began.
        seconds: How long it took; while it is under way, how long the one before it took.
    """

    at: datetime
    seconds: float


def is_due(last: Refresh | None, now: datetime) -> bool:
    """Tell whether the end of a session has to refresh the exports.

    A last refresh in the future, as a clock that was set back makes it, is not believed.
    """
    if last is None or last.seconds <= PROMPT_SECONDS:
        return True
    return not 0 <= (now - last.at).total_seconds() < REST * last.seconds


def is_one_of_many(last: Refresh | None, now: datetime) -> bool:
    """Tell whether the last refresh, which the end of another session made, is only just over."""
    return last is not None and 0 <= (now - last.at).total_seconds() < CLOSE_SECONDS


def read(root: Path) -> Refresh | None:
    """Return a root's last refresh; None where it is not known."""
    try:
        told = json.loads((root / LOCK).read_bytes())
        return Refresh(parse_iso(told["at"]), float(told["seconds"]))
    except (OSError, ValueError, OverflowError, LookupError, TypeError):
        return None


def note(root: Path, refresh: Refresh) -> None:
    """Keep a root's last refresh; where that can't be written, the next end refreshes again."""
    with suppress(OSError):
        (root / LOCK).write_text(json.dumps({"at": iso(refresh.at), "seconds": round(refresh.seconds, 3)}))
