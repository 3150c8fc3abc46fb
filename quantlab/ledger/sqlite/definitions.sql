-- events: table of events
CREATE TABLE events (
	sequence INTEGER NOT NULL, 
	session_id TEXT NOT NULL, 
	session_version INTEGER NOT NULL, 
	type TEXT NOT NULL, 
	schema_version INTEGER NOT NULL, 
	occurred_at TEXT NOT NULL, 
	actor TEXT NOT NULL, 
	payload TEXT NOT NULL, 
	previous_hash TEXT NOT NULL, 
	hash TEXT NOT NULL, 
	PRIMARY KEY (sequence), 
	CONSTRAINT events_session_named CHECK (session_id <> ''), 
	CONSTRAINT events_hash_length CHECK (length(hash) = 64 AND length(previous_hash) = 64), 
	CONSTRAINT events_session_version UNIQUE (session_id, session_version)
)
-- events_guard_delete: trigger of events
CREATE TRIGGER events_guard_delete BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'quantlab: events are append-only'); END
-- events_guard_insert: trigger of events
CREATE TRIGGER events_guard_insert BEFORE INSERT ON events BEGIN
  SELECT CASE
    WHEN NEW.sequence IS NOT head.sequence + 1 THEN RAISE(ABORT, 'quantlab: an event must take the next sequence of the ledger')
    WHEN NEW.previous_hash IS NOT head.hash THEN RAISE(ABORT, 'quantlab: previous_hash must be the hash of the head')
    WHEN NEW.type IS NOT 'heartbeat' AND NEW.type NOT IN ('started', 'adopted', 'bar', 'revised', 'resumed', 'heartbeat', 'succeeded', 'failed', 'aborted', 'amended', 'vanished', 'found', 'proved', 'resolved') THEN RAISE(ABORT, 'quantlab: unknown event type')
    WHEN (NEW.type IN ('started', 'adopted')) <> (last.sequence IS NULL) THEN RAISE(ABORT, 'quantlab: a session begins once, with started or adopted')
    WHEN last.type NOT IN ('started', 'bar', 'revised', 'resumed', 'heartbeat') AND NEW.type NOT IN ('amended', 'vanished', 'found', 'proved', 'resolved')
     AND (EXISTS (SELECT 1 FROM events WHERE session_id = NEW.session_id AND type <> 'heartbeat' AND type IN ('succeeded', 'failed', 'aborted'))
       OR (SELECT CASE type WHEN 'adopted' THEN json_extract(payload, '$.terminal') END FROM events
            WHERE session_id = NEW.session_id AND session_version = 1))
      THEN RAISE(ABORT, 'quantlab: the session has ended; only annotations may follow')
    WHEN NEW.session_version IS NOT COALESCE(last.session_version, 0) + 1 THEN RAISE(ABORT, 'quantlab: an event must take the next version of its session')
  END
  FROM (SELECT 1) LEFT JOIN ledger_head AS head ON true
  LEFT JOIN events AS last ON last.sequence =
    (SELECT sequence FROM events WHERE session_id = NEW.session_id ORDER BY session_version DESC LIMIT 1);
END
-- events_guard_update: trigger of events
CREATE TRIGGER events_guard_update BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'quantlab: events are append-only'); END
-- events_move_head: trigger of events
CREATE TRIGGER events_move_head AFTER INSERT ON events BEGIN
  UPDATE ledger_head SET sequence = NEW.sequence, hash = NEW.hash WHERE id = 1;
