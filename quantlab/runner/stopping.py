"""SIGINT, SIGTERM and SIGHUP: ask the work to stop, but never in the middle of recording."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from quantlab.base.platform import STOP_SIGNALS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

ASK_AGAIN_SECONDS = 1.0
"""A signal that comes sooner after another does not raise: it must not cut short what the first one set off."""


class StopRequested(KeyboardInterrupt):
    """A signal asked the work to stop."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class StopGate:
    """Turns signals into `StopRequested`: at once while work goes on, afterwards while something is recorded."""

    def __init__(self) -> None:
        self._requested: str | None = None
        self._raised_at = -ASK_AGAIN_SECONDS
        self._deferring = 0

    @contextmanager
    def installed(self) -> Iterator[StopGate]:
        """Listen for the signals; one that was ignored before (nohup, a background job) stays ignored."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = {one: signal.getsignal(one) for one in STOP_SIGNALS}
        for one, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(one, self._on_signal)
        try:
            yield self
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Let what is inside finish; a request that comes meanwhile is raised at the next `check`."""
        self._deferring += 1
        try:
            yield
        finally:
            self._deferring -= 1

    def is_asked(self) -> bool:
        """Tell whether a signal has asked the work to stop."""
        return self._requested is not None

    def check(self) -> None:
        """Stop here if a signal has asked for it.

        Raises:
            StopRequested: it has. A callback of a C library may have swallowed the first raise, so the loops ask.
        """
        if self._requested is not None:
            self._raised_at = time.monotonic()
            raise StopRequested(self._requested)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._requested is None:
            self._requested = signal.Signals(number).name
        if not self._deferring and time.monotonic() - self._raised_at >= ASK_AGAIN_SECONDS:
            self.check()
