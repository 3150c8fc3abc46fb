"""The pages that show commands print what they show; the runbook that operators were given runs as it is written."""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from make_shown_output import PICTURE, picture_in
from PIL import Image
from support.shown_pages import (
    REPOSITORY,
    SESSION_ID,
    SHOWN_PAGES,
    Shown,
    Workplace,
    normalised,
    rewritten,
    run_again,
    shown_in,
)
from support.yahoo_server import YahooServer

if TYPE_CHECKING:
    from pathlib import Path

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
BELOW_THE_TITLE = 30
"""Rows of pixels: the title holds the session's id."""
VISIBLY = 60
LAUNCH = "python main.py --ticker ETH-USD --start 2022-01-01 --end 2023-12-31 --paper --report"
REQUEST = (
    'python main.py --json-request "{\\"schema_version\\":\\"1.0\\",\\"request_id\\":\\"req_paper_001\\",'
    '\\"command\\":\\"run\\",\\"params\\":{\\"ticker\\":\\"ETH-USD\\",\\"start\\":\\"2022-01-01\\",'
    '\\"end\\":\\"2023-12-31\\",\\"paper\\":true}}" --signal-file logs/quantlab-signals.jsonl'
)
QUESTIONS = (
    "python main.py --paper-sessions-list outputs/paper_sessions",
    "python main.py --paper-sessions-show outputs/paper_sessions/<session_id>",
    "python main.py --paper-sessions-health outputs/paper_sessions",
    "python main.py --paper-sessions-alerts outputs/paper_sessions --paper-stale-minutes 60",
    "python main.py --paper-sessions-index outputs/paper_sessions",
    "python main.py --paper-sessions-promotion outputs/paper_sessions",
)
"""The commands of the operators' runbook, sections 2 to 8, as they are written there."""

SECTIONS = [
    "1. What a paper session is for",
    "2. Launch a session",
    "3. Where its files are",
    "4. Inspect sessions",
    "5. Check overall health",
    "6. Read alerts",
    "7. Refresh the shared index",
    "8. Assess promotion readiness",
    "9. What to do about each state",
    "10. The daily round",
    "11. Where its bounds are",
    "12. Where to read on",
]
"""The operators' runbook's sections, in our words."""


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", SHOWN_PAGES)
def test_a_page_shows_what_its_commands_print(name: str, tmp_path: Path) -> None:
    shown = shown_in((REPOSITORY / name).read_text(encoding="utf-8"))
    assert normalised(run_again(shown, Workplace(tmp_path))) == normalised(shown)


def test_the_readme_s_picture_is_the_chart_of_the_session_that_it_shows(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    run_again(shown_in(README)[:1], place)
    today, shown = (
        np.asarray(Image.open(io.BytesIO(one)).convert("L"), np.int16)
        for one in (picture_in(place.folder), PICTURE.read_bytes())
    )
    differs = np.abs(today - shown)[BELOW_THE_TITLE:] > VISIBLY
    assert differs.mean() < 0.01


def test_the_readme_s_first_block_runs_the_session_that_it_shows() -> None:
    assert README.partition("```sh\n")[2].splitlines()[0].endswith(f" && {shown_in(README)[0].command}")


@pytest.mark.parametrize("name", SHOWN_PAGES)
def test_a_page_shows_an_error_only_where_it_means_to(name: str) -> None:
    shown = shown_in((REPOSITORY / name).read_text(encoding="utf-8"))
    errors = [one for one in shown if "ERROR" in one.output or "Traceback" in one.output]
    assert [one for one in errors if not one.command.endswith('echo "exit $?"')] == []


@pytest.mark.timeout(900)
def test_the_operators_runbook_runs_as_written_on_synthetic_prices(tmp_path: Path) -> None:
    request = REQUEST.replace('\\"paper\\":true', '\\"paper\\":true,\\"prices\\":\\"synthetic\\"')
    assert _codes([f"{LAUNCH} --prices synthetic", request, *QUESTIONS], Workplace(tmp_path)) == [0] * 8


@pytest.mark.timeout(900)
def test_the_operators_runbook_runs_as_written_against_yahoo(tmp_path: Path) -> None:
    with YahooServer(tmp_path) as server:
        place = Workplace(tmp_path, server.environment)
        assert _codes([LAUNCH, REQUEST, *QUESTIONS], place) == [0] * 8
        assert server.chart_requests
    signals = (place.folder / "logs/quantlab-signals.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in signals] == ["SESSION_STARTED", "SESSION_COMPLETED"]


def test_our_runbook_has_the_sections_of_the_operators() -> None:
    page = (REPOSITORY / "docs" / "runbook.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == SECTIONS


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("pid : 12", "pid : 345"),
        ("at 2026-11-22 20:31:43 (5 s ago)", "at 2027-01-01 00:00:00 (3 min ago)"),
        ("20261122_203143_paper_97119389ffa0", "20270101_000000_paper_000000000000"),
        ('"sharpe": -1.6190687178412710', '"sharpe": -1.6190687178412713'),
    ],
)
def test_what_differs_from_run_to_run_is_no_difference(one: str, other: str) -> None:
    assert normalised([Shown("x", one)]) == normalised([Shown("x", other)])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("status : success", "status : failed"),
        ("total return  -79.14%", "total return  -79.15%"),
        ("729 of 729", "728 of 729"),
        (
            "20261122_203143_paper_97119389ffa0 20261122_203143_paper_97119389ffa0",
            "20261122_203143_paper_97119389ffa0 20270101_000000_paper_000000000000",
        ),
    ],
)
def test_everything_else_is_a_difference(one: str, other: str) -> None:
    assert normalised([Shown("x", one)]) != normalised([Shown("x", other)])


def test_a_page_rewritten_with_what_it_shows_is_the_same_page() -> None:
    page = (REPOSITORY / "docs" / "runbook.md").read_text(encoding="utf-8")
    assert rewritten(page, shown_in(page)) == page


def _codes(commands: list[str], place: Workplace) -> list[int]:
    """Run commands in order, with the first session's id in place of `<session_id>`; a failure is shown whole."""
    codes, session_id = [], ""
    for command in commands:
        done = place.run(command.replace("<session_id>", session_id))
        found = SESSION_ID.search(done.stdout)
        session_id = session_id or (found[0] if found else "")
        codes.append(done.returncode)
        assert done.returncode == 0, f"$ {command}\n{done.stdout}"
    return codes
