"""What plain values are to the type checker: JSON's objects, and the cells of the ledger's rows. Loads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Scalar = str | int | float | bool | None
"""A value in a column, or at the end of a path through JSON."""
JsonObject = dict[str, Any]
"""An object of JSON, its names known and its values checked by whoever reads them: facts in an event, a document of a
session, an answer to a question."""
Cells = Sequence[Any]
"""A row as a driver gives it: its values in the order of the columns that were asked for."""
