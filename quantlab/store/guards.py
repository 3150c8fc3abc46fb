"""What the database itself refuses, whoever connects: the triggers, for SQLite and PostgreSQL.

They are dropped and made anew after every migration, so that there is one text of each, here. Every message begins
with `PREFIX`, by which the engine tells a guard's refusal from any other database error.
"""

from __future__ import annotations

from quantlab.store.vocabulary import ENDS_A_SESSION

PREFIX = "quantlab: "
OUT_OF_SEQUENCE = "quantlab: an event must take the next sequence of the ledger"
WRONG_PREVIOUS = "quantlab: previous_hash must be the hash of the head"
OUT_OF_VERSION = "quantlab: an event must take the next version of its session"
WRONG_BIRTH = "quantlab: a session begins once, with started or adopted"
ENDED = "quantlab: the session has ended; only annotations may follow"
UNKNOWN_TYPE = "quantlab: unknown event type"
APPEND_ONLY = "quantlab: events are append-only"
HEAD_MOVES_BY_EVENTS = "quantlab: the head moves with the events alone"

_KNOWN = (
    "'started', 'heartbeat', 'succeeded', 'failed', 'aborted', "
    "'adopted', 'amended', 'vanished', 'found', 'proved'"
)
_ANNOTATIONS = "'amended', 'vanished', 'found', 'proved'"


def _sqlite_refusal(name: str, when: str, message: str) -> str:
    return f"CREATE TRIGGER {name} {when} BEGIN SELECT RAISE(ABORT, '{message}'); END"


# This runs for every event, and most are heartbeats: it looks once at the head and once at the session's last event.
# SQLite builds a list of more than two words anew each time that it looks into one, so a heartbeat passes them by.
_SQLITE_INSERT = f"""\
CREATE TRIGGER events_guard_insert BEFORE INSERT ON events BEGIN
  SELECT CASE
    WHEN NEW.sequence IS NOT head.sequence + 1 THEN RAISE(ABORT, '{OUT_OF_SEQUENCE}')
    WHEN NEW.previous_hash IS NOT head.hash THEN RAISE(ABORT, '{WRONG_PREVIOUS}')
    WHEN NEW.type IS NOT 'heartbeat' AND NEW.type NOT IN ({_KNOWN}) THEN RAISE(ABORT, '{UNKNOWN_TYPE}')
    WHEN (NEW.type IN ('started', 'adopted')) <> (last.sequence IS NULL) THEN RAISE(ABORT, '{WRONG_BIRTH}')
    WHEN last.type NOT IN ('started', 'heartbeat') AND NEW.type NOT IN ({_ANNOTATIONS})
     AND (EXISTS (SELECT 1 FROM events WHERE session_id = NEW.session_id AND {ENDS_A_SESSION})
       OR (SELECT CASE type WHEN 'adopted' THEN json_extract(payload, '$.terminal') END FROM events
            WHERE session_id = NEW.session_id AND session_version = 1))
      THEN RAISE(ABORT, '{ENDED}')
    WHEN NEW.session_version IS NOT COALESCE(last.session_version, 0) + 1 THEN RAISE(ABORT, '{OUT_OF_VERSION}')
  END
  FROM (SELECT 1) LEFT JOIN ledger_head AS head ON true
  LEFT JOIN events AS last ON last.sequence =
    (SELECT sequence FROM events WHERE session_id = NEW.session_id ORDER BY session_version DESC LIMIT 1);
END"""

_SQLITE_COUNTS = (
    """\
CREATE TRIGGER paper_sessions_count_insert AFTER INSERT ON paper_sessions BEGIN
  INSERT INTO session_counts (status, ready, sessions) VALUES (NEW.status, NEW.promotion_ready, 1)
    ON CONFLICT (status, ready) DO UPDATE SET sessions = sessions + 1;
END""",
    """\
CREATE TRIGGER paper_sessions_count_update AFTER UPDATE ON paper_sessions
WHEN OLD.status <> NEW.status OR OLD.promotion_ready <> NEW.promotion_ready BEGIN
  UPDATE session_counts SET sessions = sessions - 1 WHERE status = OLD.status AND ready = OLD.promotion_ready;
  DELETE FROM session_counts WHERE status = OLD.status AND ready = OLD.promotion_ready AND sessions = 0;
  INSERT INTO session_counts (status, ready, sessions) VALUES (NEW.status, NEW.promotion_ready, 1)
    ON CONFLICT (status, ready) DO UPDATE SET sessions = sessions + 1;
END""",
    """\
CREATE TRIGGER paper_sessions_count_delete AFTER DELETE ON paper_sessions BEGIN
  UPDATE session_counts SET sessions = sessions - 1 WHERE status = OLD.status AND ready = OLD.promotion_ready;
  DELETE FROM session_counts WHERE status = OLD.status AND ready = OLD.promotion_ready AND sessions = 0;
END""",
)

# The head has one row, yet without its id SQLite would gather the rows to update in a list before it asks their guard.
_SQLITE_MOVE = """\
CREATE TRIGGER events_move_head AFTER INSERT ON events BEGIN
  UPDATE ledger_head SET sequence = NEW.sequence, hash = NEW.hash WHERE id = 1;
END"""

