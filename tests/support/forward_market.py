"""A market that grows bar by bar in a file, and a session that follows it in this process with a clock of its own."""

from __future__ import annotations

import random
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import exp
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np

from quantlab.domain.config import validated
from quantlab.domain.forward import ForwardTerms
from quantlab.folders.roots import open_root_store
from quantlab.ledger.location import locate
from quantlab.runner.options import LaunchOptions
from quantlab.sessions.forward import begin as begin_module
from quantlab.sessions.forward import resume as resume_module
from quantlab.sessions.forward.begin import begin
from quantlab.sessions.forward.drive import Driven, DriveOptions
from quantlab.sessions.forward.resume import resume
from quantlab.trading.forward.turn import SourceAnswer
from quantlab.trading.market import Origin, Prices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from quantlab.sessions.forward.follow import Follower

HEADER = "time,open,high,low,close,volume"
BEGAN = datetime(2024, 1, 1, tzinfo=UTC)
WARMUP = 120
IN_MEMORY = Origin(source="file", detail="in memory", adjusted=None, retrieved_at="2024-01-01T00:00:00+00:00")


@dataclass
class Market:
    """Bars from 2024 on, daily unless told, of which a file shows those that have closed by the clock.

    Attributes:
        file: The growing file.
        length: How long a bar takes.
        now: The time of whoever looks.
        rows: One row a bar, as the file would hold it.
    """

    file: Path
    bars: int = 400
    seed: int = 1
    length: timedelta = timedelta(days=1)
    now: datetime = BEGAN
    rows: list[tuple[datetime, float, float, float, float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        made, price = random.Random(self.seed), 100.0
        for index in range(self.bars):
            opened = price * exp(made.gauss(0, 0.004))
            price = opened * exp(made.gauss(0.0, 0.03))
            high, low = max(opened, price) * 1.01, min(opened, price) * 0.99
            self.rows.append(
                (BEGAN + index * self.length, opened, high, low, price, float(made.randrange(1, 9_000)))
            )
        self.to(WARMUP)

    def to(self, bars: int) -> None:
        """Let time pass until so many bars have closed, and show them."""
        self.now = BEGAN + bars * self.length + timedelta(minutes=1)
        self.show(self.rows[:bars])

    def show(self, rows: list[tuple[Any, ...]]) -> None:
        """Write the file anew."""
        form = "%Y-%m-%d" if self.length >= timedelta(days=1) else "%Y-%m-%dT%H:%M:%SZ"
        lines = [",".join([f"{at:{form}}", *map(repr, values)]) for at, *values in rows]
        self.file.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")

    def clock(self) -> datetime:
        """Tell the time, a microsecond later each time that it is asked."""
        self.now += timedelta(microseconds=1)
        return self.now


def settings(market: Market, **changes: Any) -> dict[str, Any]:
    """Return the configuration of a session on this market."""
    values = {
        "ticker": "TEST", "start": "2024-04-30", "end": "2262-01-01", "paper": True, "prices": str(market.file),
        "warmup": WARMUP,
    }  # fmt: skip
    return {**values, **changes}


def begun(
    market: Market, outdir: Path, *, bars: int | None = None, until: str | None = None, **changes: Any
) -> Driven:
    """Begin a session and take one turn."""
    config = validated(settings(market, **changes))
    terms = ForwardTerms(
        warmup=config.warmup, source=config.prices, settle=0.0, patience=86_400.0, bars=bars, until=until
    )
    options = LaunchOptions(outdir=outdir, reproduce=lambda *_: "quantlab", clock=market.clock)
    return begin(config, terms, options, DriveOptions(clock=market.clock), one_turn=True)


def stepped(
    market: Market,
    folder: Path,
    *,
    one_turn: bool = True,
    finish_now: str | None = None,
    sleep: Callable[[float], None] = time.sleep,
    signal_file: Path | None = None,
    tell: Callable[[Follower], None] = lambda _follower: None,
) -> Driven:
    """Take the session up again: for one turn unless told otherwise."""
    drive = DriveOptions(clock=market.clock, sleep=sleep, signal_file=signal_file, tell=tell)
    with open_root_store(locate(folder.parent, None), now=market.now) as store:
        return resume(store, folder, folder.name, drive, one_turn=one_turn, finish_now=finish_now)


class InMemory:
    """The market as a source that is asked without a file: what is measured or tried is the following itself."""

    settle = 0.0

    def __init__(self, market: Market) -> None:
        self._length = np.timedelta64(market.length)
        self._times = np.array([at.replace(tzinfo=None) for at, *_ in market.rows], dtype="M8[ns]")
        self._columns = np.array([values for _, *values in market.rows]).T.copy()

    def closed_bars(self, since: np.datetime64, now: datetime) -> SourceAnswer:
        """Return the bars from a time on that have closed."""
        last_opened = np.datetime64(now.replace(tzinfo=None), "ns") - self._length
        first, end = np.searchsorted(self._times, since), np.searchsorted(self._times, last_opened, "right")
        names = ("open", "high", "low", "close", "volume")
        columns = {name: column[first:end] for name, column in zip(names, self._columns, strict=True)}
        return SourceAnswer(prices=Prices(times=self._times[first:end], origin=IN_MEMORY, **columns))

    def history(self, bars: int, now: datetime) -> SourceAnswer:
        """Return every bar that has closed."""
        return self.closed_bars(self._times[0], now)


@contextmanager
def asked_in_memory(market: Market) -> Iterator[None]:
    """Let sessions that are begun or taken up meanwhile ask the market's rows in memory, not its file."""
    source = InMemory(market)
    with ExitStack() as stack:
        for room in (begin_module, resume_module):
            stack.enter_context(patch.object(room, "open_live", lambda _config: source))
        yield
