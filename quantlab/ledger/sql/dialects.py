"""The expressions in which SQLite and PostgreSQL differ. Loads nothing."""

from __future__ import annotations

from typing import NamedTuple

from quantlab.domain.vocabulary import DOUBTFUL_MINUTES, STALE_MINUTES

# No text of PostgreSQL holds a NUL, and it refuses to read any field of a document that has one somewhere.
POSTGRES_PAYLOAD = r"replace(payload, '\u0000', '\ufffd')::json"


class Dialect(NamedTuple):
    """The expressions in which the engines, and views and commands, differ.

    Attributes:
        folder: Where the texts of this engine are, below this folder.
        now: The time of the question, as stored.
        soon: The latest time that is still believed.
        cutoff: The time before which a running session's last event is too old.
        whole_minutes: Whole minutes from `{earlier}` to `{now}`, never below 0.
        joined: Ids of `{rows}`, sorted, in one text.
        field: The text of one field (`{name}`) of an event's payload.
        number: The same, as a whole number.
    """

    folder: str
    now: str
    soon: str
    cutoff: str
    whole_minutes: str
    joined: str
    field: str
    number: str


_SQLITE_NOW = "(strftime('%Y-%m-%dT%H:%M:%f', 'now'{shift}) || '000+00:00')"
_POSTGRES_NOW = """\
to_char((now(){shift}) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')"""
_POSTGRES_FIELD = f"({POSTGRES_PAYLOAD} ->> '{{name}}')"

SQLITE = Dialect(
    folder="sqlite",
    now=_SQLITE_NOW.format(shift=""),
    soon=_SQLITE_NOW.format(shift=f", '+{DOUBTFUL_MINUTES} minutes'"),
    cutoff=_SQLITE_NOW.format(shift=f", '-{STALE_MINUTES} minutes'"),
    whole_minutes=(
        "max(0, CAST(round((julianday({now}) - julianday({earlier})) * 86400000) AS INTEGER) / 60000)"
    ),
    joined="(SELECT group_concat(session_id, ', ') FROM ({rows} ORDER BY session_id))",
    field="json_extract(payload, '$.{name}')",
    number="json_extract(payload, '$.{name}')",
)
POSTGRES = Dialect(
    folder="postgres",
    now=_POSTGRES_NOW.format(shift=""),
    soon=_POSTGRES_NOW.format(shift=f" + interval '{DOUBTFUL_MINUTES} minutes'"),
    cutoff=_POSTGRES_NOW.format(shift=f" - interval '{STALE_MINUTES} minutes'"),
    whole_minutes=(
        "CAST(greatest(0, floor(extract(epoch FROM CAST({now} AS timestamptz)"
        " - CAST({earlier} AS timestamptz)) / 60)) AS bigint)"
    ),
    joined="(SELECT string_agg(session_id, ', ' ORDER BY session_id) FROM ({rows}) AS named)",
    field=_POSTGRES_FIELD,
    number=f"CAST({_POSTGRES_FIELD} AS bigint)",
)


def of(*, sqlite: bool) -> Dialect:
    """Return an engine's expressions."""
    return SQLITE if sqlite else POSTGRES
