"""Short names of what lies in the usual folders: an id, the end of one that no other has, or `latest`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from quantlab.base.errors import ConfigError
from quantlab.ledger.location import LEDGER_FILE, PAPER_ROOT, Location, is_url, locate, no_session

if TYPE_CHECKING:
    from collections.abc import Iterable

    from quantlab.ledger.reader import Reader, Row

OUTDIR = "outputs"
USUAL_ROOT = f"{OUTDIR}/{PAPER_ROOT}"
"""Where sessions are looked for when nobody says where: below the working folder."""
USUAL_RUNS = f"{OUTDIR}/runs"
LATEST = "latest"
MOST_NAMED = 5

_EXACTLY = "SELECT session_id, path FROM paper_sessions WHERE session_id = :word"
_ENDING = f"""\
SELECT session_id, path FROM paper_sessions
WHERE length(session_id) > length(CAST(:word AS TEXT))
  AND substr(session_id, length(session_id) - length(CAST(:word AS TEXT)) + 1) = :word
ORDER BY session_id DESC LIMIT {MOST_NAMED + 1}"""
_LATEST = """\
SELECT session_id, path FROM paper_sessions
WHERE session_id = (SELECT latest_session_id FROM session_health)"""


def spelled_out(session_dir: str, ledger: str | None) -> str:
    """Return the folder or id that a short name of a session means; any other SESSION_DIR as it is.

    Args:
        session_dir: What was given; a word without a folder before it is looked for in `outputs/paper_sessions`.
        ledger: The ledger's URL, where it is not the root's own.

    Raises:
        ConfigError: no session or several have such a name.
    """
    head, slash, word = session_dir.rstrip("/").rpartition("/")
    if word in ("", ".", "..") or is_url(session_dir) or Path(session_dir).exists():
        return session_dir
    root = Path(head or slash) if slash else Path(USUAL_ROOT)
    if not (ledger or (root / LEDGER_FILE).exists() or root.is_dir()):
        return session_dir
    location = locate(root if root.is_dir() else None, ledger)
    found = _looked_up(location, word)
    if found is None:
        if slash or ledger:
            return session_dir  # what finds it says what was expected there
        raise no_session(location, word)
    folder = root / found["path"]
    if folder.is_dir():
        return str(folder)
    return found["session_id"] if ledger else str(root / found["session_id"])


def _looked_up(location: Location, word: str) -> Row | None:
    from quantlab.base.clock import utc_now
    from quantlab.folders.roots import open_root

    with open_root(location, now=utc_now()) as reader:
        found = reader.row(_EXACTLY, word=word)
        if found is None and word == LATEST:
            found = reader.row(_LATEST)
        return found or _ending_in(reader, word)


def _ending_in(reader: Reader, word: str) -> Row | None:
    found = reader.rows(_ENDING, word=word)
    return found[0] if only_one(word, [row["session_id"] for row in found]) else None


def only_one(word: str, names: Iterable[str]) -> bool:
    """Tell whether there is exactly one name.

    Raises:
        ConfigError: there are several; some are named.
    """
    several = list(names)
    if len(several) > 1:
        more = "" if len(several) <= MOST_NAMED else ", …"
        raise ConfigError(
            f"{word!r} is the end of several ids: {', '.join(several[:MOST_NAMED])}{more}; expected one of them, "
            "or as much of its end as no other has."
        )
    return bool(several)


def usual_root(root: str | None) -> str:
    """Return the folder of sessions that a command is asked about: what was given, else the usual one.

    Raises:
        ConfigError: none was given, and the usual one is not there.
    """
    if root is not None:
        return root
    if not os.path.isdir(USUAL_ROOT):  # noqa: PTH112 - questions have to start fast
        raise ConfigError(
            f"There is no folder {USUAL_ROOT} here; expected ROOT, a folder of paper sessions or a ledger URL. Without "
            "ROOT, call it where 'quantlab run --paper' was called."
        )
    return USUAL_ROOT


def run_folder(run_dir: str) -> Path:
    """Return the folder of a run: what was given, or what a short name means in `outputs/runs`.

    Raises:
        ConfigError: several runs have such a name.
    """
    folder = Path(run_dir)
    if "/" in run_dir or folder.exists() or not Path(USUAL_RUNS).is_dir():
        return folder
    names = sorted(one.name for one in Path(USUAL_RUNS).iterdir() if one.is_dir())
    if run_dir in names:
        return Path(USUAL_RUNS, run_dir)
    if run_dir == LATEST:
        return _latest_run() or folder
    ending = [name for name in names if name.endswith(run_dir)]
    return Path(USUAL_RUNS, ending[0]) if only_one(run_dir, ending) else folder


def _latest_run() -> Path | None:
    """Return the run that `runs list` has first; a folder that is no run is none."""
    from quantlab.runner.research_index import newness, read_runs

    runs, _unreadable = read_runs(Path(USUAL_RUNS))
    named = [run for run in runs if isinstance(run["path"], str)]
    return Path(USUAL_RUNS, Path(str(max(named, key=newness)["path"])).name) if named else None
