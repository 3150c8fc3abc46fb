"""What a file leaves open is asked for and never guessed; the flags that answer; and what a file tells of itself."""

from __future__ import annotations

import builtins
import gzip
import io
import json
import zipfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from support.price_shapes import OHLC, SHAPES, market, values_of
from support.prices_cases import asked

from quantlab.base.errors import ConfigError, DataError
from quantlab.domain.config import RunConfig, config_hash, validated
from quantlab.trading.prices import decoded, files, table
from quantlab.trading.prices.loading import load_prices
from quantlab.trading.prices.reading import Reading, reading_of
from quantlab.trading.prices.rows import SeveralSymbolsError

if TYPE_CHECKING:
    from pathlib import Path

    from quantlab.trading.prices.asked import Received

RANGE: dict[str, Any] = {"start": "2022-01-01", "end": "2022-05-01"}
NOW = datetime(2026, 3, 4, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "prices.csv"


def read(path: Path, content: str | bytes, **changes: Any) -> Received:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return files.fetch(str(path), asked(prices=str(path), **{**RANGE, **changes}))


def complaint(path: Path, content: str | bytes, **changes: Any) -> str:
    with pytest.raises(DataError) as caught:
        read(path, content, **changes)
    message = str(caught.value)
    assert message.isprintable()
    assert path.name in message
    return message


def csv(bars: pd.DataFrame | None = None, form: str = "%Y-%m-%d", **options: Any) -> str:
    bars = market() if bars is None else bars
    return str(bars.assign(Date=bars.Date.dt.strftime(form)).to_csv(index=False, **options))


def same(received: Received, bars: pd.DataFrame | None = None) -> bool:
    prices = received.prices
    expected = market() if bars is None else bars
    got = np.vstack([prices.open, prices.high, prices.low, prices.close, prices.volume])
    return bool(
        (prices.times == expected.Date.to_numpy().astype("M8[ns]")).all()
        and (got == values_of(expected)).all()
    )


# Times


@pytest.mark.parametrize(("form", "sign"), [("%d/%m/%Y", "/"), ("%m-%d-%Y", "-"), ("%d.%m.%Y", ".")])
def test_dates_that_may_be_two_are_asked_for_by_name(path: Path, form: str, sign: str) -> None:
    bars = market()
    few = bars[bars.Date.dt.day <= 12]
    message = complaint(path, csv(few, form))
    assert "may be day or month first" in message
    assert f"--time-format '%d{sign}%m{sign}%Y' or '%m{sign}%d{sign}%Y'" in message
    assert same(read(path, csv(few, form), time_format=form), few)


def test_order_settles_no_date(path: Path) -> None:
    bars = market(11)
    assert "may be day or month first" in complaint(path, csv(bars, "%d/%m/%Y"))


def test_dates_of_both_kinds_are_named(path: Path) -> None:
    rows = csv(market(20), "%d/%m/%Y") + "01/25/2022,1,2,0.5,1.5,10\n"
    message = complaint(path, rows)
    assert "'13/01/2022' (row 14) and '01/25/2022' (row 22)" in message


@pytest.mark.parametrize(
    "text", ["01/02/23", "13-Jan-23", "2022-13-01", "2022.02.30", "31/02/2022", "25:00", "5", "12"]
)
def test_what_is_no_date_is_named_with_the_flag_that_helps(path: Path, text: str) -> None:
    message = complaint(path, f"Date,Open,High,Low,Close\n{text},1,2,0.5,1.5\n")
    assert "--time-format" in message


def test_two_digits_of_a_year_are_read_as_said(path: Path) -> None:
    assert same(read(path, csv(form="%d/%m/%y"), time_format="%d/%m/%y"))


def test_a_format_that_does_not_fit_names_the_cell(path: Path) -> None:
    assert "row 2: '2022-01-01' is no time" in complaint(path, csv(), time_format="%d.%m.%Y")


@pytest.mark.parametrize(("unit", "size"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
def test_units_of_counts_may_be_said(path: Path, unit: str, size: int) -> None:
    bars = market(40)
    early = bars.assign(Date=bars.Date - pd.Timedelta(days=365 * 52))
    counts = (early.Date - pd.Timestamp("1970-01-01")) // pd.Timedelta(seconds=1) * size
    received = read(
        path,
        early.assign(Date=counts).to_csv(index=False),
        time_format=unit,
        start="1969-01-01",
        end="1971-01-01",
    )
    assert same(received, early)


def counted(bars: pd.DataFrame, sizes: list[int]) -> str:
    seconds = (bars.Date - pd.Timestamp("1970-01-01")) // pd.Timedelta(seconds=1)
    return str(
        bars.assign(Date=[second * size for second, size in zip(seconds, sizes, strict=True)]).to_csv(
            index=False
        )
    )


@pytest.mark.parametrize("sizes", [(1, 10**3), (10**3, 1), (10**3, 10**6), (10**6, 10**9)])
def test_units_that_change_are_read_cell_by_cell_and_told(path: Path, sizes: tuple[int, int]) -> None:
    bars = market()
    received = read(path, counted(bars, [sizes[at >= 70] for at in range(len(bars))]))
    assert same(received)
    assert " and " in received.understood


def test_units_that_change_in_a_jumble_are_refused_by_row(path: Path) -> None:
    bars = market().sample(frac=1, random_state=1)
    assert "row 12: " in complaint(path, counted(bars, [10**3] * 10 + [1] * 110))


def test_milliseconds_from_before_1973_are_not_taken_for_seconds(path: Path) -> None:
    bars = market(2_000)
    early = bars.assign(Date=bars.Date - pd.Timedelta(days=365 * 52 + 11))
    received = read(path, counted(early, [10**3] * len(early)), start="1970-01-01", end="1976-01-01")
    assert same(received, early)


# Numbers


@pytest.mark.parametrize("cell", ["1,234", "12,345", "1,234,567", "1.234.567", "999"])
def test_thousands_are_read_where_another_number_settles_it(path: Path, cell: str) -> None:
    number = cell.replace(",", "").replace(".", "")
    other = "1.234,50" if "." in cell else "1,234.50"
    price = f'"{cell}"'
    rows = f'Date;Open;High;Low;Close;Volume\n2022-01-01;{price};{price};{price};{price};"{other}"\n'
    prices = read(path, rows).prices
    assert (prices.open[0], prices.volume[0]) == (float(number), 1234.5)


def test_a_number_that_may_be_two_is_refused(path: Path) -> None:
    rows = 'Date,Open,High,Low,Close\n2022-01-01,"1,234","1,300","1,200","1,250"\n'
    assert "'1,234' may be a decimal or a thousand and more" in complaint(path, rows)


def test_two_decimal_marks_are_refused(path: Path) -> None:
    rows = "Date;Open;High;Low;Close\n2022-01-01;1,5;2,5;0,5;1.55\n"
    assert "decimals with a point and with a comma" in complaint(path, rows)


# Adjusted closes


def split_file(bars: pd.DataFrame, ratio: float = 4.0, place: int = 60) -> pd.DataFrame:
    raw = bars.copy()
    raw["Adj Close"] = raw.Close
    raw.loc[: place - 1, OHLC] *= ratio
    return raw


def test_all_four_columns_are_adjusted_and_it_is_said(path: Path) -> None:
    received = read(path, csv(split_file(market())))
    assert same(received)
    assert "adjusted by Adj Close" in received.understood
    assert received.prices.origin.adjusted is True
    assert "--adjust none keeps the raw ones" in received.prices.origin.notes[0]


def test_raw_prices_are_kept_where_they_are_asked_for_and_the_split_is_a_certain_break(path: Path) -> None:
    for rows in (split_file(market()), split_file(market()).iloc[::-1]):
        path.write_text(csv(rows))
        config = RunConfig(prices=str(path), adjust="none", **RANGE)
        prices, quality = load_prices(config, now=NOW, cache_folder=None)
        assert prices.open[0] == market().Open[0] * 4
        assert quality.doubts == ("price_break",)
        assert "at 2022-03-02T00:00:00+00:00 by a factor of 0.2" in quality.warnings[0] + quality.warnings[1]
        assert "a split of 4:1 by the source's own word" in quality.warnings[0] + quality.warnings[1]


@pytest.mark.parametrize("gap", ["", "0", "-5"])
def test_a_bar_without_its_adjusted_close_would_stand_out_and_is_refused(path: Path, gap: str) -> None:
    bars = market()
    bars["Adj Close"] = (bars.Close / 4).map(str)
    bars.loc[50, "Adj Close"] = gap
    message = complaint(path, csv(bars))
    assert "column Adj Close, row 52: " in message
    assert "--adjust none" in message
    whole = read(path, csv(bars), adjust="none").prices
    assert whole.close[50] == bars.Close[50]


def test_an_adjusted_close_that_changes_nothing_leaves_every_bit(path: Path) -> None:
    bars = market()
    bars["Adj Close"] = bars.Close
    assert same(read(path, csv(bars)))


def test_highs_and_lows_still_enclose_after_adjustment(path: Path) -> None:
    bars = market()
    bars["Adj Close"] = (bars.Close * 0.9137).round(6)
    prices = read(path, csv(bars)).prices
    assert (prices.high >= np.maximum(prices.open, prices.close)).all()
    assert (prices.low <= np.minimum(prices.open, prices.close)).all()


# Bars without prices, odd bars


@pytest.mark.parametrize("word", ["null", "NaN", "", "-", "N/A"])
def test_a_few_rows_without_prices_are_missing_bars(path: Path, word: str) -> None:
    lines = csv().splitlines()
    lines[11] = f"2022-01-11,{word},{word},{word},{word},{word}"
    lines[120] = f"2022-04-30,{word},{word},{word},{word},0"
    path.write_text("\n".join(lines) + "\n")
    prices, quality = load_prices(RunConfig(prices=str(path), **RANGE), now=NOW, cache_folder=None)
    assert (len(prices), quality.dropped_bars, quality.missing_bars, quality.doubts) == (118, 2, 2, ())


def test_an_open_above_the_high_is_the_same_warning_as_from_yahoo(path: Path) -> None:
    bars = market()
    bars.loc[50, "Open"] = bars.High[50] * 1.002
    path.write_text(csv(bars))
    _, quality = load_prices(RunConfig(prices=str(path), **RANGE), now=NOW, cache_folder=None)
    assert (quality.doubts, quality.warnings) == (
        (),
        ("1 of 120 bars have an open or close outside their low and high.",),
    )


# Packed files


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, csv())
    return file.getvalue()


@pytest.mark.parametrize(
    "packed", [gzip.compress(csv().encode()), zipped("a/b.csv"), zipped("__MACOSX/x", "b.csv")]
)
def test_packed_files_are_read_whatever_their_name(path: Path, packed: bytes) -> None:
    assert same(read(path, packed))


def test_an_archive_of_several_files_names_them(path: Path) -> None:
    assert "holds 2 files (a.csv, b.csv)" in complaint(path, zipped("a.csv", "b.csv"))


@pytest.mark.parametrize(
    "packed",
    [
        gzip.compress(csv().encode())[:-20],
        b"\x1f\x8bnothing",
        zipped("a.csv")[:300],
        b"BZhnothing",
        b"\xfd7zXZ\x00no",
    ],
)
def test_a_damaged_archive_is_named(path: Path, packed: bytes) -> None:
    assert "cannot be unpacked" in complaint(path, packed)


def test_what_unfolds_into_too_much_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoded, "MAX_FILE_BYTES", 1_000)
    assert "unfolds into more than the 1,000 bytes" in complaint(path, gzip.compress(b"a" * 2_000))


@pytest.mark.parametrize(("name", "form"), [("frame.parquet", "Parquet"), ("freqtrade.feather", "Feather")])
def test_without_pyarrow_the_command_to_type_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, form: str
) -> None:
    content = SHAPES[name][1](market())
    real_import = builtins.__import__

    def no_pyarrow(module: str, *rest: Any, **options: Any) -> Any:
        if module.split(".", maxsplit=1)[0] == "pyarrow":
            raise ImportError(module)
        return real_import(module, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", no_pyarrow)
    message = complaint(tmp_path / name, content)
    command = "python -m pip install 'quantlab-sessions[parquet]', or write the bars as CSV."
    assert message.endswith(f"{name} is a {form} file, which needs pyarrow: {command}")


def test_a_header_between_the_bars_is_left_out_and_said(path: Path) -> None:
    header, *rows = csv().splitlines(keepends=True)
    received = read(path, "".join([header, *rows[:50], header, *rows[50:]]))
    assert same(received)
    assert received.prices.origin.notes == (
        "The header stood 1 times more between the bars; it was left out.",
    )


def test_a_header_between_a_date_and_a_time_is_left_out(path: Path) -> None:
    bars = market()
    bars.insert(1, "Time", "00:00")
    header, *rows = csv(bars).splitlines(keepends=True)
    assert same(read(path, "".join([header, *rows[:50], header, *rows[50:]])))


@pytest.mark.parametrize("member", ["xl/workbook.xml", "content.xml"])
def test_a_workbook_is_asked_for_as_csv(path: Path, member: str) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("_rels/.rels", "")
        archive.writestr(member, "")
    assert "save the sheet with the bars as CSV" in complaint(path, packed.getvalue())


def test_an_old_workbook_is_asked_for_as_csv(path: Path) -> None:
    assert "save the sheet with the bars as CSV" in complaint(
        path, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100)
    )


