"""What a session's documents say, as columns of the projection: the fallback rule of contract 11. Pure.

A value is taken from the first document that has one of the right type; nothing is invented, so a column that no
document tells is null. What has the wrong type, or is no time, is passed over and named.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from quantlab.base.clock import iso, parse_iso
from quantlab.domain.lifecycle import Status
from quantlab.domain.names import CONFIG, METADATA, METADATA_COPY, METRICS, REPORT, STATUS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from quantlab.base.values import JsonObject, Scalar

    Read = Callable[[object], Scalar]
    """Reads a value of a document as one of a column; a ValueError says that it is none."""

UNKNOWN_STATUS = "unknown"
LIFECYCLE = frozenset(
    [
        "session_id",
        "run_id",
        "mode",
        "command",
        "status",
        "request_id",
        "created_at",
        "started_at",
        "updated_at",
        "finished_at",
        "terminal",
        "status_reason",
        "duration_seconds",
        "error_type",
        "message",
        "contract_type",
    ]
)
"""Fields whose edit outside the program blocks promotion (contract 8, `amended_outside`)."""
LONGEST_TEXT = 65_536
LONGEST_ID = 255
LONGEST_WORD = 255
_LARGEST_INTEGER = 2**31 - 1
_KNOWN = {Status.RUNNING: False, Status.SUCCESS: True, Status.FAILED: True, Status.ABORTED: True}


def fields_of(documents: Mapping[str, JsonObject]) -> tuple[JsonObject, list[str]]:
    """Return the columns that the documents tell, and what in them could not be used (`file: field`).

    Args:
        documents: JSON objects by file name; those that are missing or unreadable are left out.
    """
    sections = _sections(documents)
    problems: list[str] = []
    fields: JsonObject = {}
    for group, columns in _COLUMNS.items():
        told = _merged(sections[group])
        for column, key, read in columns:
            value = told.get(key)
            try:
                fields[column] = None if value is None else read(value)
            except (ValueError, OverflowError):
                fields[column] = _first(sections[group], key, read, problems)
    fields["strategy_doubt"] = next((_doubt(one) for _file, one in sections["strategy"] if one), None)
    fields["session_id"] = fields["session_id"] or fields.pop("run_id")
    fields.pop("run_id", None)
    fields["status"] = fields["status"] or UNKNOWN_STATUS
    if fields["terminal"] is None:
        fields["terminal"] = _KNOWN.get(fields["status"])
    fields["report_present"] = REPORT in documents
    fields["activity_at"] = fields["updated_at"] or fields["created_at"]
    return fields, sorted(set(problems))


def _doubt(strategy: JsonObject) -> str | None:
    """Return what keeps a strategy from being trusted not to look ahead: a user's has to say that it was checked."""
    if strategy.get("kind") == "signals":
        return "unchecked_signals"
    return (
        None
        if strategy.get("kind") == "built-in" or strategy.get("checked") is True
        else "unchecked_strategy"
    )


def lifecycle_of(file: str, document: Mapping[str, object]) -> JsonObject:
    """Return the lifecycle fields that a document holds, by their place in it."""
    if file not in (STATUS, METADATA, METADATA_COPY, REPORT):
        return {}
    sections: JsonObject = {"": document}
    if file == REPORT:
        sections |= {name: document.get(name) for name in ("machine_contract", "header")}
    return {
        f"{name}.{field}": section[field]
        for name, section in sections.items()
        if isinstance(section, dict)
        for field in LIFECYCLE & section.keys()
    }


def _sections(documents: Mapping[str, JsonObject]) -> dict[str, list[tuple[str, JsonObject]]]:
    status, metrics = documents.get(STATUS, {}), documents.get(METRICS, {})
    metadata = [(name, documents[name]) for name in (METADATA, METADATA_COPY) if name in documents]
    report = documents.get(REPORT, {})
    contract, header = _within(report, "machine_contract"), _within(report, "header")
    reports = [(REPORT, contract), (REPORT, header), (REPORT, report)]
    config = [(CONFIG, documents.get(CONFIG, {})), (REPORT, _within(report, "config_resolved"))]
    summaries = [(name, _within(document, "summary")) for name, document in (*metadata, *reports)]
    figures = (METRICS, _within(metrics, "figures"))
    return {
        "lifecycle": [(STATUS, status), *metadata, *reports],
        "contract": [(REPORT, contract)],
        "config": config,
        "figures": [*summaries, (METRICS, _within(metrics, "summary")), (METRICS, metrics), figures],
        "strategy": [(name, _within(document, "strategy")) for name, document in metadata],
        "code": [(name, _within(document, "code")) for name, document in metadata],
        "like": [(name, _within(document, "like")) for name, document in metadata],
    }


