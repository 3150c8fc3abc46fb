"""Make result files anew from what a session or run kept; the same inputs give the same bytes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from quantlab import ledger
from quantlab.errors import ConfigError, DataError, QuantlabError
from quantlab.events import Succeeded
from quantlab.exports import artifacts, bundle
from quantlab.exports.names import CONFIG, METADATA, METADATA_COPY, PRICE_CHART, PRICES, REPORT, RUN_REPORT
from quantlab.research.rerun import rerun
from quantlab.research.runs import run_header
from quantlab.sessions.healing import folder_of, places_of
from quantlab.sessions.paper import paper_header
from quantlab.sessions.proving import kept_by
from quantlab.store.location import no_session
from quantlab.trading.prices import table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from quantlab.events import Recorded
    from quantlab.store.engine import Store
    from quantlab.trading.results import Outcome


def session_result_files(folder: Path, recorded: Sequence[Recorded]) -> dict[str, bytes]:
    """Return the files of a session that stand on its prices, the prices included, by name.

    Raises:
        DataError: its prices are gone, or give another result today; nothing is made up then.
        QuantlabError: the session did not run here, or did not succeed.
    """
    kept = kept_by(recorded, recorded[0].session_id)
    result = rerun(folder, kept.config, kept.data)
    _require_same(result, kept.result_digest, recorded[0].session_id)
    plotted = any(f'"{PRICE_CHART}"' in one.payload for one in recorded if one.type == "succeeded")
    files = bundle.result_files(result, paper_header(recorded[0]), save_price_plot=plotted)
    return {PRICES: table.to_csv(result.prices), **files}


def rebuild_session_report(store: Store, folder: Path, session_id: str) -> Path:
    """Write the report.json and run_report.md of a session anew in its folder, and what else is missing there.

    Other files stay as they are: what somebody edited in them is for `reconcile` to record.

    Returns:
        The path of run_report.md.

    Raises:
        ConfigError: the ledger knows no such session.
        DataError, QuantlabError: as `session_result_files`.
    """
    with store.read() as connection:
        recorded = ledger.read_session(connection, session_id)
    if not recorded:
        raise no_session(store.location, session_id)
    made = {**artifacts.documents(recorded), **session_result_files(folder, recorded)}
    asked = {name for name in made if name in (REPORT, RUN_REPORT) or not (folder / name).exists()}
    bundle.write_files(folder, {name: made[name] for name in made if name in asked})
    return folder / RUN_REPORT


def rebuild_run_report(folder: Path) -> Path:
    """Write the run_report.md of a research run anew; returns its path.

    Raises:
        ConfigError: the folder holds no run, or one that does not say what a report takes.
        DataError: the run's prices are gone or give another result today.
        QuantlabError: the run did not succeed.
    """
    metadata, config = _read(folder / METADATA_COPY), _read(folder / CONFIG)
    if metadata.get("status") != "success" or not isinstance(metadata.get("data"), dict):
        raise QuantlabError(f"The run {folder.name} did not succeed; there is no report to rebuild.")
    if not isinstance(metadata.get("result_digest"), str):
        raise QuantlabError(
            f"The run {folder.name} does not say what its result was (result_digest in {METADATA_COPY}); "
            "its report is left alone."
        )
    try:
        files = _run_result_files(folder, config, metadata)
    except _UNTOLD as error:
        why = f"no {error}" if isinstance(error, KeyError) else f"{type(error).__name__}: {error}"
        raise ConfigError(
            f"{folder / METADATA_COPY} does not say what a report takes ({why}); expected it as the run wrote it. "
            "Bring it back from a copy, or run again."
        ) from error
    bundle.write_files(folder, files)
    return folder / RUN_REPORT


_UNTOLD = (KeyError, TypeError, ValueError, AttributeError, msgspec.MsgspecError)
"""What metadata raises from which something was taken, or whose values are of other types."""


def _run_result_files(folder: Path, config: dict[str, Any], metadata: dict[str, Any]) -> dict[str, bytes]:
    result = rerun(folder, config, metadata["data"])
    _require_same(result, metadata["result_digest"], folder.name)
    plotted = (folder / PRICE_CHART).exists()
    return bundle.result_files(result, run_header(metadata), save_price_plot=plotted)


def remake_result_files(store: Store, root: Path, *, say: Callable[[str], None]) -> int:
    """Make the tables, charts and reports anew that sessions of a root have lost; returns how many files.

    A session whose prices are gone, or that gives another result today, is told and left alone.
    """
    made = 0
    for place in places_of(store, root):
        folder = folder_of(root, place)
        if place["status"] != "success" or folder is None or not folder.is_dir():
            continue
        with store.read() as connection:
            recorded = ledger.read_session(connection, place["session_id"])
        lost = [name for name in _recorded_artifacts(recorded) if not (folder / name).exists()]
        if lost:
            made += _remake_lost(folder, recorded, lost, say)
    return made


def _remake_lost(
    folder: Path, recorded: Sequence[Recorded], lost: list[str], say: Callable[[str], None]
) -> int:
    try:
        files = session_result_files(folder, recorded)
        bundle.write_files(folder, {name: files[name] for name in lost if name in files})
    except QuantlabError as error:
        say(f"WARNING: {folder.name}: {error}")
        return 0
    return sum(name in files for name in lost)


def _recorded_artifacts(recorded: Sequence[Recorded]) -> list[str]:
    ends = [one.event for one in recorded if one.type == "succeeded"]
    return [str(one["file_name"]) for end in ends if isinstance(end, Succeeded) for one in end.artifacts]


def is_run(folder: Path) -> bool:
    """Tell a run's folder from a session's: only a run has metadata.json and no session_metadata.json."""
    return (folder / METADATA_COPY).is_file() and not (folder / METADATA).is_file()


def _require_same(result: Outcome, digest: str, name: str) -> None:
    if result.result_digest != digest:
        raise DataError(
            f"{name} gives another result today than it recorded; its files are left alone. "
            "'quantlab paper-sessions prove' names the first difference of a session."
        )


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} can't be read ({error}); expected a session's or run's folder.") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{path} holds no JSON object; expected a session's or run's folder.")
    return document