@pytest.mark.parametrize("page", ["<!DOCTYPE html>\n<html>", "  <html><body>Too many requests</body></html>"])
def test_a_web_page_is_told_as_one(path: Path, page: str) -> None:
    assert "is a web page and no table; download the file" in complaint(path, page)


def test_columns_that_spaces_set_beneath_each_other_are_read(path: Path) -> None:
    bars = market()
    table = bars.assign(Date=bars.Date.dt.strftime("%Y-%m-%d")).to_string(index=False)
    assert same(read(path, table, separator="space"))


def test_all_missing_columns_are_named_at_once(path: Path) -> None:
    message = complaint(path, csv().replace("Open,High", "Öppning,Högst"))
    assert "has no columns open, high (its columns: Date, Öppning, Högst, Low" in message
    assert "--columns open=NAME,high=NAME" in message


@pytest.mark.parametrize("zone", [" UTC", " GMT", "UTC"])
@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S", "%d/%m/%Y %H:%M"])
def test_utc_in_words_is_what_no_offset_says(path: Path, zone: str, form: str) -> None:
    assert same(read(path, csv(form=f"{form}{zone}")))


# JSON


def records(factor: float = 1.0) -> list[dict[str, Any]]:
    bars = market().assign(Date=market().Date.dt.strftime("%Y-%m-%d"))
    bars[OHLC] *= factor
    rows: list[dict[str, Any]] = json.loads(bars.to_json(orient="records"))
    return rows


