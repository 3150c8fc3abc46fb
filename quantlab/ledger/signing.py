"""Heads signed with a key that the operator holds: whoever rewrites a whole chain can't sign its new head.

HMAC-SHA256 (RFC 2104, FIPS 198-1) over a fixed text; pure but for reading the key's file.
"""

from __future__ import annotations

import hmac
import stat
from typing import TYPE_CHECKING

from quantlab.base.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

SHORTEST_KEY, LONGEST_KEY = 32, 4096
_MAKE_ONE = "make one with '(umask 077; head -c 32 /dev/urandom | base64 > FILE)'"


def signature(key: bytes, ledger_id: str, sequence: int, digest: str) -> str:
    """Return the HMAC-SHA256, in hex, of a ledger's head."""
    text = f"quantlab ledger head 1\n{ledger_id}\n{sequence}\n{digest}"
    return hmac.new(key, text.encode(), "sha256").hexdigest()


def is_signed(key: bytes, ledger_id: str, sequence: int, digest: str, signed: str) -> bool:
    """Tell whether a signature is that of this head under this key, in constant time."""
    expected = signature(key, ledger_id, sequence, digest)
    return hmac.compare_digest(expected.encode(), signed.encode())


def read_key(file: Path) -> bytes:
    """Read a key: the file's bytes, less line ends at their end.

    Raises:
        ConfigError: it can't be read, others than its owner may read it, or it is too short or long for a key.
    """
    try:
        mode = file.stat().st_mode
        key = _bytes_of(file) if stat.S_ISREG(mode) else b""
    except OSError as error:
        raise ConfigError(f"The key {file} can't be read ({error.strerror}); {_MAKE_ONE}.") from error
    if stat.S_ISDIR(mode):
        raise ConfigError(f"The key {file} is a folder; expected a file: {_MAKE_ONE}.")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(f"The key {file} is open to others than its owner; run 'chmod 600 {file}'.")
    if not SHORTEST_KEY <= len(key) <= LONGEST_KEY:
        raise ConfigError(
            f"The key {file} has {len(key)} bytes; expected a file of {SHORTEST_KEY} to {LONGEST_KEY}: {_MAKE_ONE}."
        )
    return key


def _bytes_of(file: Path) -> bytes:
    with file.open("rb") as handle:
        return handle.read(LONGEST_KEY + 3).rstrip(b"\r\n")
