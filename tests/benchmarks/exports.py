"""Index exports, sessions that end at once, and adoption: `python tests/benchmarks/exports.py [FOLDER] [SESSIONS]`.

FOLDER keeps the large ledger for another run; SESSIONS is 1,000,000 unless given.
"""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import resource
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import big_ledger
from support import legacy_root
from timing import Row, print_table

from quantlab.base.clock import utc_now
from quantlab.domain.events import Aborted
from quantlab.exports import index, index_rows
from quantlab.folders.roots import open_root_store
from quantlab.ledger.location import locate
from quantlab.ledger.log import Entry
from quantlab.ledger.recorder import Recorder
from quantlab.ledger.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.sharedctypes import Synchronized

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ENDING, FEW, STANDING, FOLDERS = 100, 1_200, 10_000, 10_000
STEADY, CYCLES = 100_000, 2
ALLOWED_MIB = 60


def main(folder: Path, sessions: int) -> None:
    rows = _export_rows(_root(folder, sessions), sessions)
    with tempfile.TemporaryDirectory() as work:
        rows += [_ending_at_once(Path(work) / f"ending_{others}", others) for others in (FEW, STANDING)]
        rows.append(_steady_stream(Path(work) / "steady"))
        rows.append(_adoption(Path(work) / "adoption"))
    print_table("Exports and adoption", rows)


def _root(folder: Path, sessions: int) -> Path:
    root = folder / f"root_{sessions}"
    if not root.exists():
        big_ledger.make_ledger(root, sessions)
    return root


def _export_rows(root: Path, sessions: int) -> list[Row]:
    """Compare our export with one `csv.writer` pass and one `json` pass over a raw cursor of the same columns."""
    baseline = min(_seconds(lambda: _raw_passes(root)) for _ in range(2))
    ours, grown = _in_child(root)
    again, grown_again = _in_child(root)
    ours, grown = min(ours, again), max(grown, grown_again)
    what = f"export of {sessions:,} rows: csv, json, md"
    detail = f"{ours:.1f} s, {baseline:.1f} s"
    return [
        Row(what, "csv.writer + json passes", ours / baseline, 1.5, 1.0, detail),
        Row(
            "its memory above start",
            f"{ALLOWED_MIB} MiB allowed",
            grown / ALLOWED_MIB,
            1.0,
            None,
            f"{grown:.0f} MiB",
        ),
    ]


def _raw_passes(root: Path) -> None:
    select = f"SELECT {', '.join(index_rows.COLUMNS)} FROM paper_sessions ORDER BY session_id"
    connection = sqlite3.connect(root / "ledger.db")
    with tempfile.TemporaryDirectory() as work:
        with (Path(work) / "rows.csv").open("w", newline="") as out:
            csv.writer(out).writerows(connection.execute(select))
        with (Path(work) / "rows.json").open("w") as out:
            for row in connection.execute(select):
                out.write(json.dumps(dict(zip(index_rows.COLUMNS, row, strict=True))) + "\n")
    connection.close()


