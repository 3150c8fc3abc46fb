"""The JSON documents of a session, each a function of its events alone; they can be deleted and re-made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quantlab import lifecycle, projections
from quantlab.events import ANNOTATIONS, ENDS, Adopted, Amended, Heartbeat, Started, Succeeded
from quantlab.exports.files import json_bytes
from quantlab.exports.names import (
    CONFIG,
    METADATA,
    METADATA_COPY,
    METRICS,
    PAPER_RESULT,
    REPORT,
    SCHEMA_VERSION,
    STATUS,
    TRADES,
    WHOLE_FILE,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quantlab.events import Recorded
    from quantlab.lifecycle import Row

Document = dict[str, Any]


def documents(recorded: Sequence[Recorded]) -> dict[str, bytes]:
    """Return the files that a session's events make, by name relative to its folder.

    For a session of ours: metadata (and its copy), status, config, and once it succeeded metrics and report. For an
    adopted one: nothing, unless an operator closed it; then the status, and the metadata where it had any. Edits that
    were recorded as amendments are applied, but for fields that the session has set anew since.
    """
    unamended = _unamended(recorded)
    made = {name: dict(document) for name, document in unamended.items()}
    for place, event in ((place, one.event) for place, one in enumerate(recorded) if one.type == "amended"):
        if isinstance(event, Amended) and event.file in made:
            then, now = _then(recorded[:place], event.file), unamended[event.file]
            standing = {name for name in event.changes if then.get(name) == now.get(name)}
            _amend(made[event.file], event, standing)
    if METADATA in made and METADATA_COPY not in made:
        made[METADATA_COPY] = made[METADATA]
    return {name: json_bytes(document) for name, document in made.items()}


def _unamended(recorded: Sequence[Recorded]) -> dict[str, Document]:
    return _adopted_documents(recorded) if recorded[0].type == "adopted" else _own_documents(recorded)


def _then(recorded: Sequence[Recorded], name: str) -> Document:
    """Return a document as it was without amendments after the events so far; an adopted one as it was found."""
    first = recorded[0].event
    found = first.documents if isinstance(first, Adopted) else {}
    return _unamended(recorded).get(name) or found.get(name, {})


def status_document(row: Row) -> Document:
    """Return session_status.json (contract 3) of a session's row."""
    document: Document = {
        name: row[name]
        for name in ("session_id", "mode", "command", "status", "request_id", "started_at", "updated_at")
    }
    document |= {"terminal": row["terminal"], "status_reason": row["status_reason"]}
    if row["terminal"]:
        document |= {"finished_at": row["finished_at"], "duration_seconds": row["duration_seconds"]}
    if row["error_type"] is not None:
        document |= {"error_type": row["error_type"], "message": row["message"]}
    return document | {name: row[name] for name in ("stage", "bars_done", "bars_expected", "host", "pid")}


def result_documents(
    *,
    header: Document,
    config: Document,
    reproduce: str,
    succeeded: Succeeded,
    contract_type: str,
    file_names: dict[str, str],
    data: Document | None,
) -> dict[str, Document]:
    """Return metrics.json and report.json of something that succeeded, a paper session or a research run.

    Args:
        header: The report's header (contract 3).
        config: The configuration, as config.json has it.
        reproduce: The command line that runs it again.
        succeeded: The figures.
        contract_type: `quantlab.paper.result` or `quantlab.run.result`.
        file_names: The machine contract's artifacts: role -> file name.
        data: Facts of the prices.
    """
    identity = {"mode": header["mode"], "command": header["mode"], "status": "success"}
    metrics = identity | {
        "summary": succeeded.summary,
        "best_result": succeeded.best_result,
        "leaderboard_size": 1,
        "figures": succeeded.figures,
        "result_digest": succeeded.result_digest,
    }
    artifacts = [
        {"file_name": one["file_name"], "size_bytes": one["size_bytes"]} for one in succeeded.artifacts
    ]
    report = {
        "schema_version": SCHEMA_VERSION,
        "artifact_type": "quantlab_run_report",
        "status": "success",
        "header": header,
        "reproduce": {"command": reproduce},
        "config_resolved": config,
        "results": [succeeded.best_result],
        "artifacts": artifacts,
        "summary": succeeded.summary,
        "machine_contract": {
            "schema_version": SCHEMA_VERSION,
            "contract_type": contract_type,
            **identity,
            "request_id": header["request_id"],
            "run_id": header["run_id"],
            "summary": succeeded.summary,
            "artifacts": file_names,
        },
        "data": data,
        "result_digest": succeeded.result_digest,
        "warnings": succeeded.warnings,
    }
    return {METRICS: metrics, REPORT: report}


