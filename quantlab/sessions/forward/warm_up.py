"""Warm a forward session up: on what has closed already, kept in the ledger before anything is decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quantlab.base.clock import iso
from quantlab.base.errors import ConfigError, DataError
from quantlab.base.remedies import Setting
from quantlab.domain.events import Heartbeat
from quantlab.exports import bundle
from quantlab.ledger import known
from quantlab.sessions.forward.memory import after_warm_up
from quantlab.sessions.forward.packing import packed
from quantlab.sessions.forward.turn import aware, hours_at, moment, rules_of, schedule_at
from quantlab.trading.forward.revisions import bars_of
from quantlab.trading.forward.turn import closed, due_at
from quantlab.trading.prices import table
from quantlab.trading.prices.asked import select
from quantlab.trading.prices.coverage import check_spacing
from quantlab.trading.quality import assess

if TYPE_CHECKING:
    from quantlab.runner.strategy import Chosen
    from quantlab.sessions.forward.driver import Driver
    from quantlab.trading.market import Prices
    from quantlab.trading.prices.live import LiveSource


def require_enough_warm_up(warmup: int, chosen: Chosen) -> None:
    """Refuse a warm-up that is shorter than the strategy demands.

    Raises:
        ConfigError: it is.
    """
    least = max(1, chosen.min_bars, chosen.fewest_bars)
    if chosen.source.kind == "signals":
        raise ConfigError(
            "signals: a file of decisions can't be followed; expected ",
            Setting("strategy"),
            ", which decides on new bars.",
        )
    if warmup < least:
        raise ConfigError(
            f"warmup: {warmup} bars are fewer than {chosen.source.name} needs before it decides; expected ",
            Setting("warmup"),
            f" {least} or more.",
        )


def warm_up(driver: Driver, source: LiveSource, chosen: Chosen) -> None:
    """Keep the last bars that closed before the session began; on none of them is anything traded.

    Raises:
        SourceTroubleError: the market can't be asked just now.
        DataError: it has too few bars.
        StrategyError: the strategy fails on them, or knows the future.
    """
    memory = driver.memory
    _beat(driver, "warming_up")
    prices = _history(driver, source)
    chosen.decider(prices, memory.config, between=lambda: None)
    quality = assess(prices, interval=memory.config.interval, ticker=memory.config.ticker)
    content = table.to_csv(prices)
    facts = known.with_provenance(
        driver.store, bundle.data_facts(memory.config, prices, quality, table.data_hash(content))
    )
    rules = rules_of(memory)
    schedule = schedule_at(memory, prices, hours_at(memory, prices.times[-1]), prices.origin.detail)
    beat = Heartbeat(
        stage="warmed_up",
        bars_done=0,
        bars_expected=memory.terms.bars,
        data=facts,
        driver=driver.identity,
        next_due=iso(aware(due_at(schedule, prices.times[-1], rules))),
        tape=packed(prices),
    )
    driver.record(beat)
    memory.first_due = beat.next_due
    bars = list(bars_of(prices))
    memory.warm_up(bars, after_warm_up(memory.config, bars))


def _history(driver: Driver, source: LiveSource) -> Prices:
    """Return the last bars that have closed, as many as the warm-up has."""
    memory, present = driver.memory, driver.clock()
    answer = source.history(memory.terms.warmup, present)
    check_spacing(answer.prices, ticker=memory.config.ticker, interval=memory.config.interval)
    done = closed(answer, rules_of(memory), moment(present))
    there = int(done.sum())
    if there < memory.terms.warmup:
        raise DataError(
            f"{memory.config.ticker}: {there} bars have closed, and ",
            Setting("warmup", memory.terms.warmup),
            " needs as many; expected more history. Give a smaller ",
            Setting("warmup"),
            ", or a source that goes back further.",
        )
    last = np.flatnonzero(done)[-memory.terms.warmup :]
    return select(answer.prices, np.isin(np.arange(len(done)), last))


def _beat(driver: Driver, stage: str) -> None:
    driver.record(
        Heartbeat(stage=stage, bars_done=0, bars_expected=driver.memory.terms.bars, driver=driver.identity)
    )
