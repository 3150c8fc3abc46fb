-- What forward sessions saw and did, read off their events; ask for one session's.
--
-- Where a line says "Made from the domain", `python tests/make_sql.py` writes that part, and the file for PostgreSQL out
-- of the one for SQLite. No comment stands inside a statement: `ledger verify` compares what a database keeps.

-- session_bars: each bar as it was taken, what the rules wanted and what was done.
-- Made from the domain: bars.
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
WHERE type = 'bar';

-- session_fills: the bars at which something was bought or sold.
-- Made from the domain: fills, side.
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
WHERE type = 'bar' AND json_extract(payload, '$.fill.side') IS NOT NULL;

-- session_revisions: where a source gave other prices for a bar than it had given before.
-- Made from the domain: revisions.
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
WHERE type = 'revised';

-- session_drives: who drove the session, from when on, with what changed.
-- Made from the domain: drives.
CREATE VIEW session_drives AS
SELECT session_id, session_version, sequence, occurred_at,
  json_extract(payload, '$.host') AS host,
  json_extract(payload, '$.pid') AS pid,
  json_extract(payload, '$.changed') AS changed,
  json_extract(payload, '$.took_over') AS took_over
FROM events
WHERE type IN ('started', 'resumed');
