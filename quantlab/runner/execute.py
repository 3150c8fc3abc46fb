"""How anything runs, a paper session or a research run: begin, work (prices, simulation, figures, files), end, signals.

An observer decides what is kept of it: one records events in a ledger, another writes metadata into a plain folder.
"""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Protocol

import msgspec

from quantlab.base.errors import LedgerGoneError, QuantlabError, SessionAbortedError
from quantlab.base.files import write_whole
from quantlab.domain.events import Succeeded
from quantlab.domain.names import PRICES, REPORT
from quantlab.exports import bundle
from quantlab.exports.report_judged import at_its_end
from quantlab.runner.ids import remove_empty
from quantlab.runner.signals import COMPLETED, FAILED, STARTED
from quantlab.runner.stopping import StopRequested
from quantlab.runner.strategy import Chosen, chosen_built_in, keep
from quantlab.trading import metrics, outcome
from quantlab.trading.intervals import time_text
from quantlab.trading.prices import table
from quantlab.trading.prices.loading import load_prices
from quantlab.trading.reasons_at_once import counted_reasons
from quantlab.trading.simulation import Replay

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from quantlab.base.values import JsonObject
    from quantlab.domain.config import RunConfig
    from quantlab.exports.report import ReportHeader
    from quantlab.runner.options import LaunchOptions
    from quantlab.runner.signals import SignalFile
    from quantlab.runner.stopping import StopGate
    from quantlab.trading.market import Prices
    from quantlab.trading.prices.files import Looked
    from quantlab.trading.results import Outcome
    from quantlab.trading.tape import Decider

logger = logging.getLogger(__name__)

CHUNK_BARS = 100_000
"""Bars that go by between two looks at the clock; some hundredths of a second."""


class Monitor(Protocol):
    """Who is told how far the work has come, and may stop it by raising."""

    def reach(self, stage: str, *, done: int, expected: int | None, data: JsonObject | None = None) -> None:
        """Take note of a stage."""

    def progress(self, *, done: int, expected: int) -> None:
        """Take note of bars that went by."""

    def judge(self, result: Succeeded) -> JsonObject | None:
        """Return what promotion would say if it ended so now; None where nobody judges."""


class Observer(Protocol):
    """What is kept of an execution, and where.

    Attributes:
        folder: Its folder, whose name is its id.
    """

    folder: Path

    @property
    def has_begun(self) -> bool:
        """Whether there is anything to end."""

    @property
    def monitor(self) -> Monitor:
        """Who is told how far the work has come."""

    def begin(self) -> ReportHeader:
        """Keep that it begins; returns what its report says about it."""

    def succeed(self, result: Succeeded) -> JsonObject:
        """Keep that it succeeded; returns what the signal of it adds."""

    def end(self, error: BaseException) -> BaseException:
        """Keep how it ended otherwise; returns what its user is told, also where that could not be kept."""


def see_through(
    config: RunConfig, options: LaunchOptions, observer: Observer, gate: StopGate, signals: SignalFile
) -> Succeeded:
    """Take an execution from its beginning to its end, whichever that is.

    Raises:
        DataError, StrategyError, SessionAbortedError: after the observer has kept it.
        QuantlabError: it could not begin, or not be kept; the message says how it stands.
    """
    folder = observer.folder
    where = {"run_id": folder.name, "artifacts_path": str(folder.absolute())}
    try:
        header = observer.begin()
        options.begun(folder.name, folder)
        signals.emit(STARTED, at=options.clock(), **where)
        gate.check()
        result = execute(
            config,
            folder,
            header,
            options.execution(),
            observer.monitor,
            now=options.clock(),
        )
        # From here on a signal comes too late: the work is done, and what is kept is that it succeeded.
        with gate.deferred():
            more = observer.succeed(result)
            signals.emit(
                COMPLETED,
                at=options.clock(),
                **where,
                report_path=str((folder / REPORT).absolute()),
                summary=result.summary,
                **more,
            )
    except BaseException as error:
        with gate.deferred():
            if not observer.has_begun and not isinstance(error, LedgerGoneError):
                remove_empty(folder)
                tell_refused(signals, error, options)
                raise
            told = observer.end(error)
            code = told.exit_code if isinstance(told, QuantlabError) else 1
            signals.emit(
                FAILED,
                at=options.clock(),
                exit_code=code,
                error_type=type(told).__name__,
                message=message_of(told),
                **where,
            )
            if told is error:
                raise
            raise told from error
    return result


