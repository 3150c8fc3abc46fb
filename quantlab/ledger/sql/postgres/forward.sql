-- Made whole by `python tests/make_sql.py` out of sqlite/forward.sql, with PostgreSQL's expressions.
-- What forward sessions saw and did, read off their events; ask for one session's.
--
-- Where a line says "Made from the domain", `python tests/make_sql.py` writes that part, and the file for PostgreSQL out
-- of the one for SQLite. No comment stands inside a statement: `ledger verify` compares what a database keeps.

-- session_bars: each bar as it was taken, what the rules wanted and what was done.
-- Made from the domain: bars.
CREATE VIEW session_bars AS
SELECT session_id, session_version, sequence, occurred_at,
  CAST((replace(payload, '\u0000', '\ufffd')::json #>> '{bar}') AS bigint) AS bar,
  (replace(payload, '\u0000', '\ufffd')::json #>> '{opened_at}') AS opened_at,
  (replace(payload, '\u0000', '\ufffd')::json #>> '{closed_at}') AS closed_at,
  (replace(payload, '\u0000', '\ufffd')::json #>> '{seen_at}') AS seen_at,
  CAST((replace(payload, '\u0000', '\ufffd')::json #>> '{prices,0}') AS double precision) AS open,
  CAST((replace(payload, '\u0000', '\ufffd')::json #>> '{prices,1}') AS double precision) AS high,
  CAST((replace(payload, '\u0000', '\ufffd')::json #>> '{prices,2}') AS double precision) AS low,
  CAST((replace(payload, '\u0000', '\ufffd')::json #>> '{prices,3}') AS double precision) AS close,
  CAST((replace(payload, '\u0000', '\ufffd')::json #>> '{prices,4}') AS double precision) AS volume,
  CAST((replace(payload, '\u0000', '\ufffd')::json #>> '{scale,0}') AS double precision) AS price_scale,
  (replace(payload, '\u0000', '\ufffd')::json #>> '{wanted}') AS wanted,
  (replace(payload, '\u0000', '\ufffd')::json #>> '{did}') AS did,
  (replace(payload, '\u0000', '\ufffd')::json #>> '{why}') AS why,
  CAST((replace(payload, '\u0000', '\ufffd')::json #>> '{equity}') AS double precision) AS equity,
  CAST((replace(payload, '\u0000', '\ufffd')::json #>> '{state,cash}') AS double precision) AS cash,
  CAST((replace(payload, '\u0000', '\ufffd')::json #>> '{state,quantity}') AS double precision) AS units,
  CAST((replace(payload, '\u0000', '\ufffd')::json #>> '{late}') AS boolean) AS late,
  (replace(payload, '\u0000', '\ufffd')::json #>> '{missing_before}') AS missing_before,
  (replace(payload, '\u0000', '\ufffd')::json #>> '{values}') AS rule_values,
  (replace(payload, '\u0000', '\ufffd')::json #>> '{next_due}') AS next_due,
  (replace(payload, '\u0000', '\ufffd')::json #>> '{tape_hash}') AS tape_hash
FROM events
WHERE type = 'bar';

-- session_fills: the bars at which something was bought or sold.
-- Made from the domain: fills, side.
CREATE VIEW session_fills AS
SELECT session_id, session_version, sequence, occurred_at,
  CAST((replace(payload, '\u0000', '\ufffd')::json #>> '{bar}') AS bigint) AS bar,
  (replace(payload, '\u0000', '\ufffd')::json #>> '{opened_at}') AS opened_at,
  (replace(payload, '\u0000', '\ufffd')::json #>> '{fill,side}') AS side,
  CAST((replace(payload, '\u0000', '\ufffd')::json #>> '{fill,price}') AS double precision) AS price,
  CAST((replace(payload, '\u0000', '\ufffd')::json #>> '{fill,quantity}') AS double precision) AS quantity,
  CAST((replace(payload, '\u0000', '\ufffd')::json #>> '{fill,fee}') AS double precision) AS fee,
  CAST((replace(payload, '\u0000', '\ufffd')::json #>> '{fill,slippage}') AS double precision) AS slippage,
  (replace(payload, '\u0000', '\ufffd')::json #>> '{fill,reason}') AS reason,
  CAST((replace(payload, '\u0000', '\ufffd')::json #>> '{fill,cash_after}') AS double precision) AS cash_after,
  CAST((replace(payload, '\u0000', '\ufffd')::json #>> '{fill,position_after}') AS double precision) AS position_after,
  CAST((replace(payload, '\u0000', '\ufffd')::json #>> '{fill,equity_after}') AS double precision) AS equity_after
FROM events
WHERE type = 'bar' AND (replace(payload, '\u0000', '\ufffd')::json #>> '{fill,side}') IS NOT NULL;

-- session_revisions: where a source gave other prices for a bar than it had given before.
-- Made from the domain: revisions.
CREATE VIEW session_revisions AS
SELECT session_id, session_version, sequence, occurred_at,
  (replace(payload, '\u0000', '\ufffd')::json #>> '{revision}') AS revision,
  CAST((replace(payload, '\u0000', '\ufffd')::json #>> '{bar}') AS bigint) AS bar,
  (replace(payload, '\u0000', '\ufffd')::json #>> '{opened_at}') AS opened_at,
  (replace(payload, '\u0000', '\ufffd')::json #>> '{seen_at}') AS seen_at,
  CAST((replace(payload, '\u0000', '\ufffd')::json #>> '{was,3}') AS double precision) AS close_was,
  CAST((replace(payload, '\u0000', '\ufffd')::json #>> '{now,3}') AS double precision) AS close_now,
  CAST((replace(payload, '\u0000', '\ufffd')::json #>> '{factor,0}') AS double precision) AS price_factor,
  CAST((replace(payload, '\u0000', '\ufffd')::json #>> '{factor,1}') AS double precision) AS volume_factor
FROM events
WHERE type = 'revised';

-- session_drives: who drove the session, from when on, with what changed.
-- Made from the domain: drives.
CREATE VIEW session_drives AS
SELECT session_id, session_version, sequence, occurred_at,
  (replace(payload, '\u0000', '\ufffd')::json #>> '{host}') AS host,
  CAST((replace(payload, '\u0000', '\ufffd')::json #>> '{pid}') AS bigint) AS pid,
  (replace(payload, '\u0000', '\ufffd')::json #>> '{changed}') AS changed,
  (replace(payload, '\u0000', '\ufffd')::json #>> '{took_over}') AS took_over
FROM events
WHERE type IN ('started', 'resumed');
