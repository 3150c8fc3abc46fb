"""What is shown of a session's result, by the ledger's row and by its files, held against a second run of it."""

from __future__ import annotations

import hashlib
import json
import math
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from quantlab import projections
from quantlab.events import ANNOTATIONS, Succeeded
from quantlab.exports import artifacts, tables
from quantlab.exports.names import EQUITY, METADATA, METADATA_COPY, METRICS, REPORT, TRADES
from quantlab.sessions.folders import look
from quantlab.trading import metrics
from quantlab.trading.rounding import ROUNDING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from quantlab.events import Recorded
    from quantlab.lifecycle import Row
    from quantlab.trading.results import Outcome

_OF_THE_SESSION = (
    "result_digest",
    "data_hash",
    "config_hash",
    "ticker",
    "start_date",
    "end_date",
    "interval",
    "price_source",
)
"""Columns that say of what the result is: the second run stands on what the session recorded of them."""
_FIGURES_IN = (
    (METADATA, ("summary",)),
    (METADATA_COPY, ("summary",)),
    (METRICS, ("summary",)),
    (METRICS, ("best_result",)),
    (METRICS, ("figures",)),
    (REPORT, ("summary",)),
    (REPORT, ("machine_contract", "summary")),
    (REPORT, ("results", 0)),
)
_ROUNDING = 1e-9
"""What numpy of another version or processor may make of the same equity; nobody's edit is measured by it.

Earlier versions told what rounding left of nothing, such as a maximum drawdown of -1e-16, where it is 0 today.
"""


def first_false_claim(row: Row, recorded: Sequence[Recorded], folder: Path, result: Outcome) -> str | None:
    """Name the first thing shown of a session that its second run does not bear out; None where all of it stands.

    Files that are missing show nothing. Charts and run_report.md are not looked at: another version of a library or
    of this program draws and words them anew, with the same figures in them.

    Args:
        row: The session's row, as the ledger shows it.
        recorded: Its events.
        folder: Its folder.
        result: The second run, with the result digest that was recorded.
    """
    own = [one for one in recorded if one.type not in ANNOTATIONS]
    claims = (
        _in_row(row, projections.fold(own), result),
        _in_documents(folder, own),
        _in_tables(folder, own, result),
    )
    return next((claim for found in claims for claim in found), None)


def _in_row(row: Row, told: Row, result: Outcome) -> Iterator[str]:
    again = {**metrics.summary(result.figures), "final_equity": result.figures.final_equity}
    for name in (*again, *_OF_THE_SESSION):
        value = again.get(name, told[name])
        if not _agree(row[name], told[name], value):
            yield f"{name}: the ledger shows {row[name]!r}, the second run gives {value!r}"


def _agree(shown: Any, told: Any, again: Any) -> bool:
    """Tell whether a value that is shown is that of the second run; what an older program did not tell is no claim."""
    if shown == again or shown != told:
        return bool(shown == again)
    return told is None or (
        isinstance(told, float)
        and again is not None
        and math.isclose(told, again, rel_tol=_ROUNDING, abs_tol=ROUNDING)
    )


def _in_documents(folder: Path, own: Sequence[Recorded]) -> Iterator[str]:
    made = {name: json.loads(data) for name, data in artifacts.documents(own).items()}
    for name, path in _FIGURES_IN:
        shown = _section(look(str(folder), name, str(folder.parent)).document, path)
        for field, value in _section(made[name], path).items():
            if field in shown and shown[field] != value:
                where = ".".join(str(step) for step in (*path, field))
                yield f"{name}, {where}: it shows {shown[field]!r}, the second run gives {value!r}"


def _section(document: Any, path: tuple[str | int, ...]) -> dict[str, Any]:
    for step in path:
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            return {}
    return document if isinstance(document, dict) else {}


def _in_tables(folder: Path, own: Sequence[Recorded], result: Outcome) -> Iterator[str]:
    end = own[-1].event
    kept = {one["file_name"]: one["sha256"] for one in end.artifacts} if isinstance(end, Succeeded) else {}
    for name, data in ((TRADES, tables.trades_csv(result)), (EQUITY, tables.equity_csv(result))):
        seen = look(str(folder), name, str(folder.parent))
        # As it was recorded, it is as an older program may have written the same figures.
        if seen.digest not in (None, kept.get(name), hashlib.sha256(data).hexdigest()):
            yield f"{name}, line {_first_other_line(folder / name, data)}: not what the second run gives"


def _first_other_line(file: Path, data: bytes) -> int:
    with file.open("rb") as shown:
        lines = enumerate(zip_longest(shown, data.splitlines(keepends=True)), start=1)
        return next((number for number, (one, other) in lines if one != other), 1)
