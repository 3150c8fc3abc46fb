"""What can go wrong with Yahoo, told apart by type: the cause, whether to try again, and what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quantlab.base.remedies import Setting
from quantlab.trading.prices.asked import plain

if TYPE_CHECKING:
    from quantlab.trading.prices.asked import AskedBars

MOST_ATTEMPTS = 4
ATTEMPTS_AT_TIMEOUTS = 3
_FORBIDDEN = (401, 403)
_NOT_FOUND = 404
_SERVER_ERROR = 500
_ELSEWHERE = ("or use ", Setting("prices", "FILE"))


class ChartRefusedError(Exception):
    """Yahoo answered the request for bars with an HTTP error.

    Attributes:
        status: HTTP status.
        description: Yahoo's reason in one line, empty where it gave none.
    """

    def __init__(self, status: int, description: str) -> None:
        """Keep the status and the reason."""
        super().__init__(status, description)
        self.status = status
        self.description = description


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One kind of failure.

    Attributes:
        cause: What happened, a sentence.
        remedy: What to do, the parts of a sentence.
        attempts: How often to try in all: more than once only where waiting can help.
        delay_factor: How much longer than usual to wait before the next attempt.
        final: Whether it won't pass by itself, so that a follower stops; the others it sits out.
    """

    cause: str
    remedy: tuple[object, ...]
    attempts: int = 1
    delay_factor: float = 1.0
    final: bool = False

    def message(self, attempts_made: int) -> tuple[object, ...]:
        """Return the parts of the one line that the user sees."""
        tries = f" ({attempts_made} attempts)" if attempts_made > 1 else ""
        return f"{self.cause.removesuffix('.')}{tries}. ", *self.remedy


def classify(error: Exception, asked: AskedBars) -> Failure:
    """Name the cause of what one attempt raised."""
    from yfinance import exceptions as yahoo

    if isinstance(error, ChartRefusedError):
        return _refused(error.status, error.description, asked)
    if isinstance(error, yahoo.YFRateLimitError):
        return Failure(
            cause="Yahoo limits the rate of requests from this address (HTTP 429).",
            remedy=("Wait some minutes and run again, ", *_ELSEWHERE, "."),
            attempts=2,
            delay_factor=5.0,
        )
    if isinstance(error, yahoo.YFTzMissingError):
        return _unknown(asked, "")
    if isinstance(error, yahoo.YFTickerMissingError):
        return _no_bars(asked, plain(getattr(error, "yahoo_reason", None) or ""))
    if isinstance(error, yahoo.YFDataException):
        return _server(plain(error))
    return _transport(error)


def _refused(status: int, description: str, asked: AskedBars) -> Failure:
    if status == _NOT_FOUND:
        return _unknown(asked, description)
    if status in _FORBIDDEN:
        return Failure(
            cause=f"Yahoo refused the request (HTTP {status}).",
            remedy=("Run again later, from another network, ", *_ELSEWHERE, "."),
        )
    if status >= _SERVER_ERROR:
        return _server(f"HTTP {status}")
    return _no_bars(asked, description or f"HTTP {status}")


def _unknown(asked: AskedBars, description: str) -> Failure:
    said = f" ({description})" if description else ""
    return Failure(
        cause=f"Yahoo does not know the ticker {asked.ticker}{said}.",
        remedy=(
            "Check ",
            Setting("ticker"),
            " on finance.yahoo.com; the symbol may have been renamed or delisted.",
        ),
        final=True,
    )


def _no_bars(asked: AskedBars, reason: str) -> Failure:
    said = f" ({reason.removesuffix('.')})" if reason else ""
    return Failure(
        cause=f"Yahoo has no {asked.interval} bars of {asked.ticker} in {asked.range_text}{said}.",
        remedy=(
            *("Choose another ", Setting("start"), " and ", Setting("end")),
            " (Yahoo keeps intraday bars for weeks to two years only) or a longer ",
            *(Setting("interval"), "."),
        ),
    )


def _server(what: str) -> Failure:
    return Failure(
        cause=f"Yahoo's server failed ({what}).",
        remedy=("It is not your settings: run again later, ", *_ELSEWHERE, "."),
        attempts=MOST_ATTEMPTS,
    )


def _transport(error: Exception) -> Failure:
    from curl_cffi.requests import exceptions as http

    what = _in_curls_words(error)
    if isinstance(error, (http.SSLError, http.InvalidProxyURL)):
        return Failure(
            cause=f"No trusted connection to Yahoo: {what}.",
            remedy=(
                "Check the machine's clock, its certificates (SSL_CERT_FILE, CURL_CA_BUNDLE) and proxy.",
            ),
            final=True,
        )
    if isinstance(error, (http.Timeout, TimeoutError)):
        return Failure(
            cause=f"Yahoo did not answer in time: {what}.",
            remedy=("Check the network and any proxy (HTTPS_PROXY) and run again, ", *_ELSEWHERE, "."),
            attempts=ATTEMPTS_AT_TIMEOUTS,
        )
    if isinstance(error, http.DNSError):
        return _network("The name of Yahoo's server cannot be resolved", what)
    if _is_badly_packed(error) or isinstance(error, (http.JSONDecodeError, http.ContentDecodingError)):
        return _malformed(error)
    if isinstance(error, (http.RequestException, OSError)):
        return _network("Yahoo cannot be reached", what)
    return _malformed(error)


def _is_badly_packed(error: Exception) -> bool:
    from curl_cffi.const import CurlECode

    return getattr(error, "code", None) == CurlECode.BAD_CONTENT_ENCODING


def _in_curls_words(error: Exception) -> str:
    """Cut curl's frame and its link off what it says."""
    found = re.search(r"curl: \(\d+\) (.*?)\.? See https?://", str(error), re.DOTALL)
    return plain(found.group(1) if found else error, 120).removesuffix(".")


def _network(cause: str, what: str) -> Failure:
    return Failure(
        cause=f"{cause}: {what}.",
        remedy=(
            "Check the network and any proxy (HTTPS_PROXY), ",
            *(*_ELSEWHERE, " or ", Setting("prices", "synthetic"), "."),
        ),
        attempts=MOST_ATTEMPTS,
    )


def _malformed(error: Exception) -> Failure:
    packed = _is_badly_packed(error)
    what = "its compressed content is broken" if packed else f"{type(error).__name__}: {plain(error, 80)}"
    return Failure(
        cause=f"Yahoo's answer could not be read ({what}).",
        remedy=(
            "A proxy or login page may have answered instead, or yfinance is too old: update it, ",
            *(*_ELSEWHERE, "."),
        ),
    )
