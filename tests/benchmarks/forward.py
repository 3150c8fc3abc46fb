"""What forward sessions cost, beside raw SQLite and the cheapest command: `python tests/benchmarks/forward.py [BARS]`.

A session follows a month of one-minute bars (43,200 unless told otherwise) under a clock of its own, which goes on as
far as the session sleeps; its market is in memory, so that what is measured is the following. Each figure stands beside
one that was measured in the same run, as wall time and as processor time: on a busy machine the latter tells more.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

REPOSITORY = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests")]

from append import Raw  # noqa: E402 - the path has to be set first
from support.flow_program import environment  # noqa: E402
from support.forward_market import BEGAN, WARMUP, Market, asked_in_memory, begun, stepped  # noqa: E402
from timing import Row, print_table  # noqa: E402

from quantlab.folders.roots import open_root_store  # noqa: E402
from quantlab.ledger import log  # noqa: E402
from quantlab.ledger.location import locate  # noqa: E402
from quantlab.ledger.log import Entry  # noqa: E402
from quantlab.ledger.recorder import Recorder  # noqa: E402
from quantlab.ledger.store import open_store  # noqa: E402
from quantlab.runner.stopping import StopGate, StopRequested  # noqa: E402
from quantlab.sessions.forward.drive import DriveOptions, open_driver  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from quantlab.domain.events import Recorded

MONTH = 43_200
ROUNDS, BARS_OF_A_ROUND = 7, 200
WARM = 2_000
"""Rows after which a write-ahead log has been wrapped once: before that every commit also makes the file longer."""
PROCESSES = 15
RESUMES = 5
EARLY = 5_000
"""Bars after which memory is first looked at: by then everything is loaded and every buffer is there."""
MINUTE: dict[str, Any] = {"interval": "1m", "ticker": "ETH-USD"}


@dataclass(frozen=True)
class Took:
    """What something took, in seconds."""

    wall: float
    cpu: float

    def per(self, count: int) -> str:
        """Return it a piece, for people."""
        return f"{self.wall / count * 1e6:.0f} µs ({self.cpu / count * 1e6:.0f} µs)"


def main() -> None:
    """Measure and print everything."""
    bars = int(sys.argv[1]) if len(sys.argv) > 1 else MONTH
    with tempfile.TemporaryDirectory(dir=REPOSITORY) as name:
        folder = Path(name)
        rows = [*appended(folder / "append"), *caught_up(folder / "catch_up"), *idle_step(folder / "idle")]
        rows += followed(folder / "month", bars)
    print_table("Forward sessions: wall time, and processor time in brackets", rows)


def took(work: Callable[[], object]) -> Took:
    """Measure a piece of work, its children included."""
    wall, cpu = time.perf_counter(), _processor()
    work()
    return Took(time.perf_counter() - wall, _processor() - cpu)


def _processor() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def compared(
    what: str, against: str, pairs: list[tuple[Took, Took]], bar: float, detail: str, *, higher: bool = False
) -> list[Row]:
    """Return two lines, one of wall time and one of processor time: the median of the pairs' ratios.

    A ratio is the first's time by the second's. Where a higher one is better, it is the second's by the first's, and
    processor time has no bar: what a commit takes is the wait for the disk, which both have to take.
    """
    found = []
    for name in ("wall", "cpu"):
        ratios = [getattr(one, name) / getattr(other, name) for one, other in pairs]
        ratio = statistics.median(1 / each for each in ratios) if higher else statistics.median(ratios)
        kind = what if name == "wall" else f"{what}, processor time"
        aim = None if higher and name == "cpu" else bar
        found.append(Row(kind, against, ratio, aim, detail=detail, higher_is_better=higher))
    return found


def appended(folder: Path) -> list[Row]:
    """One bar's event appended and projected, beside raw SQLite inserting the same row (FULL, with its keys)."""
    count = WARM + ROUNDS * BARS_OF_A_ROUND
    recorded = _session_of(folder / "source", count)
    entries = [_entry(one) for one in recorded][::-1]
    raw = Raw(folder / "raw.db", log._chain(log.Head(0, "0" * 64), entries[::-1]), keyed=True)
    (folder / "ours").mkdir()
    with open_store(locate(folder / "ours", None)) as store:
        recorder = Recorder(store)

        def ours(some: int) -> None:
            for _ in range(some):
                recorder.record(entries.pop())

        raw.singles(WARM)
        ours(WARM)
        pairs = [
            (took(lambda: ours(BARS_OF_A_ROUND)), took(lambda: raw.singles(BARS_OF_A_ROUND)))
            for _ in range(ROUNDS)
        ]
    mine, theirs = _median(pairs)
    detail = f"{mine.per(BARS_OF_A_ROUND)} a bar, raw {theirs.per(BARS_OF_A_ROUND)}"
    return compared("a bar appended and projected", "raw sqlite3 FULL", pairs, 0.5, detail, higher=True)


def _median(pairs: list[tuple[Took, Took]]) -> tuple[Took, Took]:
    ones, others = (
        Took(statistics.median(one.wall for one in side), statistics.median(one.cpu for one in side))
        for side in zip(*pairs, strict=True)
    )
    return ones, others


def _entry(recorded: Recorded) -> Entry:
    at = BEGAN + timedelta(milliseconds=recorded.sequence)
    return Entry(
        session_id=recorded.session_id,
        session_version=recorded.session_version,
        event=recorded.event,
        occurred_at=at,
        actor=recorded.actor,
    )


