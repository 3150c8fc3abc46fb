"""Names of the sources whose files look like this, for the line that says what was understood."""

from __future__ import annotations

from quantlab.trading.prices.roles import simple

_BY_NAMES: tuple[tuple[frozenset[str], str], ...] = tuple(
    (frozenset(names), source)
    for names, source in (
        ({"open time", "close time"}, "Binance klines"),
        ({"ts event", "rtype"}, "Databento OHLCV"),
        ({"ts event"}, "Databento OHLCV"),
        ({"unix", "symbol"}, "CryptoDataDownload"),
        ({"window start", "transactions"}, "Polygon flat file"),
        ({"vw", "o", "t"}, "Polygon aggregates"),
        ({"dividends", "stock splits"}, "yfinance history"),
        ({"close/last"}, "Nasdaq history"),
        ({"change %"}, "investing.com history"),
        ({"otwarcie"}, "Stooq"),
        ({"per", "openint"}, "Stooq"),
        ({"dividend amount"}, "Alpha Vantage"),
        ({"volumefrom", "volumeto"}, "CryptoCompare"),
        ({"vwap", "trades"}, "Kraken bars"),
        ({"date", "adj close"}, "Yahoo history"),
    )
)
_TRADING_VIEW = ("time", "open", "high", "low", "close")
_COINBASE = ("time", "low", "high", "open", "close")


def source_by_names(header: list[str], kind: str, *, tickers: bool) -> str:  # noqa: PLR0911 - a list of sources
    """Name the source of columns.

    Args:
        header: The columns' names, as they stand.
        kind: Form of the file, such as `CSV`.
        tickers: Whether a line of tickers stands beside the header.
    """
    if tickers:
        return "yfinance download"
    names = [simple(column) for column in header]
    for needed, source in _BY_NAMES:
        if needed <= set(names):
            return source
    if any(column.strip().startswith("<") for column in header):
        return "MetaTrader bars"
    if any(column.strip().startswith("1. ") or column.strip().startswith("1a. ") for column in header):
        return "Alpha Vantage"
    if tuple(names[:5]) == _COINBASE:
        return "Coinbase candles"
    if tuple(header[:5]) == _TRADING_VIEW and "Volume" in header:
        return "TradingView export"
    return f"{kind} with named columns"


def without_header(source: str, kind: str) -> str:
    """Name lists of numbers in JSON, which have no header to be without."""
    if kind != "JSON":
        return source
    return (
        "JSON candles (ccxt, freqtrade)"
        if source == "bars without a header"
        else source.replace(" without a header", "")
    )
