"""The files of a result that stand on its prices: tables, charts and the report, for sessions and runs alike."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from quantlab.exports import charts, report, tables
from quantlab.exports.files import write_whole
from quantlab.exports.names import CONFIG, EQUITY, EQUITY_CHART, PRICE_CHART, PRICES, RUN_REPORT, TRADES

if TYPE_CHECKING:
    from pathlib import Path

    from quantlab.config import RunConfig
    from quantlab.exports.report import ReportHeader
    from quantlab.trading.market import Prices
    from quantlab.trading.results import DataQuality, Outcome


def result_files(outcome: Outcome, header: ReportHeader, *, save_price_plot: bool) -> dict[str, bytes]:
    """Return every file that the outcome makes, by name relative to the folder; the same outcome, the same bytes."""
    title = f"{outcome.config.ticker} {header.run_id}"
    files = {
        TRADES: tables.trades_csv(outcome),
        EQUITY: tables.equity_csv(outcome),
        EQUITY_CHART: charts.equity_png(outcome, title=title),
    }
    if save_price_plot:
        files[PRICE_CHART] = charts.price_png(outcome, title=title)
    files[RUN_REPORT] = report_page(outcome, header, save_price_plot=save_price_plot)
    return files


def report_page(outcome: Outcome, header: ReportHeader, *, save_price_plot: bool) -> bytes:
    """Return run_report.md, in which the plot of prices is shown where there is one."""
    if save_price_plot:
        header = replace(header, artifacts=(*header.artifacts, PRICE_CHART))
    return report.render(outcome, header).encode()


def write_files(folder: Path, files: dict[str, bytes]) -> None:
    """Write files below a folder, each whole.

    Raises:
        QuantlabError: one can't be written.
    """
    for name, data in files.items():
        write_whole(folder / name, data)


def artifact_facts(folder: Path, names: list[str]) -> list[dict[str, Any]]:
    """Return name, size in bytes and SHA-256 of files below a folder, as an end event lists them."""
    return [_facts(name, (folder / name).read_bytes()) for name in sorted(names)]


def listed_names(files: dict[str, bytes]) -> list[str]:
    """Return the names that an end event lists: the result's files, what they were made from and the configuration."""
    return [CONFIG, PRICES, *files]


def data_facts(config: RunConfig, prices: Prices, quality: DataQuality, data_hash: str) -> dict[str, Any]:
    """Return what is known of the prices: origin, range asked and received, quality, content hash."""
    origin = asdict(prices.origin)
    return {
        **origin,
        "notes": list(origin["notes"]),
        "hash": data_hash,
        "asked_start": config.start,
        "asked_end": config.end,
        **asdict(quality),
    }


def _facts(name: str, data: bytes) -> dict[str, Any]:
    return {"file_name": name, "size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
