"""The tables on pages that are made from the program: each stands between two comments, which name it."""

from __future__ import annotations

import ast
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from quantlab.domain.events import TYPES, Kind
from quantlab.domain.promotion import CAUTIONS
from quantlab.domain.session import COLUMNS
from support import SUBJECTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

DOCS = Path(__file__).resolve().parents[2] / "docs"
TESTS = Path(__file__).resolve().parents[1]
PAGES = ("sql.md", "architecture.md", "glossary.md", "../tests/README.md")


def columns() -> str:
    """Return the columns of a session that need a word."""
    rows = [(f"`{one.name}`", one.doc) for one in COLUMNS if one.doc]
    ready = ("`promotion_ready`", "1 where every check of the promotion holds, computed by the database")
    return _table(("column", "meaning"), [*rows, ready])


def events() -> str:
    """Return every type of event, by its kind."""
    rows = [
        (f"`{name}`", kind.value, _first_sentence(event.__doc__ or ""))
        for kind in Kind
        for name, event in TYPES.items()
        if event.kind is kind
    ]
    return _table(("event", "kind", "what happened"), rows)


def cautions() -> str:
    """Return the cautions beside a session."""
    return _table(("caution", "stands unless"), [(f"`{one.code}`", f"`{one.unless}`") for one in CAUTIONS])


def helpers() -> str:
    """Return the modules that tests import, by subject."""
    named = [name for names in SUBJECTS.values() for name in names]
    there = [file.stem for file in (TESTS / "support").glob("[!_]*.py")]
    if sorted(named) != sorted(there):
        raise ValueError(f"Not once in support/__init__.py: {sorted({*named} ^ {*there}) or 'each of them'}")
    return "\n\n".join(
        f"### {subject}\n\n{_modules([TESTS / 'support' / f'{name}.py' for name in names], 'module')}"
        for subject, names in SUBJECTS.items()
    )


def scripts(folder: Path) -> str:
    """Return the scripts that people run from a folder, and what these alone are made of."""
    return _modules(sorted(folder.glob("*.py")), "script")


def _modules(files: Iterable[Path], kind: str) -> str:
    """Return what each module says of itself."""
    helping = [file for file in files if not file.name.startswith("test_")]
    said = [ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) for file in helping]
    rows = [(f"`{file.stem}`", _first_sentence(text or "")) for file, text in zip(helping, said, strict=True)]
    return _table((kind, "what it gives" if kind == "module" else "what it does"), rows)


def remade(page: str) -> str:
    """Return a page with its tables as the program says them today."""
    text = (DOCS / page).read_text(encoding="utf-8")
    made: dict[str, Callable[[], str]] = {
        "columns": columns,
        "events": events,
        "cautions": cautions,
        "helpers": helpers,
        "scripts": partial(scripts, TESTS),
        "drills": partial(scripts, TESTS / "faults"),
        "benchmarks": partial(scripts, TESTS / "benchmarks"),
    }
    place = re.compile(r"(<!-- made: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
    return place.sub(lambda at: f"{at[1]}\n{made[at[2]]()}\n\n{at[3]}", text)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def _first_sentence(text: str) -> str:
    return " ".join(text.split()).partition(". ")[0].rstrip(".") + "."
