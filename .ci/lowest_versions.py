"""Print the lowest versions that pyproject.toml allows, as constraints for pip: one `name==version` a line."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(\[[\w,]+\])?>=(?P<lowest>[\w.]+)( *;.*)?")


def lowest(project: dict[str, Any]) -> list[str]:
    """Return a constraint for each requirement of the program and of what people may add to it.

    What Windows alone needs is there too: the tests try it anywhere.
    """
    extras = [wanted for name, wanted in project["optional-dependencies"].items() if name != "dev"]
    required = [*project["dependencies"], *(one for wanted in extras for one in wanted)]
    found = [_REQUIREMENT.fullmatch(one) for one in required]
    if None in found:
        raise SystemExit(f"A requirement has no lower bound: {required[found.index(None)]}")
    return [f"{one['name']}=={one['lowest']}" for one in found if one]


if __name__ == "__main__":
    text = Path(__file__).parent.with_name("pyproject.toml").read_text(encoding="utf-8")
    sys.stdout.write("\n".join(lowest(tomllib.loads(text)["project"])) + "\n")
