"""Write what the domain gives to the `.sql` files of guards and views: `python tests/make_sql.py`.

By hand one writes both files of guards, and SQLite's files of views, all but the parts of which a line above says that
they are made. A part that is new stands in a file as `<its_name>` until this was run. The views' files for PostgreSQL
are made whole, out of SQLite's: the parts in which the engines differ are others.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

# A checkout that is not installed makes its own texts.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from quantlab.ledger.sql import guards, texts, views
from quantlab.ledger.sql.dialects import POSTGRES, SQLITE

if TYPE_CHECKING:
    from collections.abc import Mapping

MADE = "-- Made from the domain: "
OUT_OF = "-- Made whole by `python tests/make_sql.py` out of {source}, with PostgreSQL's expressions.\n"

_MARK = re.compile(rf"^{MADE}.*\n(?:--   .*\n)*", re.MULTILINE)
_PLACE = re.compile(r"<(\w+)>")
_STATEMENT = re.compile(r"^(?:CREATE|DO)\b", re.MULTILINE)
_BODY_OF_ALL = re.compile(r"CREATE VIEW session_alerts_all AS\n(.*?);\n", re.DOTALL)
_PLACE_OF_IT = re.compile(
    r"(CREATE VIEW session_alerts AS\nSELECT \* FROM \(\n).*?(\) AS alerts\n)", re.DOTALL
)


def parts() -> dict[str, dict[str, str]]:
    """Return what today's domain gives to each file."""
    given = {f"sqlite/{guards.FILE}": guards.parts(sqlite=True)}
    given |= {f"postgres/{guards.FILE}": guards.parts(sqlite=False)}
    for dialect in (SQLITE, POSTGRES):
        given |= {f"{dialect.folder}/{file}": of(dialect) for file, of in views.FILES.items()}
    return given


def files() -> dict[Path, str]:
    """Return what every file has to say."""
    given, made = parts(), {}
    by_hand = [f"sqlite/{guards.FILE}", f"postgres/{guards.FILE}", *(f"sqlite/{one}" for one in views.FILES)]
    for file in by_hand:
        text = (texts.FOLDER / file).read_text(encoding="utf-8")
        made[file] = marked(with_alerts(texts.filled(text, texts.written(file), given[file])), given[file])
    for one in views.FILES:
        source, target = f"sqlite/{one}", f"postgres/{one}"
        text = texts.filled(made[source], given[source], given[target])
        made[target] = OUT_OF.format(source=source) + text
    return {texts.FOLDER / file: text for file, text in made.items()} | {
        (texts.FOLDER / file).with_suffix(".json"): json.dumps(of_file, indent=1) + "\n"
        for file, of_file in given.items()
    }


def with_alerts(text: str) -> str:
    """Write the text of all alerts where those that stand are told from them."""
    body = _BODY_OF_ALL.search(text)
    return text if body is None else _PLACE_OF_IT.sub(lambda place: place[1] + body[1] + place[2], text)


def marked(text: str, given: Mapping[str, str]) -> str:
    """Say above each statement which of its parts are made."""
    paragraphs = []
    for paragraph in _MARK.sub("", text).split("\n\n"):
        begins = _STATEMENT.search(paragraph)
        at = begins.start() if begins else len(paragraph)
        names = _PLACE.findall(texts.with_names(paragraph[at:], given))
        paragraphs.append(paragraph[:at] + _mark(list(dict.fromkeys(names))) + paragraph[at:])
    return "\n\n".join(paragraphs)


def _mark(names: list[str]) -> str:
    if not names:
        return ""
    told = textwrap.wrap(f"{MADE}{', '.join(names)}.", 118, subsequent_indent="--   ", break_on_hyphens=False)
    return "\n".join(told) + "\n"


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
