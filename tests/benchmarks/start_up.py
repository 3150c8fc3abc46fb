"""How long commands take to start, against the imports that they cannot do without; by the processor's time.

Beside them a comparison of ten sessions, against showing one, and the shell's completion.

Run: python tests/benchmarks/start_up.py [ROUNDS]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests")]

from support.flow_program import PAPER, environment, said  # noqa: E402 - the path comes first
from timing import processor_of_children  # noqa: E402

MAIN = str(REPOSITORY / "main.py")
ROOT = "outputs/paper_sessions"
SESSION = (
    "--ticker",
    "ETH-USD",
    "--start",
    "2022-01-01",
    "--end",
    "2024-01-01",
    "--prices",
    "synthetic",
    "--paper",
)
"""The session whose cost is measured: 730 bars."""
CLICK = ("-c", "import click")
CLICK_AND_SQLITE = ("-c", "import click, sqlite3")
PAIRS = [
    ("--help", (MAIN, "--help"), CLICK, 1.2),
    ("--version", (MAIN, "--version"), CLICK, 1.2),
    ("--paper-sessions-health", (MAIN, "--paper-sessions-health", ROOT), CLICK_AND_SQLITE, 1.5),
]


OTHERS = 9
COMPLETION_MS = 200
COMPLETIONS = [
    ("completion bash", ("-m", "quantlab", "completion", "bash"), {}),
    (
        "a word completed",
        ("-m", "quantlab"),
        {"_QUANTLAB_COMPLETE": "bash_complete", "COMP_WORDS": "quantlab paper-sessions ", "COMP_CWORD": "2"},
    ),
]


class Spent(NamedTuple):
    """What a process took, in seconds."""

    wall: float
    processor: float


def main() -> None:
    """Print the least of some rounds, measured in turns so that both sides meet the same machine."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept)
        for _ in range(1 + OTHERS):
            said(folder, *PAPER, "--no-charts")
        sessions = [str(path) for path in sorted((folder / ROOT).iterdir()) if path.is_dir()]
        compared = (MAIN, "--paper-sessions-compare", *sessions)
        shown = (MAIN, "--paper-sessions-show", sessions[0])
        print(f"{'command':<26} {'wall ms':>8} {'processor':>9} {'floor':>7} {'ratio':>6} {'aim':>5}")
        for name, words, floor_words, aim in [*PAIRS, ("compare of ten ÷ show", compared, shown, 2.0)]:
            turns = [(spent(folder, words), spent(folder, floor_words)) for _ in range(rounds)]
            wall = min(ours.wall for ours, _ in turns) * 1e3
            ours, floor = (min(one.processor for one in side) * 1e3 for side in zip(*turns, strict=True))
            print(f"{name:<26} {wall:>8.1f} {ours:>9.1f} {floor:>7.1f} {ours / floor:>6.2f} {aim:>5}")
        for name, words, variables in COMPLETIONS:
            times = [spent(folder, words, **variables) for _ in range(rounds)]
            wall, ours = (min(times_of) * 1e3 for times_of in zip(*times, strict=True))
            print(f"{name:<26} {wall:>8.1f} {ours:>9.1f} {COMPLETION_MS:>7} ms allowed")


def best(folder: Path, words: tuple[str, ...], floor: tuple[str, ...], rounds: int) -> tuple[float, float]:
    """Return the shortest wall times of two Python command lines, in seconds."""
    times = [(spent(folder, words).wall, spent(folder, floor).wall) for _ in range(rounds)]
    return min(one for one, _ in times), min(other for _, other in times)


def spent(folder: Path, words: tuple[str, ...], **more: str) -> Spent:
    """Return what one Python command line took."""
    command = [sys.executable, *words]
    began, worked = time.perf_counter(), processor_of_children()
    subprocess.run(command, cwd=folder, env=environment(folder, **more), check=True, capture_output=True)
    return Spent(time.perf_counter() - began, processor_of_children() - worked)


if __name__ == "__main__":
    main()
