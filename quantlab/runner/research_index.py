"""What is known of all research runs, read off their folders; `runs_index.*` can be deleted and re-made."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import TYPE_CHECKING

import msgspec

from quantlab.base.clock import iso, parse_iso
from quantlab.base.files import json_bytes, write_whole
from quantlab.base.text import csv_cell, markdown_cell, without_controls
from quantlab.base.values import JsonObject
from quantlab.domain.config import RunConfig, rules_hash
from quantlab.domain.names import CONFIG, METADATA_COPY
from quantlab.ledger.sqlite.locks import file_lock
from quantlab.queries.side_by_side import Side

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
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
_SETTINGS = (
    "cooldown_days",
    "fee",
    "fill",
    "initial_cash",
    "k_atr",
    "slippage_bps",
    "slippage_mode",
)
_BUILT_IN, _BUILT_IN_PARAMS = "rsi_ma_cross_v2", ("rsi_buy_max", "rsi_sell_min")
COLUMNS = (
    *(*_FROM_METADATA, *_FROM_CONFIG, *FIGURES, "path"),
    *("strategy", "strategy_params", *_SETTINGS),
)
Run = JsonObject
"""A run as the index tells it."""


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
    run["strategy"] = _plain(config.get("strategy", _BUILT_IN if config else None))
    run["strategy_params"] = _strategy_params(config)
    run |= {name: _plain(config.get(name)) for name in _SETTINGS}
    run["rules_hash"] = _rules_of(metadata, config)
    return run, unreadable


def other_rules(root: Path, config: RunConfig) -> int | None:
    """Count the rules other than a configuration's that runs below a root tried on overlapping bars of its ticker.

    They are read off the index, which every run refreshes; where that is gone or lacks `rules_hash`, off the folders.

    Returns:
        The number; None where the runs can't be read.
    """
    try:
        runs = _indexed(root) or (read_runs(root)[0] if root.is_dir() else [])
    except OSError:
        return None
    overlapping = {
        str(run.get("rules_hash"))
        for run in runs
        if run.get("rules_hash") is not None
        and run.get("ticker") == config.ticker
        and str(run.get("start")) < config.end
        and str(run.get("end")) > config.start
    }
    return len(overlapping - {rules_hash(config)})


def _indexed(root: Path) -> list[Run]:
    """Return the runs as the index has them; none where it can't be used."""
    try:
        runs = json.loads((root / JSON).read_bytes())["runs"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []
    usable = isinstance(runs, list) and all(isinstance(run, dict) and "rules_hash" in run for run in runs)
    return runs if usable else []


def _rules_of(metadata: JsonObject, config: JsonObject) -> str | None:
    """Return what a run tried, as it says or as its configuration makes it; None where neither can be read."""
    if isinstance(metadata.get("rules_hash"), str):
        return str(_plain(metadata["rules_hash"]))
    try:
        return rules_hash(RunConfig.as_recorded(config)) if config else None
    except msgspec.ValidationError:
        return None


def _strategy_params(config: JsonObject) -> JsonObject | None:
    """Return what the strategy was given, by name; None where the configuration is not known."""
    if not config:
        return None
    given = config.get("strategy_params")
    named = {name: config[name] for name in _BUILT_IN_PARAMS if config.get(name) is not None}
    named |= given if isinstance(given, dict) else {}
    return {str(_plain(name)): _plain(value) for name, value in named.items()}


def parameters(run: Run) -> Run:
    """Return what a run was launched with, by name: market, range, strategy and all that it was given."""
    named = {name: run.get(name) for name in (*_FROM_CONFIG, "strategy", *_SETTINGS)}
    return named | (run.get("strategy_params") or {})


def side_of_run(run: Run) -> Side:
    """Return a run as it is compared."""
    facts = {name: run.get(name) for name in ("status", "request_id", "result_digest")}
    return Side(str(run["run_id"]), parameters(run), facts, {name: run.get(name) for name in FIGURES})


def differing_parameters(runs: Sequence[Run]) -> list[str]:
    """Return the names of the parameters in which runs differ, in their usual order."""
    told = [parameters(run) for run in runs]
    names = dict.fromkeys(name for one in told for name in one)
    return [name for name in names if len({repr(one.get(name)) for one in told}) > 1]


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


def newness(run: Run) -> tuple[str, str]:
    """Return what runs are ordered by in time; one that tells no time is older than any that does."""
    moment = time_of(run)
    return "" if moment is None else iso(moment), str(run["run_id"])


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


def _moment(value: object) -> datetime | None:
    try:
        return parse_iso(value) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None


def _cell(value: object) -> object:
    value = told(value)
    return csv_cell(without_controls(value)) if isinstance(value, str) else value


def told(value: object) -> object:
    """Return a value as one cell holds it: parameters as JSON."""
    return json.dumps(value, sort_keys=True) if isinstance(value, dict) else value


def _as_markdown(runs: Iterable[Run]) -> str:
    head = f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}\n"
    rows = (
        f"| {' | '.join(markdown_cell('' if run[name] is None else str(told(run[name]))) for name in COLUMNS)} |\n"
        for run in runs
    )
    return f"# Research runs\n\n{head}{''.join(rows)}"


def _read(path: Path, unreadable: list[str]) -> JsonObject:
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


def _parsed(path: Path) -> object:
    """Read what older programs wrote too: a byte order mark, NaN, Infinity."""
    return json.loads(path.read_text(encoding="utf-8-sig"), parse_constant=lambda _name: None)


def _plain(value: object) -> object:
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
