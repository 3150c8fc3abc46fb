"""What a person sees on stderr while work goes on: nothing for a second, then how far it has come."""

from __future__ import annotations

import sys
import time

import click

from quantlab.text import printable

QUIET_SECONDS = 1.0
EVERY_SECONDS_ON_A_TERMINAL = 0.2
EVERY_SECONDS_ELSEWHERE = 10.0


class Progress:
    """Lines for people on stderr; on a terminal the last one is written over."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._last = 0.0
        self._open_line = False
        self._live = sys.stderr.isatty()

    def say(self, line: str) -> None:
        """Print a line that has to be seen, such as a warning."""
        self.close()
        click.echo(printable(line), err=True)

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
            click.echo(f"\r\x1b[K{line}", err=True, nl=False)
            self._open_line = True
        else:
            click.echo(line, err=True)

    def close(self) -> None:
        """End the line that is being written over, if there is one."""
        if self._open_line:
            click.echo("", err=True)
            self._open_line = False
