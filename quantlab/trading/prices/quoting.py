"""Text from outside, made fit for a one-line message."""

from __future__ import annotations

_QUOTE_LENGTH = 160
PATH_LENGTH = 4_096
"""Longest path that is quoted whole: one that is cut short can't be copied and looked for."""


def plain(text: object, limit: int = _QUOTE_LENGTH) -> str:
    """Make text from outside fit for a one-line message: printable, single-spaced, short."""
    printable = "".join(c if c.isprintable() else " " for c in str(text)[: 20 * limit])
    line = " ".join(printable.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
