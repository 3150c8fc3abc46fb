"""The files of a result that stand on its prices: tables, charts and the report, for sessions and runs alike."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from quantlab.base.files import write_whole
from quantlab.domain.names import (
    CONFIG,
    EQUITY,
    EQUITY_CHART,
    PRICE_CHART,
    RUN_REPORT,
    SYNTHETIC,
    TRADES,
)
from quantlab.exports import report, tables

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from quantlab.base.values import JsonObject
    from quantlab.domain.config import RunConfig
    from quantlab.exports.report import ReportHeader
    from quantlab.trading.market import Prices
    from quantlab.trading.results import DataQuality, Outcome


def result_files(
    outcome: Outcome, header: ReportHeader, *, save_price_plot: bool, charts: bool = True
) -> dict[str, bytes]:
    """Return every file that the outcome makes, by name relative to the folder; the same outcome, the same bytes.

    Args:
        outcome: The result.
        header: What the report's page begins with.
        save_price_plot: Also draw the price.
        charts: Draw the pictures; the page links to them either way, for they may be drawn later.
    """
    files = {TRADES: tables.trades_csv(outcome, header.layout), EQUITY: tables.equity_csv(outcome)}
    if charts:
        files |= _charts(outcome, f"{outcome.config.ticker} {header.run_id}", save_price_plot=save_price_plot)
    files[RUN_REPORT] = report_page(outcome, header, save_price_plot=save_price_plot)
    return files


def _charts(outcome: Outcome, title: str, *, save_price_plot: bool) -> dict[str, bytes]:
    # Loaded here alone: matplotlib takes longer to load than most sessions take to run. Where HOME can't be written it
    # warns of a temporary cache, and of building its fonts anew: nobody needs to act on that.
    told = logging.getLogger("matplotlib")
    level = told.level
    told.setLevel(logging.ERROR)
    from quantlab.exports import charts

    told.setLevel(level)
    drawn = {EQUITY_CHART: charts.equity_png(outcome, title=title)}
    return drawn | ({PRICE_CHART: charts.price_png(outcome, title=title)} if save_price_plot else {})


def report_page(outcome: Outcome, header: ReportHeader, *, save_price_plot: bool) -> bytes:
    """Return run_report.md, in which the plot of prices is shown where there is one."""
    if save_price_plot:
        header = replace(header, artifacts=(*header.artifacts, PRICE_CHART))
    return report.render(outcome, header).encode()


def write_files(folder: Path, files: dict[str, bytes], *, flush: bool = True) -> None:
    """Write files below a folder, each whole; unflushed as `write_whole` says.

    Raises:
        QuantlabError: one can't be written.
    """
    for name, data in files.items():
        write_whole(folder / name, data, flush=flush)


def artifact_facts(folder: Path, written: dict[str, bytes], kept: Iterable[str]) -> list[JsonObject]:
    """Return name, size in bytes and SHA-256 of a result's files, as an end event lists them.

    Args:
        folder: The session's or run's.
        written: The result's files and the prices that it stands on, as they were written: somebody may have edited
            them on the disk meanwhile.
        kept: Names of what the folder keeps besides its configuration, as it is there.
    """
    there = {name: (folder / name).read_bytes() for name in (CONFIG, *kept)}
    return [_facts(name, data) for name, data in sorted({**there, **written}.items())]


def data_facts(config: RunConfig, prices: Prices, quality: DataQuality, data_hash: str) -> JsonObject:
    """Return what is known of the prices: origin, range asked and received, quality, content hash.

    `made_up` is there where they come from elsewhere and are the program's own synthetic prices all the same.
    """
    origin = asdict(prices.origin)
    if prices.origin.download is None:
        del origin["download"]
    return {
        **origin,
        "notes": list(origin["notes"]),
        "hash": data_hash,
        "asked_start": config.start,
        "asked_end": config.end,
        **asdict(quality),
        **({"made_up": True} if _is_made_up(config, prices) else {}),
    }


def _is_made_up(config: RunConfig, prices: Prices) -> bool:
    if prices.origin.source == SYNTHETIC:
        return False
    from quantlab.trading.prices import synthetic  # each source is loaded where it is asked for

    return synthetic.resembles(prices, config.ticker, config.interval)


def _facts(name: str, data: bytes) -> JsonObject:
    return {"file_name": name, "size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
