"""`quantlab check`: whether this installation is fit to run, as JSON."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
from importlib import metadata
from pathlib import Path

import click

from quantlab import __version__
from quantlab.base.errors import QuantlabError
from quantlab.cli.options import TEXT, with_ledger

PACKAGES = (
    "alembic",
    "click",
    "matplotlib",
    "msgspec",
    "numpy",
    "pandas",
    "sqlalchemy",
    "yfinance",
)
OPTIONAL_PACKAGES = ("psycopg", "pyarrow")
"""Of the extras `postgres` and `parquet`: asked for where they are needed, null here where they are not there."""
WAL_RESET_FIXED = (3, 51, 3)
UNFIT = 2


@click.command()
@click.option(
    "--outdir",
    type=TEXT,
    default="outputs",
    show_default=True,
    help="Folder that sessions are written below.",
)
@with_ledger("The ledger that sessions record in, where it is not the folder's own")
def check(outdir: str, ledger: str | None) -> int:
    """Tell versions, and whether the ledger and the output folder can be used; exits 0 or 2."""
    facts = {**_facts(Path(outdir), ledger), **_configured()}
    click.echo(json.dumps(facts, indent=2))
    return 0 if facts["status"] == "ok" else UNFIT


def _facts(outdir: Path, url: str | None) -> dict[str, object]:
    from quantlab.ledger.revision import HEAD_REVISION

    packages = {name: _version(name) for name in PACKAGES}
    folder = _nearest_existing(outdir)
    writable = folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
    problems = [
        f"package {name} is missing; install quantlab again" for name, one in packages.items() if one is None
    ]
    if not writable:
        problems.append(f"{folder} can't be written; choose another folder with --outdir")
    warnings = _warnings()
    ledger = None if None in packages.values() else _ledger(outdir, url, problems, warnings)
    return {
        "status": "error" if problems else "ok",
        "problems": problems,
        "warnings": warnings,
        "quantlab": __version__,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "packages": packages | {name: _version(name) for name in OPTIONAL_PACKAGES},
        "ledger_revision": HEAD_REVISION,
        "ledger": ledger,
        "folders": {str(outdir): {"exists": outdir.is_dir(), "writable": writable}},
    }


def _configured() -> dict[str, object]:
    """Tell which options have their value from file or environment; a wrong file is refused as by every command."""
    from quantlab.cli.configured import read_file, settings
    from quantlab.cli.main import cli

    file = read_file()
    return {
        "config_file": None if file is None else str(file.path),
        "settings": [one._asdict() for one in settings(cli)],
    }


def _ledger(
    outdir: Path, url: str | None, problems: list[str], warnings: list[str]
) -> dict[str, object] | None:
    """Look at the ledger as it lies there, and say what is wrong with it; None where it can't be looked at."""
    from quantlab.ledger.location import PAPER_ROOT, locate
    from quantlab.ledger.reader import schema_of
    from quantlab.ledger.revision import HEAD_REVISION

    try:
        location = locate(outdir / PAPER_ROOT, url)
        revision = schema_of(location)
    except QuantlabError as error:
        problems.append(str(error))
        return None
    if revision not in (None, HEAD_REVISION):
        warnings.append(
            f"The ledger {location} has schema {revision}; the first command that opens it upgrades it to "
            f"{HEAD_REVISION}, and keeps a SQLite file as it was beside it."
        )
    return {"place": str(location), "exists": revision is not None, "revision": revision}


def _warnings() -> list[str]:
    if sqlite3.sqlite_version_info >= WAL_RESET_FIXED:
        return []
    return [
        f"SQLite {sqlite3.sqlite_version} has a rare fault when many processes write and checkpoint a WAL at once "
        "(mended in 3.51.3); keep backups with 'quantlab ledger backup'."
    ]


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _nearest_existing(folder: Path) -> Path:
    return next(one for one in (folder, *folder.absolute().parents) if one.exists())
