"""What was downloaded once, kept for use without a network.

An entry is two files: `TICKER_INTERVAL_START_END_<hash>.csv`, a price table, and
`TICKER_INTERVAL_START_END.json` beside it, its origin, the asked range and the table's SHA-256. The JSON
file is replaced last, so that it always names a whole table; an entry whose bytes no longer match is named
and not used. Anybody can write an entry: whether a download made it is for the ledger to say.
"""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from quantlab.base.errors import ConfigError, DataError
from quantlab.base.remedies import Setting
from quantlab.trading.intervals import day_text, time_text
from quantlab.trading.market import Download, Origin
from quantlab.trading.prices.asked import PATH_LENGTH, AskedBars, Received, Split, noted, plain, within
from quantlab.trading.prices.table import data_hash, from_csv, to_csv

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quantlab.trading.market import Prices

_HASH_IN_NAME = 16


class CacheEntry(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON half of an entry.

    Attributes:
        start: First day asked for; end is the day after the last one.
        retrieved_at: When the bars were downloaded, ISO 8601 UTC.
        table: Name of the CSV file beside it.
        data_hash: SHA-256, in hex, of that file.
        dropped: Times of the bars that came without any price.
        repeated_bars: Bars that came twice (not recorded by 0.1.0).
        splits: Time and ratio of each split that the source told of (not recorded by 0.1.0).
        downloaded_by: Id of the session or run that made the download (not recorded by 0.1.0).
    """

    ticker: str
    interval: str
    start: str
    end: str
    source: str
    detail: str
    adjusted: bool | None
    retrieved_at: str
    notes: tuple[str, ...]
    unfinished_bar_dropped: bool
    dropped: tuple[str, ...]
    table: str
    data_hash: str
    repeated_bars: int = 0
    splits: tuple[tuple[str, float], ...] = ()
    downloaded_by: str = ""

    def covers(self, asked: AskedBars) -> bool:
        """Tell whether this entry's range holds the one asked for (ISO days compare as text)."""
        return (
            self.ticker.upper() == asked.ticker.upper()
            and self.interval == asked.interval
            and self.start <= day_text(asked.start)
            and day_text(asked.end) <= self.end
        )


class _Found(NamedTuple):
    path: Path
    entry: CacheEntry
    download: Download


def store(folder: Path, asked: AskedBars, received: Received, downloaded_by: str) -> Download:
    """Keep a download, whole or not at all; return what tells it from another.

    Args:
        folder: The cache.
        asked: The range that was downloaded.
        received: What came.
        downloaded_by: Id of the session or run that made the download.

    Raises:
        ConfigError: the folder cannot be written.
    """
    data = to_csv(received.prices)
    digest = data_hash(data)
    path = entry_path(folder, asked)
    origin = received.prices.origin
    entry = CacheEntry(
        ticker=asked.ticker.upper(),
        interval=asked.interval,
        start=day_text(asked.start),
        end=day_text(asked.end),
        source=origin.source,
        detail=origin.detail,
        adjusted=origin.adjusted,
        retrieved_at=origin.retrieved_at,
        notes=origin.notes,
        unfinished_bar_dropped=received.unfinished_bar_dropped,
        dropped=received.dropped,
        repeated_bars=received.repeated_bars,
        splits=tuple((time_text(split.time), split.ratio) for split in received.splits),
        table=f"{path.stem}_{digest[:_HASH_IN_NAME]}.csv",
        data_hash=digest,
        downloaded_by=downloaded_by,
    )
    content = msgspec.json.format(msgspec.json.encode(entry)) + b"\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_whole(folder / entry.table, data)
        _write_whole(path, content)
    except OSError as error:
        raise ConfigError(
            f"The prices cache {plain(folder, PATH_LENGTH)} cannot be written ({plain(error.strerror)}); "
            "make it writable or choose another ",
            Setting("outdir"),
            ".",
        ) from error
    return Download(by=downloaded_by, entry=data_hash(content))


def entry_path(folder: Path, asked: AskedBars) -> Path:
    """Return where the JSON file of a download is kept."""
    days = f"{day_text(asked.start)}_{day_text(asked.end)}"
    return folder / f"{asked.ticker.upper()}_{asked.interval}_{days}.json"


def _write_whole(path: Path, data: bytes) -> None:
    aside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        with aside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        with suppress(OSError):
            aside.unlink()
        raise


def fetch(folder: Path | None, asked: AskedBars) -> Received:
    """Return the part asked for of the latest entry that covers it.

    Raises:
        DataError: no entry covers it, or each that does is damaged; the message names them.
    """
    damaged: list[str] = []
    for path, entry, download in _entries(folder, asked, damaged):
        try:
            received = _read(path, entry, download, asked)
        except DataError as error:
            damaged.append(f"{path.name}: {error}")
            continue
        return _with_notes(received, damaged)
    raise _missing(folder, asked, damaged)


def holds(folder: Path | None, asked: AskedBars) -> bool:
    """Tell whether the cache has the bars, in good order."""
    try:
        fetch(folder, asked)
    except DataError:
        return False
    return True


def _with_notes(received: Received, damaged: list[str]) -> Received:
    notes = [f"Cache entry not used, as it is damaged: {text}" for text in damaged]
    return replace(received, prices=noted(received.prices, *notes))


def _missing(folder: Path | None, asked: AskedBars, damaged: list[str]) -> DataError:
    what = f"{asked.ticker} at {asked.interval}, {asked.range_text}"
    remedy = (
        *("Run once with ", Setting("prices", "yahoo"), " and a network, or give "),
        *(Setting("prices", "FILE"), "."),
    )
    if folder is None:
        return DataError(f"There is no prices cache to read {what} from. ", *remedy)
    if damaged:
        told = plain("; ".join(damaged), 400)
        return DataError(f"The cached prices of {what} are damaged: {told} ", *remedy)
    return DataError(f"The prices cache {plain(folder, PATH_LENGTH)} does not hold {what}. ", *remedy)


def _entries(folder: Path | None, asked: AskedBars, damaged: list[str]) -> Iterator[_Found]:
    """Give the covering entries, latest download first; name the unreadable ones in `damaged`."""
    found: list[_Found] = []
    prefix = f"{asked.ticker.upper()}_{asked.interval}_"
    for path in sorted(folder.glob("*.json")) if folder else ():
        if not re.fullmatch(re.escape(prefix) + r"[-\d]{10}_[-\d]{10}\.json", path.name):
            continue
        try:
            content = path.read_bytes()
            entry = msgspec.json.decode(content, type=CacheEntry)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            damaged.append(f"{path.name}: {plain(error)}.")
            continue
        if entry.covers(asked):
            found.append(_Found(path, entry, Download(by=entry.downloaded_by, entry=data_hash(content))))
    yield from sorted(found, key=lambda one: one.entry.retrieved_at, reverse=True)


def _read(path: Path, entry: CacheEntry, download: Download, asked: AskedBars) -> Received:
    prices = _verified(path.parent / Path(entry.table).name, entry, download)
    whole = Received(
        prices=prices,
        dropped=entry.dropped,
        repeated_bars=entry.repeated_bars,
        splits=tuple(Split(time=np.datetime64(time[:19], "ns"), ratio=ratio) for time, ratio in entry.splits),
        unfinished_bar_dropped=entry.unfinished_bar_dropped,
    )
    if (entry.start, entry.end) == (day_text(asked.start), day_text(asked.end)):
        return whole
    first, last = time_text(asked.start), time_text(asked.end)
    return replace(
        whole,
        prices=within(prices, asked),
        dropped=tuple(time for time in entry.dropped if first <= time < last),
        unfinished_bar_dropped=entry.unfinished_bar_dropped and bool(asked.end > _last_bar(prices)),
    )


def _last_bar(prices: Prices) -> np.datetime64:
    return prices.times[-1] + np.timedelta64(1, "ns") if len(prices) else np.datetime64("NaT", "ns")


def _verified(table: Path, entry: CacheEntry, download: Download) -> Prices:
    try:
        data = table.read_bytes()
    except OSError as error:
        raise DataError(f"{table.name} cannot be read ({plain(error.strerror)}).") from error
    if data_hash(data) != entry.data_hash:
        raise DataError(f"{table.name} does not match its hash.")
    origin = Origin(
        source=entry.source,
        detail=entry.detail,
        adjusted=entry.adjusted,
        retrieved_at=entry.retrieved_at,
        from_cache=True,
        notes=entry.notes,
        download=download,
    )
    return from_csv(data, origin)
