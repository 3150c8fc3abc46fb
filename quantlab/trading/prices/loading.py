"""Load the bars that a configuration asks for, from the source that it names, and judge them."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from quantlab.base.errors import DataError
from quantlab.base.levels import PROGRESS
from quantlab.base.remedies import Setting
from quantlab.trading.prices import warming
from quantlab.trading.prices.asked import asked_by, from_start, plain
from quantlab.trading.prices.coverage import check_begun, check_coverage
from quantlab.trading.quality import assess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from quantlab.domain.config import RunConfig
    from quantlab.trading.market import Prices
    from quantlab.trading.prices.asked import AskedBars, Received
    from quantlab.trading.prices.files import Looked
    from quantlab.trading.results import DataQuality

logger = logging.getLogger(__name__)

SLOW_SECONDS = 1.0
"""Time after which it is said that prices are being loaded."""


def load_prices(
    config: RunConfig,
    *,
    now: datetime,
    cache_folder: Path | None,
    offline: bool = False,
    told: bool = False,
    looked: Looked | None = None,
    loaded_by: str = "",
) -> tuple[Prices, DataQuality]:
    """Obtain the bars that a configuration asks for, closed by now, and judge them.

    Daily and longer bars carry their exchange's date at midnight UTC; intraday bars their opening time in
    UTC. A download from Yahoo is kept in the cache; `prices=cache`, or `yahoo` with `offline`, reads only
    that.

    Args:
        config: Says which bars, and from where; those of the warm-up come before its `start`.
        now: The present, aware; bars that close after it are left out.
        cache_folder: Where downloads are kept; None keeps nothing.
        offline: Never use the network.
        told: Whether it is logged that loading takes its time, what a file was read as, and what is doubtful.
        looked: What a look at the file gave, if one was taken, so that it need not be read twice.
        loaded_by: Id of the session or run that the bars are for; the cache keeps it with a download.

    Raises:
        DataError: the bars are missing, unusable, or no more than a part of the range asked for.
        ConfigError: the cache cannot be written.
    """
    asked = asked_by(config, now)
    check_begun(asked)
    with _told_when_slow(config.prices) if told else nullcontext():
        wider, received = _received(config, asked, cache_folder, offline=offline, looked=looked)
    if told and received.understood:
        logger.info("%s: %s.", plain(Path(config.prices).name), received.understood)
    check_coverage(from_start(received.prices, asked), asked)
    if config.prices == "yahoo" and cache_folder is not None and not received.prices.origin.from_cache:
        received = _keep(cache_folder, wider, received, loaded_by)
    received = warming.cut(received, asked, config.warmup) if config.warmup else received
    prices = received.prices
    quality = assess(
        prices,
        interval=asked.interval,
        ticker=asked.ticker,
        dropped=received.dropped,
        splits=received.splits,
        repeated_bars=received.repeated_bars,
        unfinished_bar_dropped=received.unfinished_bar_dropped,
    )
    if told and quality.doubts:
        logger.warning(
            "doubts about the prices, which block promotion (%s): %s",
            ", ".join(quality.doubts),
            " ".join(quality.warnings),
        )
    return prices, quality


@contextmanager
def _told_when_slow(source: str) -> Iterator[None]:
    timer = threading.Timer(SLOW_SECONDS, logger.log, (PROGRESS, "loading prices from %s", plain(source)))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _received(
    config: RunConfig,
    asked: AskedBars,
    cache_folder: Path | None,
    *,
    offline: bool,
    looked: Looked | None,
) -> tuple[AskedBars, Received]:
    """Ask for the bars, with those of the warm-up before them; returns the range that was asked for too."""
    for wider in warming.widened(asked, config.warmup) if config.warmup else (asked,):
        received = _fetch(config, wider, cache_folder, offline=offline, looked=looked)
        if warming.bars_before(received, asked) >= config.warmup:
            break
    return wider, received


def _fetch(
    config: RunConfig,
    asked: AskedBars,
    cache_folder: Path | None,
    *,
    offline: bool,
    looked: Looked | None,
) -> Received:
    # Each source is imported when it is asked for: pandas and yfinance cost more than a whole synthetic
    # session.
    source = config.prices
    if source == "synthetic":
        from quantlab.trading.prices import synthetic

        return synthetic.fetch(asked, config.generator)
    if source == "cache" or (source == "yahoo" and offline):
        from quantlab.trading.prices import cache

        return cache.fetch(cache_folder, asked)
    if source == "yahoo":
        return _download(asked, cache_folder)
    from quantlab.trading.prices import files

    return files.fetch(source, asked, looked)


def _download(asked: AskedBars, cache_folder: Path | None) -> Received:
    from quantlab.trading.prices import cache, yahoo

    try:
        return yahoo.fetch(asked)
    except DataError as error:
        if not cache.holds(cache_folder, asked):
            raise
        raise DataError(
            error, " An earlier download holds these bars: add ", Setting("prices", "cache"), "."
        ) from error


def _keep(cache_folder: Path, asked: AskedBars, received: Received, loaded_by: str) -> Received:
    from quantlab.trading.prices import cache

    prices = received.prices
    download = cache.store(cache_folder, asked, received, loaded_by)
    return replace(received, prices=replace(prices, origin=replace(prices.origin, download=download)))
