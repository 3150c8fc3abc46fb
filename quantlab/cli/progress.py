"""What a person sees on stderr while work goes on: nothing for a second, then how far it has come."""

from __future__ import annotations

import logging
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import click

from quantlab.cli.output import is_dumb
from quantlab.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

QUIET_SECONDS = 1.0
EVERY_SECONDS_ON_A_TERMINAL = 0.2
EVERY_SECONDS_ELSEWHERE = 10.0


class Progress:
    """Lines for people on stderr; on a terminal the last one is written over."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._last = 0.0
        self._open_line = False
        self._live = sys.stderr.isatty() and not is_dumb()

    def say(self, line: str) -> None:
        """Print a line that has to be seen, such as a warning."""
        self.close()
        _tell(printable(line))

    def watch(self, stage: str, done: int, expected: int | None) -> None:
        """Show how far the work has come, not too often, and not at all while it is short."""
        now = time.monotonic()
        every = EVERY_SECONDS_ON_A_TERMINAL if self._live else EVERY_SECONDS_ELSEWHERE
        if now - self._begun < QUIET_SECONDS or now - self._last < every:
            return
        self._last = now
        line = (
            f"{stage.replace('_', ' ')}: {done:,} of {expected:,} bars"
            if expected
            else stage.replace("_", " ")
        )
        if self._live:
            _tell(f"\r\x1b[K{line}", end=False)
            self._open_line = True
        else:
            _tell(line)

    @contextmanager
    def hearing(self) -> Iterator[None]:
        """Say within what the program's parts log as warnings; the line of progress ends first."""
        logger, handler = logging.getLogger("quantlab"), _Handler(self.say)
        logger.addHandler(handler)
        try:
            yield
        finally:
            logger.removeHandler(handler)
            self.close()

    def close(self) -> None:
        """End the line that is being written over, if there is one."""
        if self._open_line:
            _tell("")
            self._open_line = False


def _tell(text: str, *, end: bool = True) -> None:
    """Write to stderr; where that takes nothing (a full disk, a reader that is gone), the work goes on all the same."""
    with suppress(OSError):
        click.echo(text, err=True, nl=end)


class _Handler(logging.Handler):
    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        self._say(f"{record.levelname}: {record.getMessage()}")
