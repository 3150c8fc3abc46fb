"""The JSON documents of a session, each a function of its events alone; they can be deleted and re-made. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantlab.base.files import json_bytes
from quantlab.domain import lifecycle
from quantlab.domain.events import (
    ANNOTATIONS,
    ENDS,
    Adopted,
    Amended,
    Event,
    Heartbeat,
    Started,
    Succeeded,
    tells_prices,
)
from quantlab.domain.names import (
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

    from quantlab.base.values import JsonObject
    from quantlab.domain.events import Recorded
    from quantlab.domain.session import Session


def documents(recorded: Sequence[Recorded]) -> dict[str, bytes]:
    """Return the files that a session's events make, by name relative to its folder.

    For a session of ours: metadata (and its copy), status, config, and once it succeeded metrics and report. For an
    adopted one: nothing, unless an operator closed it; then the status, and the metadata where it had any. Edits that
    were recorded as amendments are applied, but for fields that the session has set anew since.
    """
    unamended = _unamended(recorded)
    made = {name: document.copy() for name, document in unamended.items()}
    for place, event in ((place, one.event) for place, one in enumerate(recorded) if one.type == "amended"):
        if isinstance(event, Amended) and event.file in made:
            then, now = _then(recorded[:place], event.file), unamended[event.file]
            standing = {name for name in event.changes if then.get(name) == now.get(name)}
            _amend(made[event.file], event, standing)
    return as_files(made)


def as_files(made: dict[str, JsonObject]) -> dict[str, bytes]:
    """Return documents as files, by name; metadata has its exact copy."""
    files = {name: json_bytes(document) for name, document in made.items()}
    if METADATA in files:
        files[METADATA_COPY] = files[METADATA]
    return files


def of_session(
    session: Session, started: Started, data: JsonObject | None, last: Event, last_hash: str
) -> dict[str, JsonObject]:
    """Return the documents of a session of ours, by file name.

    Args:
        session: As its own events make it, without what was noted of it.
        started: Its first event.
        data: Facts of its prices, once it told them.
        last: The last of its own events.
        last_hash: The hash by which that one stands in the ledger.
    """
    metadata = _metadata(session, started, data, last_hash)
    made = {METADATA: metadata, STATUS: status_document(session), CONFIG: started.config}
    if isinstance(last, Succeeded):
        metadata |= {"summary": last.summary, "result_digest": last.result_digest}
        made |= result_documents(
            header=_header(session),
            config=started.config,
            reproduce=started.reproduce,
            succeeded=last,
            contract_type=PAPER_RESULT,
            file_names=_PAPER_FILES,
            data=data,
        )
    return made


def _unamended(recorded: Sequence[Recorded]) -> dict[str, JsonObject]:
    return _adopted_documents(recorded) if recorded[0].type == "adopted" else _own_documents(recorded)


def _then(recorded: Sequence[Recorded], name: str) -> JsonObject:
    """Return a document as it was without amendments after the events so far; an adopted one as it was found."""
    first = recorded[0].event
    found = first.documents if isinstance(first, Adopted) else {}
    return _unamended(recorded).get(name) or found.get(name, {})


def status_document(session: Session) -> JsonObject:
    """Return session_status.json (contract 3)."""
    names = ("session_id", "mode", "command", "status", "request_id", "started_at", "updated_at")
    document = _fields(session, *names, "terminal", "status_reason")
    if session.terminal:
        document |= _fields(session, "finished_at", "duration_seconds")
    if session.error_type is not None:
        document |= _fields(session, "error_type", "message")
    return document | _fields(session, "stage", "bars_done", "bars_expected", "host", "pid")


def _fields(session: Session, *names: str) -> JsonObject:
    return {name: getattr(session, name) for name in names}


def result_documents(
    *,
    header: JsonObject,
    config: JsonObject,
    reproduce: str,
    succeeded: Succeeded,
    contract_type: str,
    file_names: dict[str, str],
    data: JsonObject | None,
) -> dict[str, JsonObject]:
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


def data_facts_of(recorded: Sequence[Recorded]) -> JsonObject | None:
    """Return the facts of the prices that a session told on the way; None where it never had any."""
    facts = None
    for one in recorded:
        if one.type == "heartbeat" and tells_prices(one.payload):
            event = one.event
            if isinstance(event, Heartbeat) and event.data is not None:
                facts = event.data
    return facts


def _own_documents(recorded: Sequence[Recorded]) -> dict[str, JsonObject]:
    own = [one for one in recorded if one.type not in ANNOTATIONS]
    started = own[0].event
    if not isinstance(started, Started):
        raise TypeError(f"Session {own[0].session_id} begins with {recorded[0].type!r}, not 'started'.")
    return of_session(lifecycle.fold(own), started, data_facts_of(own), own[-1].event, own[-1].hash)


_PAPER_FILES = {
    "metadata": METADATA,
    "status": STATUS,
    "config": CONFIG,
    "metrics": METRICS,
    "report": REPORT,
    "trades": TRADES,
}


def _metadata(session: Session, started: Started, data: JsonObject | None, last_hash: str) -> JsonObject:
    place = {"id": started.ledger, "sequence": session.last_sequence, "hash": last_hash}
    return {
        "session_id": session.session_id,
        "run_id": session.session_id,
        **_fields(session, "mode", "command", "status", "created_at", "git_commit"),
        **_fields(session, "python_executable", "python_version", "config_path", "config_hash", "request_id"),
        "code_version": started.code_version,
        "packages": started.packages,
        "host": started.host,
        "pid": started.pid,
        "reproduce": started.reproduce,
        **told_of_strategy(started.strategy, started.rules_hash, started.like, started.like_changes),
        **({} if started.code is None else {"code": started.code}),
        **({} if started.ledger is None else {"ledger": place}),
        "data": data,
    }


def told_of_strategy(
    strategy: JsonObject | None, rules: str | None, like: JsonObject | None, like_changes: JsonObject | None
) -> JsonObject:
    """Return what metadata tells of the strategy that ran; nothing for what earlier versions recorded."""
    told = {"strategy": strategy, "rules_hash": rules, "like": like, "like_changes": like_changes}
    return {name: value for name, value in told.items() if value is not None}


def _header(session: Session) -> JsonObject:
    names = ("mode", "created_at", "git_commit", "python_version", "config_path", "config_hash", "request_id")
    return {"run_id": session.session_id, **_fields(session, *names)}


def _adopted_documents(recorded: Sequence[Recorded]) -> dict[str, JsonObject]:
    adopted = recorded[0].event
    ends = [place for place, one in enumerate(recorded) if one.type in ENDS]
    if not ends or not isinstance(adopted, Adopted):
        return {}
    session = lifecycle.fold(recorded[: ends[0] + 1])
    lifetime = ("status", "updated_at", "terminal", "status_reason", "finished_at", "duration_seconds")
    ended = _fields(session, *lifetime, "error_type", "message")
    made = {STATUS: {"session_id": session.session_id, **adopted.documents.get(STATUS, {}), **ended}}
    if METADATA in adopted.documents:
        made[METADATA] = {**adopted.documents[METADATA], "status": session.status}
    return made


def _amend(document: JsonObject, event: Amended, standing: set[str]) -> None:
    for field, change in event.changes.items():
        if field == WHOLE_FILE or field not in standing:
            continue
        if "after" in change:
            document[field] = change["after"]
        else:
            document.pop(field, None)
