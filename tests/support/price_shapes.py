# ruff: noqa: E501 - a table of shapes reads best a line each
"""One made-up market in the shape of each source: what the source's own export, download or API answer looks like."""

from __future__ import annotations

import datetime as dt
import io
import json
import math
import random
from typing import TYPE_CHECKING, Any, cast

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    Shape = Callable[[pd.DataFrame], bytes]

BARS = 120
OHLC = ["Open", "High", "Low", "Close"]


def market(bars: int = BARS, step: dt.timedelta = dt.timedelta(days=1), seed: int = 7) -> pd.DataFrame:
    """Return bars from 2022-01-01 on, with two decimals and whole volumes, which every source can write."""
    made = random.Random(seed)
    price, rows = 1500.0, []
    for at in range(bars):
        start = price * math.exp(made.gauss(0, 0.003))
        price = start * math.exp(made.gauss(0.0005, 0.03))
        high = max(start, price) * (1 + abs(made.gauss(0, 0.01)))
        low = min(start, price) * (1 - abs(made.gauss(0, 0.01)))
        opens = dt.datetime(2022, 1, 1, tzinfo=dt.UTC).replace(tzinfo=None) + at * step
        values = (round(one, 2) for one in (start, high, low, price))
        rows.append((opens, *values, float(made.randrange(1_000, 100_000))))
    return pd.DataFrame(rows, columns=["Date", *OHLC, "Volume"])