END
-- events_one_end: index of events
CREATE UNIQUE INDEX events_one_end ON events (session_id) WHERE type <> 'heartbeat' AND type IN ('succeeded', 'failed', 'aborted')
-- ledger_head: table of ledger_head
CREATE TABLE ledger_head (
	id INTEGER NOT NULL, 
	ledger_id TEXT NOT NULL, 
	sequence INTEGER NOT NULL, 
	hash TEXT NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT ledger_head_one_row CHECK (id = 1)
)
-- ledger_head_guard_delete: trigger of ledger_head
CREATE TRIGGER ledger_head_guard_delete BEFORE DELETE ON ledger_head BEGIN SELECT RAISE(ABORT, 'quantlab: the head moves with the events alone'); END
-- ledger_head_guard_insert: trigger of ledger_head
CREATE TRIGGER ledger_head_guard_insert BEFORE INSERT ON ledger_head WHEN EXISTS (SELECT 1 FROM ledger_head) BEGIN SELECT RAISE(ABORT, 'quantlab: the head moves with the events alone'); END
-- ledger_head_guard_update: trigger of ledger_head
CREATE TRIGGER ledger_head_guard_update BEFORE UPDATE ON ledger_head WHEN NEW.id IS NOT OLD.id OR NOT ((OLD.sequence = 0 AND NEW.sequence = 0 AND NEW.hash IS OLD.hash) OR (NEW.ledger_id IS OLD.ledger_id AND NEW.sequence IS OLD.sequence + 1 AND EXISTS (SELECT 1 FROM events WHERE sequence = NEW.sequence AND hash = NEW.hash))) BEGIN SELECT RAISE(ABORT, 'quantlab: the head moves with the events alone'); END
-- paper_sessions: table of paper_sessions
CREATE TABLE paper_sessions (
	session_id TEXT NOT NULL, 
	status TEXT NOT NULL, 
	created_at TEXT, 
	started_at TEXT, 
	updated_at TEXT, 
	finished_at TEXT, 
	terminal BOOLEAN, 
	status_reason TEXT, 
	duration_seconds FLOAT, 
	request_id TEXT, 
	error_type TEXT, 
	report_contract_type TEXT, 
	path TEXT NOT NULL, 
	message TEXT, 
	mode TEXT, 
	command TEXT, 
	origin TEXT NOT NULL, 
	ended BOOLEAN DEFAULT false NOT NULL, 
	activity_at TEXT, 
	ticker TEXT, 
	start_date TEXT, 
	end_date TEXT, 
	interval TEXT, 
	price_source TEXT, 
	config_hash TEXT, 
	data_hash TEXT, 
	data_doubts TEXT, 
	config_path TEXT, 
	git_commit TEXT, 
	python_version TEXT, 
	python_executable TEXT, 
	host TEXT, 
	pid INTEGER, 
	process TEXT, 
	root TEXT, 
	stage TEXT, 
	bars_done INTEGER, 
	bars_expected INTEGER, 
	report_present BOOLEAN DEFAULT false NOT NULL, 
	total_return FLOAT, 
	sharpe_simple FLOAT, 
	max_drawdown FLOAT, 
	trades INTEGER, 
	win_rate FLOAT, 
	final_equity FLOAT, 
	result_digest TEXT, 
	amendments INTEGER DEFAULT 0 NOT NULL, 
	lifecycle_amended BOOLEAN DEFAULT false NOT NULL, 
	unreadable TEXT, 
	vanished_at TEXT, 
	strategy TEXT, 
	strategy_params TEXT, 
	recorded_elsewhere TEXT, 
	proved_at TEXT, 
	proved_outcome TEXT, 
	last_version INTEGER NOT NULL, 
	last_sequence INTEGER NOT NULL, 
	kind TEXT, 
	code_version TEXT, 
	code_digest TEXT, 
	code_modified BOOLEAN, 
	strategy_doubt TEXT, 
	rules_hash TEXT, 
	initial_cash FLOAT, 
	like_id TEXT, 
	research_trials INTEGER, 
	doubtful_clock BOOLEAN DEFAULT false NOT NULL, 
	evidence_missing TEXT, 
	files_disagree TEXT, 
	buy_and_hold_return FLOAT, 
	annual_return FLOAT, 
	days INTEGER, 
	sharpe_low FLOAT, 
	sharpe_high FLOAT, 
	max_participation FLOAT, 
	resolved_at TEXT, 
	watermark TEXT, 
	next_due TEXT, 
	drives INTEGER, 
	equity FLOAT, 
	units FLOAT, 
	last_fill_at TEXT, 
	forward_bars INTEGER, 
	late_bars INTEGER, 
	missing_bars INTEGER, 
	corrections INTEGER, 
	scale FLOAT, 
	code_changes INTEGER, 
	prices_made_up BOOLEAN DEFAULT false NOT NULL, 
	figures_amended BOOLEAN DEFAULT false NOT NULL, 
	promotion_ready INTEGER GENERATED ALWAYS AS (CASE WHEN status = 'success' AND terminal = true AND mode = 'paper' AND report_present = true AND report_contract_type = 'quantlab.paper.result' AND error_type IS NULL AND (NOT (price_source IS NOT NULL) OR price_source <> 'synthetic' AND prices_made_up = false) AND (NOT (trades IS NOT NULL) OR trades > 0) AND lifecycle_amended = false AND figures_amended = false AND files_disagree IS NULL AND (NOT (proved_outcome IS NOT NULL) OR proved_outcome = 'identical') AND strategy_doubt IS NULL AND data_doubts IS NULL AND unreadable IS NULL AND vanished_at IS NULL AND evidence_missing IS NULL AND recorded_elsewhere IS NULL THEN 1 ELSE 0 END) STORED, 
	PRIMARY KEY (session_id)
)
-- paper_sessions_blocked: index of paper_sessions
CREATE INDEX paper_sessions_blocked ON paper_sessions (activity_at, session_id) WHERE promotion_ready = 0 AND status <> 'running'
-- paper_sessions_count_delete: trigger of paper_sessions
CREATE TRIGGER paper_sessions_count_delete AFTER DELETE ON paper_sessions BEGIN
  UPDATE session_counts SET sessions = sessions - 1 WHERE status = OLD.status AND ready = OLD.promotion_ready;
  DELETE FROM session_counts WHERE status = OLD.status AND ready = OLD.promotion_ready AND sessions = 0;
END
-- paper_sessions_count_insert: trigger of paper_sessions
CREATE TRIGGER paper_sessions_count_insert AFTER INSERT ON paper_sessions BEGIN
  INSERT INTO session_counts (status, ready, sessions) VALUES (NEW.status, NEW.promotion_ready, 1)
    ON CONFLICT (status, ready) DO UPDATE SET sessions = sessions + 1;
END
-- paper_sessions_count_update: trigger of paper_sessions
CREATE TRIGGER paper_sessions_count_update AFTER UPDATE ON paper_sessions
WHEN OLD.status <> NEW.status OR OLD.promotion_ready <> NEW.promotion_ready BEGIN
  UPDATE session_counts SET sessions = sessions - 1 WHERE status = OLD.status AND ready = OLD.promotion_ready;
  DELETE FROM session_counts WHERE status = OLD.status AND ready = OLD.promotion_ready AND sessions = 0;
  INSERT INTO session_counts (status, ready, sessions) VALUES (NEW.status, NEW.promotion_ready, 1)
    ON CONFLICT (status, ready) DO UPDATE SET sessions = sessions + 1;