SEVERAL = [
    {"bars": {"BTC/USD": records(2.0), "ETH/USD": records()}, "next_page_token": None},
    [{"symbol": "BTC/USD", "bars": records(2.0)}, {"symbol": "ETH/USD", "bars": records()}],
]


@pytest.mark.parametrize("several", SEVERAL)
def test_json_of_several_markets_asks_which_one_is_meant(path: Path, several: Any) -> None:
    path.write_text(json.dumps(several))
    with pytest.raises(SeveralSymbolsError, match=r"2 symbols \(BTC/USD, ETH/USD\); say which"):
        files.preview(str(path), Reading(), interval="1d", ticker=None)


@pytest.mark.parametrize("several", SEVERAL)
def test_the_ticker_chooses_a_market_in_json(path: Path, several: Any) -> None:
    assert same(read(path, json.dumps(several), ticker="ETH-USD"))
    assert files.preview(str(path), Reading(), interval="1d", ticker="ETH-USD").ticker == "ETH-USD"


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        "[1, 2]",
        '{"a": [1',
        '[["a", "b"]]',
        '{"rows": [{"x": 1}]}',
        "[" * 5_000,
        '[{"open": 1, "high": 2, "low": 1, "close": 1}]',
    ],
)
def test_json_without_bars_is_named(path: Path, text: str) -> None:
    complaint(path, text)


