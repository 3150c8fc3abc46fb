"""What is known of all research runs, read off their folders; `runs_index.*` can be deleted and re-made."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import TYPE_CHECKING, Any

from quantlab.clock import iso, parse_iso
from quantlab.exports.files import json_bytes, write_whole
from quantlab.exports.names import CONFIG, METADATA_COPY
from quantlab.store.lock import file_lock
from quantlab.text import csv_cell, markdown_cell

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

CSV, JSON, MARKDOWN = "runs_index.csv", "runs_index.json", "runs_index.md"
FIGURES = ("total_return", "sharpe_simple", "max_drawdown", "trades", "win_rate")
_FROM_METADATA = (
    "run_id",
    "status",
    "created_at",
    "finished_at",
    "request_id",
    "config_hash",
    "result_digest",
)
_FROM_CONFIG = ("ticker", "start", "end", "interval", "prices")
COLUMNS = (*_FROM_METADATA, *_FROM_CONFIG, *FIGURES, "path")

Run = dict[str, Any]


def read_runs(root: Path) -> tuple[list[Run], list[str]]:
    """Return every run below a root, by run id, and the names of files that could not be read."""
    runs: list[Run] = []
    unreadable: list[str] = []
    for folder in sorted(one for one in root.iterdir() if one.is_dir()):
        if _is_run(folder, unreadable):
            run, bad = read_run(folder)
            runs.append(run)
            unreadable += bad
    return sorted(runs, key=lambda run: str(run["run_id"])), unreadable


def _is_run(folder: Path, unreadable: list[str]) -> bool:
    try:
        return (folder / METADATA_COPY).is_file()
    except PermissionError:
        unreadable.append(str(folder))
        return False


def read_run(folder: Path) -> tuple[Run, list[str]]:
    """Return one run as its folder tells it, and the files that could not be read.

    What is unknown is None, and so is what no index can hold: anybody may have written the files.
    """
    unreadable: list[str] = []
    metadata = _read(folder / METADATA_COPY, unreadable)
    config = _read(folder / CONFIG, unreadable)
    summary = metadata.get("summary") if isinstance(metadata.get("summary"), dict) else {}
    run: Run = {name: _plain(metadata.get(name)) for name in _FROM_METADATA}
    run |= {name: _plain(config.get(name)) for name in _FROM_CONFIG}
    run |= {name: _plain((summary or {}).get(name)) for name in FIGURES}
    run["run_id"] = run["run_id"] or _plain(folder.name)
    run["path"] = _plain(str(folder.absolute()))
    return run, unreadable


def refresh(root: Path) -> None:
    """Write runs_index.csv, .json and .md anew, each whole; runs that end at once take turns.

    Raises:
        QuantlabError: a file can't be written.
    """
    with file_lock(root / ".runs_index.lock"):
        runs, _unreadable = read_runs(root)
        document = {
            "generated_at": _newest(runs),
            "root_dir": _plain(str(root.absolute())),
            "n_runs": len(runs),
            "runs": runs,
        }
        write_whole(root / JSON, json_bytes(document))
        write_whole(root / CSV, as_csv(runs).encode())
        write_whole(root / MARKDOWN, _as_markdown(runs).encode())


def time_of(run: Run) -> datetime | None:
    """Return when a run ended, else when it began, in UTC; None where it tells neither."""
    return _moment(run["finished_at"]) or _moment(run["created_at"])


def as_csv(runs: Iterable[Run]) -> str:
    """Return runs as CSV, cells safe for spreadsheets."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_cell(run[name]) for name in COLUMNS] for run in runs)
    return out.getvalue()


def _newest(runs: Iterable[Run]) -> str | None:
    newest = max((moment for run in runs if (moment := time_of(run)) is not None), default=None)
    return None if newest is None else iso(newest)


def _moment(value: Any) -> datetime | None:
    try:
        return parse_iso(value) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None


def _cell(value: Any) -> Any:
    return csv_cell(value) if isinstance(value, str) else value


def _as_markdown(runs: Iterable[Run]) -> str:
    head = f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}\n"
    rows = (
        f"| {' | '.join(markdown_cell('' if run[name] is None else str(run[name])) for name in COLUMNS)} |\n"
        for run in runs
    )
    return f"# Research runs\n\n{head}{''.join(rows)}"


def _read(path: Path, unreadable: list[str]) -> dict[str, Any]:
    try:
        # A pipe that nobody writes to would be waited for without an end.
        document = _parsed(path) if path.is_file() or not path.exists() else None
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError):
        document = None
    if isinstance(document, dict):
        return document
    unreadable.append(str(path))
    return {}


def _parsed(path: Path) -> Any:
    """Read what older programs wrote too: a byte order mark, NaN, Infinity."""
    return json.loads(path.read_text(encoding="utf-8-sig"), parse_constant=lambda _name: None)


def _plain(value: Any) -> Any:
    """Return a value that strict JSON, CSV and an order can hold; None for any other."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if value is None or isinstance(value, bool):
        return value
    return value if isinstance(value, (int, float)) and _is_finite(value) else None


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float can hold
        return False
