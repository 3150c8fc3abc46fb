"""Make the output that pages show anew, and the README's picture: `python tests/make_shown_output.py [PAGE …]`."""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from support.shown_pages import REPOSITORY, SHOWN_PAGES, Workplace, rewritten, run_again, shown_in

PICTURE = REPOSITORY / "docs" / "first-session.png"
COLOURS = 64


def main(names: list[str]) -> None:
    """Run each page's commands in a fresh folder and write what they print into the page."""
    for name in names or SHOWN_PAGES:
        page = REPOSITORY / name
        text = page.read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder:
            place = Workplace(Path(folder))
            today = run_again(shown_in(text), place)
            if name == "README.md":
                PICTURE.write_bytes(picture_in(place.folder))
        page.write_text(rewritten(text, today), encoding="utf-8")


def picture_in(folder: Path) -> bytes:
    """Return the chart of the only session below a folder, in few colours: a third of the size, and looks the same."""
    (chart,) = folder.glob("outputs/paper_sessions/*/artifacts/equity.png")
    small = io.BytesIO()
    with Image.open(chart) as drawn:
        drawn.convert("RGB").quantize(COLOURS).save(small, "PNG", optimize=True)
    return small.getvalue()


if __name__ == "__main__":
    main(sys.argv[1:])
