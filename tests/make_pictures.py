"""Make the pictures in docs/ anew, of page, comparison and overlay: `python tests/make_pictures.py [NAME …]`."""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, PngImagePlugin
from support.browser import Opened, started
from support.pictures import PICTURES, SOURCE, Shown

if TYPE_CHECKING:
    from playwright.sync_api import Browser

DOCS = Path(__file__).resolve().parents[1] / "docs"
COLOURS, SIZE = 48, (1200, 1500)


def main(names: list[str]) -> None:
    """Build what each picture shows, where its name says nothing of this machine, and take it."""
    with started() as browser:
        for name in names or PICTURES:
            with tempfile.TemporaryDirectory() as folder:
                shown = PICTURES[name](Path(folder))
                taken = shown.drawn or _taken(browser, shown, Path(folder) / "shown.html")
            _write(DOCS / name, taken, shown)


def _taken(browser: Browser, shown: Shown, file: Path) -> bytes:
    file.write_text(shown.text, encoding="utf-8")
    opened = Opened(browser, file, size=SIZE)
    if "<main>" in shown.text:
        return opened.page.screenshot()
    return opened.page.locator("body").screenshot()


def _write(file: Path, taken: bytes, shown: Shown) -> None:
    """Write a picture in few colours, which takes a third of the room, with the digest of what it shows."""
    told = PngImagePlugin.PngInfo()
    told.add_text(SOURCE, shown.digest)
    small = io.BytesIO()
    with Image.open(io.BytesIO(taken)) as shot:
        shot.convert("RGB").quantize(COLOURS).save(small, "PNG", optimize=True, pnginfo=told)
    file.write_bytes(small.getvalue())


if __name__ == "__main__":
    main(sys.argv[1:])
