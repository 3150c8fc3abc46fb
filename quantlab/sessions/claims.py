"""What is shown of a session's result, by the ledger's row and by its files, held against a second run of it."""

from __future__ import annotations

import hashlib
import math
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from quantlab.base.remedies import Setting
from quantlab.domain import lifecycle
from quantlab.domain.events import ANNOTATIONS
from quantlab.domain.names import (
    CONFIG,
    EQUITY,
    EQUITY_CHART,
    METADATA,
    METADATA_COPY,
    METRICS,
    PRICE_CHART,
    REPORT,
    RUN_REPORT,
    STATUS,
    TRADES,
)
from quantlab.exports import bundle, tables
from quantlab.folders.comparing import Known, State
from quantlab.folders.kept import paper_header
from quantlab.folders.places import look
from quantlab.trading import metrics
from quantlab.trading.rounding import ROUNDING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from quantlab.base.values import JsonObject
    from quantlab.domain.events import Recorded
    from quantlab.domain.session import Session
    from quantlab.trading.results import Outcome

REPORT_ANEW = Setting("report", "SESSION_DIR")
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
    *((REPORT, (part,)) for part in ("config_resolved", "data", "summary", "reproduce")),
    (REPORT, ("machine_contract", "summary")),
    (REPORT, ("results", 0)),
)
"""What documents hold word for word as events told it, whichever version wrote them: no field more and none less."""
_FIELDS = (
    *(
        (name, (), field)
        for name in (METADATA, METADATA_COPY)
        for field in (
            *("session_id", "config_hash", "result_digest", "rules_hash", "strategy", "code"),
            *("created_at", "git_commit", "reproduce"),
        )
    ),
    *((STATUS, (), field) for field in ("session_id", "started_at", "finished_at", "duration_seconds")),
    (METRICS, (), "result_digest"),
    *((REPORT, ("header",), field) for field in ("run_id", "created_at", "git_commit", "config_hash")),
    (REPORT, (), "artifact_type"),
    *((REPORT, ("machine_contract",), field) for field in ("contract_type", "run_id")),
    (REPORT, (), "result_digest"),
    (REPORT, (), "warnings"),
)
"""Single fields of that kind."""
_LONGEST_TOLD = 200
_OF_OTHER_MACHINES = 1e-9
"""What numpy of another version or processor may make of the same equity; nobody's edit is measured by it.

Earlier versions told what rounding left of nothing, such as a maximum drawdown of -1e-16, where it is 0 today.
"""


def first_false_claim(
    session: Session, recorded: Sequence[Recorded], folder: Path, result: Outcome
) -> str | None:
    """Name the first thing shown of a session that its second run does not bear out; None where all of it stands.

    Files that are missing show nothing. A chart has to be the one that was recorded, or the one that this version
    draws. Of run_report.md, whose wording may change with the program, nothing may have changed
    since it was written, or it has to be what this version writes.

    Args:
        session: As the ledger shows it.
        recorded: Its events.
        folder: Its folder.
        result: The second run, with the result digest that was recorded.
    """
    own = [one for one in recorded if one.type not in ANNOTATIONS]
    known = Known(own)
    claims = (
        _in_row(session, lifecycle.fold(own), result),
        _in_documents(folder, known),
        _in_tables(folder, own, known, result),
        _in_page(folder, own, known, result),
        _in_charts(folder, own, known, result),
    )
    return next((claim for found in claims for claim in found), None)


def _in_row(session: Session, told: Session, result: Outcome) -> Iterator[str]:
    again = {**metrics.summary(result.figures), "final_equity": result.figures.final_equity}
    for name in (*again, *_OF_THE_SESSION):
        shown, recorded = getattr(session, name), getattr(told, name)
        value = again.get(name, recorded)
        if not _agree(shown, recorded, value):
            yield f"{name}: the ledger shows {shown!r}, the second run gives {value!r}"


