"""Exchanges of crypto currencies through the ccxt library: public candles, followed bar by bar; no key is needed.

ccxt is an extra (`pip install 'quantlab-sessions[ccxt]'`) and is imported when an exchange is asked first.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from quantlab.base.clock import iso
from quantlab.base.errors import ConfigError, DataError, SourceTroubleError
from quantlab.base.remedies import FINISH, Setting
from quantlab.trading.forward.turn import SourceAnswer
from quantlab.trading.intervals import bar_length, time_text
from quantlab.trading.market import Origin, Prices
from quantlab.trading.prices.asked import plain
from quantlab.trading.prices.http_told import ToldHeads

if TYPE_CHECKING:
    from datetime import datetime

    from quantlab.base.values import Cells
    from quantlab.domain.config import RunConfig

REQUEST_SECONDS = 10.0
MOST_PAGES = 200
"""Requests for one stretch of bars: of 500 to 1,000 bars each, so a session that slept for months catches up."""
_PAGE = 500
_MILLISECOND = np.timedelta64(1, "ms")
_FIELDS = 6


class Exchange:
    """One market of one exchange.

    Attributes:
        settle: Seconds after its end in which a candle may still change.

    Raises:
        ConfigError: ccxt is not installed, knows no such exchange, or the exchange has no such candles.
    """

    settle = 5.0

    def __init__(self, config: RunConfig) -> None:
        name = config.prices.partition(":")[2]
        self._interval, self._name = config.interval, plain(name)
        self._symbol = config.ticker.replace("-", "/")
        self._told = ToldHeads()
        self._client = _client(name, config.interval)

    def closed_bars(self, since: np.datetime64, now: datetime) -> SourceAnswer:
        """Return the exchange's candles from a time on, the one that has not closed included.

        Raises:
            SourceTroubleError: the exchange can't be asked just now.
            DataError: it knows no such market, no longer keeps candles that old, or sent something unusable.
        """
        rows = self._rows(_milliseconds(since), _milliseconds(np.datetime64(iso(now)[:26], "ns")))
        if not rows:
            raise SourceTroubleError(
                f"{self._name} sent no candles of {self._symbol}, not even those that are known; a proxy or login page "
                "may have answered instead. It is asked again."
            )
        if rows[0][0] > _milliseconds(since) + _milliseconds_of(self._interval):
            first = np.datetime64(rows[0][0], "ms")
            raise DataError(
                f"{self._name} gives {self._interval} candles of {self._symbol} from {time_text(first)} on, and the "
                f"session needs them from {time_text(since)} on, so that none is skipped. ",
                FINISH,
                " evaluates what it has seen; begin another one.",
            )
        return SourceAnswer(prices=self._prices(rows, now), source_time=self._told.source_time)

    def history(self, bars: int, now: datetime) -> SourceAnswer:
        """Return the last candles, some more than asked for; fewer where the exchange has fewer."""
        present = np.datetime64(iso(now)[:26], "ns")
        since = present - (bars + 2) * bar_length(self._interval)
        rows = self._rows(_milliseconds(since), _milliseconds(present))
        return SourceAnswer(prices=self._prices(rows, now), source_time=self._told.source_time)

    def _rows(self, since: int, present: int) -> list[Cells]:
        """Ask page after page until the present is reached or nothing new comes."""
        length = _milliseconds_of(self._interval)
        rows: dict[int, Cells] = {}
        start = since
        for _ in range(MOST_PAGES):
            page = self._asked(start)
            fresh = [row for row in page if row[0] not in rows and row[0] >= since]
            rows.update({row[0]: row for row in fresh})
            if not fresh or max(rows) + length > present:
                break
            start = max(rows) + length
        return [rows[at] for at in sorted(rows)]

    def _asked(self, since: int) -> list[Cells]:
        import ccxt

        self._told.retry_after = None
        try:
            page = self._client.fetch_ohlcv(self._symbol, self._interval, since, _PAGE)
        except ccxt.BadSymbol as error:
            raise DataError(
                f"{self._name} has no market {self._symbol}; expected a pair that it trades, such as ",
                Setting("ticker", "BTC-USDT"),
                ".",
            ) from error
        except (
            ccxt.BaseError
        ) as error:  # timeouts, limits, refusals, maintenance, pages that are no JSON: all may pass
            raise SourceTroubleError(self._cause(error), retry_after=self._told.retry_after) from error
        finally:
            self._read_headers()
        if not all(_is_candle(row) for row in page):
            raise DataError(
                f"{self._name} sent an unusable candle of {self._symbol}; expected time, four prices above zero and a "
                "volume."
            )
        return list(page)

    def _read_headers(self) -> None:
        headers = self._client.last_response_headers
        if headers:
            self._told.read_headers(dict(headers))

    def _cause(self, error: Exception) -> str:
        self._read_headers()
        return (
            f"{self._name} can't be asked just now ({type(error).__name__}: {plain(error, 120)}); it is asked again. "
            "Check the network and any proxy (HTTPS_PROXY) if this goes on."
        )

    def _prices(self, rows: list[Cells], now: datetime) -> Prices:
        values = np.array([row[1:_FIELDS] for row in rows], dtype=np.float64).reshape(len(rows), _FIELDS - 1)
        return Prices(
            times=np.array([row[0] for row in rows], dtype="M8[ms]").astype("M8[ns]"),
            open=values[:, 0],
            high=values[:, 1],
            low=values[:, 2],
            close=values[:, 3],
            volume=values[:, 4],
            origin=Origin(
                source=f"ccxt:{self._name}",
                detail=f"{self._symbol}, UTC",
                adjusted=None,
                retrieved_at=iso(now),
            ),
        )


def _client(name: str, interval: str) -> Any:
    try:
        import ccxt
    except ImportError as error:
        raise ConfigError(
            "prices: ccxt is not installed; expected it for exchanges. Install it with pip install "
            "'quantlab-sessions[ccxt]'."
        ) from error
    if name not in ccxt.exchanges:
        raise ConfigError(
            f"prices: ccxt knows no exchange {plain(name)!r}; expected one such as ccxt:binance or ccxt:kraken."
        )
    client = getattr(ccxt, name)({"timeout": int(REQUEST_SECONDS * 1_000), "enableRateLimit": True})
    client.session.trust_env = True  # the proxy and certificates that the environment names, as for Yahoo
    if interval not in (client.timeframes or {}):
        raise ConfigError(
            f"interval: {plain(name)} has no {interval} candles; expected one of {', '.join(client.timeframes or {})}."
        )
    return client


def _is_candle(row: Cells) -> bool:
    if len(row) < _FIELDS or not isinstance(row[0], int):
        return False
    *prices, volume = row[1:_FIELDS]
    usable = all(isinstance(one, (int, float)) and 0.0 < one < math.inf for one in prices)
    return usable and isinstance(volume, (int, float)) and 0.0 <= volume < math.inf


def _milliseconds(moment: np.datetime64) -> int:
    return int(moment.astype("M8[ms]").astype(np.int64))


def _milliseconds_of(interval: str) -> int:
    return int(bar_length(interval) // _MILLISECOND)
