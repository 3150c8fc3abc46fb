"""May an answer that money hangs on be read off this ledger? Its definitions, and the rows of the sessions it names.

`quantlab ledger verify` looks at everything and takes its time; this is what a question can afford.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantlab.base.errors import LedgerDamagedError
from quantlab.base.remedies import REBUILD, RESTORE, VERIFY
from quantlab.ledger import definitions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from quantlab.domain.events import Recorded
    from quantlab.domain.session import Session
    from quantlab.ledger.reader import Reader

MOST_COUNTED = 10_000
"""Sessions up to which rows are counted at every question: that takes a millisecond, and questions stay flat beyond."""

MOST_EVENTS = 100_000
"""Events up to which their sessions are counted at every question: some milliseconds."""

_EVENTS = """\
SELECT sequence, session_id, session_version, type, schema_version, occurred_at, actor, payload, previous_hash, hash
FROM events WHERE session_id = :session_id ORDER BY session_version"""
_ROW = "SELECT * FROM paper_sessions WHERE session_id = :session_id"
_BEFORE = "SELECT hash FROM events WHERE sequence = :sequence"
_HEAD = """\
SELECT ledger_head.sequence, ledger_head.hash, last.sequence AS last_sequence, last.hash AS last_hash,
  last.session_id, last.session_version
FROM ledger_head LEFT JOIN events AS last ON last.sequence = (SELECT MAX(sequence) FROM events)"""
_REACHED = "SELECT last_version, last_sequence FROM paper_sessions WHERE session_id = :session_id"
_COUNTED = "SELECT status, CAST(SUM(sessions) AS BIGINT) AS sessions FROM session_counts GROUP BY status"
_COUNTED_READY = (
    "SELECT CAST(COALESCE(SUM(sessions), 0) AS BIGINT) AS sessions FROM session_counts WHERE ready = 1"
)
_SOME = "SELECT COUNT(*) AS sessions FROM (SELECT 1 FROM paper_sessions LIMIT :most) AS counted"
_ROWS = "SELECT status, COUNT(*) AS sessions FROM paper_sessions GROUP BY status"
_BEGUN = """\
SELECT (SELECT COUNT(*) FROM events WHERE session_version = 1) AS sessions,
  (SELECT COUNT(*) FROM paper_sessions) AS told"""
_LAST = "SELECT sequence FROM ledger_head"
_ROWS_READY = "SELECT COUNT(*) AS sessions FROM paper_sessions WHERE promotion_ready = 1"


def require_trusted(reader: Reader, session_ids: Iterable[str]) -> None:
    """Refuse to answer from a ledger that is not what this program made of its events.

    Args:
        reader: The ledger.
        session_ids: The sessions that the answer is about to call ready.

    Raises:
        LedgerDamagedError: a definition is not a fresh ledger's, or a session's row is not what its events make.
    """
    doubt = next(iter(_of_definitions(reader)), None)
    named = list(session_ids)
    for session_id in named:
        doubt = doubt or _of_session(reader, session_id)
    if named:
        doubt = doubt or _of_trials(reader) or next(iter(_of_rows(reader)), None)
    if doubt is not None:
        raise LedgerDamagedError(
            f"The ledger {reader.location} can't be trusted with this answer: {doubt}. Run ",
            VERIFY,
            ", which names all that does not hold; ",
            REBUILD,
            " makes guards, views and rows anew from the events, ",
            RESTORE,
            " brings a backup back.",
        )


def doubts(reader: Reader) -> list[str]:
    """Return what a glance finds: definitions, head against last event, counts and events against rows."""
    found = [f"{name} is not as this program made it" for name in differing_definitions(reader)]
    return [*found, *_of_head(reader), *_of_counts(reader), *_of_rows(reader)]


def recorded(reader: Reader, session_id: str) -> list[Recorded]:
    """Return a session's events, in their order."""
    from quantlab.domain.events import Recorded

    return [Recorded(**row) for row in reader.rows(_EVENTS, session_id=session_id)]


def differing_definitions(reader: Reader) -> list[str]:
    """Name the definitions of a ledger that are not those of a fresh one; on a server, those that can be told cheaply.

    Args:
        reader: The ledger.
    """
    if reader.made_here:
        return []  # out of the models, whose texts are laid out otherwise; nobody else can have touched it
    if not reader.is_sqlite:
        from quantlab.ledger.postgres.definitions import told_cheaply

        return told_cheaply(reader)
    rows = reader.sqlite_connection.execute(definitions.STORED).fetchall()
    if definitions.as_text(rows) == definitions.FILE.read_text(encoding="utf-8"):
        return []
    stored, expected = definitions.of_rows(rows), definitions.known()
    if stored == expected:
        return []
    # Another version of SQLite or SQLAlchemy may write a definition in other words: a fresh ledger of today's decides.
    from quantlab.ledger.installed import fresh

    expected = fresh()
    return sorted(name for name in stored.keys() | expected if stored.get(name) != expected.get(name))


