"""Markets that go on when a drill tells them: a file that grows, and a share on the loopback Yahoo."""

from __future__ import annotations

import random
from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from math import exp
from typing import TYPE_CHECKING, Protocol

from support.yahoo_server import bar_times, in_other_units_from

if TYPE_CHECKING:
    from pathlib import Path

    from support.yahoo_server import YahooServer


class Moving(Protocol):
    """A market that goes on when it is told.

    Attributes:
        words: What `run` is told of it.
        warmup: Bars that warm a session up: those of whole days, so that a replay can begin with a day.
        total: Bars that it will have shown after the warm-up.
        environment: What leads a program to it.
    """

    words: list[str]
    warmup: int
    total: int
    environment: dict[str, str]

    def show(self, bars: int) -> None:
        """Let so many bars after the warm-up have closed."""

    @property
    def now(self) -> float | None:
        """The time of whoever looks, in seconds since 1970; None for the present."""


class GrowingMarket:
    """Bars of an hour, round the clock from 2024 on, in a file that somebody appends to."""

    warmup = 5 * 24

    def __init__(self, folder: Path, total: int, seed: int) -> None:
        folder.mkdir(parents=True)
        self.file = folder / "market.csv"
        self.total = total
        self.environment: dict[str, str] = {}
        self.now: float | None = None
        self.words = ["--ticker", "DRILL", "--interval", "1h", "--prices", str(self.file)]
        self._rows = _walk(self.warmup + total, seed)
        self._shown = 0
        self.file.write_text("time,open,high,low,close,volume\n", encoding="utf-8")
        self.show(0)

    def show(self, bars: int) -> None:
        """Append what has closed since; what stands there is never touched."""
        upto = self.warmup + bars
        with self.file.open("a", encoding="utf-8") as handle:
            handle.writelines(self._rows[self._shown : upto])
        self._shown = max(self._shown, upto)


class LoopbackYahoo:
    """The bars of an hour of a share on the loopback Yahoo, which splits under way, across a change to summer time."""

    warmup = 18 * 7

    BEGINS = datetime(2024, 2, 1, tzinfo=UTC)
    FIRST = datetime(2024, 2, 28, tzinfo=UTC)
    """The first day that is followed; New York's clocks change on 2024-03-10."""
    SPLITS = datetime(2024, 3, 6, tzinfo=UTC)

    def __init__(self, yahoo: YahooServer, total: int) -> None:
        self._yahoo = yahoo
        self.total = total
        self.environment = yahoo.environment
        self.words = ["--ticker", "AAPL", "--interval", "1h", "--prices", "yahoo"]
        ends = (self.FIRST + timedelta(days=2 + 2 * total // 7)).timestamp()
        self._times = bar_times("AAPL", "1h", self.BEGINS.timestamp(), ends)
        self._first = bisect_left(self._times, self.FIRST.timestamp())
        yahoo.edit = in_other_units_from(self.SPLITS, 0.5, 2.0)
        self.show(0)

    @property
    def now(self) -> float | None:
        """The server's present."""
        return self._yahoo.now

    def show(self, bars: int) -> None:
        """Let time go by until so many bars have closed and settled."""
        self._yahoo.now = self._times[self._first + bars - 1] + timedelta(minutes=81).total_seconds()


def _walk(bars: int, seed: int) -> list[str]:
    made, price, rows = random.Random(seed), 100.0, []
    for hour in range(bars):
        opened = price * exp(made.gauss(0, 0.004))
        price = opened * exp(made.gauss(0.0, 0.02))
        high, low = max(opened, price) * 1.01, min(opened, price) * 0.99
        at = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=hour)
        rows.append(
            f"{at:%Y-%m-%dT%H:%MZ},{opened!r},{high!r},{low!r},{price!r},{made.randrange(1, 9_000)}\n"
        )
    return rows
