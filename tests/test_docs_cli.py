"""docs/cli.md is what `--help` prints."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from support import cli_page
from support.shown_pages import REPOSITORY

from quantlab.cli.spelling import BARE_FLAG_COMMANDS, FLAG_COMMANDS

PAGE = (REPOSITORY / "docs" / "cli.md").read_text(encoding="utf-8")


def made(environment: dict[str, str]) -> str:
    """Make the page in a process of its own: click keeps the first help option that a command was ever asked for."""
    command = [
        sys.executable,
        "-c",
        "import sys; from support import cli_page; sys.stdout.write(cli_page.made())",
    ]
    paths = f"{REPOSITORY}{os.pathsep}{REPOSITORY / 'tests'}"
    whole = {**os.environ, "PYTHONPATH": paths, "PYTHONIOENCODING": "utf-8", **environment}
    return subprocess.run(command, env=whole, capture_output=True, check=True, encoding="utf-8").stdout


def test_the_page_is_what_its_script_makes() -> None:
    assert made({}) == PAGE


def test_no_help_is_wider_than_80_columns() -> None:
    wide = [line for _, text in cli_page.every_help() for line in text.splitlines() if len(line) > 80]
    assert wide == []


def test_a_list_of_commands_cuts_no_line_short() -> None:
    lines = [line for _, text in cli_page.every_help() for line in text.splitlines()]
    assert [line for line in lines if line.endswith("...") and not line.startswith("Usage:")] == []


@pytest.mark.parametrize("flag", [*FLAG_COMMANDS, *BARE_FLAG_COMMANDS])
def test_every_flag_that_is_a_command_is_in_the_table(flag: str) -> None:
    assert re.search(rf"^\| `{flag}[ `]", PAGE, re.MULTILINE)


def test_a_reader_s_terminal_does_not_change_the_page() -> None:
    assert made({"COLUMNS": "47"}) == PAGE
