"""Which sessions of a ledger that roots share are one root's: those of its host, whatever name it was called by."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def this_host() -> str:
    """Return this machine's name, as sessions keep it."""
    return socket.gethostname()


def name_of(root: Path) -> str:
    """Return a root's absolute path with its links as they were named: so its sessions keep it, and exports show it."""
    return os.path.abspath(root)  # noqa: PTH100 - `resolve` would follow the links


def names_of(root: Path, recorded: Iterable[str | None]) -> list[str]:
    """Return the names of a root among those that sessions of this host were recorded with, and its own."""
    here = os.path.realpath(root)
    others = {name for name in recorded if name is not None and os.path.realpath(name) == here}
    return sorted(others | {name_of(root)})
