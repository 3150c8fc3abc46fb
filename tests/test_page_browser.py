"""The operators' page in a real browser: quiet, accessible, fit for phones, and sorted with what is missing last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest
from support.browser import A4, CHROMIUM, IN_CI, MISSING, PHONE, WIDE, Opened, started
from support.flow_program import said
from support.page_roots import forty, hostile
from support.sessions_builder import Sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None and not IN_CI, reason=MISSING)]
ONE_OF_EACH_KIND = (1, 2, 3, 40)
"""Places of a session that runs, one that failed, one that was proved different, and one that follows the market."""
BUILT: dict[str, Callable[[Sessions], Sessions]] = {
    "forty": forty,
    "hostile": hostile,
    "empty": lambda sessions: sessions,
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert CHROMIUM is not None, MISSING
    with started() as running:
        yield running


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {}
    for name, build in BUILT.items():
        folder = tmp_path_factory.mktemp("pages")
        with Sessions(folder / name) as built:
            build(built)
        done = said(folder, "paper-sessions", "page", name, "--now", "2026-03-10T12:00:00+00:00")
        assert done.code == 0, done.err
        made[name] = built.root / "paper_sessions.html"
    return made


@pytest.mark.parametrize("name", BUILT)
@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (WIDE, "dark"), (PHONE, "light")])
def test_a_page_is_quiet_fits_and_keeps_the_rules_of_access(
    files: dict[str, Path],
    browser: Browser,
    name: str,
    size: tuple[int, int],
    scheme: Literal["light", "dark"],
) -> None:
    opened = Opened(browser, files[name], size=size, scheme=scheme)
    assert opened.violations() == []
    opened.open_all()
    assert not opened.is_wider_than_its_window()
    assert opened.messages == []
    assert opened.requests == []


def test_open_sessions_keep_the_rules_of_access(files: dict[str, Path], browser: Browser) -> None:
    opened = Opened(browser, files["forty"])
    for place in ONE_OF_EACH_KIND:
        opened.page.evaluate(f"document.querySelector('#s{place}').open = true")
    assert opened.violations() == []


def test_the_whole_table_is_seen_on_a_usual_screen(files: dict[str, Path], browser: Browser) -> None:
    opened = Opened(browser, files["forty"])
    region = "document.querySelector('#all').parentElement"
    assert opened.page.evaluate(f"{region}.scrollWidth <= {region}.clientWidth")


def test_an_a4_page_has_the_whole_table(files: dict[str, Path], browser: Browser) -> None:
    opened = Opened(browser, files["forty"], size=A4)
    opened.page.emulate_media(media="print")
    assert not opened.is_wider_than_its_window()
    assert opened.page.locator("#all th:visible").count() == 10


def test_without_script_everything_is_there(files: dict[str, Path], browser: Browser) -> None:
    opened = Opened(browser, files["forty"], with_script=False)
    assert opened.page.locator("#all tbody tr:visible").count() == 40
    assert opened.page.locator("#tools:visible").count() == 0
    opened.page.locator("details summary").nth(5).click()
    assert opened.page.locator("details[open] dl:visible").count() == 1


def test_the_filter_leaves_what_was_asked_for(files: dict[str, Path], browser: Browser) -> None:
    opened = Opened(browser, files["forty"])
    opened.page.select_option("#state", "failed")
    assert opened.page.locator("#all tbody tr:visible").count() == 3
    assert opened.page.locator("details:visible").count() == 3
    assert opened.page.locator("#said").inner_text() == "3 of 40 shown"
    opened.page.fill("#find", "fa11ed000002 eth")
    assert opened.page.locator("#all tbody tr:visible").count() == 1


@pytest.mark.parametrize("clicks", [1, 2])
def test_sorted_either_way_missing_figures_come_last(
    files: dict[str, Path], browser: Browser, clicks: int
) -> None:
    opened = Opened(browser, files["forty"])
    for _ in range(clicks):
        opened.page.get_by_role("button", name="Return").click()
    cells = opened.page.locator("#all tbody td:nth-child(6)").all_inner_texts()
    known = [float(cell.rstrip("%")) for cell in cells if cell != "\N{EN DASH}"]
    assert cells[len(known) :] == ["\N{EN DASH}"] * 5
    assert known == sorted(known, reverse=clicks == 1)


def test_a_session_s_link_opens_its_details(files: dict[str, Path], browser: Browser) -> None:
    opened = Opened(browser, files["forty"])
    opened.page.locator("#r7 a").click()
    opened.page.wait_for_selector("#s7[open] figure:visible")
    assert opened.page.locator("#s7 svg").first.bounding_box()["width"] > 500  # type: ignore[index] # it is drawn


def test_on_paper_there_are_no_tools_and_only_what_was_opened(
    files: dict[str, Path], browser: Browser
) -> None:
    opened = Opened(browser, files["forty"])
    opened.page.evaluate("document.querySelector('#s6').open = true")
    opened.page.emulate_media(media="print")
    assert opened.page.locator("#tools:visible").count() == 0
    assert opened.page.locator("details:visible").count() == 1
