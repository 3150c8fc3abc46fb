"""A loopback server that speaks what yfinance asks of Yahoo; unmodified programs reach it by HTTPS_PROXY.

    with YahooServer(tmp_path) as server:
        server.answer = "rate_limited"
        subprocess.run([...], env={**os.environ, **server.environment})

Bars are a smooth function of their time: every range and interval can be asked for.
"""

from __future__ import annotations

import json
import math
import socket
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

from support.loopback_proxy import LoopbackProxy, TunnelHandler

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ANSWERS = (
    "good", "rate_limited", "unauthorized", "unknown_ticker", "no_range", "empty", "no_quotes", "half",
    "first_half", "gap", "absent", "mostly_absent", "nan", "infinite", "negative", "zero", "no_volume",
    "malformed", "login_page", "wrong_shape", "server_error", "down", "truncated", "badly_packed", "hang",
    "slow",
)  # fmt: skip
HOSTS = (
    "fc.yahoo.com",
    "query1.finance.yahoo.com",
    "query2.finance.yahoo.com",
    "guce.yahoo.com",
    "finance.yahoo.com",
)

_DAY = 86_400
_STEPS = {"1m": 60, "2m": 120, "5m": 300, "15m": 900, "60m": 3600, "1h": 3600, "90m": 5400}
_OPENS, _CLOSES = 14 * 3600 + 1800, 21 * 3600  # New York in winter, in seconds of the UTC day


class YahooServer(LoopbackProxy):
    """The server, running while its `with` block lasts.

    Attributes:
        answer: How the next chart requests are answered, one of ANSWERS; or the bytes of the body.
        script: Answers for the chart requests to come, used up one by one before `answer` holds.
        hang_seconds: How long `hang` keeps silent before it closes the connection, and `slow` before it answers.
        now: The server's present in seconds since 1970; no bar opens later.
        retry_after: What refusals ask for in their head.
        requests: Every request so far, as host and path with query.
        edit: Changes a good chart's result in place, for answers that need to be odd in one respect.
    """

    def __init__(self, folder: Path) -> None:
        self.answer: str | bytes = "good"
        self.script: list[str | bytes] = []
        self.hang_seconds = 1.0
        self.now = time.time()
        self.skew = 0.0
        self.retry_after: str | None = None
        self.requests: list[str] = []
        self.edit: Callable[[dict[str, Any]], None] | None = None
        super().__init__(folder / "yahoo-ca.pem", HOSTS, _Handler)

    @property
    def chart_requests(self) -> list[str]:
        return [request for request in self.requests if "/v8/finance/chart/" in request]

    def next_answer(self) -> str | bytes:
        return self.script.pop(0) if self.script else self.answer


def closed_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class _Handler(TunnelHandler):
    @property
    def yahoo(self) -> YahooServer:
        assert isinstance(self.proxy, YahooServer)
        return self.proxy

    def do_GET(self) -> None:  # noqa: N802 - the base class's name
        url = urlsplit(self.path)
        self.yahoo.requests.append(f"{self.host}{self.path}")
        if self.host == "fc.yahoo.com":
            self._send(
                404, b"", {"Set-Cookie": "A3=d=token; Domain=.yahoo.com; Path=/; Max-Age=31557600; Secure"}
            )
        elif url.path == "/v1/test/getcrumb":
            limited = self.yahoo.answer == "rate_limited"
            self._send(429 if limited else 200, b"Too Many Requests" if limited else b"crumb.42")
        elif url.path.startswith("/v8/finance/chart/"):
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            self._chart(url.path.rpartition("/")[2], query)
        else:
            self._send(404, b"<html>Not Found</html>", {"Content-Type": "text/html"})

    def _chart(self, ticker: str, query: dict[str, str]) -> None:
        answer = self.yahoo.next_answer()
        if isinstance(answer, bytes):
            self._send(200, answer)
        elif answer in _REFUSALS:
            status, body = _REFUSALS[answer]
            asks = self.yahoo.retry_after
            self._send(status, body, {} if asks is None else {"Retry-After": asks})
        elif answer == "truncated":
            self._send(200, b'{"chart": {"result"', {"Content-Length": "5000"})
            self.close_connection = True
        elif answer == "badly_packed":
            self._send(200, b"no gzip at all", {"Content-Encoding": "gzip"})
        elif answer == "hang":
            time.sleep(self.yahoo.hang_seconds)
            self.close_connection = True
        else:
            if answer == "slow":
                time.sleep(self.yahoo.hang_seconds)
            self._send(200, json.dumps(chart(self.yahoo, ticker, query, answer)).encode())

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _error(code: str, description: str) -> bytes:
    return json.dumps(
        {"chart": {"result": None, "error": {"code": code, "description": description}}}
    ).encode()