def _within(document: JsonObject, name: str) -> JsonObject:
    inner = document.get(name)
    return inner if isinstance(inner, dict) else {}


def _merged(places: list[tuple[str, JsonObject]]) -> JsonObject:
    """Return each field as the first place says that has it."""
    merged: JsonObject = {}
    for _file, document in reversed(places):
        if document:
            merged |= {key: value for key, value in document.items() if value is not None and value != ""}
    return merged


def _first(places: list[tuple[str, JsonObject]], key: str, read: Read, problems: list[str]) -> Scalar:
    """Return the first value of the right type, and name those before it that are not."""
    for file, document in places:
        value = document.get(key)
        if value is None or value == "":
            continue
        try:
            return read(value)
        except (ValueError, OverflowError):
            problems.append(f"{file}: {key}")
    return None


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or "\x00" in value:
        raise ValueError(value)
    return value


def _identity(value: object) -> str:
    """An id is a key and a file name: one printable word or phrase, and no path."""
    text = _text(value)
    if text in (".", "..") or len(text) > LONGEST_ID or "/" in text or not text.isprintable():
        raise ValueError(value)
    return text


def _word(value: object) -> str:
    """A text that is looked for by an index, which on a server takes no long ones."""
    if len(_text(value)) > LONGEST_WORD:
        raise ValueError(value)
    return str(value)


def _time(value: object) -> str:
    return iso(parse_iso(_text(value)))


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(value)  # noqa: TRY004 - one kind of refusal for every wrong value
    number = float(value)
    return number if math.isfinite(number) else None


def _integer(value: object) -> int:
    number = _number(value)
    if number is None or number != int(number) or abs(number) > _LARGEST_INTEGER:
        raise ValueError(value)
    return int(number)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(value)  # noqa: TRY004 - one kind of refusal for every wrong value
    return value


def _params(value: object) -> str:
    if not isinstance(value, dict):
        raise ValueError(value)  # noqa: TRY004 - one kind of refusal for every wrong value
    return _text(json.dumps(value, sort_keys=True, separators=(",", ":")))


def _same(read: Read, names: str) -> list[tuple[str, str, Read]]:
    return [(name, name, read) for name in names.split()]


_COLUMNS: dict[str, list[tuple[str, str, Read]]] = {
    "lifecycle": [
        *_same(_identity, "session_id run_id"),
        *_same(
            _text,
            "mode command status_reason request_id error_type message git_commit python_version "
            "python_executable config_path result_digest host process stage",
        ),
        *_same(_word, "status config_hash data_hash rules_hash"),
        *_same(_time, "created_at started_at updated_at finished_at"),
        *_same(_flag, "terminal"),
        *_same(_number, "duration_seconds"),
        *_same(_integer, "pid bars_done bars_expected"),
    ],
    "contract": [("report_contract_type", "contract_type", _text)],
    "config": [
        *_same(_text, "ticker interval"),
        ("start_date", "start", _text),
        ("end_date", "end", _text),
        ("price_source", "prices", _text),
        ("initial_cash", "initial_cash", _number),
    ],
    "strategy": [
        ("strategy", "name", _text),
        ("strategy_params", "params", _params),
    ],
    "code": [
        ("code_version", "version", _text),
        ("code_digest", "digest", _text),
        ("code_modified", "modified", _flag),
    ],
    "like": [("like_id", "id", _text)],
    "figures": [
        *_same(_number, "total_return sharpe_simple max_drawdown win_rate final_equity"),
        *_same(_number, "buy_and_hold_return sharpe_low sharpe_high max_participation"),
        ("annual_return", "cagr", _number),
        *_same(_integer, "trades days"),
    ],
}
