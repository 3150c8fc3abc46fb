"""What a packager finds: names, versions and requirements that say the same wherever they stand."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata

import pytest
from support.shown_pages import REPOSITORY

from quantlab import __version__

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def test_the_distribution_is_installed_in_the_version_of_the_package() -> None:
    assert metadata.version("quantlab-sessions") == __version__


@pytest.mark.parametrize("extra", ["parquet", "postgres"])
def test_a_message_asks_for_what_the_extra_brings(extra: str) -> None:
    texts = [page.read_text(encoding="utf-8") for page in (REPOSITORY / "quantlab").rglob("*.py")]
    asked = {one for text in texts for one in re.findall(r"pip install '(.+?)'", text)}
    assert {*EXTRAS[extra], f"quantlab-sessions[{extra}]"} & asked


def test_every_requirement_of_the_program_has_a_lower_bound() -> None:
    required = [*PROJECT["dependencies"], *EXTRAS["parquet"], *EXTRAS["postgres"]]
    assert [one for one in required if not re.match(r"[\w.-]+(\[\w+\])?>=\d", one)] == []


def test_the_licence_is_the_one_that_the_project_names() -> None:
    text = (REPOSITORY / "LICENSE").read_text(encoding="utf-8")
    assert (PROJECT["license"], "Apache License" in text, "Version 2.0" in text) == ("Apache-2.0", True, True)
