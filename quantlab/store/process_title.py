"""Keep a password that was given in a flag out of `ps`: overwrite it where the kernel reads the command line from."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

_PASSWORDS = (
    re.compile(rb"://[^/:\0]*:([^\0]*)@"),
    re.compile(rb"(?i)[?&](?:password|sslpassword|passfile)=([^&\0]*)"),
)
_ARG_START = 45
"""Place of `arg_start` among the fields of /proc/self/stat that follow the command's name (proc(5), field 48)."""


def hide_passwords() -> None:
    """Overwrite the passwords of URLs in this process's arguments with asterisks, as far as the system allows.

    Only Linux shows where the arguments lie; elsewhere nothing happens. Other users may have looked in the moment
    before, so a password belongs into `QUANTLAB_LEDGER` or a password file.
    """
    with suppress(OSError, ValueError, IndexError):
        arguments = Path("/proc/self/cmdline").read_bytes()
        found = [match.span(1) for form in _PASSWORDS for match in form.finditer(arguments)]
        if found:
            _overwrite(_start_of_arguments(), found)


def _start_of_arguments() -> int:
    after_name = Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2]
    return int(after_name.split()[_ARG_START])


def _overwrite(start: int, spans: list[tuple[int, int]]) -> None:
    import ctypes

    for begin, end in spans:
        ctypes.memset(start + begin, ord("*"), end - begin)