# Flags


def test_columns_are_named_by_name_and_by_number(path: Path) -> None:
    swedish = csv().replace("Date,Open,High,Low,Close,Volume", "Dag,Öppning,Högst,Lägst,Slut,Omsättning")
    message = complaint(path, swedish)
    assert "--columns" in message
    said = "time=Dag,open=Öppning,high=Högst,low=Lägst,close=Slut,volume=Omsättning"
    assert same(read(path, swedish, columns=said))
    assert same(read(path, swedish, columns="time=1,open=2,high=3,low=4,close=5,volume=6"))


def test_columns_choose_among_several_that_fit(path: Path) -> None:
    bars = market()
    rows = csv(bars.assign(Mid=bars.Close, Close=1.0).rename(columns={"Mid": "Mid Close"}))
    assert same(read(path, rows, columns="close=Mid Close"))


def test_rows_without_a_header_are_read_by_number_in_any_order(path: Path) -> None:
    bars = market()[["Volume", "Close", "Low", "High", "Open", "Date"]]
    rows = bars.assign(Date=bars.Date.dt.strftime("%Y-%m-%d")).to_csv(index=False, header=False)
    assert "--columns time=1,open=2" in complaint(path, rows) or "--columns" in complaint(path, rows)
    assert same(read(path, rows, columns="time=6,open=5,high=4,low=3,close=2,volume=1"), market())


