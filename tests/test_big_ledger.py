"""The ledgers that benchmarks ask are ledgers as the program makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from big_ledger import make_ledger
from support.ledger_history import open_root

from quantlab.ledger import maintenance

if TYPE_CHECKING:
    from pathlib import Path


def test_a_benchmark_s_ledger_holds(tmp_path: Path) -> None:
    make_ledger(tmp_path, 100)
    with open_root(tmp_path) as store:
        assert maintenance.verify(store).faults == []