def tell_refused(signals: SignalFile, error: BaseException, options: LaunchOptions) -> None:
    """Signal that nothing began."""
    if isinstance(error, StopRequested):
        error = SessionAbortedError(f"Stopped by {error.name} before the session began.")
    if isinstance(error, QuantlabError):
        signals.refused(error, at=options.clock())


def message_of(error: BaseException) -> str:
    """Return what an exception says; its name where it says nothing."""
    return str(error) or type(error).__name__


@dataclass(frozen=True, kw_only=True)
class ExecutionOptions:
    """How fast and where, not what: nothing here changes a result.

    Attributes:
        cache_folder: Where downloaded prices are kept; None keeps none.
        offline: Use nothing but what is on this machine.
        pace: Seconds of wall time per bar.
        save_price_plot: Also draw price with signals and fills.
        strategy: Whose decisions are traded.
        looked: What a look at the user's price file gave, if one was taken.
        charts: Draw pictures at all.
        sleep: Waits between paced bars.
    """

    cache_folder: Path | None
    offline: bool = False
    pace: float = 0.0
    save_price_plot: bool = False
    strategy: Chosen = field(default_factory=chosen_built_in)
    looked: Looked | None = None
    charts: bool = True
    sleep: Callable[[float], None] = time.sleep


def execute(
    config: RunConfig,
    folder: Path,
    header: ReportHeader,
    options: ExecutionOptions,
    monitor: Monitor,
    *,
    now: datetime,
) -> Succeeded:
    """Do the work and write its result files; returns what a success says.

    Raises:
        DataError: prices are missing or unusable.
        StrategyError: the strategy failed, or knows the future.
        QuantlabError: a file can't be written.
    """
    kept = keep(folder, options.strategy)
    prices, quality = load_prices(
        config,
        now=now,
        cache_folder=options.cache_folder,
        offline=options.offline,
        told=True,
        looked=options.looked,
        loaded_by=header.run_id,
    )
    prices_csv = table.to_csv(prices)
    data_hash = table.data_hash(prices_csv)
    write_whole(folder / PRICES, prices_csv)
    facts = bundle.data_facts(config, prices, quality, data_hash)
    monitor.reach("prices_loaded", done=0, expected=len(prices), data=facts)
    decider = options.strategy.decider(
        prices, config, between=lambda: monitor.progress(done=0, expected=len(prices))
    )
    if options.strategy.source.kind == "signals":
        _tell_idle_signals(decider, prices, config)
    replay = Replay(prices, config, strategy=decider)
    _let_bars_go_by(replay, len(prices), options, monitor)
    simulation = replay.result()
    monitor.reach("simulated", done=len(prices), expected=len(prices))
    result = outcome.evaluate(config, prices, quality, simulation, data_hash)
    reasons = counted_reasons(replay.tape, simulation, void=options.strategy.min_bars)
    end = succeeded(result, reasons)
    end = msgspec.structs.replace(end, verdict=monitor.judge(end))
    header = at_its_end(header, end.reasons, end.verdict)
    files = bundle.result_files(
        result, header, save_price_plot=options.save_price_plot, charts=options.charts
    )
    bundle.write_files(folder, files)
    monitor.reach("reported", done=len(prices), expected=len(prices))
    artifacts = bundle.artifact_facts(folder, {PRICES: prices_csv, **files}, kept)
    return msgspec.structs.replace(end, artifacts=artifacts)


def _tell_idle_signals(decider: Decider, prices: Prices, config: RunConfig) -> None:
    """Warn where another tool's signals buy on no bar at all: their times may be of another year or unit."""
    if decider.signals(prices, config).enter.any():
        return
    first, last = (time_text(prices.times[at]) for at in (0, -1))
    logger.warning(
        "%s enters on none of the bars, %s to %s, so nothing is traded; hold its times against theirs.",
        config.strategy,
        first,
        last,
    )


def succeeded(result: Outcome, reasons: dict[str, int]) -> Succeeded:
    """Return what an outcome says as the end of a session, but for its files and the verdict on it."""
    return Succeeded(
        summary=metrics.summary(result.figures),
        best_result=metrics.best_result(result.figures),
        figures=asdict(result.figures),
        result_digest=result.result_digest,
        bars=len(result.prices),
        artifacts=[],
        warnings=list(result.warnings),
        reasons=reasons,
    )


def _let_bars_go_by(replay: Replay, bars: int, options: ExecutionOptions, monitor: Monitor) -> None:
    chunk = 1 if options.pace > 0 else CHUNK_BARS
    while replay.bars_done < bars:
        replay.advance(replay.bars_done + chunk)
        monitor.progress(done=replay.bars_done, expected=bars)
        if options.pace > 0 and replay.bars_done < bars:
            options.sleep(options.pace)
