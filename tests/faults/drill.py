"""The full drill, whose table docs/reliability.md shows: `python tests/faults/drill.py`, some minutes on two cores.

Kills 1,000 processes at random instants, runs 8 processes of 50 sessions at once, and fuzzes the two parsers of
foreign JSON for a minute each. Exits 1 when anything that was acknowledged was lost, or anything did not hold.
"""

from __future__ import annotations

import argparse
import platform
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent.parent)]

from kills import Kills, kill_at_random  # noqa: E402
from many import Many, run_many  # noqa: E402
from support.fork_server import Server  # noqa: E402 - the path is set first

FUZZERS = ("fuzz_request", "fuzz_adoption")
SEED = 20_260_301

Line = tuple[str, str]


def main() -> int:
    """Run the parts that are asked for; returns the exit code."""
    asked = _arguments()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder) / "server") as server:
        kills = kill_at_random(server, Path(folder) / "kills", asked.instants, SEED)
        many = run_many(server, Path(folder) / "many", asked.processes, asked.sessions)
    fuzzed = [_fuzz(name, asked.fuzz_seconds) for name in FUZZERS]
    faults = [*kills.faults, *many.faults, *(fault for _lines, fault in fuzzed if fault)]
    table = [
        (
            "drilled on",
            f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}",
        ),
        *_of_kills(kills),
        *_of_many(many, asked.processes),
        *(lines for lines, _fault in fuzzed),
        ("faults found", str(len(faults))),
        ("took", f"{time.monotonic() - began:.0f} s"),
    ]
    print("| what | figure |\n| --- | --- |")
    print("\n".join(f"| {what} | {figure} |" for what, figure in table))
    print("\n".join(faults), file=sys.stderr)
    return 1 if faults else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instants", type=int, default=1_000, help="processes to kill")
    parser.add_argument("--processes", type=int, default=8, help="processes that run sessions at once")
    parser.add_argument("--sessions", type=int, default=50, help="sessions of each of them")
    parser.add_argument("--fuzz-seconds", type=int, default=60, help="time for each fuzzer")
    return parser.parse_args()


def _of_kills(kills: Kills) -> list[Line]:
    of_kind = ", ".join(f"{count} {kind}" for kind, count in sorted(kills.instants.items()))
    lost = sum("acknowledged and lost" in fault for fault in kills.faults)
    return [
        ("random instants of kill -9", f"{sum(kills.instants.values()):,} ({of_kind})"),
        ("events acknowledged before a kill", f"{kills.acknowledged:,}"),
        ("of these lost", str(lost)),
        ("events committed whose process died before it heard of it", f"{kills.unanswered:,}"),
        ("sessions whose files were behind, made anew by the next command", f"{kills.healed:,}"),
    ]


def _of_many(many: Many, processes: int) -> list[Line]:
    return [
        (
            "sessions of one configuration at once",
            f"{many.sessions:,} from {processes} processes in {many.seconds:.0f} s",
        ),
        (
            "their appends",
            f"{many.appends:,}; 99 of 100 within {many.p99_seconds * 1000:.0f} ms, "
            f"the slowest {many.slowest_seconds * 1000:.0f} ms",
        ),
        ("reads of the exports meanwhile, all whole", f"{many.reads:,}"),
    ]


def _fuzz(name: str, seconds: int) -> tuple[Line, str]:
    """Run a fuzzer; returns its line of the table, and what it found."""
    with tempfile.TemporaryDirectory() as corpus:
        done = subprocess.run(
            [sys.executable, str(HERE / f"{name}.py"), f"-max_total_time={seconds}", "-timeout=10",
             "-rss_limit_mb=1024", "-print_final_stats=1", corpus],
            capture_output=True, text=True, check=False, cwd=corpus, errors="backslashreplace",
        )  # fmt: skip
    tried = re.search(r"number_of_executed_units: ([0-9]+)", done.stderr)
    count = f"{int(tried[1]):,} in {seconds} s" if tried else "stopped early"
    return (f"inputs tried by {name}", count), "" if done.returncode == 0 else done.stderr[-2_000:]


if __name__ == "__main__":
    sys.exit(main())
