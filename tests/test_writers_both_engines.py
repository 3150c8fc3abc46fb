"""Many writers and readers at once on SQLite and PostgreSQL: nothing is lost, and all see one order."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from support.both_engines import (
    assert_one_chain,
    assert_projection_equals_rebuild,
    beat,
    birth,
    entry,
    events_of,
    events_since,
    start_writer,
)

from quantlab.base.errors import ConflictError, SessionEndedError
from quantlab.domain.events import Aborted, Heartbeat
from quantlab.ledger import maintenance
from quantlab.ledger.recorder import Recorder
from quantlab.ledger.store import open_store

if TYPE_CHECKING:
    from quantlab.ledger.location import Location


def test_processes_that_start_on_nothing_at_once_all_succeed(any_location: Location) -> None:
    writers = [start_writer(any_location, f"s{n}", 20) for n in range(8)]
    told = [line for writer in writers for line in writer.communicate(timeout=120)[1].splitlines()]
    assert [line for line in told if " is held by " not in line] == []  # who waits long says for whom
    assert [writer.returncode for writer in writers] == [0] * 8
    with open_store(any_location, create=False) as store:
        assert len(events_of(store)) == 8 * 21
        assert_one_chain(store)
        assert_projection_equals_rebuild(store)


def test_a_tailing_reader_loses_nothing(any_location: Location) -> None:
    with open_store(any_location) as store, open_store(any_location) as reading:
        seen: list[int] = []
        done = threading.Event()

        def tail() -> None:
            while True:
                ending = done.is_set()
                with reading.read() as connection:
                    seen.extend(one.sequence for one in events_since(connection, seen[-1] if seen else 0))
                if ending:
                    return

        tailing = threading.Thread(target=tail)
        tailing.start()
        write_from_threads(any_location, writers=8, beats=12)
        done.set()
        tailing.join()
        assert seen == list(range(1, 8 * 13 + 1))
        assert_one_chain(store)


def test_rebuilds_and_writers_do_not_keep_each_other_from_their_work(any_location: Location) -> None:
    writers = [start_writer(any_location, f"s{n}", 100) for n in range(4)]
    with open_store(any_location) as store:
        rebuilt = 0
        while any(writer.poll() is None for writer in writers):
            maintenance.rebuild(store)
            rebuilt += 1
        assert [writer.communicate(timeout=120)[1] for writer in writers] == [""] * 4
        assert rebuilt >= 2
        assert len(events_of(store)) == 4 * 101
        assert_one_chain(store)
        assert_projection_equals_rebuild(store)


def write_from_threads(location: Location, *, writers: int, beats: int) -> None:
    """Record sessions at once, each through a store of its own; raises the first error that any of them met."""
    errors: list[BaseException] = []

    def write(name: str) -> None:
        try:
            with open_store(location) as store:
                recorder = Recorder(store)
                recorder.record(birth(name))
                for version in range(2, 2 + beats):
                    recorder.record(beat(name, version))
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread below
            errors.append(error)

    threads = [threading.Thread(target=write, args=(f"s{n}",)) for n in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_thirty_two_writers_on_one_session_and_their_own_neither_lock_up_nor_lose(
    any_location: Location,
) -> None:
    with open_store(any_location) as store:
        Recorder(store).record(birth("shared"))
        won: list[int] = []

        def write(number: int) -> None:
            with open_store(any_location) as own:
                recorder = Recorder(own)
                recorder.record(birth(f"own{number}"))
                for version in range(2, 6):
                    heartbeat = Heartbeat(stage="simulating", bars_done=number * 10 + version)
                    try:
                        recorder.record(entry("shared", version, heartbeat))
                    except ConflictError:
                        continue
                    won.append(version)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(won) == [2, 3, 4, 5]
        assert len(events_of(store)) == 1 + 32 + 4
        assert_one_chain(store)
        assert_projection_equals_rebuild(store)


def test_an_abort_and_a_heartbeat_at_once_end_in_one_order(any_location: Location) -> None:
    with open_store(any_location) as store, open_store(any_location) as operators:
        session, operator = Recorder(store), Recorder(operators)
        outcomes: list[str] = []
        for number in range(10):
            name = f"s{number}"
            session.record(birth(name))
            barrier = threading.Barrier(2)

            def abort(name: str = name, barrier: threading.Barrier = barrier) -> None:
                barrier.wait()
                try:
                    operator.record(entry(name, 2, Aborted(message="closed")))
                except ConflictError:
                    outcomes.append("beat")

            thread = threading.Thread(target=abort)
            thread.start()
            barrier.wait()
            try:
                session.record(beat(name, 2))
            except SessionEndedError:
                outcomes.append("abort")
            thread.join()
        assert len(outcomes) == 10
        assert_projection_equals_rebuild(store)
