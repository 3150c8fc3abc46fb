"""A loopback server that speaks Binance's and Kraken's public candles; unmodified programs reach it by HTTPS_PROXY."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from support.loopback_proxy import LoopbackProxy, TunnelHandler
from support.yahoo_server import price

if TYPE_CHECKING:
    from pathlib import Path

HOSTS = ("api.binance.com", "fapi.binance.com", "dapi.binance.com", "api.kraken.com")
MOST_CANDLES = {"api.binance.com": 1_000, "api.kraken.com": 720}
_LENGTHS = {"1m": 60, "1h": 3_600, "1d": 86_400}


class ExchangeServer(LoopbackProxy):
    """The server, running while its `with` block lasts.

    Attributes:
        now: Its present in seconds since 1970; the candle that is open then comes last, unfinished.
        status: HTTP status of answers about candles; 200 for good ones.
        body: What such an answer says, where it is not candles.
        retry_after: What its head asks for.
        missing: Opening times, in seconds, of candles that it does not have.
        requests: Every request for candles so far, as host and path with query.
    """

    def __init__(self, folder: Path) -> None:
        self.now = time.time()
        self.skew = 0.0
        self.status = 200
        self.body: bytes | None = None
        self.retry_after: str | None = None
        self.missing: set[int] = set()
        self.requests: list[str] = []
        super().__init__(folder / "exchange-ca.pem", HOSTS, _Handler)

    def candles(
        self, since: int, length: int, most: int
    ) -> list[tuple[int, float, float, float, float, float]]:
        """Return candles from a time on; the last one may be open, and its close is what is traded now."""
        first = -(-since // length) * length
        made = []
        for at in range(first, int(self.now) + 1, length):
            if at in self.missing:
                continue
            opened, last = price(at), price(min(at + length, self.now))
            made.append((at, opened, max(opened, last) * 1.004, min(opened, last) * 0.996, last, 10.0))
        return made[:most]


class _Handler(TunnelHandler):
    @property
    def exchange(self) -> ExchangeServer:
        assert isinstance(self.proxy, ExchangeServer)
        return self.proxy

    def do_GET(self) -> None:  # noqa: N802 - the base class's name
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path in ("/api/v3/klines", "/0/public/OHLC"):
            self.exchange.requests.append(f"{self.host}{self.path}")
            if self.exchange.status != 200 or self.exchange.body is not None:
                self._send(self.exchange.status, self.exchange.body or b"{}")
            elif self.host == "api.binance.com":
                self._send(200, _as_binance(self.exchange, query))
            else:
                self._send(200, _as_kraken(self.exchange, query))
        else:
            self._send(200, json.dumps(_MARKETS.get(url.path, {})).encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.exchange.retry_after is not None:
            self.send_header("Retry-After", self.exchange.retry_after)
        self.end_headers()
        self.wfile.write(body)


def _as_binance(exchange: ExchangeServer, query: dict[str, str]) -> bytes:
    length = _LENGTHS[query["interval"]]
    most = min(int(query["limit"]), MOST_CANDLES["api.binance.com"])
    since = -(-int(query["startTime"]) // 1_000)
    rows = [
        [at * 1_000, *(f"{one:.8f}" for one in values), (at + length) * 1_000 - 1, "0", 1, "0", "0", "0"]
        for at, *values in exchange.candles(since, length, most)
    ]
    return json.dumps(rows).encode()


def _as_kraken(exchange: ExchangeServer, query: dict[str, str]) -> bytes:
    """Kraken gives the newest 720 candles after `since`, whatever was asked for."""
    length = int(query["interval"]) * 60
    since = max(int(query["since"]) + 1, int(exchange.now) - MOST_CANDLES["api.kraken.com"] * length)
    rows = [
        [at, f"{o:.5f}", f"{h:.5f}", f"{low:.5f}", f"{c:.5f}", f"{c:.5f}", f"{volume:.8f}", 1]
        for at, o, h, low, c, volume in exchange.candles(since, length, 10_000)
    ]
    return json.dumps(
        {"error": [], "result": {"XETHZUSD": rows, "last": rows[-1][0] if rows else 0}}
    ).encode()


_BINANCE = {
    "symbol": "ETHUSDT", "status": "TRADING", "baseAsset": "ETH", "quoteAsset": "USDT", "baseAssetPrecision": 8,
    "quotePrecision": 8, "orderTypes": ["LIMIT", "MARKET"], "isSpotTradingAllowed": True,
    "isMarginTradingAllowed": False, "permissions": ["SPOT"], "permissionSets": [["SPOT"]],
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "minQty": "0.0001", "maxQty": "9000", "stepSize": "0.0001"},
    ],
}  # fmt: skip
_KRAKEN = {
    "altname": "ETHUSD", "wsname": "ETH/USD", "aclass_base": "currency", "base": "XETH", "aclass_quote": "currency",
    "quote": "ZUSD", "pair_decimals": 2, "cost_decimals": 5, "lot_decimals": 8, "lot_multiplier": 1,
    "leverage_buy": [], "leverage_sell": [], "fees": [[0, 0.4]], "fees_maker": [[0, 0.25]], "ordermin": "0.001",
    "costmin": "0.5", "tick_size": "0.01", "status": "online",
}  # fmt: skip
_ASSETS = {
    name: {"aclass": "currency", "altname": known, "decimals": 8, "display_decimals": 5, "status": "enabled"}
    for name, known in (("XETH", "ETH"), ("ZUSD", "USD"))
}
_MARKETS: dict[str, Any] = {
    "/api/v3/exchangeInfo": {"timezone": "UTC", "rateLimits": [], "symbols": [_BINANCE]},
    "/fapi/v1/exchangeInfo": {"timezone": "UTC", "rateLimits": [], "symbols": [], "assets": []},
    "/dapi/v1/exchangeInfo": {"timezone": "UTC", "rateLimits": [], "symbols": []},
    "/0/public/AssetPairs": {"error": [], "result": {"XETHZUSD": _KRAKEN}},
    "/0/public/Assets": {"error": [], "result": _ASSETS},
}
