"""What has to hold of a root after any fault: the questions that every drill ends with."""

from __future__ import annotations

import csv
import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from quantlab.domain.documents import documents
from quantlab.exports import index, index_rows
from quantlab.ledger import maintenance
from quantlab.ledger.log import read_events
from quantlab.ledger.store import open_store
from support.ledger_history import open_root, stored

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from quantlab.ledger.location import Location
    from quantlab.ledger.store import Store

JSON_FILES = (
    "session_status.json",
    "session_metadata.json",
    "metadata.json",
    "config.json",
    "metrics.json",
    "report.json",
)


def ledger_faults(root: Path, location: Location | None = None) -> list[str]:
    """Return what `ledger verify` finds: integrity, guards, chain, head, lifecycles, projection against its events.

    The ledger is the SQLite in the root, unless it is said where it is.
    """
    with _opened(root, location) as store:
        return [fault.what for fault in maintenance.verify(store).faults]


def lost(root: Path, acknowledged: Iterable[str]) -> list[str]:
    """Return the acknowledgements (`sequence hash session`) that the ledger does not hold as they were given."""
    file = root / "ledger.db"
    held: dict[Any, Any] = dict(_pairs(file, "SELECT sequence, hash FROM events")) if file.exists() else {}
    return [line for line in acknowledged if held.get(int(line.split()[0])) != line.split()[1]]


def read_lines(path: Path) -> list[str]:
    """Return a file's lines; none where it is not there yet."""
    return path.read_text().splitlines() if path.exists() else []


def torn_files(root: Path) -> list[str]:
    """Return the files of the root that are not whole: every JSON object of a session, every export."""
    torn = []
    for folder in root.iterdir():
        for name in JSON_FILES if folder.is_dir() else ():
            torn += [] if _is_object(folder / name) else [f"{folder.name}/{name}"]
    return torn + torn_exports(root)


def torn_exports(root: Path) -> list[str]:
    """Return the exports of the root that are there and not whole."""
    checks = {index.JSON: _export_json, index.CSV: _export_csv, index.MARKDOWN: _export_markdown}
    torn = []
    for name, check in checks.items():
        try:
            text = (root / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            continue
        if not check(text):
            torn.append(name)
    return torn


def healed_faults(root: Path, location: Location | None = None) -> list[str]:
    """Return what is not as it should be once the next command has healed the root."""
    faults = []
    with _opened(root, location) as store:
        with store.read() as connection:
            rows = connection.exec_driver_sql(
                "SELECT session_id, path, ended FROM paper_sessions WHERE origin = 'session'"
            ).all()
            for session_id, path, ended in rows:
                made = documents(read_events(connection, session_id))
                # Writers' sessions have no folder until an end makes one; a start alone leaves none behind.
                faults += [
                    f"{path}/{name} is not what the ledger says"
                    for name, data in made.items()
                    if (ended or (root / path).is_dir()) and _bytes(root / path / name) != data
                ]
            pending = connection.exec_driver_sql(
                "SELECT session_id FROM pending_files JOIN paper_sessions USING (session_id) WHERE ended"
            ).all()
            held = dict(
                tuple(row)
                for row in connection.exec_driver_sql("SELECT session_id, status FROM paper_sessions").all()
            )
    faults += [f"{session_id} is still to be healed" for (session_id,) in pending]
    faults += [f"{path.name} was left behind" for path in root.rglob(".*.tmp")]
    exported = json.loads((root / index.JSON).read_text())
    listed = {one["session_id"]: one["status"] for one in exported["sessions"]}
    return faults if listed == held else [*faults, "the index is not what the ledger says"]


def _opened(root: Path, location: Location | None) -> Store:
    return open_root(root) if location is None else open_store(location)


def database_is_sound(root: Path) -> bool:
    """Ask SQLite itself."""
    with closing(sqlite3.connect(root / "ledger.db")) as connection:
        return bool(connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)])


def _pairs(file: Path, query: str) -> list[tuple[Any, Any]]:
    return [(one, other) for one, other in stored(file, query)]


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _is_object(path: Path) -> bool:
    data = _bytes(path)
    return data is None or isinstance(json.loads(data), dict)


def _export_json(text: str) -> bool:
    document: dict[str, Any] = json.loads(text)
    return len(document["sessions"]) == int(document["n_sessions"])


def _export_csv(text: str) -> bool:
    header, *rows = csv.reader(text.splitlines())
    marks = {row[-2] for row in rows}
    return (
        tuple(header) == index_rows.CSV_COLUMNS
        and len(marks) <= 1
        and all(len(row) == len(header) for row in rows)
    )


def _export_markdown(text: str) -> bool:
    counted = next(line for line in text.splitlines() if line.startswith("- n_sessions:"))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return text.endswith("|\n") and len(rows) - 2 == int(counted.split(":")[1])
