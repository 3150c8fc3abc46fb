"""Lists without a limit, in time and memory: `python tests/benchmarks/listing.py [FOLDER] [SESSIONS]`.

Whole processes, against one that reads the same rows off a bare cursor and writes the same text; by processor time,
for a machine with other work makes both wait. FOLDER keeps the ledger for another run; SESSIONS is 100,000 unless
given.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import big_ledger
from timing import Row, print_table

MAIN = str(Path(__file__).resolve().parents[2] / "main.py")
FEW, TURNS = 10, 5
ALLOWED_MIB = 40
BARE = """\
import csv, json, sqlite3, sys
rows = sqlite3.connect(sys.argv[1] + "/ledger.db").execute(
    "SELECT * FROM session_list ORDER BY created_at DESC, session_id DESC")
names = [column[0] for column in rows.description]
if sys.argv[2] == "csv":
    csv.writer(sys.stdout).writerows(rows)
else:
    for row in rows:
        print(json.dumps(dict(zip(names, row))), end=",\\n")
"""
"""A table has fewer columns than either; it is held against the csv."""


class Spent(NamedTuple):
    """What a process took: the processor's time, and the most memory that it held."""

    seconds: float
    mib: float


def main(folder: Path, sessions: int) -> None:
    many, few = (_root(folder, size) for size in (sessions, FEW))
    rows = []
    for form in ("json", "csv", "table"):
        written = "json" if form == "json" else "csv"
        turns = [
            (_spent([MAIN, *_asked(many, form)]), _spent(["-c", BARE, str(many), written]))
            for _ in range(TURNS)
        ]
        ours, bare = (min(spent) for spent in zip(*turns, strict=True))
        grown = max(one.mib for one, _ in turns) - _spent([MAIN, *_asked(few, form)]).mib
        figures = f"{ours.seconds:.2f} s, {bare.seconds:.2f} s"
        what = f"list of {sessions:,} as {form}"
        rows.append(Row(what, "bare cursor, the same text", ours.seconds / bare.seconds, 2.0, 1.5, figures))
        rows.append(
            Row(
                f"{what}: memory above that of {FEW}",
                f"{ALLOWED_MIB} MiB allowed",
                grown / ALLOWED_MIB,
                1.0,
                None,
                f"{grown:.0f} MiB",
            )
        )
    print_table("Lists without a limit", rows)


def _asked(root: Path, form: str) -> list[str]:
    return ["paper-sessions", "list", str(root), "--format", form]


def _root(folder: Path, sessions: int) -> Path:
    root = folder / f"root_{sessions}"
    if not root.exists():
        big_ledger.make_ledger(root, sessions)
    return root


def _spent(words: list[str]) -> Spent:
    """Run a process; its memory is looked at every now and then, for what the system tells after its end is of both."""
    child = subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL)
    peak = 0
    while True:
        ended, status, usage = os.wait4(child.pid, os.WNOHANG)
        if ended:
            break
        peak = _peak(child.pid) or peak
        time.sleep(0.01)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{words} exited with {child.returncode}")
    return Spent(usage.ru_utime + usage.ru_stime, peak / 1024)


def _peak(pid: int) -> int:
    """Return the most memory, in KiB, that a process has held so far; 0 once it has ended."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


if __name__ == "__main__":
    SESSIONS = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]), SESSIONS)
    else:
        with tempfile.TemporaryDirectory() as kept:
            main(Path(kept), SESSIONS)
