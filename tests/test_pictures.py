"""The pictures in docs/ show what the program shows today; `python tests/make_pictures.py` makes them anew."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.pictures import PICTURES, source_of

DOCS = Path(__file__).resolve().parents[1] / "docs"


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_shows_what_the_program_shows_today(tmp_path: Path, name: str) -> None:
    shown = PICTURES[name](tmp_path)
    assert source_of(DOCS / name) == shown.digest, "make it anew: python tests/make_pictures.py"
    assert str(tmp_path) not in shown.facts


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_shown_in_the_docs_with_words_for_who_does_not_see_it(name: str) -> None:
    text = "".join(file.read_text(encoding="utf-8") for file in DOCS.glob("*.md"))
    assert re.search(rf"!\[[^\]]{{20,}}\]\({re.escape(name)}\)", text)
