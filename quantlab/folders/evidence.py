"""What an adopted folder shows of its result: whether all that a session leaves is there, and whether it agrees. Pure.

Nobody here saw the session run, so its figures are its files' word; where these contradict each other, somebody edited
one of them. Who edits all of them alike is not found out.
"""

from __future__ import annotations

import csv
import io
import math
from typing import TYPE_CHECKING, NamedTuple

from quantlab.domain.names import (
    CONFIG,
    EQUITY,
    METADATA,
    METADATA_COPY,
    METRICS,
    PRICES,
    REPORT,
    STATUS,
    TRADES,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from quantlab.base.values import JsonObject

FIGURES = ("total_return", "sharpe_simple", "max_drawdown", "trades", "win_rate")
CLOSED_TRADE = "closed_trade"
_ROLES = {"status": STATUS, "config": CONFIG, "metrics": METRICS, "report": REPORT}
_TOLERANCE = 1e-9
"""What adding up in another order may make of the same equity."""


class Evidence(NamedTuple):
    """What speaks against an adopted result: what is missing, by its role, and what disagrees, a sentence each."""

    missing: list[str]
    disagree: list[str]


class Tables(NamedTuple):
    """Bytes of a folder's tables; None for one that is not there or too large to be looked at."""

    trades: bytes | None
    equity: bytes | None


def weigh(documents: Mapping[str, JsonObject], digests: Mapping[str, str], tables: Tables) -> Evidence:
    """Hold the files of a folder that says it succeeded against what a session leaves, and against each other.

    Args:
        documents: Its JSON objects, by file name.
        digests: SHA-256 of each of its files, by name.
        tables: Its trades and equity, as they are.
    """
    trades, equity = _rows(tables.trades), _rows(tables.equity)
    return Evidence(
        _missing(documents, digests, trades), list(_disagreeing(documents, digests, trades, equity))
    )


def _missing(
    documents: Mapping[str, JsonObject], digests: Mapping[str, str], trades: list[dict[str, str]]
) -> list[str]:
    there = {role for role, name in _ROLES.items() if name in documents}
    if METADATA in documents or METADATA_COPY in documents:
        there.add("metadata")
    if TRADES in digests:
        there.add("trades")
    if any(row.get("side", "").lower() == "sell" for row in trades):
        there.add(CLOSED_TRADE)
    return [role for role in ("metadata", *_ROLES, "trades", CLOSED_TRADE) if role not in there]


def _disagreeing(
    documents: Mapping[str, JsonObject],
    digests: Mapping[str, str],
    trades: list[dict[str, str]],
    equity: list[dict[str, str]],
) -> Iterator[str]:
    for name in FIGURES:
        yield from _several(name, _summaries(documents), name)
    for name in ("result_digest", "config_hash", "rules_hash"):
        yield from _several(name, _heads(documents), name)
    if (
        CONFIG in documents
        and documents.get(REPORT, {}).get("config_resolved", documents[CONFIG]) != documents[CONFIG]
    ):
        yield f"{CONFIG} and {REPORT} tell another configuration"
    data = {str(one["hash"]) for one in _data(documents) if isinstance(one.get("hash"), str)}
    if PRICES in digests and data and data != {digests[PRICES]}:
        yield f"{PRICES} is not what the result stands on"
    told = next((one for _file, one in _summaries(documents) if one), {})
    yield from _of_trades(told, trades, equity)
    yield from _of_equity(told, documents.get(CONFIG, {}), equity)


def _several(what: str, places: list[tuple[str, JsonObject]], key: str) -> Iterator[str]:
    """Tell of a field that files tell differently; one that does not tell it contradicts nobody."""
    said = [(file, one[key]) for file, one in places if one.get(key) is not None]
    other = next(((file, value) for file, value in said if value != said[0][1]), None)
    if other is not None:
        yield f"{what}: {said[0][0]} says {said[0][1]!r:.40}, {other[0]} says {other[1]!r:.40}"


def _summaries(documents: Mapping[str, JsonObject]) -> list[tuple[str, JsonObject]]:
    report = documents.get(REPORT, {})
    results = report.get("results")
    places = [
        *(
            (name, documents.get(name, {}).get("summary"))
            for name in (METADATA, METADATA_COPY, METRICS, REPORT)
        ),
        (REPORT, _part(report, "machine_contract").get("summary")),
        (METRICS, documents.get(METRICS, {}).get("best_result")),
        (REPORT, results[0] if isinstance(results, list) and results else None),
        (METRICS, documents.get(METRICS, {}).get("figures")),
    ]
    return [(file, one) for file, one in places if isinstance(one, dict)]


def _heads(documents: Mapping[str, JsonObject]) -> list[tuple[str, JsonObject]]:
    names = (METADATA, METADATA_COPY, METRICS, REPORT)
    places = [(name, documents[name]) for name in names if name in documents]
    return [*places, (REPORT, _part(documents.get(REPORT, {}), "header"))]


def _data(documents: Mapping[str, JsonObject]) -> list[JsonObject]:
    return [_part(documents.get(name, {}), "data") for name in (METADATA, METADATA_COPY, REPORT)]


def _part(document: JsonObject, name: str) -> JsonObject:
    part = document.get(name)
    return part if isinstance(part, dict) else {}


def _of_trades(told: JsonObject, trades: list[dict[str, str]], equity: list[dict[str, str]]) -> Iterator[str]:
    sells = sum(row.get("side", "").lower() == "sell" for row in trades)
    # Some count their fills as trades: both are what the table shows.
    if trades and isinstance(told.get("trades"), int) and told["trades"] not in (sells, len(trades)):
        yield f"trades: the files say {told['trades']}, {TRADES} has {sells}"
    worth = {row.get("time"): row.get("equity") for row in equity}
    for row in trades:
        at = row.get("timestamp")
        if at in worth and row.get("equity_after") is not None and row["equity_after"] != worth[at]:
            yield f"{TRADES} and {EQUITY} tell another equity at {at}"
            return


def _of_equity(told: JsonObject, config: JsonObject, equity: list[dict[str, str]]) -> Iterator[str]:
    initial = config.get("initial_cash")
    if not equity or not isinstance(initial, (int, float)) or isinstance(initial, bool) or initial <= 0:
        return
    try:
        worth = [float(row["equity"]) for row in equity]
    except (KeyError, TypeError, ValueError):
        yield f"{EQUITY} holds no equity that can be read"
        return
    peak, deepest = float(initial), 0.0
    for value in worth:
        peak = max(peak, value)
        deepest = min(deepest, value / peak - 1)
    again: JsonObject = {"total_return": worth[-1] / initial - 1, "max_drawdown": deepest}
    for name, value in again.items():
        said = told.get(name)
        if isinstance(said, (int, float)) and not math.isclose(
            said, value, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE
        ):
            yield f"{name}: the files say {said!r:.40}, {EQUITY} gives {value!r:.40}"


def _rows(table: bytes | None) -> list[dict[str, str]]:
    """Return a table's rows, by column; none where it is no such table."""
    if table is None:
        return []
    try:
        return [
            row
            for row in csv.DictReader(io.StringIO(table.decode(), newline=""), strict=True)
            if None not in row
        ]
    except (UnicodeDecodeError, csv.Error):
        return []