END
-- paper_sessions_disproved: index of paper_sessions
CREATE INDEX paper_sessions_disproved ON paper_sessions (session_id) WHERE proved_outcome IN ('different', 'impossible')
-- paper_sessions_done_config: index of paper_sessions
CREATE INDEX paper_sessions_done_config ON paper_sessions (config_hash, activity_at) WHERE status = 'success'
-- paper_sessions_done_request: index of paper_sessions
CREATE INDEX paper_sessions_done_request ON paper_sessions (request_id, activity_at) WHERE status = 'success'
-- paper_sessions_newest: index of paper_sessions
CREATE INDEX paper_sessions_newest ON paper_sessions (created_at, session_id)
-- paper_sessions_ready: index of paper_sessions
CREATE INDEX paper_sessions_ready ON paper_sessions (activity_at, session_id) WHERE promotion_ready = 1
-- paper_sessions_results: index of paper_sessions
CREATE INDEX paper_sessions_results ON paper_sessions (rules_hash, start_date, end_date, initial_cash, data_hash, result_digest) WHERE result_digest IS NOT NULL
-- paper_sessions_status: index of paper_sessions
CREATE INDEX paper_sessions_status ON paper_sessions (status, activity_at, session_id)
-- paper_sessions_synthetic: index of paper_sessions
CREATE INDEX paper_sessions_synthetic ON paper_sessions (data_hash) WHERE price_source = 'synthetic'
-- paper_sessions_trial: trigger of paper_sessions
CREATE TRIGGER paper_sessions_trial AFTER INSERT ON paper_sessions WHEN NEW.ticker IS NOT NULL AND NEW.start_date IS NOT NULL AND NEW.end_date IS NOT NULL AND NEW.rules_hash IS NOT NULL BEGIN
  INSERT INTO session_trials (ticker, start_date, end_date, rules_hash)
    VALUES (NEW.ticker, NEW.start_date, NEW.end_date, NEW.rules_hash) ON CONFLICT DO NOTHING;
