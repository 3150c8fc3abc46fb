"""Research runs as commands are told of them, by a folder or a short name, read off the disk."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from quantlab.base.errors import ConfigError
from quantlab.cli.naming import run_folder

if TYPE_CHECKING:
    from quantlab.runner.research_index import Run

logger = logging.getLogger(__name__)


def read_root(root: str) -> list[Run]:
    """Return the runs below a root; what of them can't be read is named on stderr.

    Raises:
        ConfigError: it is no folder.
    """
    from quantlab.runner.research_index import read_runs

    folder = _folder(root)
    if not folder.is_dir():
        raise ConfigError(f"{root} is no folder of runs; expected one such as outputs/runs.")
    found, unreadable = read_runs(folder)
    _warn(unreadable)
    return found


def read_one(run_dir: str) -> Run:
    """Return the run that a RUN_DIR means; what of it can't be read is a warning.

    Raises:
        ConfigError: there is none, or several have such a name.
    """
    from quantlab.domain.names import METADATA_COPY
    from quantlab.runner.research_index import read_run

    folder = run_folder(str(_folder(run_dir, "RUN_DIR")))
    if not (folder / METADATA_COPY).is_file():
        raise ConfigError(f"No run at {run_dir}; 'quantlab runs list {folder.parent}' names them.")
    run, unreadable = read_run(folder)
    _warn(unreadable)
    return run


def _folder(text: str, what: str = "ROOT") -> Path:
    from quantlab.ledger.location import require_path

    require_path(what, text)
    return Path(text)


def _warn(unreadable: list[str]) -> None:
    for name in unreadable:
        logger.warning("%s can't be read; its fields are shown as unknown.", name)
