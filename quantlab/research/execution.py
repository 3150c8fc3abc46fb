"""The work itself, the same for a paper session and a research run: prices, simulation, figures, files."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from quantlab.events import Succeeded
from quantlab.exports import bundle
from quantlab.exports.files import write_whole
from quantlab.exports.names import PRICES
from quantlab.trading import metrics, outcome
from quantlab.trading.prices import load_prices, table
from quantlab.trading.simulation import Replay

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from quantlab.config import RunConfig
    from quantlab.exports.report import ReportHeader
    from quantlab.trading.results import Outcome

CHUNK_BARS = 100_000
"""Bars that go by between two looks at the clock; some hundredths of a second."""


class Monitor(Protocol):
    """Who is told how far the work has come, and may stop it by raising."""

    def reach(
        self, stage: str, *, done: int, expected: int | None, data: dict[str, Any] | None = None
    ) -> None:
        """Take note of a stage."""

    def progress(self, *, done: int, expected: int) -> None:
        """Take note of bars that went by."""


@dataclass(frozen=True, kw_only=True)
class ExecutionOptions:
    """How fast and where, not what: nothing here changes a result.

    Attributes:
        cache_folder: Where downloaded prices are kept; None keeps none.
        offline: Use nothing but what is on this machine.
        pace: Seconds of wall time per bar.
        save_price_plot: Also draw price with signals and fills.
        sleep: Waits between paced bars.
    """

    cache_folder: Path | None
    offline: bool = False
    pace: float = 0.0
    save_price_plot: bool = False
    sleep: Callable[[float], None] = time.sleep


def execute(
    config: RunConfig,
    folder: Path,
    header: ReportHeader,
    options: ExecutionOptions,
    monitor: Monitor,
    *,
    now: datetime,
    say: Callable[[str], None],
) -> Succeeded:
    """Do the work and write its result files; returns what a success says.

    Raises:
        DataError: prices are missing or unusable.
        StrategyError: the strategy failed.
        QuantlabError: a file can't be written.
    """
    prices, quality = load_prices(
        config, now=now, cache_folder=options.cache_folder, offline=options.offline, say=say
    )
    prices_csv = table.to_csv(prices)
    data_hash = table.data_hash(prices_csv)
    write_whole(folder / PRICES, prices_csv)
    facts = bundle.data_facts(config, prices, quality, data_hash)
    monitor.reach("prices_loaded", done=0, expected=len(prices), data=facts)
    replay = Replay(prices, config)
    _let_bars_go_by(replay, len(prices), options, monitor)
    simulation = replay.result()
    monitor.reach("simulated", done=len(prices), expected=len(prices))
    result = outcome.evaluate(config, prices, quality, simulation, data_hash)
    files = bundle.result_files(result, header, save_price_plot=options.save_price_plot)
    bundle.write_files(folder, files)
    monitor.reach("reported", done=len(prices), expected=len(prices))
    return succeeded(result, bundle.artifact_facts(folder, bundle.listed_names(files)))


def succeeded(result: Outcome, artifacts: list[dict[str, Any]]) -> Succeeded:
    """Return what an outcome says as the end of a session."""
    return Succeeded(
        summary=metrics.summary(result.figures),
        best_result=metrics.best_result(result.figures),
        figures=asdict(result.figures),
        result_digest=result.result_digest,
        bars=len(result.prices),
        artifacts=artifacts,
        warnings=list(result.warnings),
    )


def _let_bars_go_by(replay: Replay, bars: int, options: ExecutionOptions, monitor: Monitor) -> None:
    chunk = 1 if options.pace > 0 else CHUNK_BARS
    while replay.bars_done < bars:
        replay.advance(replay.bars_done + chunk)
        monitor.progress(done=replay.bars_done, expected=bars)
        if options.pace > 0 and replay.bars_done < bars:
            options.sleep(options.pace)
