"""Read the `.sql` files beside this module, with what today's domain gives put in its places.

Names of events, columns and conditions are made from the domain. They stand in the files word for word, as
`python tests/make_sql.py` last wrote them, and a `.json` beside each file keeps those words. So a text is brought up to
date by putting today's words where the written ones stand, and a new event or column is taken before anybody runs it.
Nothing is read before it is asked for: most commands need no text.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FOLDER = Path(__file__).parent

_NAME = re.compile(r"CREATE (?:OR REPLACE )?(?:FUNCTION|TRIGGER|VIEW) (\w+)|DO\b")


def statements(file: str, parts: Mapping[str, str]) -> dict[str, str]:
    """Return the statements of a file by the names of what they make, in its order; a `DO` has the name ''.

    Args:
        file: Its place below this folder, such as `sqlite/guards.sql`.
        parts: What today's domain gives, by the name of each part.
    """
    return dict(named(filled((FOLDER / file).read_text(encoding="utf-8"), written(file), parts)))


def named(text: str) -> Iterator[tuple[str, str]]:
    """Yield name and text of each statement: what follows the comment of a paragraph, less the last semicolon."""
    for paragraph in text.strip().split("\n\n"):
        lines = paragraph.split("\n")
        statement = "\n".join(line for line in lines if not line.startswith("--"))
        if found := _NAME.match(statement):
            yield found[1] or "", statement.removesuffix(";")


def written(file: str) -> dict[str, str]:
    """Return the parts that stand in a file, word for word, by name."""
    found: dict[str, str] = json.loads((FOLDER / file).with_suffix(".json").read_bytes())
    return found


def filled(text: str, stands: Mapping[str, str], parts: Mapping[str, str]) -> str:
    """Return a text with other parts in the places of those that stand in it.

    Args:
        text: The text.
        stands: What stands in it, by name; no two alike.
        parts: What is to stand there, by the same names.
    """
    if stands == parts:
        return text
    text = with_names(text, stands)
    for name, part in parts.items():
        text = text.replace(f"<{name}>", part)
    return text


def with_names(text: str, stands: Mapping[str, str]) -> str:
    """Return a text with `<name>` where a part of that name stands."""
    # Of two that begin alike, such as births and all events, the longer one is meant.
    for name in sorted(stands, key=lambda one: len(stands[one]), reverse=True):
        text = text.replace(stands[name], f"<{name}>")
    return text
