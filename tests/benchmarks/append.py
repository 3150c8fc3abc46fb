"""How fast the ledger takes events, as ratios to raw SQLite in the same run: `python tests/benchmarks/append.py`.

Raw SQLite inserts the same rows: into a bare table without any key, and into the ledger's own table of events with its
keys but no guard. All databases are warmed until their write-ahead logs have been wrapped once: before that every
commit also makes the file longer, which costs more than anything that is measured here. Rounds of all take turns, so
that a busy machine slows all; each figure is the median of its rounds.
"""

from __future__ import annotations

import os
import platform
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

REPOSITORY = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests")]

import psycopg  # noqa: E402 - the path has to be set first
import sqlalchemy  # noqa: E402
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect  # noqa: E402
from sqlalchemy.schema import CreateTable  # noqa: E402
from support.both_engines import T0, birth, entry  # noqa: E402
from support.postgres_server import NoServerError, own_schema, start_own  # noqa: E402

from quantlab.domain.events import Heartbeat  # noqa: E402
from quantlab.ledger import log  # noqa: E402
from quantlab.ledger.location import locate  # noqa: E402
from quantlab.ledger.log import Entry  # noqa: E402
from quantlab.ledger.recorder import Recorder  # noqa: E402
from quantlab.ledger.schema import events  # noqa: E402
from quantlab.ledger.store import open_store  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quantlab.ledger.location import Location

ROUNDS, SINGLES = 7, 200
WARM_UP = 2_000
SECONDS = 6.0
INSERT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def main() -> None:
    """Measure and print everything."""
    if len(sys.argv) > 1:
        write_for_a_while(sys.argv[1], Path(sys.argv[2]))
        return
    server = f"psycopg {psycopg.__version__}"
    print(
        f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}, SQLAlchemy {sqlalchemy.__version__}, {server}"
    )
    with tempfile.TemporaryDirectory(dir=REPOSITORY) as folder:
        one_writer(Path(folder))
        alone = many_writers(Path(folder))
        on_a_server(alone)


def one_writer(folder: Path) -> None:
    """Compare appends with raw SQLite's."""
    rows = raw_rows()
    bare, keyed = Raw(folder / "bare.db", rows, keyed=False), Raw(folder / "keyed.db", rows, keyed=True)
    (folder / "ours").mkdir()
    with open_store(locate(folder / "ours", None)) as store:
        recorder = Recorder(store)
        recorder.record(birth("bench"))
        entries = heartbeats("bench", 2)
        for one in (bare, keyed):
            one.singles(WARM_UP)
        ours_singles(recorder, entries, WARM_UP)
        singles = [
            (bare.singles(SINGLES), keyed.singles(SINGLES), ours_singles(recorder, entries, SINGLES))
            for _ in range(ROUNDS)
        ]
    in_bare, in_keyed, ours = (
        statistics.median(times) / SINGLES * 1e6 for times in zip(*singles, strict=True)
    )
    for raw, name in ((in_bare, "raw sqlite3, bare table"), (in_keyed, "raw sqlite3, keyed table")):
        judged(f"one event, FULL ÷ {name}", raw / ours, 0.50, f"raw {raw:.0f} µs, ours {ours:.0f} µs")


def judged(what: str, ratio: float, bar: float, detail: str) -> None:
    print(f"{what:62} {ratio:6.2f}  bar {bar:.2f}  {'met' if ratio >= bar else 'MISSED':6}  {detail}")


