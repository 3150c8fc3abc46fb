"""The drill of many processes that run sessions of one configuration at once, while somebody reads the exports."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from support import audit
from support.ledger_history import stored

from quantlab.exports import index

if TYPE_CHECKING:
    from pathlib import Path

    from support.fork_server import Server

EVENTS_OF_A_SESSION = 5
"""started, prices loaded, simulated, reported, succeeded; more where a heartbeat falls due."""


@dataclass
class Many:
    """What the drill saw.

    Attributes:
        sessions: Sessions that the ledger holds.
        appends: Events that were appended and acknowledged.
        reads: Times that the exports were read while it went on.
        p99_seconds: The time that 99 of 100 appends stayed below, waiting for the other writers included.
        slowest_seconds: The slowest append.
        seconds: How long the whole drill took.
        faults: Whatever did not hold; empty as promised.
    """

    sessions: int = 0
    appends: int = 0
    reads: int = 0
    p99_seconds: float = 0.0
    slowest_seconds: float = 0.0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)


def run_many(server: Server, folder: Path, processes: int, each: int) -> Many:
    """Start the processes at once, read the exports until the last one ends, then audit."""
    folder.mkdir(parents=True)
    root, told, waits = folder / "paper_sessions", folder / "acknowledged", folder / "waits"
    many = Many()
    ended = threading.Event()
    reader = threading.Thread(target=_read_on, args=(root, ended, many))
    began = time.monotonic()
    reader.start()
    children = [
        server.start("sessions", str(folder), str(told), str(waits), each, cwd=folder)
        for _ in range(processes)
    ]
    ends = [child.wait(seconds=1_200) for child in children]
    many.seconds = time.monotonic() - began
    ended.set()
    reader.join()
    many.faults += [end.err for end in ends if end.code != 0]
    _audit(server, root, processes * each, many, audit.read_lines(told))
    _time(many, sorted(float(line) for line in audit.read_lines(waits)))
    return many


def _read_on(root: Path, ended: threading.Event, many: Many) -> None:
    while not ended.wait(0.02):
        if root.is_dir():
            many.faults += [f"{name} was torn while sessions ended" for name in audit.torn_exports(root)]
            many.reads += 1


def _audit(server: Server, root: Path, expected: int, many: Many, told: list[str]) -> None:
    many.appends = len(told)
    many.sessions = len(
        stored(root / "ledger.db", "SELECT session_id FROM paper_sessions WHERE status = 'success'")
    )
    folders = {folder.name for folder in root.iterdir() if folder.is_dir()}
    exported = {one["session_id"] for one in json.loads((root / index.JSON).read_text())["sessions"]}
    if not many.sessions == len(folders) == len(exported) == expected:
        many.faults.append(
            f"{many.sessions} rows, {len(folders)} folders, {len(exported)} exported, {expected} ran"
        )
    many.faults += [f"acknowledged and lost: {line}" for line in audit.lost(root, told)]
    many.faults += audit.ledger_faults(root) + audit.healed_faults(root)
    again = server.run("paper-sessions", "index", str(root))
    if not again.out.startswith("Ledger and folders agree"):
        many.faults.append(f"index found something: {again.out}{again.err}")


def _time(many: Many, waits: list[float]) -> None:
    if len(waits) < many.sessions * EVENTS_OF_A_SESSION:
        many.faults.append(f"{len(waits)} appends of {many.sessions} sessions")
        return
    many.p99_seconds = waits[int(len(waits) * 0.99)]
    many.slowest_seconds = waits[-1]
