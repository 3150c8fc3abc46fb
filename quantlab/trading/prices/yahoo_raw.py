"""What yfinance keeps to itself about Yahoo's answer: bars that came twice, and whether closes are adjusted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from quantlab.errors import DataError
from quantlab.trading.intervals import is_intraday

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quantlab.trading.prices.asked import Asked

_PRICES = ("open", "high", "low", "close")
Bar = tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class Examined:
    """What an answer's raw text tells.

    Attributes:
        repeated_bars: Bars that came more than once, equal each time; yfinance keeps one of each.
        adjusted: Whether Yahoo sent closes adjusted for dividends. Its prices are always adjusted for splits; of
            intraday bars it sends no others.
    """

    repeated_bars: int
    adjusted: bool


def examine(body: bytes, asked: Asked) -> Examined:
    """Read the answer that yfinance made its frame of.

    Raises:
        DataError: two different bars are there for one time, or for one day of the exchange.
    """
    result = json.loads(body)["chart"]["result"][0]
    return Examined(repeated_bars=_repeated(result, asked), adjusted=bool(_adjusted_closes(result)))


def _adjusted_closes(result: dict[str, Any]) -> list[float | None]:
    columns = result["indicators"].get("adjclose") or [{}]
    return columns[0].get("adjclose") or []


def _repeated(result: dict[str, Any], asked: Asked) -> int:
    seen: dict[object, Bar] = {}
    repeated = 0
    for key, bar in _bars(result, asked):
        if seen.setdefault(key, bar) != bar:
            raise DataError(
                f"Yahoo sent two different bars of {asked.ticker} for {key}; "
                "choose a range without it, or use --prices FILE with the right one."
            )
        repeated += seen[key] is not bar
    return repeated


def _bars(result: dict[str, Any], asked: Asked) -> Iterator[tuple[str, Bar]]:
    """Give the bars that have a price: their time (their date at the exchange, for days and longer) and values."""
    times, quote = result["timestamp"], result["indicators"]["quote"][0]
    intraday = is_intraday(asked.interval)
    zone: tzinfo = UTC if intraday else ZoneInfo(result["meta"]["exchangeTimezoneName"])
    columns = [quote[name] for name in (*_PRICES, "volume")]
    columns += [_adjusted_closes(result) or [None] * len(times)]
    rows = sorted(zip(times, *columns, strict=True), key=lambda row: row[0])
    keys = [_key(row[0], zone, intraday=intraday) for row in rows]
    if len(rows) > 1 and keys[-1] == keys[-2] and rows[-1][0] != rows[-2][0]:
        # The running day comes twice while its market is open, as a bar and as of now; yfinance joins them.
        del rows[-1], keys[-1]
    for key, row in zip(keys, rows, strict=True):
        if any(value is not None for value in row[1:5]):
            yield key, row[1:]


def _key(moment: float, zone: tzinfo, *, intraday: bool) -> str:
    local = datetime.fromtimestamp(moment, zone)
    return local.isoformat() if intraday else local.date().isoformat()
