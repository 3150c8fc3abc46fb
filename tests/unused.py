"""Name what nobody calls: `python tests/unused.py`. Settings in pyproject.toml, exceptions in unused_allowed.py."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

from vulture import Vulture

REPOSITORY = Path(__file__).resolve().parents[1]
SETTINGS = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["vulture"]
DECLARATIONS = (
    "quantlab/domain/session.py",
    "quantlab/domain/events/",
    "quantlab/queries/alerts.py",
    "quantlab/queries/promotion.py",
)
"""Where fields are columns, or parts of a payload or an answer: asked for by names that vulture doesn't see."""


def unused(paths: list[str]) -> list[str]:
    """Return a line for each thing that nobody calls; tests don't count, for what they alone call is not needed."""
    finder = Vulture(ignore_names=SETTINGS["ignore_names"], ignore_decorators=SETTINGS["ignore_decorators"])
    finder.scavenge([str(REPOSITORY / path) for path in paths])
    lines = []
    for one in finder.get_unused_code(min_confidence=60):
        place = one.filename.relative_to(REPOSITORY).as_posix()
        if not (one.typ == "variable" and place.startswith(DECLARATIONS)):
            lines.append(f"{place}:{one.first_lineno}: unused {one.typ} {one.name!r}")
    return lines


if __name__ == "__main__":
    found = unused(SETTINGS["paths"])
    sys.stdout.write("".join(f"{line}\n" for line in found))
    sys.exit(bool(found))
