-- Made whole by `python tests/make_sql.py` out of sqlite/alerts.sql, with PostgreSQL's expressions.
-- What needs a person, and what needed one. Where an answer depends on the time, the view asks for now; a command runs
-- the view's own text with its time bound in the place of each of these expressions.
--
-- Where a line says "Made from the domain", `python tests/make_sql.py` writes that part, and the file for PostgreSQL out
-- of the one for SQLite. No comment stands inside a statement: `ledger verify` compares what a database keeps.

-- session_alerts_all: sessions that failed, were aborted, or run without a word for too long; proofs that failed; and
-- results that differ among sessions of equal rules, range, cash and prices. Each kind is read off an index of its own.
-- An alert is cleared by whoever resolved it or, of a session that failed or was aborted, by a later success of the same
-- request or configuration. A session that was not stale yet when something of it was resolved is stale afterwards all
-- the same. A time that lies ahead by more than clocks differ is not believed, so that a wrong clock does not hide a dead
-- session.
-- Made from the domain: age_minutes, silent_when_resolved, stale_minutes, soon, disproved, twins, are_twins, cutoff.
CREATE VIEW session_alerts_all AS
SELECT alert_code, severity, session_id, status, activity_at,
  CASE WHEN believed_at IS NOT NULL THEN CAST(greatest(0, floor(extract(epoch FROM CAST(to_char((now()) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') AS timestamptz) - CAST(believed_at AS timestamptz)) / 60)) AS bigint) END AS age_minutes,
  error_type, message, path, stage, bars_done, bars_expected, host, pid, process, root,
  CASE WHEN resolved_at IS NOT NULL AND (alert_code <> 'PAPER_SESSION_STALE' OR believed_at IS NULL
      OR CAST(greatest(0, floor(extract(epoch FROM CAST(resolved_at AS timestamptz) - CAST(CASE WHEN next_due > believed_at THEN next_due ELSE believed_at END AS timestamptz)) / 60)) AS bigint) >= CAST(greatest(0, floor(extract(epoch FROM CAST(to_char((now()) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') AS timestamptz) - CAST(to_char((now() - interval '60 minutes') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') AS timestamptz)) / 60)) AS bigint)) THEN 'resolved'
    WHEN status NOT IN ('failed', 'aborted') THEN NULL
    WHEN EXISTS (SELECT 1 FROM paper_sessions AS later WHERE later.status = 'success'
      AND later.request_id = issues.request_id AND later.activity_at > issues.activity_at)
    OR EXISTS (SELECT 1 FROM paper_sessions AS later WHERE later.status = 'success'
      AND later.config_hash = issues.config_hash AND later.activity_at > issues.activity_at) THEN 'superseded' END AS cleared_by
FROM (
  SELECT
    CASE status WHEN 'failed' THEN 'PAPER_SESSION_FAILED' WHEN 'aborted' THEN 'PAPER_SESSION_ABORTED'
      ELSE 'PAPER_SESSION_STALE' END AS alert_code,
    CASE status WHEN 'failed' THEN 'critical' ELSE 'warning' END AS severity,
    CASE WHEN status <> 'running' THEN COALESCE(message, 'No message was recorded.')
      WHEN next_due IS NOT NULL THEN 'Overdue: its next bar was due at ' || next_due || ', and nobody took it; stage '
        || COALESCE(stage, 'unknown') || '.'
      ELSE 'No event for too long; last stage ' || COALESCE(stage, 'unknown') || ', '
        || COALESCE(CAST(bars_done AS TEXT), '?') || ' of ' || COALESCE(CAST(bars_expected AS TEXT), '?')
        || ' bars.' END AS message,
    session_id, status, activity_at, error_type, path, stage, bars_done, bars_expected, host, pid, process, root,
    request_id, config_hash, resolved_at, next_due,
    CASE WHEN activity_at <= to_char((now() + interval '5 minutes') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') THEN activity_at
      WHEN started_at <= to_char((now() + interval '5 minutes') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') THEN started_at
      WHEN created_at <= to_char((now() + interval '5 minutes') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') THEN created_at END AS believed_at
  FROM paper_sessions
  WHERE status IN ('failed', 'aborted', 'running')
  UNION ALL
  SELECT 'PAPER_SESSION_PROOF_FAILED', 'critical',
    'Run again, it was ' || proved_outcome || '; its timeline says what of it.',
    session_id, status, activity_at, error_type, path, stage, bars_done, bars_expected, host, pid, process, root,
    request_id, config_hash, resolved_at, next_due,
    CASE WHEN activity_at <= to_char((now() + interval '5 minutes') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') THEN activity_at
      WHEN started_at <= to_char((now() + interval '5 minutes') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') THEN started_at
      WHEN created_at <= to_char((now() + interval '5 minutes') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') THEN created_at END AS believed_at
  FROM paper_sessions
  WHERE proved_outcome IN ('different', 'impossible')
  UNION ALL
  SELECT 'PAPER_SESSION_DISAGREES', 'warning',
    'Another session of equal rules, range and prices has another result.',
    session_id, status, activity_at, error_type, path, stage, bars_done, bars_expected, host, pid, process, root,
    request_id, config_hash, resolved_at, next_due,
    CASE WHEN activity_at <= to_char((now() + interval '5 minutes') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') THEN activity_at
      WHEN started_at <= to_char((now() + interval '5 minutes') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') THEN started_at
      WHEN created_at <= to_char((now() + interval '5 minutes') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') THEN created_at END AS believed_at
  FROM paper_sessions
  WHERE result_digest IS NOT NULL AND (rules_hash, start_date, end_date, initial_cash, data_hash) IN (
    SELECT rules_hash, start_date, end_date, initial_cash, data_hash FROM paper_sessions
    WHERE result_digest IS NOT NULL AND rules_hash IS NOT NULL AND data_hash IS NOT NULL AND initial_cash IS NOT NULL
    GROUP BY rules_hash, start_date, end_date, initial_cash, data_hash HAVING MIN(result_digest) <> MAX(result_digest))
) AS issues
WHERE alert_code <> 'PAPER_SESSION_STALE' OR ((believed_at IS NULL OR believed_at <= to_char((now() - interval '60 minutes') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'))
  AND (next_due IS NULL OR next_due <= to_char((now() - interval '60 minutes') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')));

-- session_alerts: those that need a person still. It repeats the text of session_alerts_all, so that neither view hangs
-- on the other; `python tests/make_sql.py` writes it here.
-- Made from the domain: age_minutes, silent_when_resolved, stale_minutes, soon, disproved, twins, are_twins, cutoff.
CREATE VIEW session_alerts AS
SELECT * FROM (
SELECT alert_code, severity, session_id, status, activity_at,
  CASE WHEN believed_at IS NOT NULL THEN CAST(greatest(0, floor(extract(epoch FROM CAST(to_char((now()) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') AS timestamptz) - CAST(believed_at AS timestamptz)) / 60)) AS bigint) END AS age_minutes,
  error_type, message, path, stage, bars_done, bars_expected, host, pid, process, root,
  CASE WHEN resolved_at IS NOT NULL AND (alert_code <> 'PAPER_SESSION_STALE' OR believed_at IS NULL
      OR CAST(greatest(0, floor(extract(epoch FROM CAST(resolved_at AS timestamptz) - CAST(CASE WHEN next_due > believed_at THEN next_due ELSE believed_at END AS timestamptz)) / 60)) AS bigint) >= CAST(greatest(0, floor(extract(epoch FROM CAST(to_char((now()) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') AS timestamptz) - CAST(to_char((now() - interval '60 minutes') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') AS timestamptz)) / 60)) AS bigint)) THEN 'resolved'
    WHEN status NOT IN ('failed', 'aborted') THEN NULL
    WHEN EXISTS (SELECT 1 FROM paper_sessions AS later WHERE later.status = 'success'
      AND later.request_id = issues.request_id AND later.activity_at > issues.activity_at)
    OR EXISTS (SELECT 1 FROM paper_sessions AS later WHERE later.status = 'success'
      AND later.config_hash = issues.config_hash AND later.activity_at > issues.activity_at) THEN 'superseded' END AS cleared_by
FROM (
  SELECT
    CASE status WHEN 'failed' THEN 'PAPER_SESSION_FAILED' WHEN 'aborted' THEN 'PAPER_SESSION_ABORTED'
      ELSE 'PAPER_SESSION_STALE' END AS alert_code,
    CASE status WHEN 'failed' THEN 'critical' ELSE 'warning' END AS severity,
    CASE WHEN status <> 'running' THEN COALESCE(message, 'No message was recorded.')
      WHEN next_due IS NOT NULL THEN 'Overdue: its next bar was due at ' || next_due || ', and nobody took it; stage '
        || COALESCE(stage, 'unknown') || '.'
      ELSE 'No event for too long; last stage ' || COALESCE(stage, 'unknown') || ', '
        || COALESCE(CAST(bars_done AS TEXT), '?') || ' of ' || COALESCE(CAST(bars_expected AS TEXT), '?')
        || ' bars.' END AS message,
    session_id, status, activity_at, error_type, path, stage, bars_done, bars_expected, host, pid, process, root,
    request_id, config_hash, resolved_at, next_due,
    CASE WHEN activity_at <= to_char((now() + interval '5 minutes') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') THEN activity_at
      WHEN started_at <= to_char((now() + interval '5 minutes') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') THEN started_at
      WHEN created_at <= to_char((now() + interval '5 minutes') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') THEN created_at END AS believed_at
  FROM paper_sessions
  WHERE status IN ('failed', 'aborted', 'running')
  UNION ALL
  SELECT 'PAPER_SESSION_PROOF_FAILED', 'critical',
    'Run again, it was ' || proved_outcome || '; its timeline says what of it.',
    session_id, status, activity_at, error_type, path, stage, bars_done, bars_expected, host, pid, process, root,
    request_id, config_hash, resolved_at, next_due,
    CASE WHEN activity_at <= to_char((now() + interval '5 minutes') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') THEN activity_at
      WHEN started_at <= to_char((now() + interval '5 minutes') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') THEN started_at
      WHEN created_at <= to_char((now() + interval '5 minutes') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') THEN created_at END AS believed_at
  FROM paper_sessions
  WHERE proved_outcome IN ('different', 'impossible')
  UNION ALL
  SELECT 'PAPER_SESSION_DISAGREES', 'warning',
    'Another session of equal rules, range and prices has another result.',
    session_id, status, activity_at, error_type, path, stage, bars_done, bars_expected, host, pid, process, root,
    request_id, config_hash, resolved_at, next_due,
    CASE WHEN activity_at <= to_char((now() + interval '5 minutes') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') THEN activity_at
      WHEN started_at <= to_char((now() + interval '5 minutes') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') THEN started_at
      WHEN created_at <= to_char((now() + interval '5 minutes') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') THEN created_at END AS believed_at
  FROM paper_sessions
  WHERE result_digest IS NOT NULL AND (rules_hash, start_date, end_date, initial_cash, data_hash) IN (
    SELECT rules_hash, start_date, end_date, initial_cash, data_hash FROM paper_sessions
    WHERE result_digest IS NOT NULL AND rules_hash IS NOT NULL AND data_hash IS NOT NULL AND initial_cash IS NOT NULL
    GROUP BY rules_hash, start_date, end_date, initial_cash, data_hash HAVING MIN(result_digest) <> MAX(result_digest))
) AS issues
WHERE alert_code <> 'PAPER_SESSION_STALE' OR ((believed_at IS NULL OR believed_at <= to_char((now() - interval '60 minutes') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'))
  AND (next_due IS NULL OR next_due <= to_char((now() - interval '60 minutes') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')))) AS alerts
WHERE cleared_by IS NULL;