def _in_child(root: Path) -> tuple[float, float]:
    """Export in a process of its own; returns seconds, and MiB of memory grown beyond those it began with."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_export_and_tell, args=(root, sender))
    child.start()
    told: tuple[float, float] = receiver.recv()
    child.join()
    return told


def _export_and_tell(root: Path, sender: object) -> None:
    with open_store(locate(root, None)) as store:
        store_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        taken = _seconds(lambda: index.write(store, root))
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - store_before) / 1024
    sender.send((taken, grown))  # type: ignore[attr-defined]  # a pipe's end; its class is private


def _ending_at_once(root: Path, others: int) -> Row:
    """End sessions at the same moment, each in a process of its own; count the exports that were written."""
    big_ledger.make_ledger(root, others, failing=0.95)
    running = _running(root, ENDING)
    context = multiprocessing.get_context("fork")
    barrier, written = context.Barrier(len(running)), context.Value("i", 0)
    children = [context.Process(target=_end_one, args=(root, one, barrier, written)) for one in running]
    begun = time.perf_counter()
    for child in children:
        child.start()
    for child in children:
        child.join()
    taken = time.perf_counter() - begun
    shown = json.loads((root / index.JSON).read_text())["sessions"]
    held = sum(one["session_id"] in set(running) and one["status"] == "aborted" for one in shown)
    detail = f"last export holds {held} of {len(running)}; {taken:.1f} s with starting the processes"
    return Row(
        f"{len(running)} sessions that end at once on {others:,}",
        "exports written",
        written.value,
        5,
        2,
        detail,
    )


def _end_one(root: Path, session_id: str, barrier: object, written: Synchronized[int]) -> None:
    with open_store(locate(root, None)) as store:
        barrier.wait()  # type: ignore[attr-defined]  # a context's Barrier is a function to the type checker
        Recorder(store).record(_end_of(session_id))
        if index.refresh(store, root, now=utc_now()):
            with written.get_lock():
                written.value += 1


def _running(root: Path, most: int) -> list[str]:
    with closing(sqlite3.connect(root / "ledger.db")) as connection:
        select = "SELECT session_id FROM paper_sessions WHERE status = 'running' LIMIT ?"
        return [row[0] for row in connection.execute(select, (most,))]


def _end_of(session_id: str) -> Entry:
    return Entry(
        session_id=session_id, session_version=3, event=Aborted(message="bench"), occurred_at=utc_now()
    )


def _steady_stream(root: Path) -> Row:
    """End a session each second, by a clock of ours; tell the share of its time that the refreshes, real ones, take."""
    big_ledger.make_ledger(root, STEADY, failing=0.1)
    now, exports = utc_now(), []
    with open_store(locate(root, None)) as store:
        for one in _running(root, STEADY):
            Recorder(store).record(_end_of(one))
            begun, begun_at = time.perf_counter(), now
            wrote = index.refresh_after_end(store, root, now=now)
            taken = time.perf_counter() - begun
            now += timedelta(seconds=max(1.0, taken))
            if wrote:
                exports.append((begun_at, taken))
            if len(exports) > CYCLES:
                break
    elapsed = (exports[-1][0] - exports[0][0]).total_seconds()
    refreshing = sum(taken for _, taken in exports[:-1])
    detail = f"{CYCLES} exports of {refreshing / CYCLES:.1f} s in {elapsed:,.0f} s"
    against = "5 % of the time allowed"
    return Row(f"an end each second on {STEADY:,}", against, refreshing / elapsed / 0.05, 1.0, None, detail)


def _adoption(work: Path) -> Row:
    """Compare adoption with reading every file of the folders and parsing the JSON among them, twice in turn."""
    turns = [_adopt_and_read(work / f"turn{turn}") for turn in range(2)]
    ours, baseline = (min(times) for times in zip(*turns, strict=True))
    return Row(
        f"adoption of {FOLDERS:,} folders",
        "reading and parsing",
        ours / baseline,
        2,
        1.5,
        f"{ours:.1f} s, {baseline:.1f} s",
    )


def _adopt_and_read(root: Path) -> tuple[float, float]:
    legacy_root.make_legacy_root(root, FOLDERS)
    baseline = min(_seconds(lambda: _read_all(root)) for _ in range(2))
    ours = _seconds(lambda: open_root_store(locate(root, None), now=NOW).close())
    return ours, baseline


def _read_all(root: Path) -> None:
    for folder, _folders, files in os.walk(root):
        for name in files:
            data = Path(folder, name).read_bytes()
            if name.endswith(".json"):
                json.loads(data)


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


if __name__ == "__main__":
    SESSIONS = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]), SESSIONS)
    else:
        with tempfile.TemporaryDirectory() as kept:
            main(Path(kept), SESSIONS)
