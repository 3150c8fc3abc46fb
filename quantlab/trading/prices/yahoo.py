"""Bars from Yahoo through the yfinance client: the one module that asks it, in one line.

yfinance is kept on a short lead: it raises instead of returning an empty frame; each of its HTTP requests
has a timeout; it keeps no databases of cookies and time zones (they would lie in the home folder, shared by
all sessions); it logs nowhere. It runs in a thread of its own, so that a signal reaches the session at once
and not inside one of curl's callbacks, where Python would swallow what the handler raises.
"""

from __future__ import annotations

import json
import logging
import os
import time
import warnings
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from quantlab.base.errors import DataError, SourceTroubleError
from quantlab.base.waiting import answer_within
from quantlab.trading.prices import yahoo_failures as failures
from quantlab.trading.prices.asked import plain
from quantlab.trading.prices.http_told import ToldHeads
from quantlab.trading.prices.yahoo_frame import to_received
from quantlab.trading.prices.yahoo_raw import examine

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from quantlab.trading.prices.asked import AskedBars, Received

logger = logging.getLogger(__name__)

REQUEST_SECONDS = 10.0
"""Longest wait for one HTTP answer."""
ATTEMPT_SECONDS = 30.0
"""Longest wait for one attempt, which takes a handful of requests (time zone, cookie, crumb, chart)."""
FIRST_DELAY_SECONDS = 1.0
"""Pause before the second attempt; it doubles from attempt to attempt."""

_NOWHERE = os.path.join(os.devnull, "quantlab")  # noqa: PTH118 - can't exist: yfinance keeps no files
_CHART = "/v8/finance/chart/"
_REFUSED = (401, 403)
_LIMITED = (429,)
_BAD_STATUS = 400
_UNAVAILABLE = 503


def fetch(
    asked: AskedBars,
    *,
    sleep: Callable[[float], None] = time.sleep,
    request_seconds: float = REQUEST_SECONDS,
    attempt_seconds: float = ATTEMPT_SECONDS,
) -> Received:
    """Download the bars asked for, adjusted for splits and dividends.

    Args:
        asked: The bars.
        sleep: Waits between attempts, given seconds.
        request_seconds: Longest wait for one HTTP answer.
        attempt_seconds: Longest wait for one attempt.

    Raises:
        DataError: Yahoo could not be reached, refused, does not know the ticker, or sent nothing usable; the
            message names the cause and what to do.
    """
    attempt = 1
    while True:
        try:
            answer = _one_attempt(asked, request_seconds, attempt_seconds, ToldHeads())
            return to_received(answer.frame, answer.zone, asked, examine(answer.chart, asked))
        except DataError:
            raise
        except Exception as error:
            failure = failures.classify(error, asked)
            if attempt >= failure.attempts:
                raise DataError(*failure.message(attempt)) from error
            delay = failure.delay_factor * FIRST_DELAY_SECONDS * 2 ** (attempt - 1)
        logger.info(
            "%s Trying again in %g s (attempt %d of %d).", failure.cause, delay, attempt + 1, failure.attempts
        )
        sleep(delay)
        attempt += 1


def fetch_once(
    asked: AskedBars, *, request_seconds: float = REQUEST_SECONDS, attempt_seconds: float = ATTEMPT_SECONDS
) -> Received:
    """Download the bars asked for in one attempt, for a follower, which itself knows when to ask again.

    Args:
        asked: The bars; some of them are known to exist.
        request_seconds: Longest wait for one HTTP answer.
        attempt_seconds: Longest wait for the attempt.

    Raises:
        SourceTroubleError: it failed in a way that may pass.
        DataError: Yahoo does not know the ticker, can't be trusted, or sent something unusable.
    """
    told = ToldHeads()
    try:
        answer = _one_attempt(asked, request_seconds, attempt_seconds, told)
        received = to_received(answer.frame, answer.zone, asked, examine(answer.chart, asked))
    except DataError:
        raise
    except Exception as error:
        failure = failures.classify(error, asked)
        if failure.final:
            raise DataError(*failure.message(1)) from error
        raise SourceTroubleError(*failure.message(1), retry_after=told.retry_after) from error
    return replace(received, source_time=told.source_time)


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """What one attempt brought: yfinance's frame, the exchange's time zone, and the text that both are read off."""

    frame: pd.DataFrame
    zone: str
    chart: bytes


