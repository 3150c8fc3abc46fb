"""What the golden ledger is asked, and what is tried on it, as SQL that both engines read: by the script that made the
golden files, and by the tests that compare with them. Knows nothing of the program.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

VIEWS = {
    "session_list": "session_id",
    "session_health": "total_sessions",
    "session_alerts": "session_id",
    "session_promotion": "session_id",
    "session_timeline": "sequence",
    "session_duplicates": "config_hash, data_hash",
}
"""View -> what its rows are sorted by here."""
OF_THE_MOMENT = {"age_minutes"}
"""Columns that tell how long ago something was."""
TYPES = (
    "started",
    "adopted",
    "heartbeat",
    "succeeded",
    "failed",
    "aborted",
    "amended",
    "vanished",
    "found",
    "proved",
    "paused",
)
"""Every type of event, and one that there isn't."""
AT = "2026-11-30T00:00:00.000000+00:00"
PAYLOAD = '{"terminal":false}'
OTHERS = {
    "an event changed": "UPDATE events SET actor = 'operator' WHERE sequence = 1",
    "an event deleted": "DELETE FROM events WHERE sequence = 1",
    "every event deleted": "DELETE FROM events",
    "the head moved on": "UPDATE ledger_head SET sequence = sequence + 1",
    "the head moved back": "UPDATE ledger_head SET sequence = sequence - 1",
    "the head's hash changed": f"UPDATE ledger_head SET hash = '{'0' * 64}'",
    "the ledger's id changed": "UPDATE ledger_head SET ledger_id = 'another'",
    "the head deleted": "DELETE FROM ledger_head",
    "a second head": f"INSERT INTO ledger_head (id, ledger_id, sequence, hash) VALUES (2, 'x', 0, '{'0' * 64}')",
    "a row of the projection changed": "UPDATE paper_sessions SET message = 'x'",
    "a row of the projection deleted": "DELETE FROM paper_sessions",
}
"""What -> a statement that isn't the append of one event."""


def answers(ask: Callable[[str], Sequence[Mapping[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Return what each view answers, in values that both engines have."""
    return {
        view: [
            {name: _plain(value) for name, value in row.items() if name not in OF_THE_MOMENT}
            for row in ask(f"SELECT * FROM {view} ORDER BY {order}")
        ]
        for view, order in VIEWS.items()
    }


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else value


def trials(
    sessions: Mapping[str, str], versions: Mapping[str, int], head: tuple[int, str]
) -> Iterator[tuple[str, str]]:
    """Yield what is tried on a ledger, and the statement.

    Args:
        sessions: What kind of session -> its id; one that isn't in the ledger too.
        versions: Its id -> its last version.
        head: The ledger's sequence and hash.
    """
    sequence, previous = head[0] + 1, head[1]
    for kind, session_id in sessions.items():
        version = versions.get(session_id, 0) + 1
        for event in TYPES:
            yield (
                f"{event} of a session that is {kind}",
                append(sequence, session_id, version, event, previous),
            )
    running = sessions["running"]
    following = versions[running] + 1
    yield "a gap in the ledger", append(sequence + 1, running, following, "heartbeat", previous)
    yield "a sequence that is taken", append(sequence - 1, running, following, "heartbeat", previous)
    yield "a gap in the session", append(sequence, running, following + 1, "heartbeat", previous)
    yield "a version that is taken", append(sequence, running, following - 1, "heartbeat", previous)
    yield "another hash before", append(sequence, running, following, "heartbeat", "f" * 64)
    yield "a hash cut short", append(sequence, running, following, "heartbeat", previous, "abc")
    yield "no session's name", append(sequence, "", 1, "started", previous)
    yield from OTHERS.items()


def append(
    sequence: int, session_id: str, version: int, event: str, previous: str, digest: str = "d" * 64
) -> str:
    """Return the statement that appends an event."""
    envelope = f"{sequence}, '{session_id}', {version}, '{event}', 1, '{AT}', 'session'"
    return (
        "INSERT INTO events (sequence, session_id, session_version, type, schema_version, occurred_at, actor, payload, "
        f"previous_hash, hash) VALUES ({envelope}, '{PAYLOAD}', '{previous}', '{digest}')"
    )
