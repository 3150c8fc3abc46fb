"""Bars as text in an event: a table as prices.csv is, compressed, in base64."""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING

from quantlab.trading.forward.revisions import bars_of
from quantlab.trading.market import Origin
from quantlab.trading.prices import table

if TYPE_CHECKING:
    from quantlab.trading.forward.tape import SeenBar
    from quantlab.trading.market import Prices

_NOWHERE = Origin(source="ledger", detail="warm-up", adjusted=None, retrieved_at="")


def packed(prices: Prices) -> str:
    """Return bars as an event holds them."""
    return b64encode(zlib.compress(table.to_csv(prices), 9)).decode("ascii")


def unpacked(text: str) -> list[SeenBar]:
    """Return the bars that `packed` wrote, equal to the last bit."""
    return list(bars_of(table.from_csv(zlib.decompress(b64decode(text)), _NOWHERE)))
