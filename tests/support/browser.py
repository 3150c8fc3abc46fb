"""Debian's chromium, driven by playwright; and what it saw of a page."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium")
MISSING = "no chromium is installed here; on Debian 'apt-get install chromium' brings it"
IN_CI = os.environ.get("CI") == "true"
WIDE, PHONE, A4 = (1280, 900), (380, 800), (718, 1040)
_QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *(
        "--disable-background-networking",
        "--disable-component-update",
        "--no-first-run",
        "--force-color-profile=srgb",
    ),
)


@contextmanager
def started() -> Iterator[Browser]:
    """Start chromium, which asks nobody for anything."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=[*_QUIET])
        try:
            yield browser
        finally:
            browser.close()


class Opened:
    """A file as a browser shows it.

    Attributes:
        page: To look further.
        messages: Whatever the console said, errors among it.
        requests: Addresses that were asked for, the file's own and those of `data:` left out.
    """

    def __init__(
        self,
        browser: Browser,
        file: Path,
        *,
        size: tuple[int, int] = WIDE,
        scheme: Literal["light", "dark"] = "light",
        with_script: bool = True,
    ) -> None:
        self.messages: list[str] = []
        self.requests: list[str] = []
        viewport: Any = {"width": size[0], "height": size[1]}
        context = browser.new_context(viewport=viewport, color_scheme=scheme, java_script_enabled=with_script)
        self.page: Page = context.new_page()
        address = file.absolute().as_uri()
        self.page.on("console", lambda message: self.messages.append(message.text))
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))
        self.page.on("request", lambda request: self._asked(request.url, address))
        self.page.goto(address)

    def _asked(self, url: str, address: str) -> None:
        if url != address and not url.startswith("data:"):
            self.requests.append(url)

    def open_all(self) -> None:
        """Open every session's details."""
        self.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")

    def violations(self) -> list[str]:
        """Return what axe-core has against the page, each with the first place where."""
        self.page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
        found = self.page.evaluate("axe.run()")["violations"]
        return [f"{one['id']}: {one['help']}: {one['nodes'][0]['html']}" for one in found]

    def is_wider_than_its_window(self) -> bool:
        """Tell whether the page as a whole has to be scrolled sideways."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > innerWidth"))
