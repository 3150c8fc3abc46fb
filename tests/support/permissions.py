"""Permissions that bind, whoever runs the tests: root is let go of the two capabilities by which none binds it.

It stays root, so that it can still read a checkout, a Python and a home that are its own and closed to others; stepping
down to another user could not.
"""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_OVERRIDING = 1 << 1 | 1 << 2
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, as linux/capability.h numbers them."""
_VERSION_3 = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


@contextmanager
def folder_of_ones_own() -> Iterator[Path]:
    """Yield a folder whose modes a test may change as it likes; it can be removed afterwards."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "root"
        root.mkdir(mode=0o755)
        try:
            yield root
        finally:
            root.chmod(0o755)


@contextmanager
def permissions_bind() -> Iterator[None]:
    """Go on for a while as somebody whom permissions bind, which an ordinary user is anyway."""
    if os.geteuid() != 0:
        yield
        return
    if sys.platform != "linux":
        pytest.skip("no permission binds root here; run the tests as an ordinary user")
    before = _capabilities()
    _set_capabilities([before[0] & ~_OVERRIDING, *before[1:]])
    try:
        yield
    finally:
        _set_capabilities(before)


def have_permissions_bind() -> None:
    """Do so to the end of this process."""
    if os.geteuid() == 0 and sys.platform == "linux":
        effective, permitted, *others = _capabilities()
        _set_capabilities([effective & ~_OVERRIDING, permitted & ~_OVERRIDING, *others])


def _capabilities() -> list[int]:
    """Return this thread's effective, permitted and inheritable set, the lower 32 of each and then the upper."""
    sets = (_Sets * 2)()
    _ask_kernel("capget", sets)
    return [getattr(half, name) for half in sets for name in ("effective", "permitted", "inheritable")]


def _set_capabilities(values: list[int]) -> None:
    _ask_kernel("capset", (_Sets * 2)(_Sets(*values[:3]), _Sets(*values[3:])))


def _ask_kernel(call: str, sets: ctypes.Array[_Sets]) -> None:
    header = _Header(_VERSION_3, 0)
    if getattr(ctypes.CDLL(None, use_errno=True), call)(ctypes.byref(header), sets):
        raise OSError(ctypes.get_errno(), f"{call}: {os.strerror(ctypes.get_errno())}")
