"""The one place that reads the wall clock; everything below the commands is handed its time."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the current time, aware, in UTC."""
    return datetime.now(UTC)


def iso(moment: datetime) -> str:
    """Write a time as the project stores it: ISO 8601, UTC, six decimals.

    The width is fixed, so that text order is time order in every database.

    Raises:
        ValueError: the time is naive.
    """
    if moment.tzinfo is None:
        raise ValueError(f"Timezone-aware time required, got {moment!r}.")
    return moment.astimezone(UTC).isoformat("T", "microseconds")


def parse_iso(text: str) -> datetime:
    """Read a time; one without an offset is this machine's local time (contract 3).

    Raises:
        ValueError: the text is no ISO 8601 time.
    """
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC)
