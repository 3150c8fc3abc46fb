"""What the last look at a growing file saw whole: while file and session are as they were, nothing can be new.

A step with nothing new is what cron does most of the time. It needs neither the strategy nor numpy to say so.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quantlab.base.errors import QuantlabError
from quantlab.base.files import json_bytes, sha256_of, write_whole

if TYPE_CHECKING:
    from quantlab.ledger.reader import Reader

NOTE = ".last_look.json"
"""In the session's folder. It may be deleted at any time: the next step looks again, and writes it anew."""


def note(folder: Path, *, version: int, prices: str, content: str) -> None:
    """Note that a look saw all that a file of prices held, and that the session stood at a version after it."""
    with suppress(QuantlabError):  # then the next step looks again
        write_whole(
            folder / NOTE, json_bytes({"version": version, "prices": prices, "content": content}), flush=False
        )


def nothing_new(folder: Path, session_id: str, reader: Reader) -> dict[str, Any] | None:
    """Return the line that `step` prints of a session for which nothing can be new; None where a look may tell more.

    Args:
        folder: The session's.
        session_id: Which one.
        reader: Its ledger.
    """
    with suppress(OSError, ValueError, KeyError, TypeError):  # no note, no file, or somebody else's
        noted = json.loads((folder / NOTE).read_bytes())
        row = next(iter(reader.rows(_ROW, session_id=session_id)), None)
        if row is None or noted["version"] != row.pop("last_version"):
            return None
        if sha256_of(Path(noted["prices"])) == noted["content"]:
            return row
    return None


_ROW = """\
SELECT session_id, 0 AS bars_taken, watermark, next_due, stage, last_version FROM paper_sessions
WHERE session_id = :session_id AND status = 'running' AND kind = 'forward'"""
