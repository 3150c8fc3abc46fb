"""The state machine of a session against a small model: never two ends, never an end without a start, never a lie."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import tempfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from support.ledger_history import aborted, adopted, failed, heartbeat, open_root, started, succeeded

from quantlab.base.errors import ConflictError, SessionEndedError
from quantlab.domain import events, lifecycle
from quantlab.domain.events.event import event_hash
from quantlab.ledger import maintenance, projection
from quantlab.ledger.log import Entry
from quantlab.ledger.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quantlab.domain.session import Session
    from quantlab.ledger.store import Store

BEGINNING = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SESSIONS = ("one", "two", "three")
STATUS_OF = {"succeeded": "success", "failed": "failed", "aborted": "aborted"}
NOTES: dict[str, events.Event] = {
    "amended": events.Amended(file="x.json", changes={}, fields={"message": "edited"}, lifecycle=True),
    "vanished": events.Vanished(folder="one"),
    "found": events.Found(folder="elsewhere"),
    "proved": events.Proved(outcome="identical", detail=""),
    "resolved": events.Resolved(reason="looked at"),
}


class Model:
    """What a session may do and what it says, in a dozen lines that share nothing with the program."""

    def __init__(self) -> None:
        self.version = 0
        self.status = ""
        self.over = False

    def allows(self, kind: str) -> bool:
        if kind in ("started", "adopted"):
            return self.version == 0
        return self.version > 0 and (kind in NOTES or not self.over)

    def take(self, kind: str, *, terminal: bool | None = None) -> None:
        self.version += 1
        if kind == "started":
            self.status = "running"
        elif kind == "adopted":
            self.status, self.over = ("success", True) if terminal else ("running", False)
        elif kind in STATUS_OF:
            self.status, self.over = STATUS_OF[kind], True


class Lifecycle(RuleBasedStateMachine):
    """Several sessions on one real ledger, with crashes between any two steps."""

    store: Store
    folder: Path

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.store = open_root(self.folder)
        self.recorder = Recorder(self.store)
        self.models = {name: Model() for name in SESSIONS}
        self.taken: dict[str, list[Entry]] = {name: [] for name in SESSIONS}
        self.acknowledged = 0
        self.clock = BEGINNING

    @rule(name=st.sampled_from(SESSIONS), seconds=st.integers(-3600, 3600))
    def start(self, name: str, seconds: int) -> None:
        self._record(name, started(name), seconds)

    @rule(name=st.sampled_from(SESSIONS), terminal=st.booleans())
    def adopt(self, name: str, terminal: bool) -> None:
        event = adopted(name, terminal=terminal, status="success" if terminal else "running")
        self._record(name, event, 1, actor=events.IMPORT, terminal=terminal)

    @rule(name=st.sampled_from(SESSIONS), done=st.integers(0, 100), seconds=st.integers(-3600, 3600))
    def beat(self, name: str, done: int, seconds: int) -> None:
        self._record(name, heartbeat(done), seconds)

    @rule(name=st.sampled_from(SESSIONS), event=st.sampled_from([succeeded(), failed(), aborted()]))
    def end(self, name: str, event: events.Event) -> None:
        self._record(name, event, 1)

    @rule(name=st.sampled_from(SESSIONS))
    def abort_as_operator(self, name: str) -> None:
        self._record(name, events.Aborted(message="it hangs"), 1, actor=events.OPERATOR)

    @rule(name=st.sampled_from(SESSIONS), event=st.sampled_from(list(NOTES.values())))
    def annotate(self, name: str, event: events.Event) -> None:
        self._record(name, event, 1, actor=events.OPERATOR)

    @rule(name=st.sampled_from(SESSIONS), place=st.integers(0, 50))
    def record_again(self, name: str, place: int) -> None:
        """A process that was killed between commit and answer asks again: the same event, recorded once."""
        if self.taken[name]:
            place %= len(self.taken[name])
            recorded, _row = self.recorder.record(self.taken[name][place])
            assert recorded.session_version == place + 1

    @rule(name=st.sampled_from(SESSIONS), stale=st.integers(1, 3))
    def record_as_of_an_old_version(self, name: str, stale: int) -> None:
        """A process that slept through what others recorded changes nothing."""
        model = self.models[name]
        if model.version > stale:
            entry = self._entry(name, heartbeat(99), 7, version=model.version + 1 - stale)
            with pytest.raises(SessionEndedError if model.over else ConflictError):
                self.recorder.record(entry)

    @rule(name=st.sampled_from(SESSIONS))
    def record_ahead(self, name: str) -> None:
        model = self.models[name]
        if model.version:
            with pytest.raises(ConflictError):
                self.recorder.record(self._entry(name, heartbeat(99), 7, version=model.version + 2))

    @rule(name=st.sampled_from(SESSIONS), event=st.sampled_from([started(), heartbeat(), succeeded()]))
    def crash_before_the_commit(self, name: str, event: events.Event) -> None:
        """The transaction is gone with its process, and everything in it."""
        entry = self._entry(name, event, 1)
        with pytest.raises((OSError, ConflictError)), self.store.write() as connection:
            row = projection.read_row(connection, name)
            lifecycle.require_legal(row, name, event.name)
            self._append(connection, row, entry)
            raise OSError("killed")

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.store = open_root(self.folder)
        self.recorder = Recorder(self.store)

    @rule()
    def rebuild(self) -> None:
        maintenance.rebuild(self.store)

    @invariant()
    def every_row_says_what_the_model_says(self) -> None:
        with self.store.read() as connection:
            for name, model in self.models.items():
                row = projection.read_row(connection, name)
                said = None if row is None else (row.last_version, row.status, row.ended, row.terminal)
                expected = (model.version, model.status, model.over, model.over) if model.version else None
                assert said == expected

    @invariant()
    def the_ledger_holds_exactly_what_was_acknowledged(self) -> None:
        with self.store.read() as connection:
            assert connection.exec_driver_sql("SELECT COUNT(*) FROM events").scalar() == self.acknowledged

    @invariant()
    def no_session_ends_twice(self) -> None:
        with self.store.read() as connection:
            twice = connection.exec_driver_sql(
                "SELECT session_id FROM events WHERE type IN ('succeeded', 'failed', 'aborted')"
                " GROUP BY session_id HAVING COUNT(*) > 1"
            )
            assert twice.all() == []

    def teardown(self) -> None:
        if hasattr(self, "store"):
            assert maintenance.verify(self.store).faults == []
            self.store.close()
            shutil.rmtree(self.folder)

    def _entry(
        self,
        name: str,
        event: events.Event,
        seconds: int,
        *,
        version: int | None = None,
        actor: str = events.SESSION,
    ) -> Entry:
        self.clock += timedelta(seconds=seconds)
        return Entry(
            session_id=name,
            session_version=version or self.models[name].version + 1,
            event=event,
            occurred_at=self.clock,
            actor=actor,
        )

    def _record(
        self,
        name: str,
        event: events.Event,
        seconds: int,
        *,
        actor: str = events.SESSION,
        terminal: bool | None = None,
    ) -> None:
        model, kind = self.models[name], event.name
        entry = self._entry(name, event, seconds, actor=actor)
        if not model.allows(kind):
            with pytest.raises(
                SessionEndedError if model.over and kind not in events.BIRTHS else ConflictError
            ):
                self.recorder.record(entry)
            return
        recorded, row = self.recorder.record(entry)
        model.take(kind, terminal=terminal)
        self.taken[name].append(entry)
        self.acknowledged += 1
        assert (recorded.sequence, row.last_sequence) == (self.acknowledged, self.acknowledged)

    def _append(self, connection: Any, session: Session | None, entry: Entry) -> None:
        from quantlab.ledger import log

        (recorded,) = log.append(connection, [entry])
        projection.project(connection, session, recorded)


TestLifecycle = Lifecycle.TestCase
TestLifecycle.settings = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
)


KINDS = {
    **{name: (name, "{}") for name in events.TYPES if name != "adopted"},
    "adopted ended": ("adopted", '{"terminal":true}'),
    "adopted running": ("adopted", '{"terminal":false}'),
    "adopted unknown": ("adopted", "{}"),
}
LONGEST = 5


@pytest.fixture
def client(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A plain client of a ledger, as anybody may connect one."""
    open_root(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA recursive_triggers = ON")
        connection.execute("BEGIN")
        yield connection
        connection.execute("ROLLBACK")


def _accepted(client: sqlite3.Connection, name: str, version: int) -> bool:
    """Insert an event with a right sequence, version and hash; says whether the guards let it."""
    kind, payload = KINDS[name]
    sequence, previous = client.execute("SELECT sequence + 1, hash FROM ledger_head").fetchone()
    fields = (sequence, "s", version, kind, 1, "2026-03-01T12:00:00.000000+00:00", "session", payload)
    row = (*fields, previous, event_hash(previous, fields))
    try:
        client.execute(f"INSERT INTO events VALUES ({', '.join('?' * len(row))})", row)
    except sqlite3.IntegrityError:
        return False
    return True


def _walk(client: sqlite3.Connection, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], bool, bool]]:
    """Try every event after an accepted path, then go on from each that was accepted; a refused one leaves no trace."""
    model = Model()
    for name in path:
        model.take(KINDS[name][0], terminal=name == "adopted ended")
    for name in KINDS:
        client.execute("SAVEPOINT step")
        accepted = _accepted(client, name, len(path) + 1)
        yield (*path, name), accepted, model.allows(KINDS[name][0])
        if accepted and len(path) + 1 < LONGEST:
            yield from _walk(client, (*path, name))
        client.execute("ROLLBACK TO step")
        client.execute("RELEASE step")


def test_the_guards_alone_accept_exactly_the_histories_that_the_model_allows(
    client: sqlite3.Connection,
) -> None:
    tried = list(_walk(client, ()))
    wrong = [path for path, accepted, allowed in tried if accepted != allowed]
    assert wrong == []
    assert len(tried) > 10_000


def test_hashes_of_the_walk_are_those_that_verification_expects() -> None:
    fields = (1, "s", 1, "started", 1, "2026-03-01T12:00:00.000000+00:00", "session", "{}")
    text = "\n".join((events.GENESIS_HASH, *map(str, fields)))
    assert event_hash(events.GENESIS_HASH, fields) == hashlib.sha256(text.encode()).hexdigest()
