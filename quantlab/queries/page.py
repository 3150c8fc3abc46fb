"""What the operators' page shows, of one moment: the head, who needs a person, what runs, what is ready, the newest."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from quantlab.base.clock import iso
from quantlab.base.errors import LedgerDamagedError
from quantlab.base.remedies import VERIFY
from quantlab.domain.events import Started, Succeeded, decode
from quantlab.domain.vocabulary import DOUBTFUL_MINUTES
from quantlab.ledger.trust import doubts, require_trusted
from quantlab.queries.alerts import alerts
from quantlab.queries.promotion import COUNTS, latest_ready_sql
from quantlab.queries.rows import assessed, ids, root_dir, status_counts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from quantlab.ledger.reader import Reader, Row


MOST_RUNNING, MOST_READY = 50, 10
_HEAD = "SELECT ledger_id, sequence, hash FROM ledger_head"
_HEAD_AT = "SELECT occurred_at FROM events WHERE sequence = :sequence"
_AT = "COALESCE(created_at, started_at, updated_at)"
_NEWEST = f"SELECT * FROM session_promotion ORDER BY {_AT} DESC NULLS LAST, session_id DESC LIMIT :most"
_RUNNING = f"""\
SELECT * FROM session_promotion WHERE status = 'running'
ORDER BY {_AT} DESC NULLS LAST, session_id DESC LIMIT :most"""
_TOLD = """\
SELECT session_id, type, payload FROM events
WHERE type IN ('started', 'succeeded') AND session_id IN ({names})"""
# Heartbeats and bars come by the thousand: those of one stage make one line.
_TIMELINE = """\
SELECT session_id, type, stage, actor, message, MIN(session_version) AS version, COUNT(*) AS times,
  MIN(occurred_at) AS first_at, MAX(occurred_at) AS last_at
FROM (
  SELECT session_id, session_version, occurred_at, type, stage, actor,
    CASE WHEN type IN ('heartbeat', 'bar') THEN NULL ELSE message END AS message
  FROM session_timeline WHERE session_id IN ({names})) AS told
GROUP BY session_id, type, stage, actor, message
ORDER BY session_id, version"""
_IDS_AT_A_TIME = 500


def page(reader: Reader, *, now: datetime, stale_after: timedelta, most: int) -> Row:
    """Return what the page shows.

    Args:
        reader: The ledger.
        now: The time of the question; aware.
        stale_after: How long a running session may go without an event.
        most: How many sessions to tell in full, the newest first.

    Returns:
        `root_dir`, `generated_at`, `ledger_id`, `sequence`, `hash`, `head_at`; `doubts` (what a glance finds wrong with
        the ledger); `total`, `counts` (by status), `ready_count`, `blocked_count`, `blockers` (how many of the sessions
        shown each one blocks); `alerts` (contract 7's object; whether processes live is not asked, so that the page
        says the same everywhere); `running`, `ready` and `sessions`: rows of `session_promotion`. One of `sessions`
        also has `config`, `reproduce`, `digests` (file name -> SHA-256) and `timeline`, events of one kind and stage
        together (`type`, `stage`, `actor`, `message`, `times`, `first_at`, `last_at`).

    Raises:
        LedgerDamagedError: an event says what no event can.
    """
    head = reader.row(_HEAD) or {}
    at = reader.row(_HEAD_AT, sequence=head["sequence"]) or {}
    counts = status_counts(reader)
    by_readiness = {row["ready"]: row["sessions"] for row in reader.rows(COUNTS)}
    ready, doubt = _ready(reader, now)
    sessions = [assessed(row, reader) for row in reader.rows(_NEWEST, most=most)]
    running = [assessed(row, reader) for row in reader.rows(_RUNNING, most=MOST_RUNNING)]
    _add_what_events_tell(reader, sessions)
    _add_timelines(reader, sessions)
    return {
        "root_dir": root_dir(reader.location),
        "generated_at": iso(now),
        **head,
        "head_at": at.get("occurred_at"),
        "doubts": [*doubts(reader), *doubt],
        "total": sum(counts.values()),
        "counts": counts,
        "ready_count": by_readiness.get(1, 0),
        "blocked_count": by_readiness.get(0, 0),
        "blockers": Counter(
            word
            for row in sessions
            if row["status"] != "running"
            for word in row["broker_promotion_blockers"]
        ).most_common(),
        "alerts": alerts(reader, now=now, stale_after=stale_after, is_alive=lambda *_: None),
        "running": running,
        "ready": ready,
        "sessions": sessions,
    }


def _ready(reader: Reader, now: datetime) -> tuple[list[Row], list[str]]:
    """Return the ready sessions, latest first, and why none of them is named where the ledger can't be trusted."""
    soon = iso(now + timedelta(minutes=DOUBTFUL_MINUTES))
    ready = [assessed(row, reader) for row in reader.rows(latest_ready_sql(), most=MOST_READY, soon=soon)]
    try:
        require_trusted(reader, ids(ready))
    except LedgerDamagedError as error:
        return [], [str(error)]
    return ready, []


def _add_what_events_tell(reader: Reader, rows: list[Row]) -> None:
    """Add `config`, `reproduce` and `digests`, empty where no event tells them."""
    told: dict[str, Row] = {name: {"config": {}, "reproduce": None, "digests": {}} for name in ids(rows)}
    for stored in _of_sessions(reader, _TOLD, list(told)):
        one = told[stored["session_id"]]
        try:
            event = decode(stored["type"], stored["payload"])
            if isinstance(event, Started):
                one |= {"config": event.config, "reproduce": event.reproduce}
            elif isinstance(event, Succeeded):
                one["digests"] = {file["file_name"]: file["sha256"] for file in event.artifacts}
        except (LookupError, TypeError, ValueError) as error:
            raise LedgerDamagedError(
                f"The ledger {reader.location} holds an event of session {stored['session_id']} that says what no "
                f"event can ({type(error).__name__}: {error}). No page was made; ",
                VERIFY,
                " tells more.",
            ) from error
    for row in rows:
        row.update(told[row["session_id"]])


def _add_timelines(reader: Reader, rows: list[Row]) -> None:
    timelines: dict[str, list[Row]] = {name: [] for name in ids(rows)}
    for line in _of_sessions(reader, _TIMELINE, list(timelines)):
        timelines[line["session_id"]].append(line)
    for row in rows:
        row["timeline"] = timelines[row["session_id"]]


def _of_sessions(reader: Reader, sql: str, names: list[str]) -> Iterator[Row]:
    for first in range(0, len(names), _IDS_AT_A_TIME):
        bound = {f"id_{place}": name for place, name in enumerate(names[first : first + _IDS_AT_A_TIME])}
        yield from reader.rows(sql.format(names=", ".join(f":{name}" for name in bound)), **bound)
