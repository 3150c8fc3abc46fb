"""The views of a ledger: the operators' questions as SQL, for the commands and for any other client alike.

They are dropped and made anew after every migration, so that there is one text of each, here. The few expressions in
which SQLite and PostgreSQL differ are named in `Dialect`; everything else is SQL that both read alike. A command asks
the views; where an answer depends on the time, it runs the view's own text with its time bound (`alerts_asked`).
"""

from __future__ import annotations

from typing import NamedTuple

from quantlab.store.guards import POSTGRES_PAYLOAD
from quantlab.store.promotion_checks import blockers_sql, reasons_sql
from quantlab.store.vocabulary import (
    BLOCKED_AND_DONE,
    DOUBTFUL_MINUTES,
    KNOWN,
    NEWEST,
    OURS,
    STALE_MINUTES,
    SUMMARY,
    newest,
)


class Dialect(NamedTuple):
    """The expressions in which the engines, and views and commands, differ.

    Attributes:
        now: The time of the question, as stored.
        soon: The latest time that is still believed.
        cutoff: The time before which a running session's last event is too old.
        whole_minutes: Whole minutes from `{earlier}` to `{now}`, never below 0.
        joined: Ids of `{rows}`, sorted, in one text.
        field: The text of one field (`{name}`) of an event's payload.
        number: The same, as a whole number.
    """

    now: str
    soon: str
    cutoff: str
    whole_minutes: str
    joined: str
    field: str
    number: str


_SQLITE_NOW = "(strftime('%Y-%m-%dT%H:%M:%f', 'now'{shift}) || '000+00:00')"
_POSTGRES_NOW = """\
to_char((now(){shift}) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')"""
_POSTGRES_FIELD = f"({POSTGRES_PAYLOAD} ->> '{{name}}')"

SQLITE_DIALECT = Dialect(
    now=_SQLITE_NOW.format(shift=""),
    soon=_SQLITE_NOW.format(shift=f", '+{DOUBTFUL_MINUTES} minutes'"),
    cutoff=_SQLITE_NOW.format(shift=f", '-{STALE_MINUTES} minutes'"),
    whole_minutes=(
        "max(0, CAST(round((julianday({now}) - julianday({earlier})) * 86400000) AS INTEGER) / 60000)"
    ),
    joined="(SELECT group_concat(session_id, ', ') FROM ({rows} ORDER BY session_id))",
    field="json_extract(payload, '$.{name}')",
    number="json_extract(payload, '$.{name}')",
)
POSTGRES_DIALECT = Dialect(
    now=_POSTGRES_NOW.format(shift=""),
    soon=_POSTGRES_NOW.format(shift=f" + interval '{DOUBTFUL_MINUTES} minutes'"),
    cutoff=_POSTGRES_NOW.format(shift=f" - interval '{STALE_MINUTES} minutes'"),
    whole_minutes=(
        "CAST(greatest(0, floor(extract(epoch FROM CAST({now} AS timestamptz)"
        " - CAST({earlier} AS timestamptz)) / 60)) AS bigint)"
    ),
    joined="(SELECT string_agg(session_id, ', ' ORDER BY session_id) FROM ({rows}) AS named)",
    field=_POSTGRES_FIELD,
    number=f"CAST({_POSTGRES_FIELD} AS bigint)",
)


def alerts_asked(*, sqlite: bool) -> str:
    """Return the text of `session_alerts` with `:now`, `:soon` and `:cutoff` to be bound by a command."""
    dialect = SQLITE_DIALECT if sqlite else POSTGRES_DIALECT
    return _alerts(dialect._replace(now=":now", soon=":soon", cutoff=":cutoff"))


def _alerts(dialect: Dialect) -> str:
    age = dialect.whole_minutes.format(now=dialect.now, earlier="believed_at")
    return _ALERTS.format(soon=dialect.soon, cutoff=dialect.cutoff, age=age)


_ALERTS = """\
SELECT
  CASE status WHEN 'failed' THEN 'PAPER_SESSION_FAILED' WHEN 'aborted' THEN 'PAPER_SESSION_ABORTED'
    ELSE 'PAPER_SESSION_STALE' END AS alert_code,
  CASE status WHEN 'failed' THEN 'critical' ELSE 'warning' END AS severity,
  session_id, status, activity_at,
  CASE WHEN believed_at IS NOT NULL THEN {age} END AS age_minutes,
  error_type,
  CASE WHEN status <> 'running' THEN COALESCE(message, 'No message was recorded.')
    ELSE 'No event for too long; last stage ' || COALESCE(stage, 'unknown') || ', '
      || COALESCE(CAST(bars_done AS TEXT), '?') || ' of ' || COALESCE(CAST(bars_expected AS TEXT), '?')
      || ' bars.' END AS message,
  path, stage, bars_done, bars_expected, host, pid, process, root
FROM (
  SELECT session_id, status, activity_at, error_type, message, path, stage, bars_done, bars_expected,
    host, pid, process, root,
    CASE WHEN activity_at <= {soon} THEN activity_at WHEN started_at <= {soon} THEN started_at
      WHEN created_at <= {soon} THEN created_at END AS believed_at
  FROM paper_sessions
  WHERE status IN ('failed', 'aborted', 'running')
) AS issues
WHERE status <> 'running' OR believed_at IS NULL OR believed_at <= {cutoff}"""


