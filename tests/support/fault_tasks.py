"""What the fork server's children do: command lines, and writers that acknowledge what the ledger has committed."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from datetime import datetime, tzinfo
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quantlab.base import clock
from quantlab.cli.main import run
from quantlab.ledger.location import locate
from quantlab.ledger.recorder import Recorder
from quantlab.ledger.store import open_store
from support.ledger_history import entry, heartbeat, started, succeeded

if TYPE_CHECKING:
    from collections.abc import Callable

    from quantlab.domain.events import Recorded
    from quantlab.domain.session import Session
    from quantlab.ledger.log import Entry

SESSION = ["--paper", "--prices", "synthetic", "--ticker", "ETH-USD"]


READ_WITH = (
    "pandas",
    "quantlab.trading.prices.files",
    "quantlab.sessions.forward.begin",
    "quantlab.sessions.forward.resume",
    "sqlalchemy.dialects.postgresql.psycopg",
    "psycopg",
)
"""What reads price files and follows them: it would be most of what a child does."""


def warm_up() -> None:
    """Do everything once, so that every child begins with all that is imported when it is first used."""
    sys.argv = ["main.py"]
    for name in READ_WITH:
        import_module(name)
    with tempfile.TemporaryDirectory() as folder:
        root = f"{folder}/paper_sessions"
        run([*SESSION, "--outdir", folder])
        request = '{"schema_version": "1.0", "command": "run", "params": {"ticker": 1}}'
        for words in (
            ["paper-sessions", "index", root],
            ["paper-sessions", "list", root],
            ["paper-sessions", "show", f"{root}/none"],
            ["paper-sessions", "health", root],
            ["paper-sessions", "alerts", root],
            ["paper-sessions", "promotion", root],
            ["paper-sessions", "abort", f"{root}/none", "--reason", "none"],
            ["ledger", "verify", root],
            ["request", request],
        ):
            run(words)


def command(words: list[str]) -> int:
    """Run a command line of quantlab."""
    return run(words)


def command_at(words: list[str], seconds: float | None, environment: dict[str, str]) -> int:
    """Run a command line on a machine whose clock is set to a time, and goes on from there; None for the present."""
    os.environ.update(environment)
    if seconds is not None:
        ahead = time.time() - seconds

        class Set(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override] # of the class it stands for
                return datetime.fromtimestamp(time.time() - ahead, tz)

        patched: Any = clock
        patched.datetime = Set
    return run(words)


def session(outdir: str, acknowledged: str, *more: str) -> int:
    """Run a whole paper session; each event is acknowledged in a file once the recorder has returned it."""
    with_acknowledgements(acknowledged)
    return run([*SESSION, "--outdir", outdir, "--heartbeat-seconds", "0.02", *more])


def sessions(outdir: str, acknowledged: str, waits: str, count: int) -> int:
    """Run many sessions of one configuration, one after the other; also note how long each append took."""
    with_acknowledgements(acknowledged, waits)
    return max(run([*SESSION, "--outdir", outdir]) for _ in range(count))


def index(root: str) -> int:
    """Bring a root together again and again, until killed."""
    while True:
        run(["paper-sessions", "index", root])


def writer(root: str, acknowledged: str, name: str) -> None:
    """Record sessions one after the other as fast as the ledger takes them, until killed."""
    with_acknowledgements(acknowledged)
    with open_store(locate(Path(root), None)) as store:
        recorder = Recorder(store)
        for number in range(1_000_000):
            session_id = f"{name}-{number}"
            recorder.record(entry(session_id, 1, started(session_id)))
            for version in range(2, 5):
                recorder.record(entry(session_id, version, heartbeat(version)))
            recorder.record(entry(session_id, 5, succeeded()))


def with_acknowledgements(path: str, waits: str | None = None) -> None:
    """From here on note every event that the recorder returned, with one write each, which no kill can tear."""
    acknowledged = _appending(path)
    waited = None if waits is None else _appending(waits)
    record: Callable[..., tuple[Recorded, Session]] = Recorder.record

    def noting(self: Recorder, one: Entry) -> tuple[Recorded, Session]:
        began = time.perf_counter()
        recorded, row = record(self, one)
        took = time.perf_counter() - began
        os.write(acknowledged, f"{recorded.sequence} {recorded.hash} {recorded.session_id}\n".encode())
        if waited is not None:
            os.write(waited, f"{took:.6f}\n".encode())
        return recorded, row

    patched: Any = Recorder
    patched.record = noting


def _appending(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
