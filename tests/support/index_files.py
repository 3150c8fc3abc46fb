"""The root's index files, read back."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from quantlab.exports.index import CSV, JSON, MARKDOWN

if TYPE_CHECKING:
    from pathlib import Path

    from support.sessions_builder import Sessions


def as_csv(sessions: Sessions) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((sessions.root / CSV).read_text(), newline="")))


def as_json(root: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((root / JSON).read_bytes())
    return document


def markdown_rows(sessions: Sessions) -> list[str]:
    lines = (sessions.root / MARKDOWN).read_text().splitlines()
    return [line for line in lines if line.startswith("| ")][2:]
