"""Make docs/cli.md anew from the commands: `python tests/make_cli_page.py`."""

from __future__ import annotations

import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))  # a checkout that is not installed makes its own page

from support.cli_page import made  # noqa: E402 - after the path is set

(REPOSITORY / "docs" / "cli.md").write_text(made(), encoding="utf-8")
