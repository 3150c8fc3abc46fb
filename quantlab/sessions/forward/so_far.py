"""What a forward session that goes on has come to as of its last bar: proved, and reported."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from quantlab.base.clock import utc_now
from quantlab.base.errors import DataError, QuantlabError, StrategyError
from quantlab.domain.events import Proved, Started
from quantlab.domain.names import CONFIG, PRICES, RUN_REPORT
from quantlab.exports import bundle
from quantlab.folders.kept import header_of, require_own_code
from quantlab.runner.strategy import KeptCodeError, Standing
from quantlab.sessions.forward.evaluate import DiffersError, evaluate
from quantlab.sessions.forward.remembering import remember
from quantlab.sessions.forward.strategy import kept_strategy

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from quantlab.domain.events import Recorded
    from quantlab.domain.session import Session
    from quantlab.sessions.forward.evaluate import Evaluated
    from quantlab.sessions.forward.memory import Memory


def follows_still(session: Session, recorded: Sequence[Recorded]) -> bool:
    """Tell a forward session that has not ended, from its row and its events."""
    started = recorded[0].event
    return not session.ended and isinstance(started, Started) and started.forward is not None


def prove_so_far(recorded: Sequence[Recorded], folder: Path, *, run_kept_code: bool = False) -> Proved:
    """Replay what a session saw up to now, and hold fills and account, bar by bar, to what it recorded.

    Raises:
        ConfigError: its strategy's code came from another machine.
        QuantlabError: it saw no bar since it began.
    """
    memory = remember(recorded[0].session_id, recorded)
    try:
        done = _evaluated(memory, folder, run_kept_code=run_kept_code)
    except DiffersError as error:
        return Proved(outcome="different", detail=f"{_as_of(memory)}: {error.difference}")
    except KeptCodeError as error:
        return Proved(outcome="different", detail=str(error))
    except (DataError, StrategyError) as error:
        return Proved(outcome="impossible", detail=str(error))
    seen = f"{memory.totals.forward_bars} bars and {len(memory.fills)} fills"
    return Proved(
        outcome="identical",
        detail=f"{_as_of(memory)}: {seen}, equal to the last digit",
        result_digest=done.outcome.result_digest,
    )


def report_so_far(recorded: Sequence[Recorded], folder: Path, *, run_kept_code: bool = False) -> Path:
    """Write the report of a session that goes on, as of its last bar, with the tables and the chart that it links to.

    When the session ends, its own files take their place.

    Returns:
        The path of run_report.md.

    Raises:
        ConfigError: its strategy's code came from another machine.
        QuantlabError: it saw no bar since it began, or a replay is not what was recorded.
        DataError, StrategyError: its strategy is gone, or fails on what it saw.
    """
    memory = remember(recorded[0].session_id, recorded)
    done = _evaluated(memory, folder, run_kept_code=run_kept_code)
    header = header_of(memory.session_id, memory.began_at, memory.started)
    shown = (CONFIG, *(name for name in header.artifacts if name.startswith(("artifacts/", "trades"))))
    header = replace(header, artifacts=shown, as_of=_closed_at(memory))
    files = bundle.result_files(done.outcome, header, save_price_plot=False)
    bundle.write_files(folder, {PRICES: done.prices_csv, **files})
    return folder / RUN_REPORT


def _evaluated(memory: Memory, folder: Path, *, run_kept_code: bool) -> Evaluated:
    require_own_code(
        memory.session_id,
        memory.started.config,
        memory.started.strategy,
        str(memory.driver["host"]),
        run_kept_code=run_kept_code,
    )
    with kept_strategy(folder, memory) as chosen:
        return evaluate(memory, Standing(chosen, _go_on), now=utc_now())


def _closed_at(memory: Memory) -> str:
    if memory.last_bar is None:
        raise QuantlabError(f"Session {memory.session_id} has seen no bar since it began.")
    return memory.last_bar.closed_at


def _as_of(memory: Memory) -> str:
    return f"as of {_closed_at(memory)}"


def _go_on() -> None:
    """Do nothing between two looks."""
