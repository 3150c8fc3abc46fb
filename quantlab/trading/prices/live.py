"""Sources that a session can follow: a growing file, Yahoo, and whatever a package brings."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from quantlab.base.errors import ConfigError, DataError
from quantlab.base.files import sha256_of
from quantlab.base.remedies import FINISH
from quantlab.trading.forward.turn import SourceAnswer
from quantlab.trading.intervals import bar_length, is_intraday, time_text
from quantlab.trading.prices.asked import asked_by, plain

if TYPE_CHECKING:
    from datetime import datetime

    from quantlab.domain.config import RunConfig
    from quantlab.trading.prices.asked import AskedBars

ENTRY_POINTS = "quantlab.price_sources"
"""Group of entry points: from a configuration to a source, by the name that `--prices NAME:…` begins with."""
NOT_FOLLOWED = ("synthetic", "cache")
_LATEST = np.datetime64("2262-01-01", "ns")
_EARLIEST = np.datetime64("1678-01-01", "ns")
_SPARE = 2.0
"""How much more time than bars take one after another is looked back over: weekends, holidays."""
_SPARE_OF_HOURS = 6.0
"""The same for bars of an exchange that is open for six and a half hours of a day."""
_SPARE_DAYS = np.timedelta64(14, "D")
_YAHOO_KEEPS = {"1m": 6, "2m": 58, "5m": 58, "15m": 58, "30m": 58, "90m": 58, "60m": 728, "1h": 728}
"""Days before today that Yahoo gives at once; it refuses ranges that begin earlier. Of minutes it keeps more, in parts
of eight days. Days and longer it keeps for good."""
_ONE_DAY = np.timedelta64(1, "D")
_ROUND_THE_CLOCK = re.compile(r"[A-Z0-9]+-[A-Z]{3,5}|.*=X")
_ZONE = re.compile(r"exchange time zone ([A-Za-z0-9_+/-]+)")


class LiveSource(Protocol):
    """A market that can be asked again and again.

    Attributes:
        settle: Seconds after its end in which a bar of this source may still change.
    """

    settle: float

    def closed_bars(self, since: np.datetime64, now: datetime) -> SourceAnswer:
        """Return the bars that opened at `since` or later, and the source's own time where it tells one.

        Args:
            since: Opening time of the first bar asked for, datetime64[ns], UTC.
            now: The present, aware.

        Raises:
            SourceTroubleError: it can't be asked just now; trying again may help.
            DataError: what it says is unusable.
        """

    def history(self, bars: int, now: datetime) -> SourceAnswer:
        """Return what closed before now, at least that many bars where there are as many.

        Raises:
            SourceTroubleError, DataError: as `closed_bars`.
        """


def open_live(config: RunConfig) -> LiveSource:
    """Return the source that a configuration names.

    Raises:
        ConfigError: it can't be followed, or there is no such source.
    """
    if config.prices in NOT_FOLLOWED:
        raise ConfigError(
            f"prices: {config.prices} is no market that goes on; expected yahoo, a file that grows, or a source "
            "such as ccxt:binance."
        )
    if not is_intraday(config.interval) and bar_length(config.interval) > np.timedelta64(1, "D"):
        raise ConfigError(
            f"interval: {config.interval} bars can't be followed; expected a day or shorter, such as 1d or 1h."
        )
    if config.prices == "yahoo":
        return Yahoo(config)
    name, colon, _rest = config.prices.partition(":")
    if colon and not Path(config.prices).exists():
        if name == "ccxt":
            from quantlab.trading.prices.exchanges import Exchange

            return Exchange(config)
        return _from_package(name, config)
    return GrowingFile(config)


def exchange_zone(detail: str) -> str | None:
    """Read the exchange's time zone off what is known of a source's prices; None where nothing tells it."""
    found = _ZONE.match(detail)
    return None if found is None else found.group(1)


class GrowingFile:
    """A file that somebody appends to; rows that are there at the beginning are history.

    A row counts once its line has ended, so that one which is just being written is not read half.
    """

    settle = 0.0

    def __init__(self, config: RunConfig) -> None:
        self._config = config

    def closed_bars(self, since: np.datetime64, now: datetime) -> SourceAnswer:
        """Return the file's bars from a time on that have closed.

        Raises:
            DataError: the file is missing, or no table of bars, or lost those that the session knows.
        """
        from quantlab.trading.prices import files

        asked = _since(self._config, since, now)
        file = Path(self._config.prices)
        if not file.is_file():
            place = "" if file.is_absolute() else f" in {plain(Path.cwd())}"
            raise DataError(
                f"{plain(file)} is no file{place}; expected the one that the session follows. Bring it back, or call "
                "from the folder where the session began."
            )
        content = None
        with suppress(OSError):  # reading its bars will tell
            # Before the look: of what is written meanwhile the look may know more than the note, never less.
            content = sha256_of(file)
        growing = replace(asked.reading, whole_lines=True)
        try:
            received = files.fetch(str(file), replace(asked, reading=growing))
        except files.NothingInRangeError as error:
            raise DataError(
                f"{plain(file)} ends with {error.last}, and the session knows bars from {time_text(since)} on; "
                "expected those and what comes after them. Bring them back."
            ) from error
        return SourceAnswer(
            prices=received.prices, content=None if received.unfinished_bar_dropped else content
        )

    def history(self, bars: int, now: datetime) -> SourceAnswer:  # noqa: ARG002 - a file gives all that it has
        """Return every bar of the file that has closed."""
        return self.closed_bars(_EARLIEST, now)


class Yahoo:
    """Yahoo through yfinance, asked for the last bars again and again."""

    def __init__(self, config: RunConfig) -> None:
        self._config = config
        self.settle = _yahoo_settles(config)

    def closed_bars(self, since: np.datetime64, now: datetime) -> SourceAnswer:
        """Return Yahoo's bars from a time on that have closed.

        Raises:
            SourceTroubleError: Yahoo can't be asked just now.
            DataError: what it says is unusable, or it no longer keeps bars as old as those asked for.
        """
        from quantlab.trading.prices import yahoo

        asked = self._asked(since, now)
        if asked.start > since:
            raise DataError(
                f"Yahoo keeps {self._config.interval} bars of {self._config.ticker} from {time_text(asked.start)} on, "
                f"and the session needs them from {time_text(since)} on, so that none is skipped; expected fewer days "
                "without a look. ",
                FINISH,
                " evaluates what it has seen; begin another one.",
            )
        received = yahoo.fetch_once(asked)
        return SourceAnswer(prices=received.prices, source_time=received.source_time)

    def history(self, bars: int, now: datetime) -> SourceAnswer:
        """Return Yahoo's bars over more time than they take: nights, weekends. Asks again where that may help."""
        from quantlab.trading.prices import yahoo

        moment = _since(self._config, _EARLIEST, now).now
        rests = is_intraday(self._config.interval) and not _ROUND_THE_CLOCK.fullmatch(self._config.ticker)
        spare = _SPARE_OF_HOURS if rests else _SPARE
        oldest = moment - int(bars * spare) * bar_length(self._config.interval) - _SPARE_DAYS
        return SourceAnswer(prices=yahoo.fetch(self._asked(oldest, now)).prices)

    def _asked(self, since: np.datetime64, now: datetime) -> AskedBars:
        """Return the range to ask for: whole days, none in the far future, none that Yahoo no longer keeps."""
        asked = _since(self._config, since, now)
        today = asked.now.astype("M8[D]").astype("M8[ns]")
        kept = _YAHOO_KEEPS.get(self._config.interval)
        oldest = _EARLIEST if kept is None else today - np.timedelta64(kept, "D")
        # Its client asks for whole days of the exchange's clock, which may be a day behind.
        start = since.astype("M8[D]").astype("M8[ns]") - _ONE_DAY
        return replace(asked, start=max(start, oldest), end=today + 2 * _ONE_DAY)


def _yahoo_settles(config: RunConfig) -> float:
    """Return how long a bar may still change, in seconds.

    A day is over when it is over at the exchange, up to six hours after it is in UTC.
    """
    if is_intraday(config.interval):
        return 20.0 * 60
    return 3_600.0 * (1 if _ROUND_THE_CLOCK.fullmatch(config.ticker) else 7)


def _from_package(name: str, config: RunConfig) -> LiveSource:
    found = [one for one in metadata.entry_points(group=ENTRY_POINTS) if one.name == name]
    if not found:
        raise ConfigError(
            f"prices: there is neither a file {plain(config.prices)} nor an installed source {plain(name)!r}; expected "
            "yahoo, a file's path, or a source's name before the colon."
        )
    source: LiveSource = found[0].load()(config)
    return source


def _since(config: RunConfig, since: np.datetime64, now: datetime) -> AskedBars:
    return replace(asked_by(config, now), start=since, end=_LATEST)