class Raw:
    """Raw SQLite with rows to insert, each once."""

    def __init__(self, file: Path, rows: Sequence[tuple[object, ...]], *, keyed: bool) -> None:
        self.connection = sqlite3.connect(file, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = FULL")
        if keyed:
            self.connection.execute(str(CreateTable(events).compile(dialect=sqlite_dialect())))
        else:
            self.connection.execute(f"CREATE TABLE events ({', '.join(log.COLUMNS)})")
        self.rows = list(rows[::-1])

    def singles(self, count: int) -> float:
        began = time.perf_counter()
        for _ in range(count):
            self.connection.execute("BEGIN IMMEDIATE")
            self.connection.execute(INSERT, self.rows.pop())
            self.connection.execute("COMMIT")
        return time.perf_counter() - began


def raw_rows() -> Sequence[tuple[object, ...]]:
    head = log.Head(0, "0" * 64)
    return log._chain(head, heartbeats("bench", 1)[::-1])


def heartbeats(name: str, first: int, count: int = 16_000) -> list[Entry]:
    """Return events in reverse, so that the next one is popped from the end."""
    return [
        entry(name, version, Heartbeat(stage="simulating", bars_done=version, bars_expected=99_999))
        for version in range(first, first + count)
    ][::-1]


def ours_singles(recorder: Recorder, entries: list[Entry], count: int) -> float:
    began = time.perf_counter()
    for _ in range(count):
        recorder.record(entries.pop())
    return time.perf_counter() - began


def many_writers(folder: Path) -> float:
    """Compare eight processes with one, in turns; returns what one appends a second."""
    rounds = [
        (on_a_file(folder / f"one{turn}", 1), on_a_file(folder / f"eight{turn}", 8)) for turn in range(3)
    ]
    alone = statistics.median(one[0] for one, _ in rounds)
    together = statistics.median(eight[0] for _, eight in rounds)
    slowest = max(eight[1] for _, eight in rounds)
    errors = sum(eight[2] for _, eight in rounds)
    detail = f"{together:.0f} and {alone:.0f} a second, {errors} errors"
    judged("SQLite, 8 processes ÷ 1 process", together / alone, 0.8, detail)
    print(
        f"{'SQLite, 8 processes: slowest wait below 200 ms, no errors':62} {slowest * 1000:6.0f}"
        f"  bar  200  {'met' if slowest < 0.2 and errors == 0 else 'MISSED'}"
    )
    return alone


def on_a_file(root: Path, writers: int) -> tuple[float, float, int]:
    """Measure some writers on a new SQLite ledger."""
    root.mkdir()
    open_store(locate(root, None)).close()
    return run_writers(locate(root, None), root, writers)


def on_a_server(sqlite_alone: float) -> None:
    """Measure a server on this machine that syncs its commits."""
    try:
        server = start_own(durable=True)
    except NoServerError as error:
        print(error)
        return
    try:
        with psycopg.connect(server.url().replace("+psycopg", "")) as connection:
            version = connection.info.server_version // 10_000
        for writers in (1, 8):
            with own_schema(server.url()) as url, tempfile.TemporaryDirectory() as root:
                open_store(locate(None, url)).close()
                appends, slowest, errors = run_writers(locate(None, url), Path(root), writers)
            print(
                f"{f'PostgreSQL {version}, {writers} writers':62} {appends:.0f}/s "
                f"({appends / sqlite_alone:.2f} of SQLite's 1 process), "
                f"slowest wait {slowest * 1000:.0f} ms, {errors} errors"
            )
    finally:
        server.remove()


def run_writers(location: Location, root: Path, writers: int) -> tuple[float, float, int]:
    """Return appends a second, the slowest single append in seconds, and the errors met."""
    processes = [start_writer_process(location, root, f"w{number}") for number in range(writers)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    start_at = time.time() + 0.5
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(f"{start_at}\n")
        process.stdin.flush()
    answers = [process.communicate()[0].split() for process in processes]
    appends = sum(int(answer[0]) for answer in answers) / SECONDS
    return appends, max(float(answer[1]) for answer in answers), sum(int(answer[2]) for answer in answers)


def start_writer_process(location: Location, root: Path, name: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, __file__, name, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    process.stdin.write(f"{location.url or ''}\n")
    process.stdin.flush()
    return process


def write_for_a_while(name: str, root: Path) -> None:
    """Append heartbeats from a common moment on; prints how many, the slowest, and the errors."""
    url = sys.stdin.readline().strip()
    slowest, errors, appended = 0.0, 0, 0
    with open_store(locate(root, url or None)) as store:
        recorder = Recorder(store)
        recorder.record(birth(name))
        print("ready", flush=True)
        start_at = float(sys.stdin.readline())
        time.sleep(max(0.0, start_at - time.time()))
        version = 2
        while time.time() < start_at + SECONDS:
            at = T0 + timedelta(seconds=version)
            event = Heartbeat(stage="simulating", bars_done=version, bars_expected=99_999)
            began = time.perf_counter()
            try:
                recorder.record(Entry(session_id=name, session_version=version, event=event, occurred_at=at))
            except Exception:  # noqa: BLE001 - counted: there must be none
                errors += 1
                continue
            slowest = max(slowest, time.perf_counter() - began)
            appended += 1
            version += 1
    print(appended, slowest, errors)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    main()
