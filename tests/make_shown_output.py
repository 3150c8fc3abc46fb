"""Make the output that docs/runbook.md and docs/quickstart.md show anew: `python tests/make_shown_output.py`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from shown_pages import REPOSITORY, Workplace, rewritten, run_again, shown_in

PAGES = ("runbook.md", "quickstart.md")


def main(names: list[str]) -> None:
    """Run each page's commands in a fresh folder and write what they print into the page."""
    for name in names or PAGES:
        page = REPOSITORY / "docs" / name
        text = page.read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder:
            today = run_again(shown_in(text), Workplace(Path(folder)))
        page.write_text(rewritten(text, today), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
