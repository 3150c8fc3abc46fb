"""The program asked in this process, and roots to ask about: one with sessions in every state, one with none."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from quantlab.cli.main import run
from support.sessions_builder import Sessions, one_of_each

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

EARLIER_READY = "20260301_080000_paper_aaaa0001"
READY = "20260302_080000_paper_aaaa0002"
FAILED = "20260304_080000_paper_fail0004"
EDITED = "20260306_080000_paper_edit0008"
GONE = "20260307_080000_paper_gone0009"
STALE = "20260310_100000_paper_stal0006"


class Said:
    """What a command line printed, and its exit code."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: object) -> None:
        self.code = run([str(argument) for argument in arguments])
        self.out, self.err = capsys.readouterr()

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@contextmanager
def every_state(folder: Path) -> Iterator[Path]:
    """Yield a root with sessions in every state; the ready ones have their folders, an edited one a file as well."""
    with Sessions(folder) as built:
        one_of_each(built)
        for name in (EARLIER_READY, READY, EDITED):
            (folder / name).mkdir()
        (folder / EDITED / "trades.csv").write_text("timestamp\n")
        yield folder


def no_sessions(folder: Path) -> Path:
    """Return a root whose ledger is empty."""
    with Sessions(folder) as built:
        return built.root