def _of_definitions(reader: Reader) -> list[str]:
    if reader.is_sqlite:
        return [f"{name} is not as this program made it" for name in differing_definitions(reader)]
    from quantlab.ledger import installed
    from quantlab.ledger.store import open_store_to_read

    with open_store_to_read(reader.location) as store:
        with store.read() as connection:
            made = installed.made(connection)
        with store.read() as connection:
            return installed.faults(connection, made)


def _of_session(reader: Reader, session_id: str) -> str | None:
    """Tell what of a session's row its events do not make, or which of its events was changed."""
    from quantlab.domain.session import NAMES  # loads msgspec, which most questions do without

    events = recorded(reader, session_id)
    stored = reader.row(_ROW, session_id=session_id)
    if not events or stored is None:
        return f"session {session_id} has {'no row' if events else 'no events'}"
    changed = _changed(reader, events)
    if changed is not None:
        return f"the event at sequence {changed.sequence} of session {session_id} was changed"
    made = _folded(events)
    wrong = next((name for name in NAMES if stored.get(name) != getattr(made, name)), None)
    if wrong is None:
        return None
    return (
        f"{wrong} of session {session_id} is {stored.get(wrong)!r}, its events make {getattr(made, wrong)!r}"
    )


def _changed(reader: Reader, events: list[Recorded]) -> Recorded | None:
    """Return the first event whose hash is not that of what it says and of the event before it."""
    from quantlab.domain.events.event import event_hash

    for version, one in enumerate(events, start=1):
        fields = (one.sequence, one.session_id, one.session_version, one.type, one.schema_version)
        digest = event_hash(one.previous_hash, (*fields, one.occurred_at, one.actor, one.payload))
        before = reader.row(_BEFORE, sequence=one.sequence - 1)
        linked = one.sequence == 1 or (before is not None and before["hash"] == one.previous_hash)
        if digest != one.hash or not linked or one.session_version != version:
            return one
    return None


def _folded(events: list[Recorded]) -> Session:
    from quantlab.domain import lifecycle

    try:
        return lifecycle.fold(events)
    except (LookupError, TypeError, ValueError) as error:  # msgspec's own are ValueErrors
        raise LedgerDamagedError(
            f"An event of session {events[0].session_id} says what no event can ({type(error).__name__}: {error}); "
            "nothing was changed. ",
            VERIFY,
            " tells more.",
        ) from error


def _of_head(reader: Reader) -> list[str]:
    head = reader.row(_HEAD)
    if head is None:
        return ["its head is missing"]
    if head["sequence"] != (head["last_sequence"] or 0):
        return [f"its head is at {head['sequence']}, its last event at {head['last_sequence'] or 0}"]
    if head["last_sequence"] is None:
        return []
    if head["hash"] != head["last_hash"]:
        return [f"its head has another hash than its last event, {head['sequence']}"]
    row = reader.row(_REACHED, session_id=head["session_id"])
    at = None if row is None else (row["last_version"], row["last_sequence"])
    if at != (head["session_version"], head["last_sequence"]):
        return [f"the row of session {head['session_id']} has not reached its last event"]
    return []


def _of_counts(reader: Reader) -> list[str]:
    if not _is_countable(reader):
        return []
    counted = {row["status"]: row["sessions"] for row in reader.rows(_COUNTED)}
    rows = {row["status"]: row["sessions"] for row in reader.rows(_ROWS)}
    ready, rows_ready = reader.row(_COUNTED_READY), reader.row(_ROWS_READY)
    if counted == rows and ready == rows_ready:
        return []
    return ["its counts are not those of its rows"]


def _of_rows(reader: Reader) -> list[str]:
    """Tell whether a session has no row, so that its alert is gone and its try is not counted."""
    head = reader.row(_LAST)
    if head is None or head["sequence"] > MOST_EVENTS or not _is_countable(reader):
        return []
    begun = reader.row(_BEGUN)
    if begun is None or begun["sessions"] == begun["told"]:
        return []
    return [f"it tells of {begun['told']} sessions, its events of {begun['sessions']}"]


def _of_trials(reader: Reader) -> str | None:
    """Tell whether a session's rules are missing among those that are counted as tried."""
    if not _is_countable(reader):
        return None
    from quantlab.domain.promotion import TRIED  # most questions do without

    untold = reader.row(f"""\
SELECT COUNT(*) AS sessions FROM paper_sessions AS ran WHERE {TRIED} AND NOT EXISTS (
  SELECT 1 FROM session_trials AS told WHERE told.ticker = ran.ticker AND told.start_date = ran.start_date
    AND told.end_date = ran.end_date AND told.rules_hash = ran.rules_hash)""")
    return "rules that sessions ran are missing in session_trials" if untold and untold["sessions"] else None


def _is_countable(reader: Reader) -> bool:
    """Tell whether there are few enough sessions to go through; the counts themselves are not asked."""
    some = reader.row(_SOME, most=MOST_COUNTED + 1)
    return some is not None and some["sessions"] <= MOST_COUNTED
