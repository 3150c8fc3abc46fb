"""Whole processes beside those of another checkout, in turns: `python tests/benchmarks/before.py CHECKOUT [ROUNDS]`.

Make one with `git worktree add /tmp/before COMMIT`. Each side has a folder and a ledger of its own, made by its own
code. There are 15 rounds unless given; a third word measures the commands alone that have it in their name.
Processor time is what is judged, for a machine with other work makes both wait.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from start_up import REPOSITORY, ROOT, SESSION
from timing import processor_of_children

sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests")]

from support.flow_program import environment  # noqa: E402 - the path comes first

BAR = 1.1
APPENDS = """\
import sys, tempfile
from pathlib import Path
sys.path[:0] = [sys.argv[1] + "/tests", sys.argv[1] + "/tests/support"]
from both_engines import birth, entry
try:
    from quantlab.domain.events import Heartbeat
    from quantlab.ledger.location import locate
    from quantlab.ledger.recorder import Recorder
    from quantlab.ledger.store import open_store
except ImportError:  # the rooms had other names once
    from quantlab.events import Heartbeat
    from quantlab.sessions.recorder import Recorder
    from quantlab.store.engine import open_store
    from quantlab.store.location import locate
with tempfile.TemporaryDirectory() as folder, open_store(locate(Path(folder), None)) as store:
    recorder = Recorder(store)
    recorder.record(birth("bench"))
    for version in range(2, int(sys.argv[2]) + 2):
        recorder.record(entry("bench", version, Heartbeat(stage="simulating", bars_done=version, bars_expected=99_999)))
"""
"""Told apart from a process that appends but a few: the difference is what the appends cost."""
MANY, FEW = 1_000, 1
COMMANDS = {
    "--help": ("--help",),
    "--version": ("--version",),
    "run --paper": SESSION,
    "list": ("--paper-sessions-list", ROOT),
    "health": ("--paper-sessions-health", ROOT),
    "alerts": ("--paper-sessions-alerts", ROOT),
    "promotion": ("--paper-sessions-promotion", ROOT),
    "show": ("--paper-sessions-show",),
}


class Side:
    """One checkout, and a folder in which it has recorded a session."""

    def __init__(self, checkout: Path, folder: Path) -> None:
        self.checkout = checkout
        self.folder = folder
        folder.mkdir()
        self.spent(str(checkout / "main.py"), *SESSION)
        self.session = next(path for path in (folder / ROOT).iterdir() if path.is_dir())

    def command(self, name: str) -> float:
        """Return the processor time of a command."""
        words = COMMANDS[name]
        return self.spent(
            str(self.checkout / "main.py"), *words, *([str(self.session)] if name == "show" else [])
        )

    def appends(self) -> float:
        """Return the processor time of one append."""
        many, few = (self.spent("-c", APPENDS, str(self.checkout), str(count)) for count in (MANY, FEW))
        return (many - few) / (MANY - FEW)

    def spent(self, *words: str) -> float:
        """Return the processor time of a Python process, in seconds."""
        before = processor_of_children()
        variables = {**environment(self.folder), "PYTHONPATH": str(self.checkout)}
        command = [sys.executable, *words]
        subprocess.run(command, cwd=self.folder, env=variables, check=True, capture_output=True)
        return processor_of_children() - before


def main(checkout: Path, rounds: int, wanted: str) -> None:
    """Print the medians of each command, and of the ratios of its turns."""
    print(f"{'processor time':16} {'now ms':>9} {'then ms':>9} {'ratio':>6}  bar {BAR}")
    with tempfile.TemporaryDirectory() as folder:
        now, then = Side(REPOSITORY, Path(folder) / "now"), Side(checkout.resolve(), Path(folder) / "then")
        for name in COMMANDS:
            if wanted in name:
                told(name, [(now.command(name), then.command(name)) for _ in range(rounds)])
        if wanted in "append":
            told("append", [(now.appends(), then.appends()) for _ in range(rounds)])


def told(name: str, turns: list[tuple[float, float]]) -> None:
    ours, theirs = (statistics.median(times) * 1e3 for times in zip(*turns, strict=True))
    ratio = statistics.median(one / other for one, other in turns)
    print(
        f"{name:16} {ours:9.2f} {theirs:9.2f} {ratio:6.2f}  {'met' if ratio <= BAR else 'MISSED'}", flush=True
    )


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 15, "".join(sys.argv[3:4]))
