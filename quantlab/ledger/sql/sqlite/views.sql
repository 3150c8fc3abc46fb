-- The operators' questions as SQL, for the commands and for any other client alike; docs/sql.md says how to ask them.
--
-- Every migration ends by dropping all views and making these. They read `paper_sessions`, one row a session, but for
-- `session_timeline`, which reads the events of the session that it is asked for. Where a line says "Made from the
-- domain", `python tests/make_sql.py` writes that part, and the file for PostgreSQL out of the one for SQLite, in which
-- few expressions differ. No comment stands inside a statement: `ledger verify` compares what a database keeps.

-- session_list: every session, as the list, the exports and a session's page have it.
-- Made from the domain: columns.
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
FROM paper_sessions;

-- session_health: how many sessions there are of each status, the latest, and the latest that ended badly or still runs.
-- Counts are read off `session_counts`, and each arm of `latest` and `issue` off an index: rows of a time, rows of a
-- time that can't be believed, and rows without one are looked for apart, for PostgreSQL can't walk an index backwards
-- and have those without a time come last.
-- Made from the domain: running_ids, statuses, latest, latest_issue.
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
  ORDER BY CASE WHEN activity_at <= (strftime('%Y-%m-%dT%H:%M:%f', 'now', '+5 minutes') || '000+00:00') THEN activity_at END DESC NULLS LAST, session_id DESC LIMIT 1) AS issue ON one = 1;

-- session_promotion: may a result go on towards a broker? What speaks for it, what keeps it back, and what a person
-- should know all the same: words from one list of checks and one of cautions, separated by spaces.
-- Made from the domain: columns, reasons, blockers, cautions, columns_within, searched.
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
  FROM paper_sessions) AS rows_of_sessions;

-- session_timeline: what happened to a session, an event a line; each type of event says which fields its line is of.
-- Ask it of one session: it reads documents, and over a whole ledger that takes long.
-- Made from the domain: stage, bars_done, bars_expected, lines.
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
FROM events;

-- session_duplicates: sessions of equal rules, range, cash and prices, and whether they came to the same result.
-- Made from the domain: twins, are_twins.
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
GROUP BY rules_hash, start_date, end_date, initial_cash, data_hash;