def _latest(*conditions: str) -> str:
    """Return SQL for the latest session among those that meet any of the conditions, each one served by an index."""
    columns = "session_id, status, activity_at, error_type, message"
    found = " UNION ALL ".join(newest(columns, "paper_sessions", condition, "1") for condition in conditions)
    return f"SELECT * FROM ({found}) AS found ORDER BY {NEWEST} LIMIT 1"


def _counted(condition: str = "") -> str:
    where = f" WHERE {condition}" if condition else ""
    return f"(SELECT CAST(COALESCE(SUM(sessions), 0) AS BIGINT) FROM session_counts{where})"


def _health(dialect: Dialect) -> str:
    running = dialect.joined.format(rows="SELECT session_id FROM paper_sessions WHERE status = 'running'")
    return f"""\
SELECT
  {_counted()} AS total_sessions,
  {_counted("status = 'success'")} AS success,
  {_counted("status = 'failed'")} AS failed,
  {_counted("status = 'aborted'")} AS aborted,
  {_counted("status = 'running'")} AS running,
  latest.session_id AS latest_session_id,
  latest.activity_at AS latest_session_at,
  latest.status AS latest_session_state,
  issue.session_id AS latest_issue_id,
  issue.status AS latest_issue_state,
  issue.activity_at AS latest_issue_at,
  COALESCE(issue.error_type, issue.message) AS latest_issue_error,
  {running} AS active_sessions,
  {_counted(f"status NOT IN {KNOWN}")} AS unknown_status_sessions,
  (SELECT COUNT(*) FROM paper_sessions WHERE unreadable IS NOT NULL) AS unreadable_sessions,
  (SELECT COUNT(*) FROM paper_sessions WHERE vanished_at IS NOT NULL) AS vanished_sessions
FROM (SELECT 1 AS one) AS always
LEFT JOIN ({_latest("promotion_ready = 1", BLOCKED_AND_DONE, "status = 'running'")}) AS latest ON one = 1
LEFT JOIN ({_latest("status = 'failed'", "status = 'aborted'", "status = 'running'")}) AS issue ON one = 1"""


_LIST = f"""\
SELECT {", ".join((*SUMMARY, *OURS))}, promotion_ready
FROM paper_sessions"""

_PROMOTION = f"""\
SELECT {", ".join((*SUMMARY, *OURS))},
  promotion_ready AS broker_promotion_ready,
  {reasons_sql()} AS broker_promotion_reasons,
  {blockers_sql()} AS broker_promotion_blockers
FROM paper_sessions"""

_DUPLICATES = """\
SELECT config_hash, data_hash, MIN(ticker) AS ticker, COUNT(*) AS sessions,
  COUNT(result_digest) AS results, COUNT(DISTINCT result_digest) AS different_results,
  CASE WHEN COUNT(result_digest) > 1
    THEN CASE WHEN COUNT(DISTINCT result_digest) = 1 THEN 1 ELSE 0 END END AS agree,
  MIN(session_id) AS first_session_id, MAX(session_id) AS last_session_id
FROM paper_sessions
WHERE (config_hash, data_hash) IN (
  SELECT config_hash, data_hash FROM paper_sessions
  WHERE config_hash IS NOT NULL AND data_hash IS NOT NULL
  GROUP BY config_hash, data_hash HAVING COUNT(*) > 1)
GROUP BY config_hash, data_hash"""


def _timeline(dialect: Dialect) -> str:
    def field(name: str) -> str:
        return dialect.field.format(name=name)

    return f"""\
SELECT session_id, session_version, sequence, occurred_at, type, actor,
  {field("stage")} AS stage,
  COALESCE({dialect.number.format(name="bars_done")}, {dialect.number.format(name="bars")}) AS bars_done,
  COALESCE({dialect.number.format(name="bars_expected")}, {dialect.number.format(name="bars")}) AS bars_expected,
  CASE type
    WHEN 'failed' THEN {field("error_type")} || ': ' || {field("message")}
    WHEN 'aborted' THEN {field("message")}
    WHEN 'amended' THEN {field("file")}
    WHEN 'proved' THEN {field("outcome")} || ': ' || {field("detail")}
    WHEN 'adopted' THEN {field("folder")}
    WHEN 'vanished' THEN {field("folder")}
    WHEN 'found' THEN {field("folder")}
  END AS message
FROM events"""


def _made(dialect: Dialect) -> dict[str, str]:
    bodies = {
        "session_list": _LIST,
        "session_health": _health(dialect),
        "session_alerts": _alerts(dialect),
        "session_promotion": _PROMOTION,
        "session_timeline": _timeline(dialect),
        "session_duplicates": _DUPLICATES,
    }
    return {name: f"CREATE VIEW {name} AS\n{body}" for name, body in bodies.items()}


SQLITE: dict[str, str] = _made(SQLITE_DIALECT)
POSTGRES: dict[str, str] = _made(POSTGRES_DIALECT)
