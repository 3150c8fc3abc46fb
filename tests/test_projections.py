"""The live projection, the fold and the rebuild are one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.ledger_history import (
    aborted,
    adopted,
    entry,
    failed,
    fill,
    heartbeat,
    open_root,
    started,
    stored,
    succeeded,
)

from quantlab.domain import events, lifecycle
from quantlab.ledger import log, maintenance, projection
from quantlab.ledger.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from quantlab.ledger.store import Store

TABLES = ("paper_sessions", "session_counts")
finite = st.floats(allow_nan=False, allow_infinity=False)
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
heartbeats: st.SearchStrategy[events.Event] = st.builds(
    lambda done, data: heartbeat(done, data=data),
    st.integers(0, 10**9),
    st.none()
    | st.fixed_dictionaries({"source": words, "hash": words, "doubts": st.lists(words, max_size=2)}),
)
a_note: st.SearchStrategy[events.Event] = st.one_of(
    st.builds(
        lambda trades, told: events.Amended(
            file="report.json", changes={}, fields={"trades": trades, "message": told}, lifecycle=trades > 5
        ),
        st.integers(0, 9),
        words,
    ),
    st.just(events.Vanished(folder="f")),
    st.just(events.Found(folder="f")),
    st.builds(lambda outcome: events.Proved(outcome=outcome, detail=""), words),
)
births = st.one_of(
    st.builds(lambda ticker: started(ticker=ticker), words),
    st.builds(
        lambda terminal, value: adopted(terminal=terminal, status="odd", total_return=value),
        st.booleans(),
        finite,
    ),
)
ends = st.sampled_from([succeeded(), failed(), aborted()])


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, events.Event]]:
    """Legal histories of a few sessions, their events in any order between sessions."""
    queues = {name: _one_history(draw) for name in ("s1", "s2", "s3")[: draw(st.integers(1, 3))]}
    mixed = []
    while queues:
        name = draw(st.sampled_from(sorted(queues)))
        mixed.append((name, queues[name].pop(0)))
        if not queues[name]:
            del queues[name]
    return mixed


def _one_history(draw: st.DrawFn) -> list[events.Event]:
    birth = draw(births)
    alive = st.lists(heartbeats | a_note, max_size=5)
    if isinstance(birth, events.Adopted) and birth.terminal:
        return [birth, *draw(st.lists(a_note, max_size=3))]
    return [birth, *draw(alive), *draw(st.lists(ends, max_size=1)), *draw(st.lists(a_note, max_size=2))]


def _dump(store: Store) -> list[list[tuple[object, ...]]]:
    with store.read() as connection:
        return [
            [tuple(row) for row in connection.exec_driver_sql(f"SELECT * FROM {table} ORDER BY 1, 2")]
            for table in TABLES
        ]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with open_root(tmp_path_factory.mktemp("shared")) as store:
        yield store


_fresh = iter(range(10**9))


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories())
def test_a_rebuilt_projection_equals_the_live_one(
    shared: Store, history: list[tuple[str, events.Event]]
) -> None:
    example, versions = next(_fresh), dict.fromkeys(("s1", "s2", "s3"), 0)
    for name, event in history:
        versions[name] += 1
        Recorder(shared).record(entry(f"{name}-{example}", versions[name], event))
    live = _dump(shared)
    with shared.write() as connection:
        assert list(projection.differences(connection)) == []
        projection.rebuild(connection)
    assert _dump(shared) == live


def test_a_fold_that_passes_over_superseded_events_equals_one_that_does_not(tmp_path: Path) -> None:
    fill(tmp_path)
    with open_root(tmp_path) as store, store.read() as connection:
        quick = list(projection.fold_all(connection))
        slow = [lifecycle.fold(log.read_events(connection, name)) for name in ("s1", "s2", "s3")]
    assert quick == slow


@pytest.mark.parametrize(
    ("payload", "following", "is_superseded"),
    [
        (heartbeat(1), "heartbeat", True),
        (heartbeat(1, data={"source": "x"}), "heartbeat", False),
        (heartbeat(1), "failed", False),
    ],
)
def test_only_a_plain_heartbeat_before_another_is_superseded(
    payload: events.Event, following: str, is_superseded: bool
) -> None:
    assert events.superseded("heartbeat", events.encode(payload), following) is is_superseded


def test_a_rebuild_tells_how_far_it_is(tmp_path: Path) -> None:
    fill(tmp_path)
    told: list[int] = []
    with open_root(tmp_path) as store:
        made = maintenance.rebuild(store, told.append)
    assert (made, told) == (3, [3])


def test_more_sessions_than_a_batch_are_rebuilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path)
    monkeypatch.setattr(projection, "_BATCH", 2)
    told: list[int] = []
    with open_root(tmp_path) as store:
        maintenance.rebuild(store, told.append)
        assert maintenance.verify(store).faults == []
    assert told == [2, 3]


def test_an_event_that_has_no_row_to_change_is_refused(tmp_path: Path) -> None:
    with open_root(tmp_path) as store, store.write() as connection:
        (one,) = log.append(connection, [entry("s1", 1, started())])
        late = events.Recorded(
            2, "s1", 2, "heartbeat", 1, one.occurred_at, "session", "{}", one.hash, one.hash
        )
        with pytest.raises(LookupError, match="has no row"):
            projection.project(connection, None, _with_payload(late, events.encode(heartbeat())))


def _with_payload(recorded: events.Recorded, payload: str) -> events.Recorded:
    return msgspec.structs.replace(recorded, payload=payload)


TAMPERED = {
    "UPDATE paper_sessions SET total_return = 9 WHERE session_id = 's1'": ("s1", "total_return", 9.0, 0.1),
    "DELETE FROM paper_sessions WHERE session_id = 's2'": ("s2", "session_id", None, "s2"),
    "UPDATE paper_sessions SET session_id = 's0' WHERE session_id = 's3'": ("s0", "session_id", "s0", None),
    "UPDATE session_counts SET sessions = 5 WHERE status = 'failed'": (
        "session_counts 'failed', ready 0",
        "sessions",
        5,
        1,
    ),
}


@pytest.mark.parametrize("statement", TAMPERED)
def test_the_first_difference_names_session_and_column(tmp_path: Path, statement: str) -> None:
    with closing(sqlite3.connect(fill(tmp_path))) as client, client:
        client.execute(statement)
    with open_root(tmp_path) as store, store.read() as connection:
        assert next(projection.differences(connection)) == TAMPERED[statement]


def test_a_tampered_projection_is_mended_by_a_rebuild(tmp_path: Path) -> None:
    file = fill(tmp_path)
    before = stored(file, "SELECT * FROM paper_sessions")
    with closing(sqlite3.connect(file)) as client, client:
        client.execute("UPDATE paper_sessions SET status = 'success', total_return = 9")
    with open_root(tmp_path) as store:
        maintenance.rebuild(store)
    assert stored(file, "SELECT * FROM paper_sessions") == before


def test_all_differences_are_named_one_after_the_other(tmp_path: Path) -> None:
    with closing(sqlite3.connect(fill(tmp_path))) as client, client:
        client.execute("DELETE FROM paper_sessions WHERE session_id = 's1'")
        client.execute("UPDATE paper_sessions SET trades = 9 WHERE session_id = 's2'")
    with open_root(tmp_path) as store, store.read() as connection:
        named = [(one.session_id, one.column) for one in projection.differences(connection)]
    assert named[:2] == [("s1", "session_id"), ("s2", "trades")]