SQLITE = (
    _SQLITE_INSERT,
    _SQLITE_MOVE,
    _sqlite_refusal("events_guard_update", "BEFORE UPDATE ON events", APPEND_ONLY),
    _sqlite_refusal("events_guard_delete", "BEFORE DELETE ON events", APPEND_ONLY),
    _sqlite_refusal(
        "ledger_head_guard_update",
        # An import gives its identity to a ledger that is still empty; everything else is the move by one event.
        "BEFORE UPDATE ON ledger_head WHEN NEW.id IS NOT OLD.id"
        " OR NOT ((OLD.sequence = 0 AND NEW.sequence = 0 AND NEW.hash IS OLD.hash)"
        " OR (NEW.ledger_id IS OLD.ledger_id AND NEW.sequence IS OLD.sequence + 1"
        " AND EXISTS (SELECT 1 FROM events WHERE sequence = NEW.sequence AND hash = NEW.hash)))",
        HEAD_MOVES_BY_EVENTS,
    ),
    _sqlite_refusal("ledger_head_guard_delete", "BEFORE DELETE ON ledger_head", HEAD_MOVES_BY_EVENTS),
    _sqlite_refusal(
        "ledger_head_guard_insert",
        "BEFORE INSERT ON ledger_head WHEN EXISTS (SELECT 1 FROM ledger_head)",
        HEAD_MOVES_BY_EVENTS,
    ),
    *_SQLITE_COUNTS,
)

# No text of PostgreSQL holds a NUL, and it refuses to read any field of a document that has one somewhere.
POSTGRES_PAYLOAD = r"replace(payload, '\u0000', '\ufffd')::json"
_POSTGRES_INSERT = f"""\
CREATE OR REPLACE FUNCTION quantlab_events_insert() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  head ledger_head%ROWTYPE;
  last_version bigint;
BEGIN
  SELECT * INTO head FROM ledger_head FOR UPDATE;
  IF NEW.sequence IS DISTINCT FROM head.sequence + 1 THEN RAISE EXCEPTION '{OUT_OF_SEQUENCE}'; END IF;
  IF NEW.previous_hash IS DISTINCT FROM head.hash THEN RAISE EXCEPTION '{WRONG_PREVIOUS}'; END IF;
  IF NEW.type NOT IN ({_KNOWN}) THEN RAISE EXCEPTION '{UNKNOWN_TYPE}'; END IF;
  SELECT COALESCE(MAX(session_version), 0) INTO last_version FROM events WHERE session_id = NEW.session_id;
  IF (NEW.type IN ('started', 'adopted')) <> (last_version = 0) THEN RAISE EXCEPTION '{WRONG_BIRTH}'; END IF;
  IF NEW.type NOT IN ({_ANNOTATIONS}) AND last_version > 0 AND (
       EXISTS (SELECT 1 FROM events WHERE session_id = NEW.session_id AND {ENDS_A_SESSION})
    OR EXISTS (SELECT 1 FROM events WHERE session_id = NEW.session_id AND session_version = 1
                  AND type = 'adopted' AND ({POSTGRES_PAYLOAD} ->> 'terminal') = 'true'))
  THEN RAISE EXCEPTION '{ENDED}'; END IF;
  IF NEW.session_version IS DISTINCT FROM last_version + 1 THEN RAISE EXCEPTION '{OUT_OF_VERSION}'; END IF;
  RETURN NEW;
END $$"""

_POSTGRES_COUNTS = """\
CREATE OR REPLACE FUNCTION quantlab_sessions_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.status = NEW.status AND OLD.promotion_ready = NEW.promotion_ready THEN
    RETURN NULL;
  END IF;
  IF TG_OP <> 'INSERT' THEN
    UPDATE session_counts SET sessions = sessions - 1 WHERE status = OLD.status AND ready = OLD.promotion_ready;
    DELETE FROM session_counts WHERE status = OLD.status AND ready = OLD.promotion_ready AND sessions = 0;
  END IF;
  IF TG_OP <> 'DELETE' THEN
    INSERT INTO session_counts (status, ready, sessions) VALUES (NEW.status, NEW.promotion_ready, 1)
      ON CONFLICT (status, ready) DO UPDATE SET sessions = session_counts.sessions + 1;
  END IF;
  RETURN NULL;
END $$"""

POSTGRES = (
    _POSTGRES_INSERT,
    """\
CREATE OR REPLACE FUNCTION quantlab_events_move_head() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE ledger_head SET sequence = NEW.sequence, hash = NEW.hash;
  RETURN NULL;
END $$""",
    f"""\
CREATE OR REPLACE FUNCTION quantlab_events_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '{APPEND_ONLY}'; END $$""",
    f"""\
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
  RAISE EXCEPTION '{HEAD_MOVES_BY_EVENTS}';
END $$""",
    _POSTGRES_COUNTS,
    "CREATE TRIGGER events_guard_insert BEFORE INSERT ON events"
    " FOR EACH ROW EXECUTE FUNCTION quantlab_events_insert()",
    "CREATE TRIGGER events_move_head AFTER INSERT ON events"
    " FOR EACH ROW EXECUTE FUNCTION quantlab_events_move_head()",
    "CREATE TRIGGER events_guard_update BEFORE UPDATE OR DELETE ON events"
    " FOR EACH ROW EXECUTE FUNCTION quantlab_events_refuse()",
    "CREATE TRIGGER events_guard_truncate BEFORE TRUNCATE ON events"
    " FOR EACH STATEMENT EXECUTE FUNCTION quantlab_events_refuse()",
    "CREATE TRIGGER ledger_head_guard BEFORE INSERT OR UPDATE OR DELETE ON ledger_head"
    " FOR EACH ROW EXECUTE FUNCTION quantlab_head_refuse()",
    "CREATE TRIGGER ledger_head_guard_truncate BEFORE TRUNCATE ON ledger_head"
    " FOR EACH STATEMENT EXECUTE FUNCTION quantlab_head_refuse()",
    "CREATE TRIGGER paper_sessions_count AFTER INSERT OR UPDATE OR DELETE ON paper_sessions"
    " FOR EACH ROW EXECUTE FUNCTION quantlab_sessions_count()",
)
