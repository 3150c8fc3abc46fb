"""What a launch is told besides the configuration: where, how fast, and who is listening."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from quantlab.base.clock import utc_now
from quantlab.runner.execute import ExecutionOptions
from quantlab.runner.strategy import Chosen, chosen_built_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from quantlab.domain.config import RunConfig
    from quantlab.domain.events import Succeeded
    from quantlab.trading.prices.files import Looked

CACHE_FOLDER = "prices_cache"


def _unnoted(_identity: str, _folder: Path) -> None:
    """Take no note of what began."""


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
        config: What was run.
    """

    identity: str
    folder: Path
    contract_type: str
    succeeded: Succeeded
    config: RunConfig


@dataclass(frozen=True, kw_only=True)
class LaunchOptions:
    """Flags that say how fast or where something runs, not what it computes.

    Attributes:
        outdir: Folder above `paper_sessions` and `runs`.
        ledger: URL of another ledger than the root's own.
        signal_file: Where signals are appended.
        pace: Seconds of wall time per bar.
        heartbeat_seconds: Least time between heartbeats while bars go by.
        charts: Draw pictures.
        page: Write the operators' page beside the index, where a session refreshes that.
        reproduce: Gives the command line that runs a configuration again, from what a folder keeps.
        strategy: Whose decisions are traded.
        looked: What a look at the user's price file gave, if one was taken to learn its ticker and range.
        watch: Told stage, bars done and expected.
        begun: Told the id and folder of what began, once there is such a thing.
        clock: Gives the time.
        sleep: Waits between paced bars.
    """

    outdir: Path
    reproduce: Callable[[RunConfig, Path], str]
    strategy: Chosen = field(default_factory=chosen_built_in)
    ledger: str | None = None
    request_id: str | None = None
    signal_file: Path | None = None
    pace: float = 0.0
    heartbeat_seconds: float = 30.0
    offline: bool = False
    save_price_plot: bool = False
    looked: Looked | None = None
    charts: bool = True
    page: bool = False
    watch: Callable[[str, int, int | None], None] = _unwatched
    begun: Callable[[str, Path], None] = _unnoted
    clock: Callable[[], datetime] = utc_now
    sleep: Callable[[float], None] = time.sleep

    def execution(self) -> ExecutionOptions:
        """Return the part that the work itself needs."""
        return ExecutionOptions(
            cache_folder=self.outdir / CACHE_FOLDER,
            offline=self.offline,
            pace=self.pace,
            save_price_plot=self.save_price_plot,
            strategy=self.strategy,
            looked=self.looked,
            charts=self.charts,
            sleep=self.sleep,
        )
