"""The operators' questions on small and large ledgers: `python tests/benchmarks/queries.py [FOLDER] [LARGE]`.

Whole processes for `health`, `list` and `show`; query time per row printed for `alerts` and `promotion`. FOLDER keeps
the ledgers for another run; LARGE is 1,000,000 sessions unless given.
"""

from __future__ import annotations

import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import big_ledger
from timing import Row, print_table, processes_in_turn

from quantlab.base.clock import utc_now
from quantlab.base.process import is_alive
from quantlab.ledger.location import locate
from quantlab.ledger.reader import open_reader
from quantlab.queries.alerts import alerts
from quantlab.queries.promotion import promotion

if TYPE_CHECKING:
    from collections.abc import Callable

    from quantlab.ledger.reader import Reader

MAIN = str(Path(__file__).resolve().parents[2] / "main.py")
HEALTH_SQLALCHEMY = (
    "import click, sqlalchemy; sqlalchemy.create_engine('sqlite://').connect().exec_driver_sql('select 1')"
)
HEALTH_SQLITE = "import click, sqlite3; sqlite3.connect(':memory:').execute('select 1')"
SMALL, MIDDLE = 10, 10_000
TURNS = 9


def main(folder: Path, large: int) -> None:
    roots = {size: _root(folder, size) for size in (SMALL, MIDDLE, large)}
    rows = [*_processes(roots[large], roots[SMALL], large), *_start_up(roots[SMALL])]
    rows += [_per_row("alerts", _ask_alerts, roots[large], roots[MIDDLE])]
    rows += [_per_row("promotion", _ask_promotion, roots[large], roots[MIDDLE])]
    print_table(f"Queries on {large:,} sessions", rows)


def _root(folder: Path, sessions: int) -> Path:
    root = folder / f"root_{sessions}"
    if not root.exists():
        big_ledger.make_ledger(root, sessions)
    return root


def _processes(large: Path, small: Path, size: int) -> list[Row]:
    command = [sys.executable, MAIN, "paper-sessions"]
    asked = {
        "health": (["health", str(large)], ["health", str(small)]),
        "list --limit 50": (["list", str(large), "--limit", "50"], ["list", str(small), "--limit", "50"]),
        "show": (
            ["show", str(large / big_ledger.session_id(size // 2))],
            ["show", str(small / big_ledger.session_id(SMALL // 2))],
        ),
    }
    return [
        _process_row(name, f"{SMALL} sessions", [*command, *one], [*command, *other], 1.3, 1.1)
        for name, (one, other) in asked.items()
    ]


def _start_up(root: Path) -> list[Row]:
    health = [sys.executable, MAIN, "paper-sessions", "health", str(root)]
    return [
        _process_row(
            "health", "click + sqlalchemy, select 1", health, [sys.executable, "-c", HEALTH_SQLALCHEMY], 1.25
        ),
        _process_row(
            "health", "click + sqlite3, select 1", health, [sys.executable, "-c", HEALTH_SQLITE], None, 1.25
        ),
    ]


def _process_row(
    what: str, against: str, one: list[str], other: list[str], bar: float | None, further: float | None = None
) -> Row:
    first, second, ratio = processes_in_turn(one, other)
    return Row(what, against, ratio, bar, further, f"{first * 1000:.0f} ms, {second * 1000:.0f} ms")


def _per_row(what: str, ask: Callable[[Reader], int], large: Path, middle: Path) -> Row:
    """Compare the best times a row of two ledgers, asked in turn."""
    with open_reader(locate(large, None)) as first, open_reader(locate(middle, None)) as second:
        ask(first), ask(second)  # warm caches, not counted
        turns = [(_timed(ask, first), _timed(ask, second)) for _ in range(TURNS)]
    ours, baseline = (min(times) for times in zip(*turns, strict=True))
    figures = f"{ours * 1e6:.1f} µs, {baseline * 1e6:.1f} µs a row"
    return Row(what, f"{MIDDLE:,} sessions", ours / baseline, 1.5, 1.1, figures)


def _timed(ask: Callable[[Reader], int], reader: Reader) -> float:
    begun = time.perf_counter()
    rows = ask(reader)
    return (time.perf_counter() - begun) / rows


def _ask_alerts(reader: Reader) -> int:
    return len(alerts(reader, now=utc_now(), stale_after=timedelta(minutes=60), is_alive=is_alive)["alerts"])


def _ask_promotion(reader: Reader) -> int:
    answer = promotion(reader, now=utc_now())
    return len(answer["blocked_sessions"]) + len(answer["ready_candidates"])


if __name__ == "__main__":
    LARGE = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]), LARGE)
    else:
        with tempfile.TemporaryDirectory() as kept:
            main(Path(kept), LARGE)