_REFUSALS: dict[str, tuple[int, bytes]] = {
    "rate_limited": (429, b"Too Many Requests\r\n"),
    "unauthorized": (
        401, b'{"finance":{"result":null,"error":{"code":"Unauthorized","description":"Invalid Crumb"}}}'
    ),
    "unknown_ticker": (404, _error("Not Found", "No data found, symbol may be delisted")),
    "no_range": (
        422, _error("Unprocessable Entity", "Data not available\n\x1b[31mbefore\x1b[0m 2020.")
    ),
    "malformed": (200, b'{"chart": {"result": [{"meta": {'),
    "login_page": (200, b"<html><body>Please log in to this network</body></html>"),
    "wrong_shape": (200, b'{"chart": {"result": [{"meta": 5, "indicators": {"quote": [7]}}]}}'),
    "server_error": (503, b"<html>Service Unavailable</html>"),
    "down": (200, b"<html>Will be right back</html>"),
}  # fmt: skip


def chart(yahoo: YahooServer, ticker: str, query: dict[str, str], answer: str) -> dict[str, Any]:
    """Answer a chart request, odd in the way that the answer's name says."""
    end = min(float(query.get("period2", yahoo.now)), yahoo.now)
    start = float(query.get("period1", end - _DAY))
    opens = bar_times(ticker, query["interval"], start, end)
    is_download = "period1" in query
    if is_download:
        middle = len(opens) // 2
        opens = {"half": opens[middle:], "first_half": opens[:middle], "empty": []}.get(answer, opens)
        if answer == "gap":
            opens = opens[: middle - 10] + opens[middle + 10 :]
    result = _result(ticker, query["interval"], opens)
    if is_download:
        _disturb(result, answer)
        if yahoo.edit is not None:
            yahoo.edit(result)
    return {"chart": {"result": [result], "error": None}}


def _disturb(result: dict[str, Any], answer: str) -> None:
    quote, middle = result["indicators"]["quote"][0], len(result["timestamp"]) // 2
    if answer == "empty":
        result["indicators"] = {"quote": [{}]}
        del result["timestamp"]
    elif answer == "no_quotes":
        result["timestamp"] = []
        result["indicators"] = {"quote": [{name: [] for name in quote}], "adjclose": [{"adjclose": []}]}
    elif answer in ("absent", "mostly_absent"):
        places = [middle] if answer == "absent" else range(0, len(result["timestamp"]), 2)
        for column in (*quote.values(), result["indicators"]["adjclose"][0]["adjclose"]):
            for place in places:
                column[place] = None
    elif answer == "no_volume":
        quote["volume"] = [0] * len(quote["volume"])
    elif answer in ("nan", "infinite", "negative", "zero"):
        value = {"nan": None, "infinite": math.inf, "negative": -5.0, "zero": 0.0}[answer]
        quote["low"][middle] = value


