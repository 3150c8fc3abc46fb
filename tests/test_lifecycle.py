"""What each event makes of a session's row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support.ledger_history import aborted, adopted, entry, failed, heartbeat, started, succeeded

from quantlab.base.clock import iso
from quantlab.base.errors import ConflictError, SessionEndedError
from quantlab.domain import events, lifecycle
from quantlab.domain.events import Recorded
from quantlab.domain.events.ends import seconds_between
from quantlab.domain.lifecycle import fold

if TYPE_CHECKING:
    from quantlab.domain.session import Session


def _recorded(version: int, event: events.Event) -> Recorded:
    one = entry("s1", version, event)
    return Recorded(
        version,
        "s1",
        version,
        event.name,
        1,
        iso(one.occurred_at),
        "session",
        events.encode(event),
        "0" * 64,
        "0" * 64,
    )


def _row(*history: events.Event) -> Session:
    return fold([_recorded(version, event) for version, event in enumerate(history, 1)])


def _amended(lifecycle_field: bool = False, **fields: object) -> events.Amended:
    return events.Amended(file="session_status.json", changes={}, fields=fields, lifecycle=lifecycle_field)


@pytest.mark.parametrize(
    ("end", "shown"),
    [
        (succeeded(), ("success", "completed", True, True)),
        (failed(), ("failed", "exception", True, True)),
        (aborted(), ("aborted", "operator_abort", True, True)),
        (heartbeat(), ("running", "active", False, False)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_event_gives_the_contract_s_status(end: events.Event, shown: tuple[object, ...]) -> None:
    row = _row(started(), end)
    assert (row.status, row.status_reason, row.terminal, row.ended) == shown


def test_an_end_has_its_time_and_the_seconds_since_the_start() -> None:
    row = _row(started(), heartbeat(), succeeded())
    assert (row.finished_at, row.duration_seconds) == ("2026-03-01T12:00:03.000000+00:00", 2.0)


def test_a_heartbeat_without_data_keeps_what_an_earlier_one_told_of_the_prices() -> None:
    told = heartbeat(data={"source": "file", "hash": "h", "doubts": ["gap.", "spike."]})
    row = _row(started(), told, heartbeat(9))
    assert (row.data_hash, row.data_doubts, row.bars_done) == ("h", "gap. spike.", 9)


def test_a_failure_says_what_went_wrong() -> None:
    row = _row(started(), failed())
    assert (row.error_type, row.message, row.report_present) == ("DataError", "no prices", False)


def test_an_adopted_folder_that_says_nothing_has_an_unknown_status() -> None:
    row = _row(adopted(terminal=False))
    assert (row.status, row.report_present, row.activity_at) == ("unknown", False, None)


@pytest.mark.parametrize(
    ("fields", "activity"),
    [({"created_at": "1"}, "1"), ({"created_at": "1", "updated_at": "2"}, "2")],
)
def test_an_adopted_folder_s_activity_is_its_update_else_its_creation(
    fields: dict[str, Any], activity: str
) -> None:
    assert _row(adopted(**fields)).activity_at == activity


def test_what_only_the_ledger_can_say_is_not_taken_from_a_folder() -> None:
    row = _row(adopted(session_id="x", last_version=9, ended=False, amendments=5, origin="session"))
    assert (row.session_id, row.last_version, row.ended, row.amendments, row.origin) == (
        "s1",
        1,
        True,
        0,
        "adopted",
    )


def test_an_amendment_is_counted_and_leaves_what_was_recorded() -> None:
    row = _row(started(), succeeded(), _amended(ticker="BTC-USD"), _amended(trades=7))
    assert (row.ticker, row.trades, row.amendments, row.lifecycle_amended) == ("ETH-USD", 3, 2, False)


def test_an_amended_lifecycle_field_is_remembered_for_good() -> None:
    row = _row(started(), succeeded(), _amended(lifecycle_field=True, status="failed"), _amended(trades=7))
    assert (row.status, row.lifecycle_amended) == ("failed", True)


@pytest.mark.parametrize(("updated", "activity"), [("9", "9"), (None, "2026-03-01T12:00:01.000000+00:00")])
def test_an_amended_update_time_moves_the_activity(updated: str | None, activity: str) -> None:
    assert _row(started(), _amended(updated_at=updated)).activity_at == activity


def test_an_ended_session_that_vanished_is_found_again_with_its_report() -> None:
    row = _row(started(), succeeded(), events.Vanished(folder="s1"), events.Found(folder="moved"))
    assert (row.vanished_at, row.path, row.report_present) == (None, "moved", True)


def test_a_vanished_session_has_no_report() -> None:
    row = _row(started(), succeeded(), events.Vanished(folder="s1"))
    assert (row.vanished_at, row.report_present) == ("2026-03-01T12:00:03.000000+00:00", False)


def test_a_proof_is_kept_with_its_time() -> None:
    row = _row(started(), succeeded(), events.Proved(outcome="identical", detail=""))
    assert (row.proved_outcome, row.proved_at) == ("identical", "2026-03-01T12:00:03.000000+00:00")


@pytest.mark.parametrize("kind", [kind for kind in events.TYPES if kind not in events.BIRTHS])
def test_nothing_but_a_birth_comes_first(kind: str) -> None:
    with pytest.raises(ConflictError, match="does not exist"):
        lifecycle.require_legal(None, "s1", kind)


@pytest.mark.parametrize("kind", events.BIRTHS)
def test_a_birth_comes_once(kind: str) -> None:
    with pytest.raises(ConflictError, match="exists already"):
        lifecycle.require_legal(_row(started()), "s1", kind)


@pytest.mark.parametrize("kind", ["heartbeat", *events.ENDS])
def test_an_ended_session_takes_no_progress_and_no_second_end(kind: str) -> None:
    with pytest.raises(SessionEndedError, match="has ended"):
        lifecycle.require_legal(_row(started(), failed()), "s1", kind)


@pytest.mark.parametrize("kind", [kind for kind in events.TYPES if kind not in events.BIRTHS])
def test_a_running_session_takes_all_but_births(kind: str) -> None:
    lifecycle.require_legal(_row(started()), "s1", kind)


@pytest.mark.parametrize(
    ("earlier", "later", "seconds"),
    [
        ("2026-01-01T00:00:00+00:00", "2026-01-01T00:01:00+00:00", 60.0),
        ("2026-01-01T00:01:00+00:00", "2026-01-01T00:00:00+00:00", 0.0),
        (None, "2026-01-01T00:00:00+00:00", None),
    ],
)
def test_seconds_between_are_never_below_zero(earlier: str | None, later: str, seconds: float | None) -> None:
    assert seconds_between(earlier, later) == seconds
