"""Keep a password that was given in a flag out of `ps`: overwrite it where the kernel reads the command line from."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from quantlab.base.secrets import secret_spans, spans_in_word

if TYPE_CHECKING:
    from collections.abc import Iterator

_FLAG = "--ledger"
_ARG_START = 45
"""Place of `arg_start` among the fields of /proc/self/stat that follow the command's name (proc(5), field 48)."""


def hide_passwords() -> None:
    """Overwrite the secrets of ledgers' URLs in this process's arguments with asterisks, as far as the system allows.

    Only Linux shows where the arguments lie; elsewhere nothing happens. Other users may have looked in the moment
    before, so a password belongs into `QUANTLAB_LEDGER` or a password file.
    """
    with suppress(OSError, ValueError, IndexError):
        arguments = Path("/proc/self/cmdline").read_bytes()
        found = list(_secrets_in(arguments.decode("latin-1").split("\0")))  # a character is a byte
        if found:
            _overwrite(_start_of_arguments(), found)


def _secrets_in(arguments: list[str]) -> Iterator[tuple[int, int]]:
    place = len(arguments[0]) + 1
    for before, argument in pairwise(arguments):
        flag = len(_FLAG) + 1 if argument.startswith(f"{_FLAG}=") else 0
        value = argument[flag:]
        spans = secret_spans(value) if flag or before == _FLAG else spans_in_word(value)
        yield from ((place + flag + begin, place + flag + end) for begin, end in spans)
        place += len(argument) + 1


def _start_of_arguments() -> int:
    after_name = Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2]
    return int(after_name.split()[_ARG_START])


def _overwrite(start: int, spans: list[tuple[int, int]]) -> None:
    import ctypes

    for begin, end in spans:
        ctypes.memset(start + begin, ord("*"), end - begin)
