"""Time whole processes in turn, so that a machine's changing speed falls on both sides of a ratio alike."""

from __future__ import annotations

import os
import platform
import resource
import sqlite3
import statistics
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RUNS = 15


@dataclass(frozen=True)
class Row:
    """One line of a table of results.

    Attributes:
        what: What was measured.
        against: The baseline, measured in the same run.
        ratio: Median of the pairwise ratios.
        bar: What the ratio must not be above (below, where `higher_is_better`).
        further: What it would ideally be.
        detail: The absolute figures behind it.
    """

    what: str
    against: str
    ratio: float
    bar: float | None
    further: float | None = None
    detail: str = ""
    higher_is_better: bool = False

    def verdict(self) -> str:
        """Say whether the bar was met."""
        if self.bar is None:
            return ""
        met = self.ratio >= self.bar if self.higher_is_better else self.ratio <= self.bar
        if not met:
            return "MISSED"
        if self.further is None:
            return "met"
        beyond = self.ratio >= self.further if self.higher_is_better else self.ratio <= self.further
        return "met, further too" if beyond else "met"


def in_turn(
    first: Callable[[], object], second: Callable[[], object], runs: int = RUNS
) -> tuple[float, float, float]:
    """Run two things alternately; returns the medians in seconds and the median of the pairwise ratios."""
    return clocked_in_turn(first, second, [time.perf_counter], runs)[0]


def clocked_in_turn(
    first: Callable[[], object],
    second: Callable[[], object],
    clocks: Sequence[Callable[[], float]],
    runs: int = RUNS,
) -> list[tuple[float, float, float]]:
    """Run two things alternately by several clocks; returns for each what `in_turn` does."""
    first(), second()  # warm caches, not counted
    turns = [(_clocked(first, clocks), _clocked(second, clocks)) for _ in range(runs)]
    found = []
    for at in range(len(clocks)):
        pairs = [(one[at], other[at]) for one, other in turns]
        ones, others = (statistics.median(times) for times in zip(*pairs, strict=True))
        found.append((ones, others, statistics.median(one / other for one, other in pairs)))
    return found


def processor_of_children() -> float:
    """Return the processor time, in seconds, of all processes that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def processes_in_turn(
    first: Sequence[str], second: Sequence[str], runs: int = RUNS
) -> tuple[float, float, float]:
    """Run two command lines alternately, as `in_turn`; both must succeed."""
    return in_turn(lambda: run(first), lambda: run(second), runs)


def print_table(title: str, rows: Sequence[Row]) -> None:
    """Print results as a Markdown table."""
    print(
        f"### {title}\n\nPython {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} cores\n"
    )
    print("| what | against | ratio | bar | further | verdict | figures |")
    print("| --- | --- | ---: | ---: | ---: | --- | --- |")
    for row in rows:
        sign = ">=" if row.higher_is_better else "<="
        bars = [f"{sign} {one:g}" if one is not None else "" for one in (row.bar, row.further)]
        cells = [row.what, row.against, f"{row.ratio:.2f}", *bars, row.verdict(), row.detail]
        print(f"| {' | '.join(cells)} |")


def run(command: Sequence[str]) -> None:
    """Run a command line that must succeed; what it prints is left aside."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _clocked(work: Callable[[], object], clocks: Sequence[Callable[[], float]]) -> list[float]:
    begun = [clock() for clock in clocks]
    work()
    return [clock() - at for clock, at in zip(clocks, begun, strict=True)]
