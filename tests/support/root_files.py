"""Roots for tests of what lies on the disk: sessions of this program with their files, whole and true."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quantlab.base.process import start_mark
from quantlab.domain.documents import documents
from quantlab.domain.events import Succeeded
from quantlab.folders.adoption import FolderFacts, read_folder
from quantlab.folders.reconcile import Reconciled, reconcile
from quantlab.ledger import log
from support.sessions_builder import NOW, SUMMARY, Sessions, ago

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parents[2]
ONE, TWO = "20260301_080000_paper_aaaa0001", "20260302_080000_paper_aaaa0002"
TRADES = b"timestamp,side\n"


def finished(sessions: Sessions, session_id: str = ONE) -> Path:
    """Record a session that succeeded, and write all of its files; returns its folder."""
    folder = sessions.root / session_id
    (folder / "artifacts").mkdir(parents=True)
    (folder / "trades.csv").write_bytes(TRADES)
    (folder / "artifacts" / "equity.png").write_bytes(b"\x89PNG")
    sessions.started(session_id, ago(days=1)).loaded(session_id, ago(hours=23))
    artifacts = [
        {"file_name": name, "size_bytes": (folder / name).stat().st_size, "sha256": digest(folder / name)}
        for name in ("trades.csv", "artifacts/equity.png")
    ]
    event = Succeeded(
        summary=SUMMARY,
        best_result=SUMMARY,
        figures={},
        result_digest="e" * 64,
        bars=730,
        artifacts=artifacts,
        warnings=[],
    )
    sessions.record(session_id, ago(hours=22), event)
    write_documents(sessions, session_id)
    sessions.recorder.files_written(session_id)
    return folder


def running(sessions: Sessions, session_id: str = TWO, **process: Any) -> Path:
    """Record a session that got half-way, with its files; its process is a dead one of this host unless told."""
    process = {"host": os.uname().nodename, "pid": dead_pid(), **process}
    sessions.started(session_id, ago(hours=2), **process)
    sessions.beat(session_id, ago(hours=1))
    (sessions.root / session_id).mkdir()
    write_documents(sessions, session_id)
    return sessions.root / session_id


def write_documents(sessions: Sessions, session_id: str, upto: int | None = None) -> None:
    """Write the files that a session's events make, or its first `upto` events."""
    for name, data in made(sessions, session_id, upto).items():
        (sessions.root / session_id / name).write_bytes(data)


def made(sessions: Sessions, session_id: str, upto: int | None = None) -> dict[str, bytes]:
    """Return the files that a session's events make."""
    with sessions.store.read() as connection:
        return documents(log.read_events(connection, session_id)[:upto])


def row(sessions: Sessions, session_id: str) -> dict[str, Any]:
    """Return a session's row."""
    with sessions.reader() as reader:
        (found,) = reader.rows("SELECT * FROM paper_sessions WHERE session_id = :id", id=session_id)
    return found


def types(sessions: Sessions, session_id: str) -> list[str]:
    """Return the types of a session's events."""
    with sessions.store.read() as connection:
        return [one.type for one in log.read_events(connection, session_id)]


def reconciled(sessions: Sessions, **later: float) -> Reconciled:
    """Bring ledger and disk together."""
    return reconcile(sessions.store, sessions.root, now=NOW + timedelta(**later))


def edit(path: Path, **fields: Any) -> None:
    """Change fields of a JSON file as a person with an editor would."""
    path.write_text(json.dumps(json.loads(path.read_bytes()) | fields, indent=2) + "\n")


def facts_of(folder: Path, **documents: Any) -> FolderFacts:
    """Make a folder of these documents, as they are or as JSON; returns what is read of it."""
    folder.mkdir()
    for name, document in documents.items():
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        (folder / f"{name}.json").write_bytes(data)
    facts = read_folder(folder, folder.parent)
    assert facts is not None
    return facts


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def dead_pid() -> int:
    """Return the pid of a process that is gone."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


@contextmanager
def living_process(code: str = "import time; time.sleep(60)") -> Iterator[dict[str, Any]]:
    """Run a process; yields the columns that identify it."""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield {
                "host": os.uname().nodename,
                "pid": process.pid,
                "process": start_mark(process.pid),
                "popen": process,
            }
        finally:
            process.kill()


def run_cli(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the program as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "quantlab", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
