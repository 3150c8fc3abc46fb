-- What a ledger on PostgreSQL itself refuses, whoever connects, and what it keeps by itself: the head and the counts.
-- Functions first, then the triggers that call them, then the schema that they are tied to.
--
-- Every message begins with "quantlab: ", by which the program tells a guard's refusal from any other error.
-- To make them anew by hand in a ledger that lost them, paste this into psql; every migration ends by dropping all
-- triggers and making these. Where a line says "Made from the domain", `python tests/make_sql.py` writes that part.
-- No comment stands inside a statement, for PostgreSQL would keep it, and `ledger verify` compares what is kept.

-- quantlab_events_insert: an event takes the next place in the ledger and in its session, names the head as the one
-- before it, begins a session once, and follows an end as an annotation alone.
-- The head is locked first: writers take their turns there, so that there are no gaps and one chain.
-- A document may hold a NUL, which no text of PostgreSQL can, and no field of such a document could be read.
-- Made from the domain: out_of_sequence, wrong_previous, events, unknown_type, births, wrong_birth, annotations,
--   ends_a_session, payload, ended, out_of_version.
CREATE OR REPLACE FUNCTION quantlab_events_insert() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  head ledger_head%ROWTYPE;
  last_version bigint;
BEGIN
  SELECT * INTO head FROM ledger_head FOR UPDATE;
  IF NEW.sequence IS DISTINCT FROM head.sequence + 1 THEN RAISE EXCEPTION 'quantlab: an event must take the next sequence of the ledger'; END IF;
  IF NEW.previous_hash IS DISTINCT FROM head.hash THEN RAISE EXCEPTION 'quantlab: previous_hash must be the hash of the head'; END IF;
  IF NEW.type NOT IN ('started', 'adopted', 'bar', 'revised', 'resumed', 'heartbeat', 'succeeded', 'failed', 'aborted', 'amended', 'vanished', 'found', 'proved', 'resolved') THEN RAISE EXCEPTION 'quantlab: unknown event type'; END IF;
  SELECT COALESCE(MAX(session_version), 0) INTO last_version FROM events WHERE session_id = NEW.session_id;
  IF (NEW.type IN ('started', 'adopted')) <> (last_version = 0) THEN RAISE EXCEPTION 'quantlab: a session begins once, with started or adopted'; END IF;
  IF NEW.type NOT IN ('amended', 'vanished', 'found', 'proved', 'resolved') AND last_version > 0 AND (
       EXISTS (SELECT 1 FROM events WHERE session_id = NEW.session_id AND type <> 'heartbeat' AND type IN ('succeeded', 'failed', 'aborted'))
    OR EXISTS (SELECT 1 FROM events WHERE session_id = NEW.session_id AND session_version = 1
                  AND type = 'adopted' AND (replace(payload, '\u0000', '\ufffd')::json ->> 'terminal') = 'true'))
  THEN RAISE EXCEPTION 'quantlab: the session has ended; only annotations may follow'; END IF;
  IF NEW.session_version IS DISTINCT FROM last_version + 1 THEN RAISE EXCEPTION 'quantlab: an event must take the next version of its session'; END IF;
  RETURN NEW;
END $$;

-- quantlab_events_move_head: the head follows the event, in the same transaction.
CREATE OR REPLACE FUNCTION quantlab_events_move_head() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE ledger_head SET sequence = NEW.sequence, hash = NEW.hash;
  RETURN NULL;
END $$;

-- quantlab_events_refuse: an event stays as it was written.
-- Made from the domain: append_only.
CREATE OR REPLACE FUNCTION quantlab_events_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'quantlab: events are append-only'; END $$;

