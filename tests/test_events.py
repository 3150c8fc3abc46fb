"""Events: plain, frozen, canonical JSON."""

from __future__ import annotations

import msgspec
import pytest
from ledger_history import aborted, adopted, failed, heartbeat, started, succeeded

from quantlab import events

ONE_OF_EACH: list[events.Event] = [
    started(),
    heartbeat(3, data={"source": "file"}),
    succeeded(),
    failed(),
    aborted(),
    adopted(),
    events.Amended(
        file="config.json", changes={"fee": {"before": 1, "after": 2}}, fields={}, lifecycle=False
    ),
    events.Vanished(folder="s1"),
    events.Found(folder="s1"),
    events.Proved(outcome="identical", detail=""),
]


def test_there_is_one_of_each_type_here() -> None:
    assert {events.NAMES[type(event)] for event in ONE_OF_EACH} == set(events.TYPES)


def test_every_type_is_a_birth_an_end_an_annotation_or_a_heartbeat() -> None:
    kinds = {*events.BIRTHS, *events.ENDS, *events.ANNOTATIONS, "heartbeat"}
    assert kinds == set(events.TYPES)


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: type(event).__name__)
def test_a_payload_reads_back_equal(event: events.Event) -> None:
    assert events.decode(events.NAMES[type(event)], events.encode(event)) == event


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: type(event).__name__)
def test_a_payload_that_was_read_back_is_written_the_same(event: events.Event) -> None:
    payload = events.encode(event)
    assert events.encode(events.decode(events.NAMES[type(event)], payload)) == payload


def test_keys_are_sorted_whatever_order_they_were_given_in() -> None:
    ways = [heartbeat(data={"b": 1, "a": 2}), heartbeat(data={"a": 2, "b": 1})]
    assert len({events.encode(event) for event in ways}) == 1


def test_a_value_that_is_not_finite_is_written_as_null() -> None:
    assert '"data":{"x":null}' in events.encode(heartbeat(data={"x": float("nan")}))


def test_an_event_can_not_be_changed() -> None:
    with pytest.raises(AttributeError, match="immutable"):
        heartbeat().bars_done = 5  # type: ignore[misc] # the refusal is the fact


def test_an_unknown_field_of_a_later_program_is_passed_over() -> None:
    assert events.decode("vanished", '{"folder":"s1","since":"later"}') == events.Vanished(folder="s1")


def test_a_payload_of_another_shape_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        events.decode("heartbeat", '{"stage":1,"bars_done":"x"}')


def test_an_event_of_an_unknown_name_is_refused() -> None:
    with pytest.raises(KeyError):
        events.decode("paused", "{}")