END
-- paper_sessions_twins: index of paper_sessions
CREATE INDEX paper_sessions_twins ON paper_sessions (rules_hash, start_date, end_date, initial_cash, data_hash)
-- paper_sessions_unknown: index of paper_sessions
CREATE INDEX paper_sessions_unknown ON paper_sessions (session_id) WHERE status NOT IN ('running', 'success', 'failed', 'aborted')
-- paper_sessions_unreadable: index of paper_sessions
CREATE INDEX paper_sessions_unreadable ON paper_sessions (session_id) WHERE unreadable IS NOT NULL
-- paper_sessions_vanished: index of paper_sessions
CREATE INDEX paper_sessions_vanished ON paper_sessions (session_id) WHERE vanished_at IS NOT NULL
-- pending_files: table of pending_files
CREATE TABLE pending_files (
	session_id TEXT NOT NULL, 
	PRIMARY KEY (session_id)
)
-- session_alerts: view of session_alerts
CREATE VIEW session_alerts AS
SELECT * FROM (
SELECT alert_code, severity, session_id, status, activity_at,
  CASE WHEN believed_at IS NOT NULL THEN max(0, CAST(round((julianday((strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00')) - julianday(believed_at)) * 86400000) AS INTEGER) / 60000) END AS age_minutes,
  error_type, message, path, stage, bars_done, bars_expected, host, pid, process, root,
  CASE WHEN resolved_at IS NOT NULL AND (alert_code <> 'PAPER_SESSION_STALE' OR believed_at IS NULL
      OR max(0, CAST(round((julianday(resolved_at) - julianday(CASE WHEN next_due > believed_at THEN next_due ELSE believed_at END)) * 86400000) AS INTEGER) / 60000) >= max(0, CAST(round((julianday((strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00')) - julianday((strftime('%Y-%m-%dT%H:%M:%f', 'now', '-60 minutes') || '000+00:00'))) * 86400000) AS INTEGER) / 60000)) THEN 'resolved'
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
    CASE WHEN activity_at <= (strftime('%Y-%m-%dT%H:%M:%f', 'now', '+5 minutes') || '000+00:00') THEN activity_at
      WHEN started_at <= (strftime('%Y-%m-%dT%H:%M:%f', 'now', '+5 minutes') || '000+00:00') THEN started_at
      WHEN created_at <= (strftime('%Y-%m-%dT%H:%M:%f', 'now', '+5 minutes') || '000+00:00') THEN created_at END AS believed_at
  FROM paper_sessions
  WHERE status IN ('failed', 'aborted', 'running')
  UNION ALL
  SELECT 'PAPER_SESSION_PROOF_FAILED', 'critical',
    'Run again, it was ' || proved_outcome || '; its timeline says what of it.',
    session_id, status, activity_at, error_type, path, stage, bars_done, bars_expected, host, pid, process, root,
    request_id, config_hash, resolved_at, next_due,
    CASE WHEN activity_at <= (strftime('%Y-%m-%dT%H:%M:%f', 'now', '+5 minutes') || '000+00:00') THEN activity_at
      WHEN started_at <= (strftime('%Y-%m-%dT%H:%M:%f', 'now', '+5 minutes') || '000+00:00') THEN started_at
      WHEN created_at <= (strftime('%Y-%m-%dT%H:%M:%f', 'now', '+5 minutes') || '000+00:00') THEN created_at END AS believed_at
  FROM paper_sessions
  WHERE proved_outcome IN ('different', 'impossible')
  UNION ALL
  SELECT 'PAPER_SESSION_DISAGREES', 'warning',
    'Another session of equal rules, range and prices has another result.',
    session_id, status, activity_at, error_type, path, stage, bars_done, bars_expected, host, pid, process, root,
    request_id, config_hash, resolved_at, next_due,
    CASE WHEN activity_at <= (strftime('%Y-%m-%dT%H:%M:%f', 'now', '+5 minutes') || '000+00:00') THEN activity_at
      WHEN started_at <= (strftime('%Y-%m-%dT%H:%M:%f', 'now', '+5 minutes') || '000+00:00') THEN started_at
      WHEN created_at <= (strftime('%Y-%m-%dT%H:%M:%f', 'now', '+5 minutes') || '000+00:00') THEN created_at END AS believed_at
  FROM paper_sessions
  WHERE result_digest IS NOT NULL AND (rules_hash, start_date, end_date, initial_cash, data_hash) IN (
    SELECT rules_hash, start_date, end_date, initial_cash, data_hash FROM paper_sessions
    WHERE result_digest IS NOT NULL AND rules_hash IS NOT NULL AND data_hash IS NOT NULL AND initial_cash IS NOT NULL
    GROUP BY rules_hash, start_date, end_date, initial_cash, data_hash HAVING MIN(result_digest) <> MAX(result_digest))
) AS issues
WHERE alert_code <> 'PAPER_SESSION_STALE' OR ((believed_at IS NULL OR believed_at <= (strftime('%Y-%m-%dT%H:%M:%f', 'now', '-60 minutes') || '000+00:00'))
  AND (next_due IS NULL OR next_due <= (strftime('%Y-%m-%dT%H:%M:%f', 'now', '-60 minutes') || '000+00:00')))) AS alerts
WHERE cleared_by IS NULL
-- session_alerts_all: view of session_alerts_all
CREATE VIEW session_alerts_all AS
SELECT alert_code, severity, session_id, status, activity_at,
  CASE WHEN believed_at IS NOT NULL THEN max(0, CAST(round((julianday((strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00')) - julianday(believed_at)) * 86400000) AS INTEGER) / 60000) END AS age_minutes,
  error_type, message, path, stage, bars_done, bars_expected, host, pid, process, root,
  CASE WHEN resolved_at IS NOT NULL AND (alert_code <> 'PAPER_SESSION_STALE' OR believed_at IS NULL
      OR max(0, CAST(round((julianday(resolved_at) - julianday(CASE WHEN next_due > believed_at THEN next_due ELSE believed_at END)) * 86400000) AS INTEGER) / 60000) >= max(0, CAST(round((julianday((strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00')) - julianday((strftime('%Y-%m-%dT%H:%M:%f', 'now', '-60 minutes') || '000+00:00'))) * 86400000) AS INTEGER) / 60000)) THEN 'resolved'
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
    CASE WHEN activity_at <= (strftime('%Y-%m-%dT%H:%M:%f', 'now', '+5 minutes') || '000+00:00') THEN activity_at
      WHEN started_at <= (strftime('%Y-%m-%dT%H:%M:%f', 'now', '+5 minutes') || '000+00:00') THEN started_at
      WHEN created_at <= (strftime('%Y-%m-%dT%H:%M:%f', 'now', '+5 minutes') || '000+00:00') THEN created_at END AS believed_at
  FROM paper_sessions
  WHERE status IN ('failed', 'aborted', 'running')
  UNION ALL
  SELECT 'PAPER_SESSION_PROOF_FAILED', 'critical',
    'Run again, it was ' || proved_outcome || '; its timeline says what of it.',
    session_id, status, activity_at, error_type, path, stage, bars_done, bars_expected, host, pid, process, root,
    request_id, config_hash, resolved_at, next_due,
    CASE WHEN activity_at <= (strftime('%Y-%m-%dT%H:%M:%f', 'now', '+5 minutes') || '000+00:00') THEN activity_at
      WHEN started_at <= (strftime('%Y-%m-%dT%H:%M:%f', 'now', '+5 minutes') || '000+00:00') THEN started_at
      WHEN created_at <= (strftime('%Y-%m-%dT%H:%M:%f', 'now', '+5 minutes') || '000+00:00') THEN created_at END AS believed_at
  FROM paper_sessions
  WHERE proved_outcome IN ('different', 'impossible')
  UNION ALL
  SELECT 'PAPER_SESSION_DISAGREES', 'warning',
    'Another session of equal rules, range and prices has another result.',
    session_id, status, activity_at, error_type, path, stage, bars_done, bars_expected, host, pid, process, root,
    request_id, config_hash, resolved_at, next_due,
    CASE WHEN activity_at <= (strftime('%Y-%m-%dT%H:%M:%f', 'now', '+5 minutes') || '000+00:00') THEN activity_at
      WHEN started_at <= (strftime('%Y-%m-%dT%H:%M:%f', 'now', '+5 minutes') || '000+00:00') THEN started_at
      WHEN created_at <= (strftime('%Y-%m-%dT%H:%M:%f', 'now', '+5 minutes') || '000+00:00') THEN created_at END AS believed_at
  FROM paper_sessions
  WHERE result_digest IS NOT NULL AND (rules_hash, start_date, end_date, initial_cash, data_hash) IN (
    SELECT rules_hash, start_date, end_date, initial_cash, data_hash FROM paper_sessions
    WHERE result_digest IS NOT NULL AND rules_hash IS NOT NULL AND data_hash IS NOT NULL AND initial_cash IS NOT NULL
    GROUP BY rules_hash, start_date, end_date, initial_cash, data_hash HAVING MIN(result_digest) <> MAX(result_digest))
) AS issues
WHERE alert_code <> 'PAPER_SESSION_STALE' OR ((believed_at IS NULL OR believed_at <= (strftime('%Y-%m-%dT%H:%M:%f', 'now', '-60 minutes') || '000+00:00'))
  AND (next_due IS NULL OR next_due <= (strftime('%Y-%m-%dT%H:%M:%f', 'now', '-60 minutes') || '000+00:00')))
-- session_bars: view of session_bars
CREATE VIEW session_bars AS
SELECT session_id, session_version, sequence, occurred_at,
  json_extract(payload, '$.bar') AS bar,
  json_extract(payload, '$.opened_at') AS opened_at,
  json_extract(payload, '$.closed_at') AS closed_at,
  json_extract(payload, '$.seen_at') AS seen_at,
  json_extract(payload, '$.prices[0]') AS open,
  json_extract(payload, '$.prices[1]') AS high,
  json_extract(payload, '$.prices[2]') AS low,
  json_extract(payload, '$.prices[3]') AS close,
  json_extract(payload, '$.prices[4]') AS volume,
  json_extract(payload, '$.scale[0]') AS price_scale,
  json_extract(payload, '$.wanted') AS wanted,
  json_extract(payload, '$.did') AS did,
  json_extract(payload, '$.why') AS why,
  json_extract(payload, '$.equity') AS equity,
  json_extract(payload, '$.state.cash') AS cash,
  json_extract(payload, '$.state.quantity') AS units,
  json_extract(payload, '$.late') AS late,
  json_extract(payload, '$.missing_before') AS missing_before,
  json_extract(payload, '$.values') AS rule_values,
  json_extract(payload, '$.next_due') AS next_due,
  json_extract(payload, '$.tape_hash') AS tape_hash
FROM events
WHERE type = 'bar'
-- session_counts: table of session_counts
CREATE TABLE session_counts (
	status TEXT NOT NULL, 
	ready INTEGER NOT NULL, 
	sessions INTEGER NOT NULL, 
	PRIMARY KEY (status, ready)
)
-- session_drives: view of session_drives
CREATE VIEW session_drives AS
SELECT session_id, session_version, sequence, occurred_at,
  json_extract(payload, '$.host') AS host,
  json_extract(payload, '$.pid') AS pid,
  json_extract(payload, '$.changed') AS changed,
  json_extract(payload, '$.took_over') AS took_over
FROM events
WHERE type IN ('started', 'resumed')
-- session_duplicates: view of session_duplicates
CREATE VIEW session_duplicates AS
SELECT rules_hash, start_date, end_date, initial_cash, data_hash,
  MIN(config_hash) AS config_hash, MIN(ticker) AS ticker, COUNT(*) AS sessions,
  COUNT(result_digest) AS results, COUNT(DISTINCT result_digest) AS different_results,
  CASE WHEN COUNT(result_digest) > 1
    THEN CASE WHEN COUNT(DISTINCT result_digest) = 1 THEN 1 ELSE 0 END END AS agree,
  MIN(session_id) AS first_session_id, MAX(session_id) AS last_session_id
FROM paper_sessions
WHERE (rules_hash, start_date, end_date, initial_cash, data_hash) IN (
  SELECT rules_hash, start_date, end_date, initial_cash, data_hash FROM paper_sessions
  WHERE rules_hash IS NOT NULL AND data_hash IS NOT NULL AND initial_cash IS NOT NULL
  GROUP BY rules_hash, start_date, end_date, initial_cash, data_hash HAVING COUNT(*) > 1)
GROUP BY rules_hash, start_date, end_date, initial_cash, data_hash
-- session_fills: view of session_fills
CREATE VIEW session_fills AS
SELECT session_id, session_version, sequence, occurred_at,
  json_extract(payload, '$.bar') AS bar,
  json_extract(payload, '$.opened_at') AS opened_at,
  json_extract(payload, '$.fill.side') AS side,
  json_extract(payload, '$.fill.price') AS price,
  json_extract(payload, '$.fill.quantity') AS quantity,
  json_extract(payload, '$.fill.fee') AS fee,
  json_extract(payload, '$.fill.slippage') AS slippage,
  json_extract(payload, '$.fill.reason') AS reason,
  json_extract(payload, '$.fill.cash_after') AS cash_after,
  json_extract(payload, '$.fill.position_after') AS position_after,
  json_extract(payload, '$.fill.equity_after') AS equity_after
FROM events
WHERE type = 'bar' AND json_extract(payload, '$.fill.side') IS NOT NULL
-- session_health: view of session_health
CREATE VIEW session_health AS
SELECT
  (SELECT CAST(COALESCE(SUM(sessions), 0) AS BIGINT) FROM session_counts) AS total_sessions,
  (SELECT CAST(COALESCE(SUM(sessions), 0) AS BIGINT) FROM session_counts WHERE status = 'success') AS success,
  (SELECT CAST(COALESCE(SUM(sessions), 0) AS BIGINT) FROM session_counts WHERE status = 'failed') AS failed,
  (SELECT CAST(COALESCE(SUM(sessions), 0) AS BIGINT) FROM session_counts WHERE status = 'aborted') AS aborted,
  (SELECT CAST(COALESCE(SUM(sessions), 0) AS BIGINT) FROM session_counts WHERE status = 'running') AS running,
  latest.session_id AS latest_session_id,
  latest.activity_at AS latest_session_at,
  latest.status AS latest_session_state,
  issue.session_id AS latest_issue_id,
  issue.status AS latest_issue_state,
  issue.activity_at AS latest_issue_at,
  COALESCE(issue.error_type, issue.message) AS latest_issue_error,
  (SELECT group_concat(session_id, ', ') FROM (SELECT session_id FROM paper_sessions WHERE status = 'running' ORDER BY session_id)) AS active_sessions,
  (SELECT CAST(COALESCE(SUM(sessions), 0) AS BIGINT) FROM session_counts
    WHERE status NOT IN ('running', 'success', 'failed', 'aborted')) AS unknown_status_sessions,
  (SELECT COUNT(*) FROM paper_sessions WHERE unreadable IS NOT NULL) AS unreadable_sessions,
  (SELECT COUNT(*) FROM paper_sessions WHERE vanished_at IS NOT NULL) AS vanished_sessions
FROM (SELECT 1 AS one) AS always
LEFT JOIN (
  SELECT * FROM (
    SELECT * FROM (
      SELECT session_id, status, activity_at, error_type, message
      FROM paper_sessions
      WHERE promotion_ready = 1 AND activity_at <= (strftime('%Y-%m-%dT%H:%M:%f', 'now', '+5 minutes') || '000+00:00')
      ORDER BY activity_at DESC, session_id DESC LIMIT 1) AS dated
    UNION ALL SELECT * FROM (
      SELECT session_id, status, activity_at, error_type, message
      FROM paper_sessions
      WHERE promotion_ready = 1 AND activity_at > (strftime('%Y-%m-%dT%H:%M:%f', 'now', '+5 minutes') || '000+00:00')
      ORDER BY activity_at DESC, session_id DESC LIMIT 1) AS ahead
    UNION ALL SELECT * FROM (
      SELECT session_id, status, activity_at, error_type, message
      FROM paper_sessions
      WHERE promotion_ready = 1 AND activity_at IS NULL
      ORDER BY session_id DESC LIMIT 1) AS undated
    UNION ALL SELECT * FROM (
      SELECT session_id, status, activity_at, error_type, message
      FROM paper_sessions
      WHERE promotion_ready = 0 AND status <> 'running' AND activity_at <= (strftime('%Y-%m-%dT%H:%M:%f', 'now', '+5 minutes') || '000+00:00')
      ORDER BY activity_at DESC, session_id DESC LIMIT 1) AS dated
    UNION ALL SELECT * FROM (
      SELECT session_id, status, activity_at, error_type, message
      FROM paper_sessions
      WHERE promotion_ready = 0 AND status <> 'running' AND activity_at > (strftime('%Y-%m-%dT%H:%M:%f', 'now', '+5 minutes') || '000+00:00')
      ORDER BY activity_at DESC, session_id DESC LIMIT 1) AS ahead
    UNION ALL SELECT * FROM (
      SELECT session_id, status, activity_at, error_type, message
      FROM paper_sessions
      WHERE promotion_ready = 0 AND status <> 'running' AND activity_at IS NULL
      ORDER BY session_id DESC LIMIT 1) AS undated
    UNION ALL SELECT * FROM (
      SELECT session_id, status, activity_at, error_type, message
      FROM paper_sessions
      WHERE status = 'running' AND activity_at <= (strftime('%Y-%m-%dT%H:%M:%f', 'now', '+5 minutes') || '000+00:00')
      ORDER BY activity_at DESC, session_id DESC LIMIT 1) AS dated
    UNION ALL SELECT * FROM (
      SELECT session_id, status, activity_at, error_type, message
      FROM paper_sessions
      WHERE status = 'running' AND activity_at > (strftime('%Y-%m-%dT%H:%M:%f', 'now', '+5 minutes') || '000+00:00')
      ORDER BY activity_at DESC, session_id DESC LIMIT 1) AS ahead
    UNION ALL SELECT * FROM (
      SELECT session_id, status, activity_at, error_type, message
      FROM paper_sessions
      WHERE status = 'running' AND activity_at IS NULL
      ORDER BY session_id DESC LIMIT 1) AS undated) AS found
  ORDER BY CASE WHEN activity_at <= (strftime('%Y-%m-%dT%H:%M:%f', 'now', '+5 minutes') || '000+00:00') THEN activity_at END DESC NULLS LAST, session_id DESC LIMIT 1) AS latest ON one = 1
LEFT JOIN (
  SELECT * FROM (
    SELECT * FROM (
      SELECT session_id, status, activity_at, error_type, message
      FROM paper_sessions
      WHERE status = 'failed' AND activity_at <= (strftime('%Y-%m-%dT%H:%M:%f', 'now', '+5 minutes') || '000+00:00')
      ORDER BY activity_at DESC, session_id DESC LIMIT 1) AS dated
    UNION ALL SELECT * FROM (
      SELECT session_id, status, activity_at, error_type, message
      FROM paper_sessions
      WHERE status = 'failed' AND activity_at > (strftime('%Y-%m-%dT%H:%M:%f', 'now', '+5 minutes') || '000+00:00')
      ORDER BY activity_at DESC, session_id DESC LIMIT 1) AS ahead
    UNION ALL SELECT * FROM (
      SELECT session_id, status, activity_at, error_type, message
      FROM paper_sessions
      WHERE status = 'failed' AND activity_at IS NULL
      ORDER BY session_id DESC LIMIT 1) AS undated
    UNION ALL SELECT * FROM (
      SELECT session_id, status, activity_at, error_type, message
      FROM paper_sessions
      WHERE status = 'aborted' AND activity_at <= (strftime('%Y-%m-%dT%H:%M:%f', 'now', '+5 minutes') || '000+00:00')
      ORDER BY activity_at DESC, session_id DESC LIMIT 1) AS dated
    UNION ALL SELECT * FROM (
      SELECT session_id, status, activity_at, error_type, message
      FROM paper_sessions
      WHERE status = 'aborted' AND activity_at > (strftime('%Y-%m-%dT%H:%M:%f', 'now', '+5 minutes') || '000+00:00')
      ORDER BY activity_at DESC, session_id DESC LIMIT 1) AS ahead
    UNION ALL SELECT * FROM (
      SELECT session_id, status, activity_at, error_type, message
      FROM paper_sessions
      WHERE status = 'aborted' AND activity_at IS NULL
      ORDER BY session_id DESC LIMIT 1) AS undated
    UNION ALL SELECT * FROM (
      SELECT session_id, status, activity_at, error_type, message
      FROM paper_sessions
      WHERE status = 'running' AND activity_at <= (strftime('%Y-%m-%dT%H:%M:%f', 'now', '+5 minutes') || '000+00:00')
      ORDER BY activity_at DESC, session_id DESC LIMIT 1) AS dated
    UNION ALL SELECT * FROM (
      SELECT session_id, status, activity_at, error_type, message
      FROM paper_sessions
      WHERE status = 'running' AND activity_at > (strftime('%Y-%m-%dT%H:%M:%f', 'now', '+5 minutes') || '000+00:00')
      ORDER BY activity_at DESC, session_id DESC LIMIT 1) AS ahead
    UNION ALL SELECT * FROM (
      SELECT session_id, status, activity_at, error_type, message
      FROM paper_sessions
      WHERE status = 'running' AND activity_at IS NULL
      ORDER BY session_id DESC LIMIT 1) AS undated) AS found
  ORDER BY CASE WHEN activity_at <= (strftime('%Y-%m-%dT%H:%M:%f', 'now', '+5 minutes') || '000+00:00') THEN activity_at END DESC NULLS LAST, session_id DESC LIMIT 1) AS issue ON one = 1
-- session_list: view of session_list
CREATE VIEW session_list AS
SELECT
  session_id, status, created_at, started_at, updated_at, finished_at, terminal, status_reason,
  duration_seconds, request_id, error_type, report_contract_type, path, message, mode, command, origin, ended,
  activity_at, ticker, start_date, end_date, interval, price_source, config_hash, data_hash, data_doubts,
  config_path, git_commit, python_version, python_executable, host, pid, process, root, stage, bars_done,
  bars_expected, report_present, total_return, sharpe_simple, max_drawdown, trades, win_rate, final_equity,
  result_digest, amendments, lifecycle_amended, unreadable, vanished_at, strategy, strategy_params,
  recorded_elsewhere, proved_at, proved_outcome, last_version, last_sequence, kind, code_version, code_digest,
  code_modified, strategy_doubt, rules_hash, initial_cash, like_id, research_trials, doubtful_clock,
  evidence_missing, files_disagree, buy_and_hold_return, annual_return, days, sharpe_low, sharpe_high,
  max_participation, resolved_at, watermark, next_due, drives, equity, units, last_fill_at, forward_bars,
  late_bars, missing_bars, corrections, scale, code_changes, prices_made_up, figures_amended,
  promotion_ready
FROM paper_sessions
-- session_promotion: view of session_promotion
CREATE VIEW session_promotion AS
SELECT
  session_id, status, created_at, started_at, updated_at, finished_at, terminal, status_reason,
  duration_seconds, request_id, error_type, report_contract_type, path, message, mode, command, origin, ended,
  activity_at, ticker, start_date, end_date, interval, price_source, config_hash, data_hash, data_doubts,
  config_path, git_commit, python_version, python_executable, host, pid, process, root, stage, bars_done,
  bars_expected, report_present, total_return, sharpe_simple, max_drawdown, trades, win_rate, final_equity,
  result_digest, amendments, lifecycle_amended, unreadable, vanished_at, strategy, strategy_params,
  recorded_elsewhere, proved_at, proved_outcome, last_version, last_sequence, kind, code_version, code_digest,
  code_modified, strategy_doubt, rules_hash, initial_cash, like_id, research_trials, doubtful_clock,
  evidence_missing, files_disagree, buy_and_hold_return, annual_return, days, sharpe_low, sharpe_high,
  max_participation, resolved_at, watermark, next_due, drives, equity, units, last_fill_at, forward_bars,
  late_bars, missing_bars, corrections, scale, code_changes, prices_made_up, figures_amended,
  searched_configurations,
  promotion_ready AS broker_promotion_ready,
  ltrim(
    CASE WHEN status = 'success' THEN ' ' || 'status_success' ELSE '' END
    || CASE WHEN terminal = true THEN ' ' || 'terminal_session' ELSE '' END
    || CASE WHEN mode = 'paper' THEN ' ' || 'paper_mode' ELSE '' END
    || CASE WHEN report_present = true THEN ' ' || 'report_present' ELSE '' END
    || CASE WHEN report_contract_type = 'quantlab.paper.result' THEN ' ' || 'paper_result_contract' ELSE '' END
    || CASE WHEN error_type IS NULL THEN ' ' || 'no_error_type' ELSE '' END
    || CASE WHEN price_source IS NOT NULL THEN CASE WHEN price_source <> 'synthetic' AND prices_made_up = false THEN ' ' || 'market_prices' ELSE '' END ELSE '' END
    || CASE WHEN trades IS NOT NULL THEN CASE WHEN trades > 0 THEN ' ' || 'has_closed_trades' ELSE '' END ELSE '' END
    || CASE WHEN lifecycle_amended = false AND figures_amended = false AND files_disagree IS NULL THEN ' ' || 'unamended' ELSE '' END
    || CASE WHEN proved_outcome IS NOT NULL THEN CASE WHEN proved_outcome = 'identical' THEN ' ' || 'proved_identical' ELSE '' END ELSE '' END) AS broker_promotion_reasons,
  ltrim(
    CASE WHEN status = 'success' THEN '' ELSE ' ' || 'status_' || replace(status, ' ', '_') END
    || CASE WHEN terminal = true THEN '' ELSE ' ' || 'non_terminal' END
    || CASE WHEN mode = 'paper' THEN '' ELSE ' ' || 'non_paper_mode' END
    || CASE WHEN report_present = true THEN '' ELSE ' ' || 'missing_report' END
    || CASE WHEN report_contract_type = 'quantlab.paper.result' THEN '' ELSE ' ' || 'unexpected_report_contract' END
    || CASE WHEN error_type IS NULL THEN '' ELSE ' ' || 'has_error_type' END
    || CASE WHEN price_source IS NOT NULL THEN CASE WHEN price_source <> 'synthetic' AND prices_made_up = false THEN '' ELSE ' ' || 'synthetic_prices' END ELSE '' END
    || CASE WHEN trades IS NOT NULL THEN CASE WHEN trades > 0 THEN '' ELSE ' ' || 'no_closed_trades' END ELSE '' END
    || CASE WHEN lifecycle_amended = false AND figures_amended = false AND files_disagree IS NULL THEN '' ELSE ' ' || 'amended_outside' END
    || CASE WHEN proved_outcome IS NOT NULL THEN CASE WHEN proved_outcome = 'identical' THEN '' ELSE ' ' || 'proof_' || replace(proved_outcome, ' ', '_') END ELSE '' END
    || CASE WHEN strategy_doubt IS NULL THEN '' ELSE ' ' || 'unchecked_strategy' END
    || CASE WHEN data_doubts IS NULL THEN '' ELSE ' ' || 'doubtful_data' END
    || CASE WHEN unreadable IS NULL THEN '' ELSE ' ' || 'unreadable_files' END
    || CASE WHEN vanished_at IS NULL THEN '' ELSE ' ' || 'vanished' END
    || CASE WHEN evidence_missing IS NULL THEN '' ELSE ' ' || 'missing_evidence' END
    || CASE WHEN recorded_elsewhere IS NULL THEN '' ELSE ' ' || 'recorded_elsewhere' END) AS broker_promotion_blockers,
  ltrim(
    CASE WHEN total_return > 0 THEN '' ELSE ' loses_money' END
    || CASE WHEN total_return > buy_and_hold_return THEN '' ELSE ' below_buy_and_hold' END
    || CASE WHEN trades >= 30 THEN '' ELSE ' few_trades' END
    || CASE WHEN days >= 365 THEN '' ELSE ' short_history' END
    || CASE WHEN sharpe_low > 0 OR sharpe_high < 0 THEN '' ELSE ' sharpe_near_zero' END
    || CASE WHEN max_participation <= 0.1 THEN '' ELSE ' high_participation' END
    || CASE WHEN searched_configurations = 0 AND research_trials IS NOT NULL THEN '' ELSE ' searched' END
    || CASE WHEN forward_bars > 0 THEN '' ELSE ' no_forward_bars' END
    || CASE WHEN COALESCE(forward_bars, 0) = 0 OR late_bars <= 0.05 * forward_bars THEN '' ELSE ' late_bars' END
    || CASE WHEN code_modified = false AND COALESCE(code_changes, 0) = 0 THEN '' ELSE ' modified_code' END
    || CASE WHEN doubtful_clock = false AND (activity_at IS NULL OR activity_at <= (strftime('%Y-%m-%dT%H:%M:%f', 'now', '+5 minutes') || '000+00:00')) THEN '' ELSE ' doubtful_clock' END) AS cautions
FROM (
  SELECT
    session_id, status, created_at, started_at, updated_at, finished_at, terminal, status_reason,
    duration_seconds, request_id, error_type, report_contract_type, path, message, mode, command, origin,
    ended, activity_at, ticker, start_date, end_date, interval, price_source, config_hash, data_hash,
    data_doubts, config_path, git_commit, python_version, python_executable, host, pid, process, root, stage,
    bars_done, bars_expected, report_present, total_return, sharpe_simple, max_drawdown, trades, win_rate,
    final_equity, result_digest, amendments, lifecycle_amended, unreadable, vanished_at, strategy,
    strategy_params, recorded_elsewhere, proved_at, proved_outcome, last_version, last_sequence, kind,
    code_version, code_digest, code_modified, strategy_doubt, rules_hash, initial_cash, like_id,
    research_trials, doubtful_clock, evidence_missing, files_disagree, buy_and_hold_return, annual_return,
    days, sharpe_low, sharpe_high, max_participation, resolved_at, watermark, next_due, drives, equity, units,
    last_fill_at, forward_bars, late_bars, missing_bars, corrections, scale, code_changes, prices_made_up,
    figures_amended,
    promotion_ready,
    CASE WHEN rules_hash IS NOT NULL AND ticker IS NOT NULL AND start_date IS NOT NULL AND end_date IS NOT NULL THEN (SELECT COUNT(DISTINCT trials.rules_hash) FROM session_trials AS trials
    WHERE trials.ticker = paper_sessions.ticker AND trials.start_date < paper_sessions.end_date
      AND trials.end_date > paper_sessions.start_date AND trials.rules_hash <> paper_sessions.rules_hash) + COALESCE(research_trials, 0) END AS searched_configurations
  FROM paper_sessions) AS rows_of_sessions
-- session_revisions: view of session_revisions
CREATE VIEW session_revisions AS
SELECT session_id, session_version, sequence, occurred_at,
  json_extract(payload, '$.revision') AS revision,
  json_extract(payload, '$.bar') AS bar,
  json_extract(payload, '$.opened_at') AS opened_at,
  json_extract(payload, '$.seen_at') AS seen_at,
  json_extract(payload, '$.was[3]') AS close_was,
  json_extract(payload, '$.now[3]') AS close_now,
  json_extract(payload, '$.factor[0]') AS price_factor,
  json_extract(payload, '$.factor[1]') AS volume_factor
FROM events
WHERE type = 'revised'
-- session_timeline: view of session_timeline
CREATE VIEW session_timeline AS
SELECT session_id, session_version, sequence, occurred_at, type, actor,
  json_extract(payload, '$.stage') AS stage,
  COALESCE(json_extract(payload, '$.bars_done'), json_extract(payload, '$.bars')) AS bars_done,
  COALESCE(json_extract(payload, '$.bars_expected'), json_extract(payload, '$.bars')) AS bars_expected,
  CASE type
    WHEN 'adopted' THEN json_extract(payload, '$.folder')
    WHEN 'failed' THEN json_extract(payload, '$.error_type') || ': ' || json_extract(payload, '$.message')
    WHEN 'aborted' THEN json_extract(payload, '$.message')
    WHEN 'bar' THEN json_extract(payload, '$.opened_at') || ': ' || json_extract(payload, '$.why')
    WHEN 'revised' THEN json_extract(payload, '$.revision') || ': ' || json_extract(payload, '$.opened_at')
    WHEN 'resumed' THEN json_extract(payload, '$.host') || ': ' || json_extract(payload, '$.pid')
    WHEN 'amended' THEN json_extract(payload, '$.file')
    WHEN 'vanished' THEN json_extract(payload, '$.folder')
    WHEN 'found' THEN json_extract(payload, '$.folder')
    WHEN 'proved' THEN json_extract(payload, '$.outcome') || ': ' || json_extract(payload, '$.detail')
    WHEN 'resolved' THEN json_extract(payload, '$.reason')
  END AS message
FROM events
-- session_trials: table of session_trials
CREATE TABLE session_trials (
	ticker TEXT NOT NULL, 
	start_date TEXT NOT NULL, 
	end_date TEXT NOT NULL, 
	rules_hash TEXT NOT NULL, 
	PRIMARY KEY (ticker, start_date, end_date, rules_hash)
)
-- sqlite_autoindex_events_1: index of events

-- sqlite_autoindex_paper_sessions_1: index of paper_sessions

-- sqlite_autoindex_pending_files_1: index of pending_files

-- sqlite_autoindex_session_counts_1: index of session_counts

-- sqlite_autoindex_session_trials_1: index of session_trials

