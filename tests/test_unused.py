"""What nobody calls goes: `vulture` finds it, and what it takes for unused wrongly is allowed with a reason."""

from __future__ import annotations

import re

import pytest
from support.shown_pages import REPOSITORY
from unused import SETTINGS, unused

pytestmark = pytest.mark.slow

LIST = (REPOSITORY / "tests" / "unused_allowed.py").read_text(encoding="utf-8")
ALLOWED = re.findall(r"^_\.(\w+)", LIST, re.MULTILINE)


def test_everything_in_the_package_is_called_by_it() -> None:
    assert unused(SETTINGS["paths"]) == []


def test_each_that_is_allowed_would_be_found() -> None:
    found = {line.rpartition(" ")[2].strip("'") for line in unused(["quantlab", "main.py"])}
    assert found == {*ALLOWED}


def test_each_that_is_allowed_has_its_reason() -> None:
    assert len(re.findall(r"^_\.\w+  # \w", LIST, re.MULTILINE)) == len(ALLOWED)
