"""What yfinance keeps to itself about Yahoo's answer: bars that came twice, and whether closes are adjusted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from quantlab.base.errors import DataError
from quantlab.base.remedies import Setting
from quantlab.trading.intervals import is_intraday
from quantlab.trading.prices.asked import Split

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quantlab.base.values import JsonObject
    from quantlab.trading.prices.asked import AskedBars

_PRICES = ("open", "high", "low", "close")
_EVENING = (22, 23)
Bar = tuple[object, ...]


@dataclass(frozen=True, kw_only=True)
class Examined:
    """What an answer's raw text tells.

    Attributes:
        repeated_bars: Bars that came more than once, equal each time; yfinance keeps one of each.
        adjusted: Whether Yahoo sent closes adjusted for dividends. Its prices are always adjusted for splits; of
            intraday bars it sends no others.
        splits: Splits that the answer tells of, in time order; its prices should be adjusted for them.
    """

    repeated_bars: int
    adjusted: bool
    splits: tuple[Split, ...] = ()


def examine(body: bytes, asked: AskedBars) -> Examined:
    """Read the answer that yfinance made its frame of.

    Raises:
        DataError: two different bars are there for one time, or for one day of the exchange.
    """
    result = json.loads(body)["chart"]["result"][0]
    return Examined(
        repeated_bars=_repeated(result, asked),
        adjusted=bool(_adjusted_closes(result)),
        splits=_splits(result, asked),
    )


def _splits(result: JsonObject, asked: AskedBars) -> tuple[Split, ...]:
    """Read the splits among the answer's events; what can't be read of them is no reason to refuse prices."""
    found = []
    for event in _events(result):
        try:
            moment, ratio = int(event["date"]), float(event["numerator"]) / float(event["denominator"])
            opens = np.datetime64(
                _date(moment, _zone(result, asked)) if not is_intraday(asked.interval) else moment, "s"
            )
        except (KeyError, TypeError, ValueError, ArithmeticError):
            continue
        if ratio > 0 and ratio != 1:
            found.append(Split(time=opens.astype("M8[ns]"), ratio=ratio))
    return tuple(sorted(found, key=lambda split: split.time))


def _events(result: JsonObject) -> list[JsonObject]:
    events = result.get("events")
    splits = events.get("splits") if isinstance(events, dict) else None
    return [one for one in splits.values() if isinstance(one, dict)] if isinstance(splits, dict) else []


def _zone(result: JsonObject, asked: AskedBars) -> tzinfo:
    return UTC if is_intraday(asked.interval) else ZoneInfo(result["meta"]["exchangeTimezoneName"])


def _adjusted_closes(result: JsonObject) -> list[float | None]:
    columns = result["indicators"].get("adjclose") or [{}]
    return columns[0].get("adjclose") or []


def _repeated(result: JsonObject, asked: AskedBars) -> int:
    seen: dict[object, Bar] = {}
    repeated = 0
    for key, bar in _bars(result, asked):
        if seen.setdefault(key, bar) != bar:
            raise DataError(
                f"Yahoo sent two different bars of {asked.ticker} for {key}; "
                "choose a range without it, or use ",
                Setting("prices", "FILE"),
                " with the right one.",
            )
        repeated += seen[key] is not bar
    return repeated


def _bars(result: JsonObject, asked: AskedBars) -> Iterator[tuple[str, Bar]]:
    """Give the bars that have a price: their time (their date at the exchange, for days and longer) and values."""
    times, quote = result["timestamp"], result["indicators"]["quote"][0]
    intraday = is_intraday(asked.interval)
    zone = _zone(result, asked)
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
    return datetime.fromtimestamp(moment, zone).isoformat() if intraday else _date(moment, zone)


def _date(moment: float, zone: tzinfo) -> str:
    """Return a bar's date at its exchange.

    Where Yahoo takes the exchange's clock for an hour or two behind (Sao Paulo without summer time), days are
    stamped in the evening before; like its client, read them as the next day's.
    """
    local = datetime.fromtimestamp(moment, zone)
    if local.hour in _EVENING and local.minute == 0:
        local += timedelta(hours=24 - local.hour)
    return local.date().isoformat()