def test_a_date_and_a_time_may_be_named_together(path: Path) -> None:
    bars = market()
    rows = bars.assign(Date=bars.Date.dt.strftime("%Y-%m-%d"))
    rows.insert(1, "Hour", "00:00")
    assert same(read(path, rows.rename(columns={"Date": "Day"}).to_csv(index=False), columns="time=Day+Hour"))


def test_a_column_that_is_not_there_is_named_with_its_neighbour(path: Path) -> None:
    message = complaint(path, csv(), columns="open=Opn")
    assert "no column 'Opn' (its columns: Date, Open" in message
    assert "did you mean 'Open'?" in message


@pytest.mark.parametrize("separator", ["^", " ", "tab", "semicolon"])
def test_a_separator_may_be_said(path: Path, separator: str) -> None:
    sign = {"tab": "\t", "semicolon": ";"}.get(separator, separator)
    assert same(read(path, csv(sep=sign), separator=separator))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"columns": "open"}, "columns: 'open' is not ROLE=COLUMN"),
        ({"columns": "opne=a"}, "did you mean 'open'?"),
        ({"columns": "open=a,open=b"}, "'open' is there twice"),
        ({"time_format": "day"}, "time_format: 'day' is none"),
        ({"time_format": "%Q%"}, "time_format: "),
        ({"separator": "ab"}, "separator: 'ab' is none"),
        ({"separator": "1"}, "separator: '1' is none"),
    ],
)
def test_a_flag_that_says_nothing_is_named(changes: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        reading_of(validated({"prices": "my.csv", **changes}))
    assert named in str(caught.value)


@pytest.mark.parametrize(
    "changes", [{"columns": "open=2"}, {"time_format": "%Y"}, {"separator": ";"}, {"adjust": "none"}]
)
@pytest.mark.parametrize("source", ["yahoo", "synthetic", "cache"])
def test_what_says_how_a_file_is_read_is_refused_without_a_file(changes: dict[str, str], source: str) -> None:
    with pytest.raises(ConfigError, match="it says how a price file is read"):
        validated({"prices": source, **changes})


def test_a_setting_that_came_later_changes_no_hash_while_it_says_nothing() -> None:
    assert set(RunConfig(prices="my.csv").as_dict()).isdisjoint(
        {"columns", "time_format", "separator", "adjust"}
    )
    assert config_hash(RunConfig(prices="a")) != config_hash(RunConfig(prices="a", adjust="none"))


@pytest.mark.parametrize("interval", ["4h", "2d", "7m", "12h", "3d", "2wk", "120m"])
def test_files_may_have_bars_of_any_length(path: Path, interval: str) -> None:
    number, unit = int(interval.rstrip("mhdwk")), interval.lstrip("0123456789")
    step: Any = {"m": "minutes", "h": "hours", "d": "days", "wk": "W"}[unit]
    bars = market(200).copy()
    bars["Date"] = [datetime(2022, 1, 3) + at * pd.Timedelta(number, unit=step) for at in range(200)]  # noqa: DTZ001 - as files have them
    path.write_text(csv(bars, "%Y-%m-%d %H:%M"))
    looked = files.preview(str(path), Reading(), interval=interval, ticker=None)
    config = validated({"prices": str(path), "interval": interval, "start": looked.start, "end": looked.end})
    prices, quality = load_prices(
        config, now=datetime(2040, 1, 1, tzinfo=UTC), cache_folder=None, looked=looked
    )
    assert (len(prices), quality.missing_bars) == (200, 0)
    if unit in ("m", "h"):
        assert quality.periods_per_year == pytest.approx(
            365 * 1440 / (number * (60 if unit == "h" else 1)), rel=0.01
        )


@pytest.mark.parametrize("interval", ["4h", "2d", "7m"])
def test_yahoo_has_its_own_lengths_alone(interval: str) -> None:
    with pytest.raises(ConfigError, match="interval: "):
        validated({"interval": interval})


def test_another_interval_than_the_bars_is_named_as_a_flag(path: Path) -> None:
    hours = market(600, pd.Timedelta(hours=4).to_pytimedelta())
    path.write_text(csv(hours, "%Y-%m-%dT%H:%M:%SZ"))
    with pytest.raises(DataError, match="such as --interval 4h"):
        load_prices(RunConfig(prices=str(path), **RANGE), now=NOW, cache_folder=None)


# What a file tells of itself


@pytest.mark.parametrize(
    ("name", "ticker"),
    [
        ("my.csv", "MY"), ("eth-usd.csv.gz", "ETH-USD"), ("BTC_USDT-1d.feather", "BTC_USDT-1D"), ("BRK.B.csv", "BRK.B"),
        ("a b (1).csv", "A-B-1"), ("prices", "PRICES"), ("日本.csv", None), ("---.csv", None),
        (f"{'x' * 80}.csv", "X" * 32),
    ],
)  # fmt: skip
def test_a_file_without_a_symbol_gives_its_name(tmp_path: Path, name: str, ticker: str | None) -> None:
    (tmp_path / name).write_text(csv())
    assert files.preview(str(tmp_path / name), Reading(), interval="1d", ticker=None).ticker == ticker


@pytest.mark.parametrize(
    ("name", "ticker"),
    [
        ("cryptodatadownload.csv", "ETHUSD"), ("polygon.csv", "ETHX"), ("polygon.json", "ETHX"),
        ("databento.csv", "ETHX"),
        ("yfinance.csv", "ETH-USD"), ("alpha_vantage.json", "ETHX"), ("yahoo_chart.json", "ETHX"),
        ("stooq.txt", "ETH.V"),
    ],
)  # fmt: skip
def test_a_files_one_symbol_is_its_ticker(tmp_path: Path, name: str, ticker: str) -> None:
    (tmp_path / name).write_bytes(SHAPES[name][1](market()))
    assert files.preview(str(tmp_path / name), Reading(), interval="1d", ticker=None).ticker == ticker


def several() -> str:
    one, other = market().assign(Symbol="BTC/USDT"), market(seed=8).assign(Symbol="ETH/USDT")
    return csv(pd.concat([one, other]).sort_values("Date", kind="stable"))


def test_of_several_symbols_the_one_asked_for_is_read(path: Path) -> None:
    assert same(read(path, several(), ticker="ETH-USDT"), market(seed=8))
    assert "holds bars of 2 symbols (BTC/USDT, ETH/USDT)" in complaint(path, several(), ticker="SOL-USDT")
    with pytest.raises(SeveralSymbolsError, match="say which one with --ticker"):
        files.preview(str(path), Reading(), interval="1d", ticker=None)


def test_of_several_tickers_of_yfinance_the_one_asked_for_is_read(path: Path) -> None:
    one, other = market(), market(seed=8)
    head = (
        "Price,Close,Close,High,High,Low,Low,Open,Open,Volume,Volume\nTicker"
        + ",AAPL,MSFT" * 5
        + "\nDate"
        + "," * 10
        + "\n"
    )
    columns: dict[str, Any] = {"Date": one.Date.dt.strftime("%Y-%m-%d")}
    for name in ("Close", "High", "Low", "Open", "Volume"):
        columns |= {f"{name} 1": one[name], f"{name} 2": other[name]}
    content = head + pd.DataFrame(columns).to_csv(index=False, header=False)
    assert same(read(path, content, ticker="MSFT"), other)
    assert "holds bars of 2 symbols (AAPL, MSFT)" in complaint(path, content, ticker="X")


def test_our_own_price_table_keeps_its_hash(path: Path) -> None:
    prices = read(path, csv()).prices
    data = table.to_csv(prices)
    assert table.to_csv(read(path, data).prices) == data


def test_json_lists_of_texts_are_numbers(path: Path) -> None:
    bars = market()
    rows = [
        [int(moment.timestamp() * 1_000), *map(str, row)]
        for moment, row in zip(
            bars.Date.dt.tz_localize("UTC"), bars[[*OHLC, "Volume"]].to_numpy().tolist(), strict=True
        )
    ]
    assert same(read(path, json.dumps(rows)))
