"""What a person sees on stderr besides the answer: what the program's parts log, and how far the work has come.

Where stderr is no terminal nobody waits there: a mail of cron's or a log holds warnings and errors alone.
"""

from __future__ import annotations

import logging
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import click

from quantlab.base.levels import PROGRESS
from quantlab.cli.output import is_dumb, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

QUIET_SECONDS = 1.0
EVERY_SECONDS_IN_PLACE = 0.2
EVERY_SECONDS_IN_LINES = 10.0
"""On a terminal that can write no line over another."""


class Lines(logging.Handler):
    """The one handler: each record is a line on stderr; that of a warning begins with `WARNING: `.

    It stands at the logger `quantlab`, so that nothing which another library logs comes here.

    Attributes:
        quiet: Show no progress, on a terminal too.
    """

    def __init__(self) -> None:
        super().__init__(PROGRESS)
        self.quiet = False
        self._commands = 0
        self._level_before = logging.NOTSET
        self._open_line = False

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show what is logged within; commands that run beside each other in one process show each line once."""
        logger = logging.getLogger("quantlab")
        with self._alone():
            self._commands += 1
            if self._commands == 1:
                self.quiet, self._open_line, self._level_before = False, False, logger.level
                logger.setLevel(PROGRESS)
                logger.addHandler(self)
        try:
            yield
        finally:
            with self._alone():
                self._commands -= 1
                if self._commands == 0:
                    logger.removeHandler(self)
                    logger.setLevel(self._level_before)

    @property
    def is_watched(self) -> bool:
        """Whether a person waits at a terminal and wants to know how far it is."""
        return sys.stderr.isatty() and not self.quiet

    def emit(self, record: logging.LogRecord) -> None:
        """Print a line that has to be seen, such as a warning; a line of progress only to whoever watches."""
        if record.levelno < logging.INFO and not self.is_watched:
            return
        self.end_line()
        prefix = f"{record.levelname}: " if record.levelno >= logging.WARNING else ""
        _tell(printable(f"{prefix}{record.getMessage()}"))

    def write_over(self, line: str) -> None:
        """Show a line in the place of the one that was shown so last."""
        with self._alone():
            _tell(f"\r\x1b[K{line}", end=False)
            self._open_line = True

    def end_line(self) -> None:
        """End the line that is being written over, if there is one."""
        with self._alone():
            if self._open_line:
                _tell("")
                self._open_line = False

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other threads out: some log while they wait for a ledger or for prices."""
        self.acquire()
        try:
            yield
        finally:
            self.release()


LINES = Lines()


class Progress:
    """How far one piece of work has come; on a terminal the line is written over.

    Args:
        quiet: Tell warnings alone, on a terminal too.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._begun = time.monotonic()
        self._last = 0.0
        LINES.quiet = quiet
        self._in_place = not is_dumb()

    def watch(self, stage: str, done: int, expected: int | None) -> None:
        """Show how far the work has come, not too often, and not at all while it is short."""
        if not LINES.is_watched:
            return
        now = time.monotonic()
        every = EVERY_SECONDS_IN_PLACE if self._in_place else EVERY_SECONDS_IN_LINES
        if now - self._begun < QUIET_SECONDS or now - self._last < every:
            return
        self._last = now
        line = (
            f"{stage.replace('_', ' ')}: {done:,} of {expected:,} bars"
            if expected
            else stage.replace("_", " ")
        )
        if self._in_place:
            LINES.write_over(line)
        else:
            _tell(line)

    def status(self, line: str) -> None:
        """Show how something stands that goes on for long: one line, on a terminal alone."""
        if LINES.is_watched and self._in_place:
            import shutil  # 2 ms, which no question has to pay

            LINES.write_over(_within(printable(line), shutil.get_terminal_size().columns))

    def close(self) -> None:
        """End the line that is being written over, if there is one."""
        LINES.end_line()


def _within(line: str, width: int) -> str:
    """Cut a line that would fill the terminal's: one that goes on below it can't be written over."""
    return line if len(line) < width else f"{line[: max(0, width - 4)]}..."


def _tell(text: str, *, end: bool = True) -> None:
    """Write to stderr; where that takes nothing (a full disk, a reader that is gone), the work goes on all the same."""
    with suppress(OSError):
        click.echo(text, err=True, nl=end)
