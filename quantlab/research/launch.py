"""What a launch is told besides the configuration: where, how fast, and who is listening."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quantlab.clock import utc_now
from quantlab.research.execution import ExecutionOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from quantlab.config import RunConfig
    from quantlab.events import Succeeded

CACHE_FOLDER = "prices_cache"


def _silent(_line: str) -> None:
    """Say nothing."""


def _unwatched(_stage: str, _done: int, _expected: int | None) -> None:
    """Watch nothing."""


@dataclass(frozen=True)
class Launched:
    """What a session or run that succeeded left.

    Attributes:
        identity: The session's or run's id.
        folder: Its folder.
        contract_type: `quantlab.paper.result` or `quantlab.run.result`.
        succeeded: Its figures and artifacts.
    """

    identity: str
    folder: Path
    contract_type: str
    succeeded: Succeeded


@dataclass(frozen=True, kw_only=True)
class LaunchOptions:
    """Flags that say how fast or where something runs, not what it computes.

    Attributes:
        outdir: Folder above `paper_sessions` and `runs`.
        ledger: URL of another ledger than the root's own.
        signal_file: Where signals are appended.
        pace: Seconds of wall time per bar.
        heartbeat_seconds: Least time between heartbeats while bars go by.
        reproduce: Gives the command line that runs a configuration again, from what a folder keeps.
        say: Told lines for people, on stderr: warnings, retries.
        watch: Told stage, bars done and expected.
        clock: Gives the time.
        sleep: Waits between paced bars.
    """

    outdir: Path
    reproduce: Callable[[RunConfig, Path], str]
    ledger: str | None = None
    request_id: str | None = None
    signal_file: Path | None = None
    pace: float = 0.0
    heartbeat_seconds: float = 30.0
    offline: bool = False
    save_price_plot: bool = False
    say: Callable[[str], None] = _silent
    watch: Callable[[str, int, int | None], None] = _unwatched
    clock: Callable[[], datetime] = utc_now
    sleep: Callable[[float], None] = time.sleep

    def execution(self) -> ExecutionOptions:
        """Return the part that the work itself needs."""
        return ExecutionOptions(
            cache_folder=self.outdir / CACHE_FOLDER,
            offline=self.offline,
            pace=self.pace,
            save_price_plot=self.save_price_plot,
            sleep=self.sleep,
        )