def data_facts_of(recorded: Sequence[Recorded]) -> Document | None:
    """Return the facts of the prices that a session told on the way; None where it never had any."""
    facts = None
    for one in recorded:
        if one.type == "heartbeat" and lifecycle.tells_prices(one.payload):
            event = one.event
            if isinstance(event, Heartbeat) and event.data is not None:
                facts = event.data
    return facts


def _own_documents(recorded: Sequence[Recorded]) -> dict[str, Document]:
    lifecycle_events = [one for one in recorded if one.type not in ANNOTATIONS]
    row = projections.fold(lifecycle_events)
    started, last = lifecycle_events[0].event, lifecycle_events[-1].event
    if not isinstance(started, Started):
        raise TypeError(f"Session {row['session_id']} begins with {recorded[0].type!r}, not 'started'.")
    data = data_facts_of(lifecycle_events)
    metadata = _metadata(row, started, data)
    made = {METADATA: metadata, STATUS: status_document(row), CONFIG: started.config}
    if isinstance(last, Succeeded):
        metadata |= {"summary": last.summary, "result_digest": last.result_digest}
        made |= result_documents(
            header=_header(row),
            config=started.config,
            reproduce=started.reproduce,
            succeeded=last,
            contract_type=PAPER_RESULT,
            file_names=_PAPER_FILES,
            data=data,
        )
    return made


_PAPER_FILES = {
    "metadata": METADATA,
    "status": STATUS,
    "config": CONFIG,
    "metrics": METRICS,
    "report": REPORT,
    "trades": TRADES,
}


def _metadata(row: Row, started: Started, data: Document | None) -> Document:
    identity = {name: row[name] for name in ("mode", "command", "status", "created_at", "git_commit")}
    environment = {
        name: row[name]
        for name in ("python_executable", "python_version", "config_path", "config_hash", "request_id")
    }
    return {
        "session_id": row["session_id"],
        "run_id": row["session_id"],
        **identity,
        **environment,
        "code_version": started.code_version,
        "packages": started.packages,
        "host": started.host,
        "pid": started.pid,
        "reproduce": started.reproduce,
        "data": data,
    }


def _header(row: Row) -> Document:
    names = ("mode", "created_at", "git_commit", "python_version", "config_path", "config_hash", "request_id")
    return {"run_id": row["session_id"], **{name: row[name] for name in names}}


def _adopted_documents(recorded: Sequence[Recorded]) -> dict[str, Document]:
    adopted = recorded[0].event
    ends = [place for place, one in enumerate(recorded) if one.type in ENDS]
    if not ends or not isinstance(adopted, Adopted):
        return {}
    row = projections.fold(recorded[: ends[0] + 1])
    ended = {
        name: row[name]
        for name in (
            "status",
            "updated_at",
            "terminal",
            "status_reason",
            "finished_at",
            "duration_seconds",
            "error_type",
            "message",
        )
    }
    made = {STATUS: {"session_id": row["session_id"], **adopted.documents.get(STATUS, {}), **ended}}
    if METADATA in adopted.documents:
        made[METADATA] = {**adopted.documents[METADATA], "status": row["status"]}
    return made


def _amend(document: Document, event: Amended, standing: set[str]) -> None:
    for field, change in event.changes.items():
        if field == WHOLE_FILE or field not in standing:
            continue
        if "after" in change:
            document[field] = change["after"]
        else:
            document.pop(field, None)
