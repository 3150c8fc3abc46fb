"""What a tame answer is: no traceback, no escape code, no formula, one line that says what is wrong."""

from __future__ import annotations

import contextlib
import csv
import io
import re
from typing import TYPE_CHECKING

from quantlab.cli.main import run

if TYPE_CHECKING:
    from pathlib import Path

    from support.fork_server import Done

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")
CODES = (0, 1, 2, 3, 4)


def called(*words: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(list(words))
    return code, out.getvalue(), err.getvalue()


def assert_tame(code: int, out: str, err: str) -> None:
    """No traceback, no defect, no escape code; an error is one line that says so."""
    assert code in CODES, (code, err)
    assert "Traceback" not in err
    assert "defect of quantlab" not in err
    assert CONTROL.findall(out + err) == []
    if code:
        assert err.count("ERROR: ") >= 1
        assert err.endswith("\n")


def assert_done_tame(done: Done) -> None:
    assert not done.hung
    assert_tame(done.code, done.out, done.err)


def assert_no_formulas(table: Path) -> None:
    number = re.compile(r"[+-]?[0-9.]+(e[+-]?[0-9]+)?$", re.IGNORECASE)
    with table.open(newline="", encoding="utf-8") as handle:
        cells = [cell for row in csv.reader(handle) for cell in row]
    assert [
        cell for cell in cells if cell[:1] in ("=", "+", "-", "@", "\t", "\r") and not number.match(cell)
    ] == []
