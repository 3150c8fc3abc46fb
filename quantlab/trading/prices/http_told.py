"""What an HTTP answer's head tells a follower: the server's own time, and when it wants to be asked again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_WAIT = 86_400.0
"""Seconds that a source may ask to be left alone for; who asks for more is asked again after a day."""


@dataclass
class ToldHeads:
    """What the last answers' heads told.

    Attributes:
        source_time: The server's clock, datetime64[ns], UTC; None where it told none.
        retry_after: Seconds after which it wants to be asked again; None where it asked for nothing.
    """

    source_time: np.datetime64 | None = None
    retry_after: float | None = None

    def read_headers(self, headers: Mapping[str, str]) -> None:
        """Take note of an answer's head; what can't be read there counts as not told."""
        lower = {name.lower(): value for name, value in headers.items()}
        at = _date(lower.get("date"))
        if at is not None:
            self.source_time = np.datetime64(at.replace(tzinfo=None), "ns")
        wait = lower.get("retry-after")
        if wait is not None:
            self.retry_after = _seconds(wait, at)


def _date(text: str | None) -> datetime | None:
    try:
        at = None if text is None else parsedate_to_datetime(text)
    except ValueError:
        return None
    if at is None:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _seconds(text: str, at: datetime | None) -> float | None:
    """Read a number of seconds, or a date that is as far off as the server's own clock says."""
    if text.strip().isdecimal():
        return min(float(text), LONGEST_WAIT)
    until = _date(text)
    if until is None or at is None:
        return None
    return min(max(0.0, (until - at).total_seconds()), LONGEST_WAIT)
