"""Make the tables on pages anew that stand on the program: `python tests/make_tables.py`."""

from __future__ import annotations

import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))  # a checkout that is not installed makes its own pages

from support.made_tables import DOCS, PAGES, remade  # noqa: E402 - after the path is set

for page in PAGES:
    (DOCS / page).write_text(remade(page), encoding="utf-8")
