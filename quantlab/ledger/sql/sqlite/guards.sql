-- What a SQLite ledger itself refuses, whoever connects, and what it keeps by itself: the head and the counts.
--
-- Every message begins with "quantlab: ", by which the program tells a guard's refusal from any other error.
-- To make them anew by hand in a ledger that lost them, paste this into sqlite3; every migration ends by dropping all
-- triggers and making these. Where a line says "Made from the domain", `python tests/make_sql.py` writes that part.
-- No comment stands inside a statement, for SQLite would keep it, and `ledger verify` compares what is kept.

-- events_guard_insert: an event takes the next place in the ledger and in its session, names the head as the one
-- before it, begins a session once, and follows an end as an annotation alone.
-- It runs for every event, and most are heartbeats: it looks once at the head and once at the session's last event.
-- SQLite builds a list of more than two words anew each time that it looks into one, so a heartbeat passes them by.
-- Made from the domain: out_of_sequence, wrong_previous, events, unknown_type, births, wrong_birth, before_an_end,
--   annotations, ends_a_session, ended, out_of_version.
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
END;

-- events_move_head: the head follows the event, in the same transaction.
-- It has one row, yet without its id SQLite would gather the rows to update in a list before it asks their guard.
CREATE TRIGGER events_move_head AFTER INSERT ON events BEGIN
  UPDATE ledger_head SET sequence = NEW.sequence, hash = NEW.hash WHERE id = 1;
END;

-- events_guard_update: an event stays as it was written.
-- Made from the domain: append_only.
CREATE TRIGGER events_guard_update BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'quantlab: events are append-only'); END;

-- events_guard_delete: and it stays. INSERT OR REPLACE, which fires no trigger of deletes where recursive_triggers is
-- off, is refused by the sequence that it would have to take.
-- Made from the domain: append_only.
CREATE TRIGGER events_guard_delete BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'quantlab: events are append-only'); END;

-- ledger_head_guard_update: the head moves by one event, to the hash of an event that is there.
-- An import gives its identity to a ledger that is still empty; everything else is the move by one event.
-- Made from the domain: head_moves_by_events.
CREATE TRIGGER ledger_head_guard_update BEFORE UPDATE ON ledger_head WHEN NEW.id IS NOT OLD.id OR NOT ((OLD.sequence = 0 AND NEW.sequence = 0 AND NEW.hash IS OLD.hash) OR (NEW.ledger_id IS OLD.ledger_id AND NEW.sequence IS OLD.sequence + 1 AND EXISTS (SELECT 1 FROM events WHERE sequence = NEW.sequence AND hash = NEW.hash))) BEGIN SELECT RAISE(ABORT, 'quantlab: the head moves with the events alone'); END;

-- ledger_head_guard_delete: a ledger without a head could be begun anew.
-- Made from the domain: head_moves_by_events.
CREATE TRIGGER ledger_head_guard_delete BEFORE DELETE ON ledger_head BEGIN SELECT RAISE(ABORT, 'quantlab: the head moves with the events alone'); END;

-- ledger_head_guard_insert: and one with two would have two next events.
-- Made from the domain: head_moves_by_events.
CREATE TRIGGER ledger_head_guard_insert BEFORE INSERT ON ledger_head WHEN EXISTS (SELECT 1 FROM ledger_head) BEGIN SELECT RAISE(ABORT, 'quantlab: the head moves with the events alone'); END;

-- paper_sessions_count_insert, _update, _delete: how many sessions have which status, and how many of them are ready,
-- kept in the same transaction: counting a million rows takes a second, reading these a hundredth of a millisecond.
CREATE TRIGGER paper_sessions_count_insert AFTER INSERT ON paper_sessions BEGIN
  INSERT INTO session_counts (status, ready, sessions) VALUES (NEW.status, NEW.promotion_ready, 1)
    ON CONFLICT (status, ready) DO UPDATE SET sessions = sessions + 1;
END;

-- A heartbeat changes neither, and so it is passed by.
CREATE TRIGGER paper_sessions_count_update AFTER UPDATE ON paper_sessions
WHEN OLD.status <> NEW.status OR OLD.promotion_ready <> NEW.promotion_ready BEGIN
  UPDATE session_counts SET sessions = sessions - 1 WHERE status = OLD.status AND ready = OLD.promotion_ready;
  DELETE FROM session_counts WHERE status = OLD.status AND ready = OLD.promotion_ready AND sessions = 0;
  INSERT INTO session_counts (status, ready, sessions) VALUES (NEW.status, NEW.promotion_ready, 1)
    ON CONFLICT (status, ready) DO UPDATE SET sessions = sessions + 1;
END;

-- A rebuild deletes all rows before it makes them anew.
CREATE TRIGGER paper_sessions_count_delete AFTER DELETE ON paper_sessions BEGIN
  UPDATE session_counts SET sessions = sessions - 1 WHERE status = OLD.status AND ready = OLD.promotion_ready;
  DELETE FROM session_counts WHERE status = OLD.status AND ready = OLD.promotion_ready AND sessions = 0;
END;

-- paper_sessions_trial: which rules ran on which bars, of every session of which that is known.
CREATE TRIGGER paper_sessions_trial AFTER INSERT ON paper_sessions WHEN NEW.ticker IS NOT NULL AND NEW.start_date IS NOT NULL AND NEW.end_date IS NOT NULL AND NEW.rules_hash IS NOT NULL BEGIN
  INSERT INTO session_trials (ticker, start_date, end_date, rules_hash)
    VALUES (NEW.ticker, NEW.start_date, NEW.end_date, NEW.rules_hash) ON CONFLICT DO NOTHING;
END;