def bar_times(ticker: str, interval: str, start: float, end: float) -> list[int]:
    """List the opening times in [start, end), seconds since 1970; tickers without "-" trade in New York."""
    every_day = "-" in ticker
    days = range(int(start) // _DAY, int(end) // _DAY + 1)
    times: list[int] = []
    for day in days:
        date = datetime.fromtimestamp(day * _DAY, UTC)
        weekend = date.weekday() >= 5 and not every_day
        if interval in _STEPS:
            first, last = (0, _DAY) if every_day else _trading_day(day)
            times += [] if weekend else range(day * _DAY + first, day * _DAY + last, _STEPS[interval])
        elif _opens_bar(date, interval, weekend=weekend):
            times.append(day * _DAY + (0 if every_day else _trading_day(day)[0]))
    return [moment for moment in times if start <= moment < end]


def _trading_day(day: int) -> tuple[int, int]:
    """Return when New York opens and closes, in seconds of a UTC day: an hour earlier in summer."""
    noon = datetime.fromtimestamp(day * _DAY + _DAY // 2, UTC)
    behind = noon.astimezone(ZoneInfo("America/New_York")).utcoffset() or timedelta()
    shift = -int(behind.total_seconds()) - 5 * 3600
    return _OPENS + shift, _CLOSES + shift


def _opens_bar(date: datetime, interval: str, *, weekend: bool) -> bool:
    if interval == "1d":
        return not weekend
    if interval in ("5d", "1wk"):
        return date.weekday() == 0
    return date.day == 1 and (interval == "1mo" or date.month % 3 == 1)


def price(moment: float) -> float:
    """Return the market's price at a time."""
    days = moment / _DAY
    return 100 * math.exp(
        0.3 * math.sin(days / 41) + 0.08 * math.sin(days / 5.3) + 0.02 * math.sin(days / 0.7)
    )


def _result(ticker: str, interval: str, opens: list[int]) -> dict[str, Any]:
    length = _STEPS.get(interval, _DAY)
    first = [price(moment) for moment in opens]
    last = [price(moment + length) for moment in opens]
    zone = "UTC" if "-" in ticker else "America/New_York"
    quote = {
        "open": first,
        "high": [1.004 * max(pair) for pair in zip(first, last, strict=True)],
        "low": [0.996 * min(pair) for pair in zip(first, last, strict=True)],
        "close": last,
        "volume": [1000 + moment // 60 % 997 for moment in opens],
    }
    meta: dict[str, Any] = {
        "currency": "USD", "symbol": ticker,
        "instrumentType": "CRYPTOCURRENCY" if "-" in ticker else "EQUITY",
        "exchangeName": "CCC" if "-" in ticker else "NMS", "exchangeTimezoneName": zone, "timezone": zone,
        "gmtoffset": 0, "priceHint": 2, "dataGranularity": interval, "validRanges": ["1d", "max"],
        "firstTradeDate": 0, "regularMarketPrice": 100.0,
    }  # fmt: skip
    if interval in _STEPS:
        meta["tradingPeriods"] = _trading_periods(opens, zone)
    return {
        "meta": meta,
        "timestamp": opens,
        "indicators": {"quote": [quote], "adjclose": [{"adjclose": list(last)}]},
    }


def in_other_units_from(time: datetime, price: float, volume: float) -> Callable[[dict[str, Any]], None]:
    """What Yahoo says from a dividend or a split on: its whole history, and bars to come, by one factor."""

    def edit(result: dict[str, Any]) -> None:
        if not result["timestamp"] or datetime.fromtimestamp(result["timestamp"][-1], UTC) < time:
            return
        quote = result["indicators"]["quote"][0]
        for name, column in [*quote.items(), ("close", result["indicators"]["adjclose"][0]["adjclose"])]:
            column[:] = [one * (volume if name == "volume" else price) for one in column]

    return edit


def _trading_periods(opens: list[int], zone: str) -> list[list[dict[str, Any]]]:
    days = sorted({moment // _DAY for moment in opens})
    hours = {day: (0, _DAY) if zone == "UTC" else _trading_day(day) for day in days}
    return [
        [{"timezone": zone, "start": day * _DAY + first, "end": day * _DAY + last, "gmtoffset": 0}]
        for day, (first, last) in hours.items()
    ]
