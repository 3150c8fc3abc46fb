"""What is shown of a session's result, by the ledger's row and by its files, held against a second run of it."""

from __future__ import annotations

import hashlib
import json
import math
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from quantlab import projections
from quantlab.events import ANNOTATIONS, Succeeded
from quantlab.exports import artifacts, bundle, tables
from quantlab.exports.names import (
    CONFIG,
    EQUITY,
    METADATA,
    METADATA_COPY,
    METRICS,
    PRICE_CHART,
    REPORT,
    RUN_REPORT,
    TRADES,
)
from quantlab.sessions.folders import look
from quantlab.sessions.paper import paper_header
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
_SECTIONS = (
    (CONFIG, ()),
    *((name, (part,)) for name in (METADATA, METADATA_COPY) for part in ("summary", "data")),
    *((METRICS, (part,)) for part in ("summary", "best_result", "figures")),
    *((REPORT, (part,)) for part in ("config_resolved", "data", "summary")),
    (REPORT, ("machine_contract", "summary")),
    (REPORT, ("results", 0)),
)
"""What documents hold word for word as events told it, whichever version wrote them: no field more and none less."""
_FIELDS = (
    *((name, (), field) for name in (METADATA, METADATA_COPY) for field in ("config_hash", "result_digest")),
    (METRICS, (), "result_digest"),
    (REPORT, ("header",), "config_hash"),
    (REPORT, (), "result_digest"),
    (REPORT, (), "warnings"),
)
"""Single fields of that kind."""
_LONGEST_TOLD = 200
_OF_OTHER_MACHINES = 1e-9
"""What numpy of another version or processor may make of the same equity; nobody's edit is measured by it.

Earlier versions told what rounding left of nothing, such as a maximum drawdown of -1e-16, where it is 0 today.
"""


def first_false_claim(row: Row, recorded: Sequence[Recorded], folder: Path, result: Outcome) -> str | None:
    """Name the first thing shown of a session that its second run does not bear out; None where all of it stands.

    Files that are missing show nothing. Charts are not looked at: another version of a library draws them anew, with
    the same figures in them. Of run_report.md, whose wording may change with the program, nothing may have changed
    since it was written, or it has to be what this version writes.

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
        _in_page(folder, own, result),
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
        and math.isclose(told, again, rel_tol=_OF_OTHER_MACHINES, abs_tol=ROUNDING)
    )


def _in_documents(folder: Path, own: Sequence[Recorded]) -> Iterator[str]:
    made = {name: json.loads(data) for name, data in artifacts.documents(own).items()}
    for name in dict.fromkeys(name for name, _path in _SECTIONS):
        seen = look(str(folder), name, str(folder.parent))
        if seen.document is not None:
            yield from _in_document(name, seen.document, made[name])
        elif seen.digest is not None:
            yield f"{name}: it holds no JSON object any more"


def _in_document(name: str, shown: dict[str, Any], made: dict[str, Any]) -> Iterator[str]:
    for path in (path for one, path in _SECTIONS if one == name):
        now, then = _section(shown, path), _section(made, path)
        # A section that is not there is one that an older program did not write.
        for field in dict.fromkeys((*then, *now)) if now else ():
            yield from _other(name, path, field, now, then)
    for path, field in ((path, field) for one, path, field in _FIELDS if one == name):
        now, then = _section(shown, path), _section(made, path)
        if field in now:
            yield from _other(name, path, field, now, then)


def _other(
    name: str, path: tuple[str | int, ...], field: str, shown: dict[str, Any], made: dict[str, Any]
) -> Iterator[str]:
    if (field in shown) != (field in made) or shown.get(field) != made.get(field):
        where = ".".join(str(step) for step in (*path, field))
        yield f"{name}, {where}: it shows {_told(shown, field)}, the second run gives {_told(made, field)}"


def _told(section: dict[str, Any], field: str) -> str:
    told = repr(section[field]) if field in section else "nothing"
    return told if len(told) <= _LONGEST_TOLD else f"{told[:_LONGEST_TOLD]}…"


def _section(document: Any, path: tuple[str | int, ...]) -> dict[str, Any]:
    for step in path:
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            return {}
    return document if isinstance(document, dict) else {}


def _in_tables(folder: Path, own: Sequence[Recorded], result: Outcome) -> Iterator[str]:
    for name, data in ((TRADES, tables.trades_csv(result)), (EQUITY, tables.equity_csv(result))):
        # As it was recorded, it is as an older program may have written the same figures.
        if _is_edited(folder, name, own, data):
            yield f"{name}, line {_first_other_line(folder / name, data)}: not what the second run gives"


def _in_page(folder: Path, own: Sequence[Recorded], result: Outcome) -> Iterator[str]:
    plotted = PRICE_CHART in _recorded_digests(own)
    page = bundle.report_page(result, paper_header(own[0]), save_price_plot=plotted)
    if _is_edited(folder, RUN_REPORT, own, page):
        yield (
            f"{RUN_REPORT}, line {_first_other_line(folder / RUN_REPORT, page)}: edited since it was written "
            "('--report SESSION_DIR' writes it anew)"
        )


def _is_edited(folder: Path, name: str, own: Sequence[Recorded], made: bytes) -> bool:
    """Tell whether a file is neither as it was recorded nor as it is made now."""
    seen = look(str(folder), name, str(folder.parent))
    return seen.digest not in (None, _recorded_digests(own).get(name), hashlib.sha256(made).hexdigest())


def _recorded_digests(own: Sequence[Recorded]) -> dict[str, str]:
    end = own[-1].event
    return {one["file_name"]: one["sha256"] for one in end.artifacts} if isinstance(end, Succeeded) else {}


def _first_other_line(file: Path, data: bytes) -> int:
    with file.open("rb") as shown:
        lines = enumerate(zip_longest(shown, data.splitlines(keepends=True)), start=1)
        return next((number for number, (one, other) in lines if one != other), 1)
