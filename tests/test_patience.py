"""How long a server is waited for, by a clock of the test's own; and that no connection is waited for any longer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import sqlalchemy as sa

from quantlab.ledger.location import locate
from quantlab.ledger.postgres import patience
from quantlab.ledger.postgres.patience import LAST_SECONDS, TELL_AFTER_SECONDS, Patience
from quantlab.ledger.postgres.watched import watch

if TYPE_CHECKING:
    from collections.abc import Callable

LONG = 60.0
URL = "postgresql+psycopg://ann@127.0.0.1:1/quantlab"


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(patience, "time", clock)
    return clock


def waits(seconds: float, asked_to_stop: Callable[[], bool] = lambda: False) -> Patience:
    return Patience(locate(None, URL), seconds, asked_to_stop)


def test_a_wait_is_as_long_as_it_was_to_be(clock: Clock) -> None:
    wait = waits(LONG)
    assert (wait.waited, wait.left) == (0.0, LONG)
    clock.now += 20.0
    assert (wait.waited, wait.left) == (20.0, LONG - 20.0)


def test_a_wait_is_over_at_its_end_and_not_before(clock: Clock) -> None:
    wait = waits(LONG)
    clock.now += LONG - 0.5
    assert wait.left > 0
    clock.now += 0.5
    assert wait.left <= 0


def test_a_request_to_stop_leaves_the_last_seconds_from_when_it_came(clock: Clock) -> None:
    asked: list[int] = []
    wait = waits(LONG, lambda: bool(asked))
    clock.now += 20.0
    assert wait.left == LONG - 20.0
    asked.append(1)
    assert wait.left == LAST_SECONDS
    clock.now += LAST_SECONDS
    assert wait.left <= 0


def test_a_request_to_stop_is_not_put_off_by_asking_again(clock: Clock) -> None:
    wait = waits(LONG, lambda: True)
    for passed in range(int(LAST_SECONDS)):
        assert wait.left == LAST_SECONDS - passed
        clock.now += 1.0


def test_a_request_to_stop_never_lengthens_a_wait(clock: Clock) -> None:
    asked: list[int] = []
    wait = waits(LONG, lambda: bool(asked))
    clock.now += LONG - 1.0
    asked.append(1)
    assert wait.left == 1.0


def test_the_operator_is_told_once(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    wait = waits(LONG)
    for _ in range(3):
        wait.tell("The ledger is away.")
        clock.now += 1.0
    assert [record.getMessage().count("The ledger is away.") for record in caplog.records] == [1]


def test_a_short_silence_is_not_told(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    wait = waits(LONG)
    clock.now += TELL_AFTER_SECONDS - 0.1
    wait.check_timeout(TELL_AFTER_SECONDS - 0.1)
    assert caplog.records == []


def test_a_long_silence_is_told_once(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    wait = waits(LONG)
    for seconds in (TELL_AFTER_SECONDS, TELL_AFTER_SECONDS + 1.0):
        clock.now += seconds
        wait.check_timeout(seconds)
    assert len(caplog.records) == 1


def test_silence_beyond_the_wait_ends_it(clock: Clock) -> None:
    wait = waits(LONG)
    clock.now += LONG - 0.5
    wait.check_timeout(0.5)
    clock.now += 0.5
    with pytest.raises(TimeoutError, match="no answer"):
        wait.check_timeout(1.0)


def test_silence_is_borne_no_longer_than_the_last_seconds_once_somebody_asks_to_stop(clock: Clock) -> None:
    wait = waits(LONG, lambda: True)
    wait.check_timeout(0.0)
    clock.now += LAST_SECONDS
    with pytest.raises(TimeoutError):
        wait.check_timeout(LAST_SECONDS)


def connect_timeout(monkeypatch: pytest.MonkeyPatch, *, left: float, given: int | str) -> Any:
    """Return the seconds that psycopg is given to connect where so many are left of the wait."""
    asked: list[Any] = []

    def connect(*_arguments: Any, **named: Any) -> None:
        asked.append(named["connect_timeout"])
        raise psycopg.OperationalError("connection refused")

    monkeypatch.setattr(psycopg.Connection, "connect", connect)
    waiting: Any = SimpleNamespace(patience=lambda: SimpleNamespace(left=left))
    engine = sa.create_engine(URL, connect_args={"connect_timeout": given})
    watch(engine, waiting)
    with pytest.raises(sa.exc.OperationalError):
        engine.connect()
    return asked[0] if asked else None


@pytest.mark.parametrize(
    ("left", "given", "asked"),
    [(LONG, 10, 10), (4.0, 10, 4), (0.2, 10, 1), (4.0, "30", "30"), (0.0, 10, None)],
    ids=["much time", "less than usual", "hardly any", "the operator's own", "none"],
)
def test_a_connection_is_given_no_more_seconds_than_are_left(
    monkeypatch: pytest.MonkeyPatch, left: float, given: int | str, asked: int | str | None
) -> None:
    assert connect_timeout(monkeypatch, left=left, given=given) == asked
