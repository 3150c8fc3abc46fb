"""What a result was made with: code, packages, Python."""

from __future__ import annotations

import platform
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from quantlab import __version__

PACKAGES = ("numpy", "pandas", "yfinance", "matplotlib", "sqlalchemy", "msgspec")
"""The packages whose versions results or their recording depend on."""


@dataclass(frozen=True)
class Environment:
    """Identity of the program that made a result."""

    code_version: str
    git_commit: str | None
    python_version: str
    python_executable: str
    packages: dict[str, str]


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Return what this process runs with."""
    return Environment(
        code_version=__version__,
        git_commit=_git_commit(),
        python_version=platform.python_version(),
        python_executable=sys.executable,
        packages={name: _version(name) for name in PACKAGES},
    )


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _git_commit() -> str | None:
    """Return the commit of the checkout that this package runs from; None when it was installed from a wheel."""
    checkout = Path(__file__).resolve().parent.parent.parent
    if not (checkout / ".git").exists():
        return None
    command = ["git", "-C", str(checkout), "rev-parse", "HEAD"]
    try:
        answer = subprocess.run(  # noqa: S603 - fixed words and our own folder
            command, capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None
