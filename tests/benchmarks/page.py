"""The operators' page of 1,000 sessions: `python tests/benchmarks/page.py [SESSIONS]`; at most 400 kB, in a second.

Time is that of a whole process, beside one that imports the same libraries and does no more than read and hash the
files that the page is drawn from. Size is that of 200 real sessions, whose documents say more than made-up ones.
"""

from __future__ import annotations

import copy
import resource
import subprocess
import sys
import tempfile
from contextlib import chdir
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the tests' own builders

from support.page_roots import many
from support.sessions_builder import Sessions
from timing import Row, print_table, processes_in_turn

from quantlab.base.clock import utc_now
from quantlab.cli.main import run
from quantlab.exports.page.made import made
from quantlab.folders.page import MOST, reading
from quantlab.ledger.location import locate
from quantlab.ledger.reader import open_reader
from quantlab.queries.page import page

RUNS, REAL = 7, 4
MOST_KB, MOST_SECONDS = 400, 1.0
BARE = """\
import sqlite3, sys
import click, jinja2, msgspec
from hashlib import sha256
from pathlib import Path
folders = sorted(one for one in Path(sys.argv[1]).iterdir() if one.is_dir())[-int(sys.argv[2]):]
for one in folders:
    for name in ("trades.csv", "artifacts/equity.csv"):
        sha256((one / name).read_bytes()).hexdigest()
"""


def main(sessions: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        with Sessions(root) as built:
            many(built, sessions, fills=40)
        ours = [sys.executable, "-m", "quantlab", "paper-sessions", "page", str(root)]
        bare = [sys.executable, "-c", BARE, str(root), str(MOST)]
        seconds, floor, ratio = processes_in_turn(ours, bare, RUNS)
        worked = _processor_seconds(ours)
        size = _size_of_real_sessions(Path(folder))
    what = f"page of {sessions:,} sessions, {MOST} in full"
    figures = f"{seconds:.2f} s, {floor:.2f} s"
    rows = [
        Row(what, "imports, and its files read and hashed", ratio, None, None, figures),
        Row(what, "1 s allowed", seconds / MOST_SECONDS, 1.0, None, f"{seconds:.2f} s"),
        Row("its processor time", "1 s allowed", worked / MOST_SECONDS, 1.0, None, f"{worked:.2f} s"),
        Row(
            f"{MOST} real sessions",
            f"{MOST_KB} kB allowed",
            size / MOST_KB / 1_000,
            1.0,
            None,
            f"{size:,} bytes",
        ),
    ]
    print_table("The operators' page", rows)


def _processor_seconds(command: list[str]) -> float:
    """Return the processor time of one call, which other processes on the machine add nothing to."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _size_of_real_sessions(folder: Path) -> int:
    """Return the size of a page of as many sessions as it tells in full, each a copy of one that really ran."""
    words = ["run", "--paper", "--prices", "synthetic", "--start", "2022-01-01", "--no-charts", "--quiet"]
    with chdir(folder):
        for place in range(REAL):
            if run([*words, "--rsi-buy-max", str(50 + 5 * place)]) != 0:
                raise SystemExit("a session could not be run")
        with open_reader(locate(Path("outputs/paper_sessions"), None)) as reader:
            found = page(reader, now=utc_now(), stale_after=timedelta(hours=1), most=MOST)
        rows = [row for row in found["sessions"] for _ in range(MOST // REAL)]
        found["sessions"] = [copy.deepcopy(row) for row in rows]
        return len(made(found, reading(reader.location)))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)
