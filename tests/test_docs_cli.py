"""docs/cli.md is what `--help` prints."""

from __future__ import annotations

import re

import cli_page
import pytest
from shown_pages import REPOSITORY

from quantlab.cli.spelling import BARE_FLAG_COMMANDS, FLAG_COMMANDS

PAGE = (REPOSITORY / "docs" / "cli.md").read_text(encoding="utf-8")


def test_the_page_is_what_its_script_makes() -> None:
    assert cli_page.made() == PAGE


def test_no_help_is_wider_than_80_columns() -> None:
    wide = [line for _, text in cli_page.every_help() for line in text.splitlines() if len(line) > 80]
    assert wide == []


@pytest.mark.parametrize("flag", [*FLAG_COMMANDS, *BARE_FLAG_COMMANDS])
def test_every_flag_that_is_a_command_is_in_the_table(flag: str) -> None:
    assert re.search(rf"^\| `{flag}[ `]", PAGE, re.MULTILINE)


def test_a_reader_s_terminal_does_not_change_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "47")
    assert cli_page.made() == PAGE
