"""What the guards cost a batch of events: `python tests/benchmarks/batch_parts.py`, each part beside the plain insert.

The same rows go into the ledger's own file, a hundred a transaction, with more and more of its triggers in place. All
files take turns, so that a busy machine slows all; each figure is the median of its rounds, without the commit, which
is the same for all and printed last.
"""

from __future__ import annotations

import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests"), str(Path(__file__).parent)]

from append import heartbeats  # noqa: E402 - the path has to be set first
from both_engines import birth  # noqa: E402

from quantlab import ledger  # noqa: E402
from quantlab.sessions.recorder import Recorder  # noqa: E402
from quantlab.store import guards  # noqa: E402
from quantlab.store.engine import PRAGMAS, open_store  # noqa: E402
from quantlab.store.location import locate  # noqa: E402

ROUNDS, BATCHES, WARM_UP = 20, 8, 4
EVENTS = (ROUNDS + WARM_UP) * BATCHES * 100
INSERT = f"INSERT INTO events VALUES {', '.join(['(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'] * 100)}"
EMPTY = "CREATE TRIGGER does_nothing {when} INSERT ON events BEGIN SELECT 1; END"
_GUARD, _MOVE = guards.SQLITE[:2]
_HEAD_GUARD = next(text for text in guards.SQLITE if "ledger_head_guard_update" in text)

PARTS: dict[str, tuple[str, ...]] = {
    "no trigger": (),
    "a trigger after each row that does nothing": (EMPTY.format(when="AFTER"),),
    "a trigger before each row that does nothing": (EMPTY.format(when="BEFORE"),),
    "the head's move": (_MOVE,),
    "the head's move, and its own guard": (_MOVE, _HEAD_GUARD),
    "everything": (_GUARD, _MOVE, _HEAD_GUARD),
}


class File:
    """A ledger's file with some of its triggers."""

    def __init__(self, root: Path, triggers: tuple[str, ...]) -> None:
        root.mkdir()
        with open_store(locate(root, None)) as store:
            Recorder(store).record(birth("bench"))
            with store.read() as connection:
                head = ledger.read_head(connection)
        self.rows = ledger._chain(head, heartbeats("bench", 2, EVENTS)[::-1])[::-1]
        self.connection = sqlite3.connect(root / "ledger.db", isolation_level=None)
        for pragma in PRAGMAS:
            self.connection.execute(pragma)
        for name in ("events_guard_insert", "events_move_head", "ledger_head_guard_update"):
            self.connection.execute(f"DROP TRIGGER {name}")
        for trigger in triggers:
            self.connection.execute(trigger)
        self.inserts: list[float] = []
        self.commits: list[float] = []

    def round(self) -> None:
        inserting, committing = 0.0, 0.0
        for _ in range(BATCHES):
            values: list[Any] = [value for _ in range(100) for value in self.rows.pop()]
            self.connection.execute("BEGIN IMMEDIATE")
            began = time.perf_counter()
            self.connection.execute(INSERT, values)
            inserted = time.perf_counter()
            self.connection.execute("COMMIT")
            inserting += inserted - began
            committing += time.perf_counter() - inserted
        self.inserts.append(inserting)
        self.commits.append(committing)


def main() -> None:
    """Measure and print everything."""
    with tempfile.TemporaryDirectory(dir=REPOSITORY) as folder:
        files = {
            name: File(Path(folder) / str(place), triggers)
            for place, (name, triggers) in enumerate(PARTS.items())
        }
        for _ in range(WARM_UP + ROUNDS):
            for file in files.values():
                file.round()
    inserts = {name: median(file.inserts) for name, file in files.items()}
    plain = inserts["no trigger"]
    for name, each in inserts.items():
        print(f"{name:45} {each:5.1f} µs an event, {each / plain:.2f} of the plain insert")
    commits = [median(file.commits) for file in files.values()]
    print(f"{'the commit':45} {statistics.median(commits):5.1f} µs an event")


def median(rounds: list[float]) -> float:
    """Return microseconds an event."""
    return statistics.median(rounds[WARM_UP:]) / (BATCHES * 100) * 1e6


if __name__ == "__main__":
    main()