-- quantlab_head_refuse: there is one head, and it moves by one event, to the hash of an event that is there.
-- An import gives its identity to a ledger that is still empty; everything else is the move by one event.
-- Made from the domain: head_moves_by_events.
CREATE OR REPLACE FUNCTION quantlab_head_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF NEW.id = OLD.id AND OLD.sequence = 0 AND NEW.sequence = 0 AND NEW.hash = OLD.hash THEN RETURN NEW; END IF;
    IF NEW.id = OLD.id AND NEW.ledger_id = OLD.ledger_id AND NEW.sequence = OLD.sequence + 1
       AND EXISTS (SELECT 1 FROM events WHERE sequence = NEW.sequence AND hash = NEW.hash)
    THEN RETURN NEW; END IF;
  ELSIF TG_OP = 'INSERT' THEN
    IF NOT EXISTS (SELECT 1 FROM ledger_head) THEN RETURN NEW; END IF;
  END IF;
  RAISE EXCEPTION 'quantlab: the head moves with the events alone';
END $$;

-- quantlab_sessions_count: how many sessions have which status, and how many of them are ready, kept in the same
-- transaction; and which rules ran on which bars, of every session of which that is known. A heartbeat changes none.
CREATE OR REPLACE FUNCTION quantlab_sessions_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.status = NEW.status AND OLD.promotion_ready = NEW.promotion_ready THEN
    RETURN NULL;
  END IF;
  IF TG_OP <> 'INSERT' THEN
    UPDATE session_counts SET sessions = sessions - 1 WHERE status = OLD.status AND ready = OLD.promotion_ready;
    DELETE FROM session_counts WHERE status = OLD.status AND ready = OLD.promotion_ready AND sessions = 0;
  END IF;
  IF TG_OP = 'INSERT' AND NEW.ticker IS NOT NULL AND NEW.start_date IS NOT NULL AND NEW.end_date IS NOT NULL AND NEW.rules_hash IS NOT NULL THEN
    INSERT INTO session_trials (ticker, start_date, end_date, rules_hash)
      VALUES (NEW.ticker, NEW.start_date, NEW.end_date, NEW.rules_hash) ON CONFLICT DO NOTHING;
  END IF;
  IF TG_OP <> 'DELETE' THEN
    INSERT INTO session_counts (status, ready, sessions) VALUES (NEW.status, NEW.promotion_ready, 1)
      ON CONFLICT (status, ready) DO UPDATE SET sessions = session_counts.sessions + 1;
  END IF;
  RETURN NULL;
END $$;

-- events_guard_insert: asks before each event.
CREATE TRIGGER events_guard_insert BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION quantlab_events_insert();

-- events_move_head: moves the head after each.
CREATE TRIGGER events_move_head AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION quantlab_events_move_head();

-- events_guard_update: also keeps events from being deleted.
CREATE TRIGGER events_guard_update BEFORE UPDATE OR DELETE ON events FOR EACH ROW EXECUTE FUNCTION quantlab_events_refuse();

-- events_guard_truncate: TRUNCATE fires no trigger of rows.
CREATE TRIGGER events_guard_truncate BEFORE TRUNCATE ON events FOR EACH STATEMENT EXECUTE FUNCTION quantlab_events_refuse();

-- ledger_head_guard: keeps the head from all but the move by one event.
CREATE TRIGGER ledger_head_guard BEFORE INSERT OR UPDATE OR DELETE ON ledger_head FOR EACH ROW EXECUTE FUNCTION quantlab_head_refuse();

-- ledger_head_guard_truncate: TRUNCATE fires no trigger of rows.
CREATE TRIGGER ledger_head_guard_truncate BEFORE TRUNCATE ON ledger_head FOR EACH STATEMENT EXECUTE FUNCTION quantlab_head_refuse();

-- paper_sessions_count: keeps counts and trials.
CREATE TRIGGER paper_sessions_count AFTER INSERT OR UPDATE OR DELETE ON paper_sessions FOR EACH ROW EXECUTE FUNCTION quantlab_sessions_count();

-- Ties the functions to this schema, so that no client's temporary table can stand in for one of ours.
DO $$
DECLARE ours regprocedure;
BEGIN
  FOR ours IN SELECT oid FROM pg_proc
    WHERE pronamespace = current_schema()::regnamespace AND starts_with(proname, 'quantlab_')
  LOOP
    EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', ours, current_schema());
  END LOOP;
END $$;
