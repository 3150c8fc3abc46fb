"""Bars of one market from Yahoo, a file, the cache or the synthetic source, and how good they are."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from quantlab.errors import DataError
from quantlab.trading.prices.asked import asked_by, plain
from quantlab.trading.prices.coverage import check_begun, check_coverage
from quantlab.trading.quality import assess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from quantlab.config import RunConfig
    from quantlab.trading.market import Prices
    from quantlab.trading.prices.asked import Asked, Received
    from quantlab.trading.results import DataQuality

SLOW_SECONDS = 1.0
"""Time after which it is said that prices are being loaded."""


def load_prices(
    config: RunConfig,
    *,
    now: datetime,
    cache_folder: Path | None,
    offline: bool = False,
    say: Callable[[str], None] | None = None,
) -> tuple[Prices, DataQuality]:
    """Obtain the bars that a configuration asks for, closed by now, and judge them.

    Daily and longer bars carry their exchange's date at midnight UTC; intraday bars their opening time in
    UTC. A download from Yahoo is kept in the cache; `prices=cache`, or `yahoo` with `offline`, reads only
    that.

    Args:
        config: Says which bars, and from where.
        now: The present, aware; bars that close after it are left out.
        cache_folder: Where downloads are kept; None keeps nothing.
        offline: Never use the network.
        say: Told, in a line each, that loading takes its time, from another thread, and of each failure that is
            tried again.

    Raises:
        DataError: the bars are missing, unusable, or no more than a part of the range asked for.
        ConfigError: the cache cannot be written.
    """
    asked = asked_by(config, now)
    check_begun(asked)
    with _told_when_slow(config.prices, say):
        received = _fetch(config.prices, asked, cache_folder, offline=offline, on_retry=say)
    prices = received.prices
    check_coverage(prices, asked)
    if config.prices == "yahoo" and cache_folder is not None and not prices.origin.from_cache:
        _keep(cache_folder, asked, received)
    quality = assess(
        prices,
        interval=asked.interval,
        ticker=asked.ticker,
        dropped_bars=len(received.dropped),
        repeated_bars=received.repeated_bars,
        unfinished_bar_dropped=received.unfinished_bar_dropped,
    )
    return prices, quality


@contextmanager
def _told_when_slow(source: str, say: Callable[[str], None] | None) -> Iterator[None]:
    if say is None:
        yield
        return
    timer = threading.Timer(SLOW_SECONDS, say, (f"loading prices from {plain(source)}",))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _fetch(
    source: str,
    asked: Asked,
    cache_folder: Path | None,
    *,
    offline: bool,
    on_retry: Callable[[str], None] | None,
) -> Received:
    # Each source is imported when it is asked for: pandas and yfinance cost more than a whole synthetic
    # session.
    if source == "synthetic":
        from quantlab.trading.prices import synthetic

        return synthetic.fetch(asked)
    if source == "cache" or (source == "yahoo" and offline):
        from quantlab.trading.prices import cache

        return cache.fetch(cache_folder, asked)
    if source == "yahoo":
        return _download(asked, cache_folder, on_retry)
    from quantlab.trading.prices import files

    return files.fetch(source, asked)


def _download(asked: Asked, cache_folder: Path | None, on_retry: Callable[[str], None] | None) -> Received:
    from quantlab.trading.prices import cache, yahoo

    try:
        return yahoo.fetch(asked, on_retry=on_retry)
    except DataError as error:
        if not cache.holds(cache_folder, asked):
            raise
        raise DataError(f"{error} An earlier download holds these bars: add --prices cache.") from error


def _keep(cache_folder: Path, asked: Asked, received: Received) -> None:
    from quantlab.trading.prices import cache

    cache.store(cache_folder, asked, received)
