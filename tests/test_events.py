"""Events: plain, frozen, canonical JSON."""

from __future__ import annotations

import msgspec
import pytest
from support.ledger_history import aborted, adopted, failed, heartbeat, started, succeeded

from quantlab.domain import events

ONE_OF_EACH: list[events.Event] = [
    events.Bar(
        driver={"host": "h", "pid": 1, "process": None},
        bar=400,
        opened_at="o",
        closed_at="c",
        seen_at="s",
        prices=[1.0, 2.0, 0.5, 1.5, None],
        scale=[1.0, 1.0],
        tape_hash="0" * 64,
        signal=["cross_up", None, 1.0],
        values={"mean": None},
        wanted="buy",
        did="ordered buy",
        why="ordered",
        state={"cash": 1.0},
        equity=1.0,
        next_due=None,
        missing_before=[],
        late=False,
        totals={"forward_bars": 1},
    ),
    events.Revised(
        revision="corrected",
        bar=400,
        opened_at="o",
        seen_at="s",
        was=[1.0] * 5,
        now=[2.0] * 5,
        scale=[1.0, 1.0],
    ),
    events.Resumed(
        host="h", pid=1, process=None, code={}, packages={}, strategy_digest=None, changed=["code"]
    ),
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
    events.Resolved(reason="the disk was full"),
]


def test_there_is_one_of_each_type_here() -> None:
    assert {event.name for event in ONE_OF_EACH} == set(events.TYPES)


def test_every_type_is_a_birth_a_step_an_end_or_an_annotation() -> None:
    kinds = {*events.BIRTHS, *events.ENDS, *events.ANNOTATIONS, *events.PROGRESS}
    assert kinds == set(events.TYPES)


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: type(event).__name__)
def test_a_payload_reads_back_equal(event: events.Event) -> None:
    assert events.decode(event.name, events.encode(event)) == event


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: type(event).__name__)
def test_a_payload_that_was_read_back_is_written_the_same(event: events.Event) -> None:
    payload = events.encode(event)
    assert events.encode(events.decode(event.name, payload)) == payload


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