def _seconds(bars: pd.DataFrame) -> list[int]:
    return [int(one) for one in (bars.Date - pd.Timestamp("1970-01-01")) // pd.Timedelta(seconds=1)]


def _days(bars: pd.DataFrame, form: str = "%Y-%m-%d") -> pd.Series:
    days: pd.Series = bars.Date.dt.strftime(form)
    return days


def _csv(frame: pd.DataFrame, **options: Any) -> bytes:
    return str(frame.to_csv(index=False, **options)).encode()


def _binance(bars: pd.DataFrame, unit: int = 1_000) -> pd.DataFrame:
    opens = [one * unit for one in _seconds(bars)]
    return pd.DataFrame(
        {
            "open_time": opens, **{name.lower(): bars[name] for name in (*OHLC, "Volume")},
            "close_time": [one + 86_400 * unit - 1 for one in opens], "quote_volume": 12.5, "count": 9,
            "taker_buy_volume": 1.5, "taker_buy_quote_volume": 2.5, "ignore": 0,
        }
    )  # fmt: skip


def _lists(bars: pd.DataFrame, unit: int, order: list[str]) -> list[list[float]]:
    columns = [bars[name].tolist() for name in order]
    return [[second * unit, *row] for second, *row in zip(_seconds(bars), *columns, strict=True)]


def _yfinance(bars: pd.DataFrame) -> bytes:
    head = "Price,Close,High,Low,Open,Volume\nTicker" + ",ETH-USD" * 5 + "\nDate,,,,,\n"
    rows = bars.assign(Date=_days(bars))[["Date", "Close", "High", "Low", "Open", "Volume"]]
    return head.encode() + _csv(rows, header=False)


def _yfinance_history(bars: pd.DataFrame) -> bytes:
    return _csv(
        bars.assign(Date=_days(bars, "%Y-%m-%d 00:00:00-05:00"), Dividends=0.0, **{"Stock Splits": 0.0})
    )


def _crypto_data_download(bars: pd.DataFrame) -> bytes:
    table = pd.DataFrame(
        {
            "Unix": [one * 1_000 for one in _seconds(bars)], "Date": _days(bars, "%Y-%m-%d %H:%M:%S"), "Symbol": "ETHUSD",
            **{name: bars[name] for name in OHLC}, "Volume ETH": bars.Volume, "Volume USD": 1.5,
        }
    )  # fmt: skip
    return b"https://www.CryptoDataDownload.com\n" + _csv(table.iloc[::-1])


def _crypto_data_download_once(bars: pd.DataFrame) -> bytes:
    table = pd.DataFrame(
        {
            "Date": _days(bars, "%Y-%m-%d %I-%p"),
            "Symbol": "ETHUSD",
            **{name: bars[name] for name in OHLC},
            "Volume ETH": bars.Volume,
        }
    )
    return b"https://www.CryptoDataDownload.com\n" + _csv(table.iloc[::-1])


def _stooq_bulk(bars: pd.DataFrame) -> bytes:
    return _csv(
        pd.DataFrame(
            {
                "<TICKER>": "ETH.V", "<PER>": "D", "<DATE>": _days(bars, "%Y%m%d"), "<TIME>": "000000",
                **{f"<{name.upper()}>": bars[name] for name in OHLC}, "<VOL>": bars.Volume, "<OPENINT>": 0,
            }
        )
    )  # fmt: skip


def _stooq_polish(bars: pd.DataFrame) -> bytes:
    names = ["Data", "Otwarcie", "Najwyzszy", "Najnizszy", "Zamkniecie", "Wolumen"]
    return _csv(bars.assign(Date=_days(bars)).set_axis(names, axis="columns"))


def _alpha_vantage(bars: pd.DataFrame) -> bytes:
    return _csv(
        bars.assign(Date=_days(bars))
        .rename(columns={**{name: str(name).lower() for name in bars}, "Date": "timestamp"})
        .iloc[::-1]
    )


def _alpha_vantage_adjusted(bars: pd.DataFrame) -> bytes:
    names = ["timestamp", "open", "high", "low", "close", "volume"]
    table = bars.assign(Date=_days(bars)).set_axis(names, axis="columns")
    table.insert(5, "adjusted_close", table.close)
    return _csv(table.assign(dividend_amount=0.0, split_coefficient=1.0).iloc[::-1])


def _alpha_vantage_json(bars: pd.DataFrame) -> bytes:
    keys = ["1. open", "2. high", "3. low", "4. close", "5. volume"]
    rows = {
        day: dict(zip(keys, map(str, row), strict=True))
        for day, row in zip(_days(bars), bars[[*OHLC, "Volume"]].to_numpy().tolist(), strict=True)
    }
    return json.dumps(
        {
            "Meta Data": {"1. Information": "Daily", "2. Symbol": "ETHX"},
            "Time Series (Daily)": dict(reversed(rows.items())),
        }
    ).encode()


def _trading_view(bars: pd.DataFrame) -> bytes:
    table = bars.assign(Date=_seconds(bars)).rename(
        columns={"Date": "time", **{name: name.lower() for name in OHLC}}
    )
    return _csv(table.assign(Plot="").rename(columns={"Plot": "Volume MA"}).assign(Plot=""))


def _metatrader(bars: pd.DataFrame) -> bytes:
    table = pd.DataFrame(
        {
            "<DATE>": _days(bars, "%Y.%m.%d"), "<TIME>": "00:00:00", **{f"<{name.upper()}>": bars[name] for name in OHLC},
            "<TICKVOL>": bars.Volume.astype(int), "<VOL>": 0, "<SPREAD>": 5,
        }
    )  # fmt: skip
    return _csv(table, sep="\t")


def _metatrader_4(bars: pd.DataFrame) -> bytes:
    table = bars.assign(Volume=bars.Volume.astype(int))
    table.insert(1, "Time", "00:00")
    return _csv(table.assign(Date=_days(bars, "%Y.%m.%d")), header=False)


def _nasdaq(bars: pd.DataFrame) -> bytes:
    table = pd.DataFrame(
        {
            "Date": _days(bars, "%m/%d/%Y"), "Close/Last": bars.Close.map("${:.2f}".format), "Volume": bars.Volume.astype(int),
            **{name: bars[name].map("${:.2f}".format) for name in ("Open", "High", "Low")},
        }
    )  # fmt: skip
    return _csv(table.iloc[::-1])


def _investing(bars: pd.DataFrame, form: str = "%m/%d/%Y") -> bytes:
    table = pd.DataFrame(
        {
            "Date": _days(bars, form), "Price": bars.Close.map("{:,.2f}".format),
            **{name: bars[name].map("{:,.2f}".format) for name in ("Open", "High", "Low")},
            "Vol.": (bars.Volume / 1_000).map("{:.3f}K".format), "Change %": "-0.51%",
        }
    )  # fmt: skip
    return b"\xef\xbb\xbf" + _csv(table.iloc[::-1], quoting=1)


def _polygon_flat(bars: pd.DataFrame) -> bytes:
    return _csv(
        pd.DataFrame(
            {
                "ticker": "ETHX", "volume": bars.Volume.astype(int), "open": bars.Open, "close": bars.Close, "high": bars.High,
                "low": bars.Low, "window_start": [one * 10**9 for one in _seconds(bars)], "transactions": 9,
            }
        )
    )  # fmt: skip


def _polygon_json(bars: pd.DataFrame) -> bytes:
    columns = (
        bars.Volume,
        bars.Open,
        bars.Close,
        bars.High,
        bars.Low,
        [one * 1_000 for one in _seconds(bars)],
    )
    results = [
        {"v": v, "vw": 1.5, "o": o, "c": c, "h": h, "l": low, "t": t, "n": 9}
        for v, o, c, h, low, t in zip(*columns, strict=True)
    ]
    return json.dumps(
        {"ticker": "ETHX", "queryCount": BARS, "adjusted": True, "results": results, "status": "OK"}
    ).encode()


def _databento(bars: pd.DataFrame, *, pretty: bool) -> bytes:
    times = _days(bars, "%Y-%m-%dT00:00:00.000000000Z") if pretty else [one * 10**9 for one in _seconds(bars)]
    prices = {
        name.lower(): bars[name].map("{:.9f}".format)
        if pretty
        else (bars[name] * 1e9).round(-7).astype("int64")
        for name in OHLC
    }
    return _csv(
        pd.DataFrame(
            {
                "ts_event": times,
                "rtype": 35,
                "publisher_id": 1,
                "instrument_id": 7,
                **prices,
                "volume": bars.Volume.astype(int),
                "symbol": "ETHX",
            }
        )
    )


def _freqtrade_feather(bars: pd.DataFrame) -> bytes:
    file = io.BytesIO()
    table = bars.rename(columns=str.lower)
    table.assign(date=table.date.dt.tz_localize("UTC")).to_feather(file)
    return file.getvalue()


def _parquet(bars: pd.DataFrame) -> bytes:
    file = io.BytesIO()
    bars[[*OHLC, "Volume"]].set_axis(pd.DatetimeIndex(bars.Date, name=None)).to_parquet(file)
    return file.getvalue()


def _yfinance_parquet(bars: pd.DataFrame) -> bytes:
    table = bars.set_index("Date")[["Close", "High", "Low", "Open", "Volume"]]
    table.columns = pd.MultiIndex.from_product([table.columns, ["ETH-USD"]], names=["Price", "Ticker"])
    file = io.BytesIO()
    table.to_parquet(file)
    return file.getvalue()


def _coinbase_json(bars: pd.DataFrame) -> bytes:
    return json.dumps(_lists(bars, 1, ["Low", "High", "Open", "Close", "Volume"])[::-1]).encode()


def _kraken_json(bars: pd.DataFrame) -> bytes:
    rows = [
        [second, *(f"{one:.2f}" for one in row), "1500.5", f"{volume}", 9]
        for second, row, volume in zip(
            _seconds(bars), bars[OHLC].to_numpy().tolist(), bars.Volume, strict=True
        )
    ]
    return json.dumps({"error": [], "result": {"XETHZUSD": rows, "last": 1}}).encode()


def _pandas_json(bars: pd.DataFrame, orient: str) -> bytes:
    table = bars.assign(Date=_days(bars)).set_index("Date")
    return str(
        table.reset_index().to_json(orient="records")
        if orient == "records"
        else table.to_json(orient=cast("Any", orient))
    ).encode()


def _yahoo(bars: pd.DataFrame) -> bytes:
    table = bars.assign(Date=_days(bars))
    table.insert(5, "Adj Close", table.Close)
    return _csv(table)


def _yahoo_chart(bars: pd.DataFrame) -> bytes:
    quote = {name.lower(): bars[name].tolist() for name in (*OHLC, "Volume")}
    indicators = {"quote": [quote], "adjclose": [{"adjclose": bars.Close.tolist()}]}
    return json.dumps(
        {
            "chart": {
                "result": [
                    {"meta": {"symbol": "ETHX"}, "timestamp": _seconds(bars), "indicators": indicators}
                ],
                "error": None,
            }
        }
    ).encode()


def _plain(bars: pd.DataFrame) -> pd.DataFrame:
    return bars.assign(Date=_days(bars))


def _german(bars: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Write numbers as a spreadsheet in German does."""
    return bars.assign(
        Date=_days(bars, "%d.%m.%Y"),
        **{
            name: bars[name].map(lambda one: f"{one:,.2f}".translate(str.maketrans(",.", ".,")))
            for name in OHLC
        },
    ).set_axis(names, axis="columns")


def _coin_market_cap(bars: pd.DataFrame) -> bytes:
    opens, ends = _days(bars, "%Y-%m-%dT00:00:00.000Z"), _days(bars, "%Y-%m-%dT23:59:59.999Z")
    rows = pd.DataFrame(
        {"timeOpen": opens, "timeClose": ends, "timeHigh": opens, "timeLow": opens, "name": 2781}
    )
    rows[["open", "high", "low", "close", "volume"]] = bars[[*OHLC, "Volume"]]
    return _csv(rows.assign(marketCap=1.5, timestamp=ends), sep=";")


def _finnhub(bars: pd.DataFrame) -> bytes:
    columns = {name[0].lower(): bars[name].tolist() for name in (*OHLC, "Volume")}
    return json.dumps({"s": "ok", "t": _seconds(bars), **columns}).encode()


SHAPES: dict[str, tuple[str, Shape]] = {
    "yahoo.csv": ("Yahoo history", _yahoo),
    "yahoo_chart.json": ("JSON with named columns", _yahoo_chart),
    "yfinance.csv": ("yfinance download", _yfinance),
    "yfinance_history.csv": ("yfinance history", _yfinance_history),
    "binance.csv": ("Binance klines", lambda bars: _csv(_binance(bars))),
    "binance_headerless.csv": ("Binance klines without a header", lambda bars: _csv(_binance(bars), header=False)),
    "binance_micro.csv": ("Binance klines without a header", lambda bars: _csv(_binance(bars, 10**6), header=False)),
    "kraken.csv": ("Kraken bars without a header", lambda bars: _csv(bars.assign(Date=_seconds(bars), n=9), header=False)),
    "kraken.json": ("Kraken bars", _kraken_json),
    "coinbase.json": ("Coinbase candles", _coinbase_json),
    "coinbase.csv": (
        "Coinbase candles",
        lambda bars: _csv(pd.DataFrame(_lists(bars, 1, ["Low", "High", "Open", "Close", "Volume"])[::-1],
                                       columns=["time", "low", "high", "open", "close", "volume"])),
    ),
    "bitfinex.json": (
        "candles, in the order of Bitfinex and KuCoin",
        lambda bars: json.dumps(_lists(bars, 1_000, ["Open", "Close", "High", "Low", "Volume"])).encode(),
    ),
    "cryptodatadownload.csv": ("CryptoDataDownload", _crypto_data_download),
    "cryptodatadownload_2020.csv": ("CSV with named columns", _crypto_data_download_once),
    "stooq.txt": ("Stooq", _stooq_bulk),
    "stooq_pl.csv": ("Stooq", _stooq_polish),
    "alpha_vantage.csv": ("CSV with named columns", _alpha_vantage),
    "alpha_vantage_adjusted.csv": ("Alpha Vantage", _alpha_vantage_adjusted),
    "alpha_vantage.json": ("Alpha Vantage", _alpha_vantage_json),
    "ccxt.json": ("JSON candles (ccxt, freqtrade)", lambda bars: json.dumps(_lists(bars, 1_000, [*OHLC, "Volume"])).encode()),
    "tradingview.csv": ("TradingView export", _trading_view),
    "metatrader.csv": ("MetaTrader bars", _metatrader),
    "metatrader_4.csv": ("MetaTrader bars without a header", _metatrader_4),
    "freqtrade.feather": ("Feather with named columns", _freqtrade_feather),
    "frame.parquet": ("Parquet with named columns", _parquet),
    "yfinance.parquet": ("yfinance download in Parquet", _yfinance_parquet),
    "nasdaq.csv": ("Nasdaq history", _nasdaq),
    "investing.csv": ("investing.com history", _investing),
    "investing_names.csv": ("investing.com history", lambda bars: _investing(bars, "%b %d, %Y")),
    "polygon.csv": ("Polygon flat file", _polygon_flat),
    "polygon.json": ("Polygon aggregates", _polygon_json),
    "databento.csv": ("Databento OHLCV", lambda bars: _databento(bars, pretty=True)),
    "databento_raw.csv": ("Databento OHLCV", lambda bars: _databento(bars, pretty=False)),
    "records.json": ("JSON with named columns", lambda bars: _pandas_json(bars, "records")),
    "columns.json": ("JSON with named columns", lambda bars: _pandas_json(bars, "columns")),
    "split.json": ("JSON with named columns", lambda bars: _pandas_json(bars, "split")),
    "index.json": ("JSON with named columns", lambda bars: _pandas_json(bars, "index")),
    "lines.jsonl": ("JSON with named columns", lambda bars: str(_plain(bars).to_json(orient="records", lines=True)).encode()),
    "excel.csv": ("text parted by semicolons with named columns", lambda bars: b"sep=;\n" + _csv(_plain(bars), sep=";", decimal=",")),
    "german.csv": (
        "text parted by semicolons with named columns",
        lambda bars: _csv(_german(bars, ["Date", *OHLC, "Volume"]), sep=";", decimal=","),
    ),
    "excel_german.csv": (
        "text parted by semicolons with named columns in Windows-1252",
        lambda bars: _csv(
            _german(bars, ["Datum", "Eröffnung", "Hoch", "Tief", "Schlusskurs", "Volumen"]), sep=";", decimal=","
        ).decode().encode("cp1252"),
    ),
    "excel_french.csv": (
        "text parted by semicolons with named columns in Windows-1252",
        lambda bars: _csv(
            _plain(bars).set_axis(["Date", "Ouverture", "Plus haut", "Plus bas", "Clôture", "Volume"], axis="columns"),
            sep=";", decimal=",",
        ).decode().encode("cp1252"),
    ),
    "coinmarketcap.csv": ("text parted by semicolons with named columns", _coin_market_cap),
    "finnhub.json": ("JSON with named columns", _finnhub),
    "tabs_utf16.txt": (
        "text parted by tabs with named columns",
        lambda bars: "\ufeff".encode("utf-16-le") + _plain(bars).to_csv(index=False, sep="\t").encode("utf-16-le"),
    ),
    "unmarked_utf16.txt": ("CSV with named columns", lambda bars: _plain(bars).to_csv(index=False).encode("utf-16-be")),
    "day_first.csv": ("CSV with named columns", lambda bars: _csv(bars.assign(Date=_days(bars, "%d-%m-%Y 00:00")))),
    "histdata.csv": (
        "bars without a header", lambda bars: _csv(bars.assign(Date=_days(bars, "%Y%m%d 000000")), sep=";", header=False),
    ),
    "am_pm.csv": ("CSV with named columns", lambda bars: _csv(bars.assign(Date=_days(bars, "%m/%d/%Y 12:00:00 AM")))),
    "french.csv": (
        "CSV with named columns",
        lambda bars: _plain(bars).set_axis(["Date", "Ouv", "Haut", "Bas", "Clôt", "Vol"], axis="columns").to_csv(index=False).encode(),
    ),
    "interactive_brokers.csv": (
        "CSV with named columns", lambda bars: _csv(bars.assign(Date=_days(bars, "%Y%m%d  00:00:00"))),
    ),
    "year_first_am_pm.csv": (
        "CSV with named columns", lambda bars: _csv(bars.assign(Date=_days(bars, "%Y-%m-%d 12:00 AM"))),
    ),
    "index.csv": ("CSV with named columns", lambda bars: _plain(bars).reset_index().rename(columns={"index": ""}).to_csv(index=False).encode()),
}  # fmt: skip
"""File name -> the source that it is understood as, and what writes it."""


def values_of(bars: pd.DataFrame) -> np.ndarray:
    """Return open, high, low, close, volume in five rows."""
    result: np.ndarray = bars[[*OHLC, "Volume"]].to_numpy(dtype=float).T
    return result
