"""JSON of the shapes that parsers expect, with values that they don't: what plain bytes seldom grow into."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import atheris

TEXTS = (
    "",
    "..",
    "../x",
    "/etc/passwd",
    "\x00",
    "\x1b[31m",
    "=1+1",
    "yahoo",
    "2024-01-01T00:00:00+25:00",
    "0001-01-01",
    "1.0",
)
NUMBERS = (0, -1, 2**31, 2**63, 2**70, 10**400, 0.002, 1e308, float("nan"), float("inf"))


def an_object(provider: atheris.FuzzedDataProvider, names: Sequence[str], depth: int = 3) -> dict[str, Any]:
    """Return an object with some of the names and any values."""
    count = provider.ConsumeIntInRange(0, 8)
    return {
        names[provider.ConsumeIntInRange(0, len(names) - 1)]: _value(provider, names, depth)
        for _ in range(count)
    }


def as_json(document: dict[str, Any]) -> bytes:
    """Return it as a careless program writes it: NaN and halves of characters included."""
    return json.dumps(document).encode()


def _value(provider: atheris.FuzzedDataProvider, names: Sequence[str], depth: int) -> Any:
    kind = provider.ConsumeIntInRange(0, 6 if depth else 4)
    if kind == 0:
        return provider.ConsumeUnicode(12)
    if kind == 1:
        return TEXTS[provider.ConsumeIntInRange(0, len(TEXTS) - 1)]
    if kind == 2:
        return NUMBERS[provider.ConsumeIntInRange(0, len(NUMBERS) - 1)]
    if kind in (3, 4):
        return (None, True, False)[provider.ConsumeIntInRange(0, 2)]
    inner = an_object(provider, names, depth - 1)
    return [inner] if kind == 5 else inner
