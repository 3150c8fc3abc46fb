from __future__ import annotations

import os
import signal
import threading

import pytest

from quantlab.base.platform import STOP_SIGNALS as SIGNALS
from quantlab.runner.stopping import StopGate, StopRequested


def send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_raises_at_once(number: signal.Signals) -> None:
    gate = StopGate()
    with gate.installed(), pytest.raises(StopRequested) as stopped:
        send(number)
    assert stopped.value.name == number.name


def test_a_deferred_signal_raises_at_the_next_check() -> None:
    gate = StopGate()
    with gate.installed():
        with gate.deferred(), gate.deferred():
            send(signal.SIGTERM)
        with pytest.raises(StopRequested, match="SIGTERM"):
            gate.check()


def test_without_a_signal_the_check_passes() -> None:
    gate = StopGate()
    with gate.installed():
        gate.check()


def test_a_second_signal_right_after_the_first_does_not_raise_again() -> None:
    gate = StopGate()
    with gate.installed():
        with pytest.raises(StopRequested):
            send(signal.SIGINT)
        send(signal.SIGTERM)
        with pytest.raises(StopRequested, match="SIGINT"):
            gate.check()


def test_a_signal_much_later_raises_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from quantlab.runner import stopping

    monkeypatch.setattr(stopping, "ASK_AGAIN_SECONDS", 0.0)
    gate = StopGate()
    with gate.installed():
        for _ in range(2):
            with pytest.raises(StopRequested):
                send(signal.SIGINT)


def test_handlers_come_back() -> None:
    before = [signal.getsignal(one) for one in SIGNALS]
    with StopGate().installed():
        assert [signal.getsignal(one) for one in SIGNALS] != before
    assert [signal.getsignal(one) for one in SIGNALS] == before


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(SIGNALS[-1], signal.SIG_IGN)
    try:
        with StopGate().installed():
            assert signal.getsignal(SIGNALS[-1]) is signal.SIG_IGN
    finally:
        signal.signal(SIGNALS[-1], before)


def test_in_another_thread_nothing_is_installed() -> None:
    before = [signal.getsignal(one) for one in SIGNALS]
    seen: list[bool] = []

    def work() -> None:
        with StopGate().installed():
            seen.append([signal.getsignal(one) for one in SIGNALS] == before)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [True]
