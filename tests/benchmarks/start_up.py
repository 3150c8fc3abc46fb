"""How long commands take to start, against the imports that they cannot do without.

Run: python tests/benchmarks/start_up.py [ROUNDS]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests")]

from flow_program import PAPER, environment, said  # noqa: E402 - the path comes first

MAIN = str(REPOSITORY / "main.py")
ROOT = "outputs/paper_sessions"
CLICK = ("-c", "import click")
CLICK_AND_SQLITE = ("-c", "import click, sqlite3")
PAIRS = [
    ("--help", (MAIN, "--help"), CLICK, 1.2),
    ("--version", (MAIN, "--version"), CLICK, 1.2),
    ("--paper-sessions-health", (MAIN, "--paper-sessions-health", ROOT), CLICK_AND_SQLITE, 1.5),
]


def main() -> None:
    """Print the best of some rounds, measured in turns so that both sides meet the same machine."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    with tempfile.TemporaryDirectory() as folder:
        said(Path(folder), *PAPER)
        print(f"{'command':<26} {'ms':>7} {'floor ms':>9} {'ratio':>6} {'aim':>5}")
        for name, words, floor_words, aim in PAIRS:
            taken, floor = best(Path(folder), words, floor_words, rounds)
            print(f"{name:<26} {taken * 1e3:>7.1f} {floor * 1e3:>9.1f} {taken / floor:>6.2f} {aim:>5}")


def best(folder: Path, words: tuple[str, ...], floor: tuple[str, ...], rounds: int) -> tuple[float, float]:
    """Return the shortest wall times of two Python command lines, in seconds."""
    times = [(seconds(folder, words), seconds(folder, floor)) for _ in range(rounds)]
    return min(one for one, _ in times), min(other for _, other in times)


def seconds(folder: Path, words: tuple[str, ...]) -> float:
    """Return the wall time of one Python command line."""
    command = [sys.executable, *words]
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment(folder), check=True, capture_output=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