def _one_attempt(
    asked: AskedBars, request_seconds: float, attempt_seconds: float, told: ToldHeads
) -> _Answer:
    """Ask, and wait no longer than that; raise what asking raised."""
    with warnings.catch_warnings():
        # Half a second, which only downloads pay; and it sets warning filters of its own, so it comes first.
        import yfinance  # noqa: F401

        warnings.simplefilter("ignore")
        return answer_within(attempt_seconds, lambda: _ask(asked, request_seconds, told))


def _ask(asked: AskedBars, request_seconds: float, told: ToldHeads) -> _Answer:
    """Run yfinance once, from a clean state."""
    import yfinance
    from curl_cffi import requests

    _contain(yfinance)
    with requests.Session(impersonate="chrome") as session:
        session.request = bounded = _BoundedRequest(session.request, request_seconds, told)
        ticker = yfinance.Ticker(asked.ticker, session=session)
        frame = ticker.history(
            start=str(asked.start)[:10],
            end=str(asked.end)[:10],
            interval=asked.interval,
            auto_adjust=True,
            actions=False,
            # Bars without prices must be seen to be counted; resampling 30m bars makes some of its own.
            keepna=asked.interval != "30m",
            timeout=request_seconds,
        )
        zone = ticker.history_metadata["exchangeTimezoneName"]
    return _Answer(frame=frame, zone=str(zone), chart=bounded.chart)


def _contain(yfinance: Any) -> None:
    """Make yfinance raise, and forget what it remembers of earlier answers, cookies and crumbs."""
    for name in ("yfinance", "peewee", "curl_cffi"):
        theirs = logging.getLogger(name)
        theirs.propagate = False
        theirs.handlers[:] = [logging.NullHandler()]
    yfinance.config.debug.hide_exceptions = False
    yfinance.set_tz_cache_location(_NOWHERE)
    yfinance.data.YfData.cache_get.cache_clear()
    # There is no public way to forget a refused cookie.
    yfinance.data.SingletonMeta._instances.pop(yfinance.data.YfData, None)  # noqa: SLF001


class _BoundedRequest:
    """Sends a session's requests, each with a timeout, and raises on what yfinance would misread or hide.

    The first refusal (401, 403) is yfinance's to handle: it asks again with another kind of cookie.

    Attributes:
        chart: Body of the last chart that came.
    """

    def __init__(self, request: Callable[..., Any], limit: float, told: ToldHeads) -> None:
        self._request, self._limit, self._told = request, limit, told
        self._refusals = 0
        self.chart = b""

    def __call__(self, method: str, url: str, **options: Any) -> Any:
        wanted = options.pop("timeout", None)
        response = self._request(method, url, timeout=min(wanted or self._limit, self._limit), **options)
        self._told.read_headers(response.headers)
        if _CHART in url:
            self._check(response)
            self.chart = response.content
            # As `examine` reads it: curl's session would take another parser where one happens to be installed.
            response.json = lambda **options: json.loads(response.content, **options)
        return response

    def _check(self, response: Any) -> None:
        status = int(response.status_code)
        self._refusals += status in _REFUSED
        handled = status in _LIMITED or (status in _REFUSED and self._refusals == 1)
        if status >= _BAD_STATUS and not handled:
            raise failures.ChartRefusedError(status, _description(response))
        if response.content.startswith(b"<") and b"Will be right back" in response.content:
            raise failures.ChartRefusedError(_UNAVAILABLE, "")


def _description(response: Any) -> str:
    """Read Yahoo's own words on why there is no chart, where there are any."""
    with suppress(Exception):
        return plain(response.json()["chart"]["error"]["description"])
    return ""
