"""The doors for contributors: what CONTRIBUTING tells to do works, and what stands at the door agrees with the rest."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import yaml
from support.shown_pages import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
RECIPES = dict(re.findall(r"^### (.+?)\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))
TO_COME: frozenset[str] = frozenset()
"""Places of the plan of rooms that are on their way; each leaves this list when it is there."""


def places(recipe: str) -> list[str]:
    return re.findall(r"`((?:quantlab|migrations)/[\w/.]+?)/?`", RECIPES[recipe])


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a copy of the program that lies in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-m", "quantlab", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Copy the package, to try a recipe on."""
    shutil.copytree(
        REPOSITORY / "quantlab", tmp_path / "quantlab", ignore=shutil.ignore_patterns("__pycache__")
    )
    return tmp_path


def test_there_is_a_recipe_for_whatever_is_added_often() -> None:
    things = "an event", "a column", "a price source", "a strategy", "a command"
    assert list(RECIPES) == [f"Add {thing}" for thing in things]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_names_one_place_or_two(recipe: str) -> None:
    assert len(places(recipe)) in (1, 2)


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_places_of_a_recipe_are_there(recipe: str) -> None:
    modules = [REPOSITORY / place for place in places(recipe) if place not in TO_COME]
    assert [one for one in modules if not (one.exists() or one.with_suffix(".py").exists())] == []


def test_a_command_takes_its_module_and_its_line(copy: Path) -> None:
    module, table = places("Add a command")
    (copy / module / "hello.py").write_text(
        "import click\n\n\n@click.command()\ndef hello() -> None:\n    click.echo('Hello.')\n"
    )
    text = (copy / table).read_text()
    line = '    "hello": ("quantlab.cli.hello:hello", "Say hello."),\n'
    (copy / table).write_text(text.replace("] = {\n", "] = {\n" + line))
    assert run(copy, "hello").stdout == "Hello.\n"
    assert re.search(r"hello +Say hello\.", run(copy, "--help").stdout)


def test_a_price_source_takes_its_module_and_its_word(copy: Path) -> None:
    module, table = places("Add a price source")
    (copy / module / "made.py").write_text(
        "from quantlab.trading.prices import synthetic\n\n\ndef fetch(asked):\n    return synthetic.fetch(asked)\n"
    )
    text = (copy / table).read_text()
    word = """    if source == "made":
        from quantlab.trading.prices import made

        return made.fetch(asked)
"""
    anchor = '    if source == "synthetic":\n'
    assert anchor in text
    (copy / table).write_text(text.replace(anchor, word + anchor, 1))
    done = run(
        copy, "run", "--ticker", "AB", "--start", "2022-01-01", "--end", "2022-12-31", "--prices", "made"
    )
    assert (done.returncode, " succeeded" in done.stdout) == (0, True), done.stderr


@pytest.mark.slow
def test_a_strategy_takes_its_file(copy: Path) -> None:
    (folder,) = places("Add a strategy")
    built_in = copy / folder / "rsi_ma_cross_v2.py"
    shutil.copyfile(built_in, copy / folder / "other.py")
    done = run(copy, "strategies", "check", f"{folder.replace('/', '.')}.other:decide")
    assert (done.returncode, " is sound on " in done.stdout) == (0, True), done.stderr


def test_set_up_and_lanes_are_one_command_each() -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert [block.count("\n") for block in blocks] == [1, 1, 1]


def test_what_is_looked_at_before_a_commit_is_installed_for_development() -> None:
    hooks = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    tools = {hook["entry"].split()[0] for repo in hooks["repos"] for hook in repo["hooks"]}
    assert [tool for tool in tools if shutil.which(tool, path=os.path.dirname(sys.executable)) is None] == []  # noqa: PTH120
