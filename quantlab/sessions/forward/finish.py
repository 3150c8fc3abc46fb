"""Finish a forward session: evaluate its tape, write its result files and record that it succeeded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from quantlab.base.clock import iso
from quantlab.base.files import write_whole
from quantlab.domain.events import OPERATOR, SESSION, Heartbeat, Succeeded
from quantlab.domain.names import KEPT_STRATEGY, PRICES
from quantlab.exports import bundle
from quantlab.exports.report_judged import at_its_end
from quantlab.folders.kept import header_of
from quantlab.ledger import judging, known
from quantlab.runner.execute import succeeded
from quantlab.sessions.forward.evaluate import evaluate
from quantlab.trading.reasons import most_first

if TYPE_CHECKING:
    from pathlib import Path

    from quantlab.sessions.forward.driver import Driver
    from quantlab.trading.tape import Decider


_REPAINTED = "The strategy was seen to change its mind about a bar; what it decided may know the future."


def finish(driver: Driver, strategy: Decider, *, reason: str | None = None) -> Succeeded:
    """Evaluate the session, write its result files and record that it succeeded.

    Args:
        driver: Holds the session.
        strategy: What decided.
        reason: Why an operator finished it; None where it came to its own end.

    Raises:
        QuantlabError: as `evaluate`, or a file can't be written.
        FencedError: another driver has gone on with the session.
    """
    memory = driver.memory
    done = evaluate(memory, strategy, now=driver.clock())
    bars = memory.totals.forward_bars
    session = driver.record(
        Heartbeat(
            stage="simulated",
            bars_done=bars,
            bars_expected=bars,
            data=known.with_provenance(driver.store, done.facts),
            driver=driver.identity,
        )
    )
    write_whole(driver.folder / PRICES, done.prices_csv)
    event = succeeded(done.outcome, most_first(memory.reasons))
    if memory.repainted:
        event = msgspec.structs.replace(event, repainted=True, warnings=[*event.warnings, _REPAINTED])
    now = driver.clock()
    verdict = judging.verdict(driver.store, event.apply(session, iso(now)), now=now)
    header = header_of(memory.session_id, memory.began_at, memory.started)
    files = bundle.result_files(
        done.outcome, at_its_end(header, event.reasons, verdict), save_price_plot=False
    )
    bundle.write_files(driver.folder, files)
    written = {PRICES: done.prices_csv, **files}
    artifacts = bundle.artifact_facts(driver.folder, written, _kept(driver.folder))
    event = msgspec.structs.replace(event, verdict=verdict, artifacts=artifacts)
    if reason is not None:
        event = msgspec.structs.replace(
            event, warnings=[*event.warnings, f"Finished by an operator: {reason}"]
        )
    driver.record(event, actor=SESSION if reason is None else OPERATOR)
    driver.files_written()
    return event


def _kept(folder: Path) -> list[str]:
    place = folder / KEPT_STRATEGY
    return [one.relative_to(folder).as_posix() for one in sorted(place.rglob("*")) if one.is_file()]