def _agree(shown: object, told: object, again: object) -> bool:
    """Tell whether a value that is shown is that of the second run; what an older program did not tell is no claim."""
    if shown == again or shown != told:
        return bool(shown == again)
    return told is None or (
        isinstance(told, float)
        and isinstance(again, int | float)
        and math.isclose(told, again, rel_tol=_OF_OTHER_MACHINES, abs_tol=ROUNDING)
    )


def _in_documents(folder: Path, known: Known) -> Iterator[str]:
    for name in dict.fromkeys((*(name for name, _path in _SECTIONS), STATUS)):
        seen = look(str(folder), name, str(folder.parent))
        if seen.document is not None:
            yield from _in_document(name, seen.document, known.documents[name])
        elif seen.digest is not None:
            yield f"{name}: it holds no JSON object any more"


def _in_document(name: str, shown: JsonObject, made: JsonObject) -> Iterator[str]:
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
    name: str, path: tuple[str | int, ...], field: str, shown: JsonObject, made: JsonObject
) -> Iterator[str]:
    if (field in shown) != (field in made) or shown.get(field) != made.get(field):
        where = ".".join(str(step) for step in (*path, field))
        yield f"{name}, {where}: it shows {_told(shown, field)}, the second run gives {_told(made, field)}"


def _told(section: JsonObject, field: str) -> str:
    told = repr(section[field]) if field in section else "nothing"
    return told if len(told) <= _LONGEST_TOLD else f"{told[:_LONGEST_TOLD]}…"


def _section(document: Any, path: tuple[str | int, ...]) -> JsonObject:
    for step in path:
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            return {}
    return document if isinstance(document, dict) else {}


def _in_tables(folder: Path, own: Sequence[Recorded], known: Known, result: Outcome) -> Iterator[str]:
    trades = tables.trades_csv(result, paper_header(own).layout)
    for name, data in ((TRADES, trades), (EQUITY, tables.equity_csv(result))):
        # As it was recorded, it is as an older program may have written the same figures.
        if _is_edited(folder, name, known, data):
            yield f"{name}, line {_first_other_line(folder / name, data)}: not what the second run gives"


def _in_page(folder: Path, own: Sequence[Recorded], known: Known, result: Outcome) -> Iterator[str]:
    page = bundle.report_page(result, paper_header(own), save_price_plot=PRICE_CHART in known.digests)
    if _is_edited(folder, RUN_REPORT, known, page):
        yield (
            f"{RUN_REPORT}, line {_first_other_line(folder / RUN_REPORT, page)}: edited since it was written "
            f"('{REPORT_ANEW}' writes it anew)"
        )


def _in_charts(folder: Path, own: Sequence[Recorded], known: Known, result: Outcome) -> Iterator[str]:
    found = {name: look(str(folder), name, str(folder.parent)) for name in (EQUITY_CHART, PRICE_CHART)}
    odd = [
        name
        for name, seen in found.items()
        if seen.digest is not None and known.state(name, seen) is State.EDITED
    ]
    if not odd:
        return
    drawn = bundle.result_files(result, paper_header(own), save_price_plot=PRICE_CHART in odd)
    for name in odd:
        if found[name].digest != hashlib.sha256(drawn[name]).hexdigest():
            yield (
                f"{name}: not the chart that was recorded, nor the one of the second run ('{REPORT_ANEW}' draws "
                "it anew)"
            )


def _is_edited(folder: Path, name: str, known: Known, made: bytes) -> bool:
    """Tell whether a file is neither as it was recorded nor as it is made now."""
    seen = look(str(folder), name, str(folder.parent))
    edited = known.state(name, seen) is State.EDITED and seen.digest is not None
    return edited and seen.digest != hashlib.sha256(made).hexdigest()


def _first_other_line(file: Path, data: bytes) -> int:
    with file.open("rb") as shown:
        lines = enumerate(zip_longest(shown, data.splitlines(keepends=True)), start=1)
        return next((number for number, (one, other) in lines if one != other), 1)