def _session_of(folder: Path, bars: int) -> list[Recorded]:
    """Return the events of a session that saw so many bars in one step."""
    folder.mkdir(parents=True)
    market = Market(folder / "prices.csv", bars=WARMUP + bars, length=timedelta(minutes=1))
    session = begun(market, folder / "outputs", **MINUTE).folder
    with asked_in_memory(market):
        market.now = BEGAN + (WARMUP + bars) * market.length
        stepped(market, session)
    with open_store(locate(session.parent, None)) as store, store.read() as connection:
        return log.read_events(connection, session.name)


def caught_up(folder: Path) -> list[Row]:
    """A step that finds many bars, beside as many commits of raw SQLite: bars a second by commits a second."""
    bars = WARM
    recorded = _session_of(folder / "source", bars)
    rows = log._chain(log.Head(0, "0" * 64), [_entry(one) for one in recorded])
    pairs = []
    for turn in range(3):
        raw = Raw(folder / f"raw{turn}.db", rows, keyed=True)
        place = folder / f"turn{turn}"
        place.mkdir()
        market = Market(place / "prices.csv", bars=WARMUP + bars, length=timedelta(minutes=1))
        session = begun(market, place / "outputs", **MINUTE).folder
        with asked_in_memory(market):
            market.now = BEGAN + (WARMUP + bars) * market.length
            ours = took(lambda at=market, of=session: stepped(at, of))  # type: ignore[misc]
        pairs.append((ours, took(lambda one=raw: one.singles(bars))))  # type: ignore[misc]
    mine, theirs = _median(pairs)
    detail = f"{bars / mine.wall:.0f} bars/s ({bars / mine.cpu:.0f}), raw {bars / theirs.wall:.0f} commits/s"
    return compared("catching up", "raw sqlite3 FULL", pairs, 0.2, detail, higher=True)


def idle_step(folder: Path) -> list[Row]:
    """`step` with nothing new on a growing file, as a whole process, beside `list`."""
    folder.mkdir()
    market = Market(folder / "prices.csv", bars=WARMUP + 300)
    session = begun(market, folder / "outputs").folder
    market.to(WARMUP + 300)
    program = [sys.executable, str(REPOSITORY / "main.py")]
    step = [*program, "--paper-sessions-step", str(session)]
    listed = [*program, "--paper-sessions-list", str(session.parent)]
    for command in (step, step, listed):
        _run(command, folder)
    pairs = [(took(lambda: _run(step, folder)), took(lambda: _run(listed, folder))) for _ in range(PROCESSES)]
    mine, theirs = _median(pairs)
    detail = ", ".join(
        f"{name} {one.wall * 1e3:.0f} ms ({one.cpu * 1e3:.0f} ms)"
        for name, one in (("step", mine), ("list", theirs))
    )
    return compared("a step with nothing new, a file", "list", pairs, 1.25, detail)


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, env=environment(folder), check=True, stdout=subprocess.DEVNULL)


def followed(folder: Path, bars: int) -> list[Row]:
    """A month followed minute by minute, what memory did meanwhile, and how long the session takes to take up again."""
    folder.mkdir()
    market = Market(folder / "prices.csv", bars=WARMUP + bars + 1, length=timedelta(minutes=1))
    session = begun(market, folder / "outputs", **MINUTE).folder
    until = BEGAN + (WARMUP + bars) * market.length
    resident: list[int] = []

    def sleep(seconds: float) -> None:
        market.now += timedelta(seconds=seconds)
        if market.now > until + timedelta(seconds=30):
            raise StopRequested("SIGTERM")
        if market.now > BEGAN + (WARMUP + EARLY) * market.length and not resident:
            resident.append(_resident())

    with asked_in_memory(market):
        month = took(lambda: stepped(market, session, one_turn=False, sleep=sleep))
    grown = _resident() - resident[0]
    resumed = _resumed(session, market)
    seen = f"{bars:,} bars"
    detail = f"{month.per(bars)} a bar; {month.wall:.0f} s ({month.cpu:.0f} s)"
    return [
        Row(f"{seen} followed", f"60 s for {MONTH:,}", month.wall / bars * MONTH / 60, 1.0, detail=detail),
        Row(
            f"{seen} followed, processor time", "the same", month.cpu / bars * MONTH / 60, 1.0, detail=detail
        ),
        Row(
            f"memory gained from bar {EARLY:,} to {bars:,}",
            "16 MiB",
            grown / 16 / 1024,
            1.0,
            detail=f"{grown / 1024:.1f} MiB, {grown * 1024 / max(1, bars - EARLY):.0f} bytes a bar",
        ),
        Row(f"{seen} taken up again", "0.5 s", resumed.wall / 0.5, 1.0, detail=f"{resumed.wall:.2f} s"),
        Row(
            f"{seen} taken up again, processor time",
            "0.5 s",
            resumed.cpu / 0.5,
            1.0,
            detail=f"{resumed.cpu:.2f} s",
        ),
    ]


def _resumed(session: Path, market: Market) -> Took:
    with open_root_store(locate(session.parent, None), now=market.now) as store:
        taken = [
            took(lambda: open_driver(store, session, session.name, StopGate(), DriveOptions()))
            for _ in range(RESUMES)
        ]
    return Took(statistics.median(one.wall for one in taken), statistics.median(one.cpu for one in taken))


def _resident() -> int:
    """Return what the process holds in memory, in KiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


if __name__ == "__main__":
    main()
