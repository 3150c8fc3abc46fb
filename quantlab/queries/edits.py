"""What edits outside the program made of a session's columns that still show what the ledger recorded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quantlab.base.values import JsonObject
    from quantlab.ledger.reader import Reader

_EDITS = (
    "SELECT payload FROM events WHERE session_id = :session_id AND type = 'amended' ORDER BY session_version"
)


def amended(reader: Reader, row: JsonObject) -> JsonObject:
    """Return the edited value of each column of a row that shows another one; empty where nothing was edited."""
    if not row["amendments"]:
        return {}
    edited: JsonObject = {}
    for event in reader.rows(_EDITS, session_id=row["session_id"]):
        edited |= json.loads(event["payload"])["fields"]
    return {name: value for name, value in edited.items() if name in row and row[name] != value}
