"""How long a whole paper session of 730 synthetic bars takes, against importing pandas and matplotlib.

Run: python tests/benchmarks/session.py [ROUNDS [FOLDER SESSIONS]]

With SESSIONS, say 100,000, also one on a root of so many others against one on a root of ten, refreshes of the index
apart: none is due there. FOLDER keeps the roots for another run.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import big_ledger
from start_up import MAIN, SESSION, Spent, best, spent
from timing import Row, print_table

from quantlab.base.clock import utc_now
from quantlab.exports.index_pace import Refresh, note

FEW, NOT_DUE = 10, 3_600.0
FLOOR = ("-c", "import pandas, matplotlib")


def main() -> None:
    """Print the best of some rounds; the first session of a root also makes its ledger."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with tempfile.TemporaryDirectory() as folder:
        first, _ = best(Path(folder), (MAIN, *SESSION), FLOOR, 1)
        taken, floor = best(Path(folder), (MAIN, *SESSION), FLOOR, rounds)
    print(f"first session of a root   {first:.2f} s")
    print(f"later session             {taken:.2f} s")
    print(f"import pandas, matplotlib {floor:.2f} s")
    print(f"ratio                     {taken / floor:.2f}")
    if len(sys.argv) > 3:
        on_many(Path(sys.argv[2]), int(sys.argv[3]), rounds)


def on_many(kept: Path, sessions: int, rounds: int) -> None:
    """Compare a session on many others with one on a few, by processor and by wall time."""
    with tempfile.TemporaryDirectory() as folder:
        many, few = (_output_folder(kept, Path(folder), size) for size in (sessions, FEW))
        turns = [(_session_in(many), _session_in(few)) for _ in range(rounds + 1)][1:]
    rows = []
    for at, clock in enumerate(("wall", "processor")):
        ours, theirs = (statistics.median(side[at] for side in sides) for sides in zip(*turns, strict=True))
        ratio = statistics.median(one[at] / other[at] for one, other in turns)
        figures = f"{ours:.2f} s, {theirs:.2f} s"
        rows.append(Row(f"session, {clock} time", f"on {FEW} others", ratio, 1.3, None, figures))
    print_table(f"On {sessions:,} others, without charts", rows)


def _output_folder(kept: Path, folder: Path, sessions: int) -> Path:
    """Return a folder whose sessions stand in a root of so many others."""
    root = kept / f"root_{sessions}"
    if not root.exists():
        big_ledger.make_ledger(root, sessions)
    outputs = folder / str(sessions) / "outputs"
    outputs.mkdir(parents=True)
    (outputs / "paper_sessions").symlink_to(root.resolve())
    return outputs.parent


def _session_in(folder: Path) -> Spent:
    note(folder / "outputs" / "paper_sessions", Refresh(utc_now(), NOT_DUE))
    return spent(folder, (MAIN, *SESSION, "--no-charts"))


if __name__ == "__main__":
    main()
