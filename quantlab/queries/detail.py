"""Everything that the ledger knows of one session."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from quantlab.base.errors import LedgerDamagedError
from quantlab.base.remedies import VERIFY
from quantlab.domain.names import METADATA
from quantlab.queries.edits import amended
from quantlab.queries.rows import assessed

if TYPE_CHECKING:
    from quantlab.base.values import JsonObject
    from quantlab.ledger.reader import Reader, Row


SESSION = "SELECT * FROM session_promotion WHERE session_id = :session_id"
TIMELINE = "SELECT * FROM session_timeline WHERE session_id = :session_id ORDER BY session_version"
PAYLOADS = (
    "SELECT type, occurred_at, payload FROM events WHERE session_id = :session_id ORDER BY session_version"
)
ARTIFACTS = (
    "session_metadata.json",
    "session_status.json",
    "config.json",
    "metrics.json",
    "report.json",
    "run_report.md",
    "trades.csv",
    "artifacts/equity.png",
    "artifacts/prices.csv",
)
"""The files that a session's folder may hold, as the contract names them."""


def session(reader: Reader, session_id: str) -> Row | None:
    """Return one session, or None where the ledger knows none of that id.

    Returns:
        The row of `session_promotion`; then `artifacts` (absolute paths of the files that are there), `amendment_list`
        (`occurred_at`, `file`, `changes`), `amended` (what the edits made of columns that show what was recorded),
        `proof` (`occurred_at`, `outcome`, `detail` of the last one, or None), `config` (what was asked for, or None),
        `trouble` (why no bar comes to a session that follows the market: its `cause`; None where nothing is told),
        `like` and `like_changes` (what it was begun like, and in what it is another, or None)
        and `timeline` (the rows of `session_timeline`).

    Raises:
        LedgerDamagedError: an event of the session says what no event can.
    """
    found = reader.row(SESSION, session_id=session_id)
    if found is None:
        return None
    row = assessed(found, reader)
    try:
        row |= _told_by_events(reader, row)
    except (LookupError, TypeError, ValueError) as error:
        raise LedgerDamagedError(
            f"The ledger {reader.location} holds an event of session {session_id} that says what no event can "
            f"({type(error).__name__}: {error}). Nothing was changed; ",
            VERIFY,
            " tells more.",
        ) from error
    row["amended"] = amended(reader, row)
    row["timeline"] = reader.rows(TIMELINE, session_id=session_id)
    return row


def _told_by_events(reader: Reader, session: Row) -> Row:
    payloads = [_payload(event) for event in reader.rows(PAYLOADS, session_id=session["session_id"])]
    row: Row = {"artifacts": existing_artifacts(session["path"], payloads)}
    row["amendment_list"] = [
        {"occurred_at": at, "file": said["file"], "changes": said["changes"]}
        for kind, at, said in payloads
        if kind == "amended"
    ]
    proofs = [
        {"occurred_at": at, "outcome": said["outcome"], "detail": said["detail"]}
        for kind, at, said in payloads
        if kind == "proved"
    ]
    row["proof"] = proofs[-1] if proofs else None
    row["config"] = _config(payloads[0][2])
    row["trouble"] = _trouble(payloads) if session["status"] == "running" else None
    row |= _lineage(payloads[0][2])
    return row


def _config(birth: JsonObject) -> Row | None:
    """Return the configuration as the session's first event tells it; None where it does not."""
    found = birth.get("config") or birth.get("documents", {}).get("config.json")
    return found if isinstance(found, dict) else None


def _trouble(payloads: list[tuple[str, str, JsonObject]]) -> Row | None:
    """Return what a session that follows the market said, after its last bar, of why no other comes."""
    steps = [(kind, said) for kind, _at, said in payloads if kind in ("heartbeat", "bar")]
    kind, said = steps[-1] if steps else ("", {})
    return said.get("trouble") if kind == "heartbeat" else None


def _lineage(birth: JsonObject) -> Row:
    """Return what the session was begun like and in what it is another; None where it was begun like nothing."""
    told = {**birth.get("documents", {}).get(METADATA, {}), **birth}
    return {
        name: found if isinstance(found := told.get(name), dict) else None
        for name in ("like", "like_changes")
    }


def existing_artifacts(folder: str, payloads: list[tuple[str, str, JsonObject]]) -> list[str]:
    """Return the absolute paths of a session's files that are there, the contract's first."""
    recorded = [
        one["file_name"] for kind, _at, said in payloads if kind == "succeeded" for one in said["artifacts"]
    ]
    names = dict.fromkeys((*ARTIFACTS, *recorded))
    paths = [os.path.join(folder, name) for name in names]  # noqa: PTH118 - text, as the other surfaces show it
    return [path for path in paths if os.path.isfile(path)]  # noqa: PTH113 - the same


def _payload(event: Row) -> tuple[str, str, JsonObject]:
    return event["type"], event["occurred_at"], json.loads(event["payload"])
