"""The pictures of the operators' page, of a comparison and of its overlay in docs/, and what each of them shows.

A picture carries the digest of its source: of the page's HTML, of the comparison's text, of the overlay's facts. So a
test that draws nothing can tell whether the picture in docs/ shows what the program would show today.
"""

from __future__ import annotations

import hashlib
import html
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from PIL import Image

from support.flow_program import said
from support.page_roots import forty, with_result
from support.sessions_builder import Sessions, ago

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SOURCE = "Source"
ROOT = "outputs/paper_sessions"
AT_HOME = "/srv/quantlab"
COMPARED = tuple(f"20260309_0{place}0000_paper_{place:012x}" for place in (1, 2, 3))
_BY_CHANCE = re.compile(r"\b(?:[0-9a-f]{64}|[0-9a-f]{32}|[0-9a-f]{12}(?=</code>\)))\b|sha256-[\w+/]+=*")
_TERMINAL = """\
<!DOCTYPE html><meta charset=utf-8><style>body{{margin:0;padding:16px 20px;width:max-content;background:#0d1117;
color:#e6edf3}}pre{{margin:0;font:14px/1.4 "DejaVu Sans Mono",monospace}}</style><pre>{}</pre>"""


class Shown(NamedTuple):
    """What a picture shows.

    Attributes:
        text: The page to take the picture of, HTML; empty where the program itself draws.
        drawn: The picture where the program draws it, PNG.
        facts: What is in it and does not come by chance.
    """

    text: str
    drawn: bytes
    facts: str

    @property
    def digest(self) -> str:
        """SHA-256 of the facts."""
        return hashlib.sha256(self.facts.encode()).hexdigest()


def page(folder: Path) -> Shown:
    """Return the operators' page of forty sessions."""
    with Sessions(folder / ROOT) as built:
        forty(built)
    _said(folder, "paper-sessions", "page", "--now", "2026-03-10T12:00:00+00:00")
    text = (folder / ROOT / "paper_sessions.html").read_text("utf-8").replace(str(folder), AT_HOME)
    return Shown(text, b"", _BY_CHANCE.sub("", text))


def comparison(folder: Path) -> Shown:
    """Return the comparison of three sessions that differ in one setting, as a terminal shows it."""
    told = _said(_compared(folder), "paper-sessions", "compare", *COMPARED)
    return Shown(_TERMINAL.format(html.escape(f"$ quantlab paper-sessions compare A B C\n{told}")), b"", told)


def overlay(folder: Path) -> Shown:
    """Return their equity in one picture."""
    file = _compared(folder) / "overlay.png"
    told = _said(folder, "paper-sessions", "compare", *COMPARED, "--format", "json", "--overlay", str(file))
    return Shown("", file.read_bytes(), told.replace(str(folder), AT_HOME))


PICTURES: dict[str, Callable[[Path], Shown]] = {
    "page.png": page,
    "comparison.png": comparison,
    "overlay.png": overlay,
}


def source_of(picture: Path) -> str | None:
    """Return the digest that a picture carries."""
    with Image.open(picture) as opened:
        told = opened.info.get(SOURCE)
        return None if told is None else str(told)


def _compared(folder: Path) -> Path:
    with Sessions(folder / ROOT) as built:
        for place, name in enumerate(COMPARED, start=1):
            of_its_own: dict[str, Any] = {
                "config": {"rsi_buy_max": 40.0 + 10 * place},
                "config_hash": f"{place:064x}",
                "request_id": None,
            }
            at = ago(hours=24 - place)
            with_result(built, name, at, seed=place + 6, fills=24, data_hash="d" * 64, **of_its_own)
    return folder


def _said(folder: Path, *words: str) -> str:
    done = said(folder, *words)
    assert done.code == 0, done.err
    return done.out
