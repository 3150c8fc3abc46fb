"""Appending in one gapless, chained order, and reading back."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from hypothesis import example, given
from hypothesis.strategies import datetimes, sampled_from
from support.both_engines import events_since
from support.ledger_history import entry, fill, heartbeat, history, open_root, record, started, stored

from quantlab.base.clock import iso
from quantlab.base.errors import ConflictError, LedgerDamagedError
from quantlab.domain.events import GENESIS_HASH, Recorded
from quantlab.ledger import log

if TYPE_CHECKING:
    from pathlib import Path


ZONES = (UTC, timezone(timedelta(hours=-5, minutes=-30)))


def test_an_empty_ledger_stands_at_the_genesis_hash(tmp_path: Path) -> None:
    with open_root(tmp_path) as store, store.read() as connection:
        assert log.read_head(connection) == log.Head(0, GENESIS_HASH)


def test_events_take_sequences_without_gaps_in_the_order_of_their_commits(tmp_path: Path) -> None:
    file = fill(tmp_path)
    assert stored(file, "SELECT sequence FROM events ORDER BY sequence") == [(n,) for n in range(1, 11)]


def test_each_event_carries_the_hash_of_the_one_before_it(tmp_path: Path) -> None:
    rows = stored(fill(tmp_path), "SELECT previous_hash, hash FROM events ORDER BY sequence")
    assert [previous for previous, _ in rows] == [GENESIS_HASH, *(digest for _, digest in rows[:-1])]


def test_the_head_is_the_last_event(tmp_path: Path) -> None:
    file = fill(tmp_path)
    assert stored(file, "SELECT sequence, hash FROM ledger_head") == stored(
        file, "SELECT sequence, hash FROM events WHERE sequence = 10"
    )


def test_a_hash_is_sha256_over_the_stored_columns_by_lines(tmp_path: Path) -> None:
    columns = "previous_hash, sequence, session_id, session_version, type, schema_version, occurred_at, actor, payload"
    for *fields, digest in stored(fill(tmp_path), f"SELECT {columns}, hash FROM events"):
        assert hashlib.sha256("\n".join(map(str, fields)).encode()).hexdigest() == digest


@given(datetimes(timezones=sampled_from(ZONES)).filter(lambda moment: 1 < moment.year < 9999))
@example(datetime(1, 2, 3, tzinfo=UTC))
@example(datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC))
def test_a_time_is_stored_as_the_clock_writes_it(moment: datetime) -> None:
    (row,) = log._chain(log.Head(0, GENESIS_HASH), [entry("s1", 1, started(), at=moment)])
    assert Recorded(*row).occurred_at == iso(moment)


def test_a_session_reads_back_as_it_was_recorded(tmp_path: Path) -> None:
    with open_root(tmp_path) as store:
        record(store, history("s1", heartbeat(3)))
        with store.read() as connection:
            first, second = log.read_events(connection, "s1")
    assert (first.event, second.event) == (started(), heartbeat(3))


def test_reading_on_from_a_sequence_gives_what_came_after(tmp_path: Path) -> None:
    fill(tmp_path)
    with open_root(tmp_path) as store, store.read() as connection:
        assert [one.sequence for one in events_since(connection, 7)] == [8, 9, 10]


def test_a_stream_gives_the_stored_columns_in_order(tmp_path: Path) -> None:
    fill(tmp_path)
    with open_root(tmp_path) as store, store.read() as connection:
        streamed = [tuple(row) for row in log.stream(connection, log.BY_SEQUENCE)]
        assert [Recorded(*row) for row in streamed] == events_since(connection, 0)


def test_a_place_that_nobody_holds_was_not_recorded(tmp_path: Path) -> None:
    with (
        open_root(tmp_path) as store,
        store.read() as connection,
        pytest.raises(ConflictError, match="ahead"),
    ):
        log.already_recorded(connection, entry("s1", 1, started()))


def test_a_ledger_without_its_head_row_is_damaged() -> None:
    with sa.create_engine("sqlite://").connect() as connection:
        connection.exec_driver_sql("CREATE TABLE ledger_head (id, ledger_id, sequence, hash)")
        with pytest.raises(LedgerDamagedError, match="head is missing"):
            log.read_head(connection)
