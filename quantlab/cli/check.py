"""`quantlab check`: whether this installation is fit to run, as JSON."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
from importlib import metadata
from pathlib import Path
from typing import Any

import click

from quantlab import __version__
from quantlab.cli.run import TEXT

PACKAGES = (
    "alembic",
    "click",
    "matplotlib",
    "msgspec",
    "numpy",
    "pandas",
    "pyarrow",
    "sqlalchemy",
    "yfinance",
)
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
def check(outdir: str) -> int:
    """Tell versions, the ledger's schema and whether the output folder can be written; exits 0 or 2."""
    facts = _facts(Path(outdir))
    click.echo(json.dumps(facts, indent=2))
    return 0 if facts["status"] == "ok" else UNFIT


def _facts(outdir: Path) -> dict[str, Any]:
    from quantlab.store.revision import HEAD_REVISION

    packages = {name: _version(name) for name in PACKAGES}
    folder = _nearest_existing(outdir)
    writable = folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
    problems = [
        f"package {name} is missing; install quantlab again" for name, one in packages.items() if one is None
    ]
    if not writable:
        problems.append(f"{folder} can't be written; choose another folder with --outdir")
    return {
        "status": "error" if problems else "ok",
        "problems": problems,
        "warnings": _warnings(),
        "quantlab": __version__,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "packages": packages,
        "ledger_revision": HEAD_REVISION,
        "folders": {str(outdir): {"exists": outdir.is_dir(), "writable": writable}},
    }


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
