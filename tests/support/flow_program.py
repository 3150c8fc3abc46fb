"""The program as its users meet it: called in this process, or started as one of its own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
import time
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quantlab.cli.main import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REPOSITORY = Path(__file__).resolve().parents[2]
MAIN = REPOSITORY / "main.py"
SYNTHETIC = ("--ticker", "ETH-USD", "--start", "2022-01-01", "--end", "2023-12-31", "--prices", "synthetic")
PAPER = (*SYNTHETIC, "--paper")
PACED = ("--pace", "0.02", "--heartbeat-seconds", "0.1")
STAGES = ["prices_loaded", "simulating", "simulated", "reported"]
WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class Said:
    """What a command line said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """Return the one line of an error; anything beside it is a fault."""
        assert self.err.startswith("ERROR: "), self.err
        assert self.err.count("\n") == 1, self.err
        assert self.out == ""
        return self.err.removeprefix("ERROR: ").rstrip("\n")


def said(folder: Path, *words: str) -> Said:
    """Call the program in this process, in a folder."""
    out, err = io.StringIO(), io.StringIO()
    with chdir(folder), redirect_stdout(out), redirect_stderr(err):
        code = run(list(words))
    return Said(code, out.getvalue(), err.getvalue())


def reported_session(folder: Path) -> Path:
    """Run a session in a folder, with a report, a request's id and a signal file; returns the session's folder."""
    done = said(folder, *PAPER, "--report", "--request-id", "req_7", "--signal-file", "logs/signals.jsonl")
    assert done.code == 0, done.err
    return session_of(folder)


def environment(home: Path, **more: str) -> dict[str, str]:
    """Return a process's variables: this code, a home of its own, and none of the caller's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QUANTLAB_")}
    return {**kept, "PYTHONPATH": str(REPOSITORY), "HOME": str(home), **more}


def started(folder: Path, *words: str, **more: str) -> subprocess.Popen[str]:
    """Start `python main.py …` in a folder."""
    return subprocess.Popen(
        [sys.executable, str(MAIN), *words],
        cwd=folder,
        env=environment(folder, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextlib.contextmanager
def running(folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Start the program; whatever a test finds, the process does not outlive it."""
    process = started(folder, *words)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str]) -> Said:
    """Wait for a process's end."""
    out, err = process.communicate(timeout=WAIT_SECONDS)
    return Said(process.returncode, out, err)


def ran(folder: Path, *words: str, **more: str) -> Said:
    """Run the program as a process of its own."""
    return ended(started(folder, *words, **more))


def in_shell(folder: Path, command: str) -> Said:
    """Run a command line as a person would who pasted it."""
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def until(true: Callable[[], bool], what: str) -> None:
    """Wait for a fact to come true."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not true():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.01)


def root_of(folder: Path) -> Path:
    """Return the root of the sessions that were run in a folder."""
    return folder / "outputs" / "paper_sessions"


def session_of(folder: Path) -> Path:
    """Return the folder of the one session that was run there."""
    (session,) = sessions_of(folder)
    return session


def sessions_of(folder: Path) -> list[Path]:
    """Return the folders of the sessions that were run there, the latest last."""
    root = root_of(folder)
    return sorted(one for one in root.iterdir() if one.is_dir()) if root.is_dir() else []


def digest(session: Path) -> str:
    """Return the digest of a session's result."""
    return str(document(session / "metrics.json")["result_digest"])


def run_of(folder: Path) -> Path:
    """Return the folder of the one research run that was made there."""
    (found,) = (one for one in (folder / "outputs" / "runs").iterdir() if one.is_dir())
    return found


def document(path: Path) -> dict[str, Any]:
    """Read strict JSON: no NaN, no Infinity."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{path.name} holds {constant}")

    read = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    assert isinstance(read, dict)
    return read


def status_of(folder: Path) -> str:
    """Return the status that a session's file tells; empty while there is none."""
    try:
        return str(document(session_of(folder) / "session_status.json")["status"])
    except (OSError, ValueError):
        return ""


def stage_of(folder: Path) -> str | None:
    """Return the stage that the one session's status file tells; None while there is none."""
    found = sessions_of(folder)
    if not found or not (found[0] / "session_status.json").exists():
        return None
    stage = document(found[0] / "session_status.json")["stage"]
    return None if stage is None else str(stage)


def signals_in(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a signal file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def events_of(folder: Path) -> list[tuple[str, str]]:
    """Return type and payload of the events in the ledger of a folder's root, in their order."""
    import sqlite3

    with contextlib.closing(sqlite3.connect(root_of(folder) / "ledger.db")) as connection:
        rows = connection.execute("SELECT type, payload FROM events ORDER BY sequence").fetchall()
    return [(str(kind), str(payload)) for kind, payload in rows]


def kinds_of(folder: Path) -> list[str]:
    """Return the types of all events in the ledger of a folder's root."""
    return [kind for kind, _ in events_of(folder)]


def request(params: dict[str, Any] | None = None, **fields: Any) -> str:
    """Return a JSON request."""
    whole = {"schema_version": "1.0", "request_id": "req_1", "command": "run", "params": params or {}}
    return json.dumps(whole | fields)


def unquoted(command: str) -> list[str]:
    """Return the words of a command line."""
    return shlex.split(command)


UTC_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")
