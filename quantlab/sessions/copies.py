"""A ledger's copies: made aside, opened by themselves, and told by how their files begin."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

from quantlab.store.engine import open_store
from quantlab.store.location import Location

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from quantlab.store.engine import Store

SQLITE_MAGIC = b"SQLite format 3\x00"
LONGEST_HEADER = 64 * 1024
"""Bytes that the first line of an export may have."""


@contextmanager
def aside(file: Path) -> Iterator[Path]:
    """Lend a name beside a file for its copy; what still has that name at the end, side files and all, goes."""
    # Not named as files aside are elsewhere: SQLite can't lock them in the way that keeps them from being swept up.
    copy = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}.copy")
    try:
        yield copy
    finally:
        for suffix in ("", "-wal", "-shm", ".lock"):
            copy.with_name(copy.name + suffix).unlink(missing_ok=True)


@contextmanager
def opened(file: Path) -> Iterator[Store]:
    """Open a copy as the ledger that it is."""
    with open_store(Location(root=None, file=file), create=False, upgrade=False) as store:
        yield store
