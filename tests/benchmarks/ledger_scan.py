"""Rebuild and verify against a bare scan of the same rows, in one run.

Run: `python tests/benchmarks/ledger_scan.py [EVENTS] [EVENTS_A_SESSION]` from a checkout (defaults: 5,000,000 and 100).
The ledger is made through the program's own append and guards; the bare scan is a raw `sqlite3` cursor that fetches
every column of every event in sequence order and does nothing with them. Each time is the best of three; memory is
what the rebuild adds to the most that the process had held until then.
"""

from __future__ import annotations

import resource
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parents[1])]

from support.ledger_history import entry, heartbeat, open_root, started, succeeded  # noqa: E402 - found by the line above

from quantlab.ledger import (  # noqa: E402 - the same
    log,
    maintenance,
    verify,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from quantlab.ledger.log import Entry
    from quantlab.ledger.store import Store

BATCH = 5_000
TOGETHER = 50
"""Sessions that run at the same time, so that their events lie interleaved as they do in a real ledger."""

ROWS = (
    ("rebuild of projections / bare scan", 0.25, 0.4),
    ("verify the chain / bare scan", 0.40, 0.6),
)


def main(events: int, a_session: int) -> int:
    """Print the table; returns 1 when a bar is missed."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make(root, events, a_session)
        scan = best(lambda: bare_scan(root / "ledger.db"))
        with open_root(root) as store:
            verify = best(lambda: chain(store))
            before = peak_kilobytes()
            rebuild = best(lambda: maintenance.rebuild(store))
            grown = (peak_kilobytes() - before) / 1024
            whole = best(lambda: maintenance.verify(store), times=1)
    print(
        f"Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}; {events:,} events, {a_session} a session"
    )
    print(f"bare scan {scan:.2f} s ({events / scan:,.0f} events/s); whole verification {whole:.2f} s")
    missed = 0
    for (name, bar, further), taken in zip(ROWS, (rebuild, verify), strict=True):
        ratio = scan / taken
        missed += ratio < bar
        verdict = "missed" if ratio < bar else "met, further met" if ratio >= further else "met"
        print(
            f"{name:<38} {ratio:5.2f}  bar {bar:.2f} / {further:.2f}  {verdict}  ({events / taken:,.0f} events/s)"
        )
    print(f"memory that the rebuild added at its peak: {grown:.1f} MiB")
    return 1 if missed else 0


def make(root: Path, events: int, a_session: int) -> None:
    """Fill a ledger with sessions that run in groups, each of a start, heartbeats and an end."""
    with open_root(root) as store:
        batch: list[Entry] = []
        for one in interleaved(events, a_session):
            batch.append(one)
            if len(batch) == BATCH:
                append(store, batch)
                batch = []
        append(store, batch)
        maintenance.rebuild(store)


def append(store: Store, batch: list[Entry]) -> None:
    """Append without projecting; the projection is rebuilt once at the end."""
    if batch:
        with store.write() as connection:
            log.append(connection, batch)


def interleaved(events: int, a_session: int) -> Iterator[Entry]:
    """Yield the entries, a group of sessions at a time, their events in turns."""
    for group in range(0, events // a_session, TOGETHER):
        for version in range(1, a_session + 1):
            for number in range(group, min(group + TOGETHER, events // a_session)):
                yield one_entry(f"20260101_{number:08d}_paper", version, a_session)


def one_entry(session_id: str, version: int, last: int) -> Entry:
    """Return the entry that a session has at a version."""
    if version == 1:
        return entry(session_id, version, started(session_id))
    if version == last:
        return entry(session_id, version, succeeded())
    told = {"source": "file", "hash": "h" * 64, "bars": last} if version == 2 else None
    return entry(session_id, version, heartbeat(version, data=told))


def bare_scan(file: Path) -> None:
    """Fetch every event and do nothing with it."""
    with closing(sqlite3.connect(file)) as connection:
        for _row in connection.execute(log.BY_SEQUENCE):
            pass


def chain(store: Store) -> None:
    """Verify the chain alone, in one snapshot."""
    with store.read() as connection:
        if verify.check_chain(connection).fault is not None:
            raise SystemExit("the benchmark's own ledger does not hold")


def best(work: Callable[[], object], times: int = 3) -> float:
    """Return the shortest of some runs, in seconds."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return min(taken)


def peak_kilobytes() -> int:
    """Return the most memory that the process has held so far, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    given = [int(word.replace(",", "").replace("_", "")) for word in sys.argv[1:]]
    sys.exit(main(*(given + [5_000_000, 100][len(given) :])))
