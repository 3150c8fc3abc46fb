"""Make result files anew from what a session or run kept; the same inputs give the same bytes."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import msgspec

from quantlab.base.errors import ConfigError, DataError, QuantlabError
from quantlab.base.remedies import PROVE, Setting
from quantlab.domain import documents
from quantlab.domain.config import BUILT_IN_STRATEGY
from quantlab.domain.events import Succeeded
from quantlab.domain.names import CONFIG, METADATA, METADATA_COPY, PRICE_CHART, PRICES, REPORT, RUN_REPORT
from quantlab.exports import bundle
from quantlab.folders import healing
from quantlab.folders.healing import folder_of, places_of
from quantlab.folders.kept import kept_by, paper_header
from quantlab.ledger import log
from quantlab.ledger.location import no_session
from quantlab.runner.rerun import rerun
from quantlab.runner.research import run_header
from quantlab.trading.prices import table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from quantlab.base.values import JsonObject
    from quantlab.domain.events import Recorded
    from quantlab.ledger.store import Store
    from quantlab.trading.results import Outcome

logger = logging.getLogger(__name__)


def rebuild_all_files(store: Store) -> int | None:
    """Write the sessions' files anew that are missing or behind, and return how many.

    Documents come from the events alone; tables, charts and reports by running a session again on its kept prices.
    None where the ledger is not asked for by its root: it does not know where the files are then.
    """
    root = store.location.root
    if root is None:
        return None
    made = healing.rebuild_files(store, root)
    results = rebuild_result_files(store, root)
    return sum(len(files) for files in made.values()) + results


def session_result_files(
    folder: Path, recorded: Sequence[Recorded], *, run_kept_code: bool = False
) -> dict[str, bytes]:
    """Return the files of a session that stand on its prices, the prices included, by name.

    Raises:
        DataError: its prices are gone, or give another result today; nothing is made up then.
        QuantlabError: the session did not run here, or did not succeed.
    """
    kept = kept_by(recorded, recorded[0].session_id)
    kept.require_own_code(recorded[0].session_id, run_kept_code=run_kept_code)
    result = rerun(folder, kept.config, kept.data, kept.strategy)
    _require_same(result, kept.result_digest, recorded[0].session_id)
    plotted = any(f'"{PRICE_CHART}"' in one.payload for one in recorded if one.type == "succeeded")
    files = bundle.result_files(result, paper_header(recorded), save_price_plot=plotted)
    return {PRICES: table.to_csv(result.tape), **files}


def rebuild_session_report(
    store: Store, folder: Path, session_id: str, *, run_kept_code: bool = False
) -> Path:
    """Write the report.json and run_report.md of a session anew in its folder, and what else is missing there.

    Other files stay as they are: what somebody edited in them is for `reconcile` to record.

    Returns:
        The path of run_report.md.

    Raises:
        ConfigError: the ledger knows no such session.
        DataError, QuantlabError: as `session_result_files`.
    """
    with store.read() as connection:
        recorded = log.read_events(connection, session_id)
    if not recorded:
        raise no_session(store.location, session_id)
    made = {
        **documents.documents(recorded),
        **session_result_files(folder, recorded, run_kept_code=run_kept_code),
    }
    asked = {name for name in made if name in (REPORT, RUN_REPORT) or not (folder / name).exists()}
    bundle.write_files(folder, {name: made[name] for name in made if name in asked})
    return folder / RUN_REPORT


def rebuild_run_report(folder: Path, *, run_kept_code: bool = False) -> Path:
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
    if config.get("strategy", BUILT_IN_STRATEGY) != BUILT_IN_STRATEGY and not run_kept_code:
        raise ConfigError(
            f"The run {folder.name} keeps a strategy's code, no ledger says that it is what ran, and it has your "
            "rights. Look at it in artifacts/strategy, then ask with ",
            Setting("run_kept_code"),
            ".",
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


def _run_result_files(folder: Path, config: JsonObject, metadata: JsonObject) -> dict[str, bytes]:
    result = rerun(folder, config, metadata["data"], metadata.get("strategy"))
    _require_same(result, metadata["result_digest"], folder.name)
    plotted = (folder / PRICE_CHART).exists()
    return bundle.result_files(result, run_header(metadata), save_price_plot=plotted)


def rebuild_result_files(store: Store, root: Path) -> int:
    """Make the tables, charts and reports anew that sessions of a root have lost; returns how many files.

    A session whose prices are gone, or that gives another result today, is told and left alone.
    """
    made = 0
    for place in places_of(store, root):
        folder = folder_of(root, place)
        if place.status != "success" or folder is None or not folder.is_dir():
            continue
        with store.read() as connection:
            recorded = log.read_events(connection, place.session_id)
        lost = [name for name in _recorded_artifacts(recorded) if not (folder / name).exists()]
        if lost:
            made += _rebuild_lost(folder, recorded, lost)
    return made


def _rebuild_lost(folder: Path, recorded: Sequence[Recorded], lost: list[str]) -> int:
    try:
        files = session_result_files(folder, recorded)
        bundle.write_files(folder, {name: files[name] for name in lost if name in files})
    except QuantlabError as error:
        logger.warning("%s: %s", folder.name, error)
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
            f"{name} gives another result today than it recorded; its files are left alone. ",
            PROVE,
            " names the first difference of a session.",
        )


def _read(path: Path) -> JsonObject:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} can't be read ({error}); expected a session's or run's folder.") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{path} holds no JSON object; expected a session's or run's folder.")
    return document
