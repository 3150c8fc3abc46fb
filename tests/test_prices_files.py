"""Price files: what is read, and how each thing that can be wrong with one is named."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from support.prices_cases import asked, daily, flat, same_bars, with_values

from quantlab.base.errors import DataError
from quantlab.trading.prices import decoded, files, rows, table
from quantlab.trading.prices.asked import within

if TYPE_CHECKING:
    from pathlib import Path

    from quantlab.trading.prices.asked import Received

HEADER = "time,open,high,low,close,volume\n"
ROW = "2023-01-01,1,2,0.5,1.5,10\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "prices.csv"


def read(path: Path, content: str | bytes, **changes: Any) -> Received:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return files.fetch(str(path), asked(**changes))


def complaint(path: Path, content: str | bytes, **changes: Any) -> str:
    with pytest.raises(DataError) as caught:
        read(path, content, **changes)
    message = str(caught.value)
    assert message.isprintable()
    assert path.name in message
    return message


def frame(first: str = "2023-01-01", last: str = "2023-12-31") -> pd.DataFrame:
    prices = daily(first, last)
    columns = {name: getattr(prices, name) for name in ("open", "high", "low", "close", "volume")}
    return pd.DataFrame({"time": prices.times, **columns})


def test_our_own_price_table_is_read_to_the_last_bit(path: Path) -> None:
    prices = with_values(
        daily("2023-01-01", "2023-01-02"), open=[100 / 3, 0.1 + 0.2], high=[200, 200], low=[0.1, 0.1]
    )
    assert same_bars(read(path, table.to_csv(prices)).prices, prices)


def test_columns_may_come_in_any_case_and_order(path: Path) -> None:
    prices = read(path, "Volume,Other Close,Close,LOW,High,open,Date\n10,9,1.5,0.5,2,1,2023-01-01\n").prices
    bar = [float(getattr(prices, name)[0]) for name in ("open", "high", "low", "close", "volume")]
    assert bar == [1, 2, 0.5, 1.5, 10]


@pytest.mark.parametrize("name", ["time", "Timestamp", "DATE", " datetime "])
def test_the_time_column_has_four_names(path: Path, name: str) -> None:
    assert len(read(path, HEADER.replace("time", name) + ROW).prices) == 1


@pytest.mark.parametrize(
    "text",
    [
        "2023-01-01T12:00:00", "2023-01-01 12:00", "2023-01-01T14:00:00+02:00", "2023-01-01T12:00:00Z",
        "1672574400", "1672574400000", "1672574400000000", "1672574400000000000",
    ],
)  # fmt: skip
def test_times_are_iso_or_counts_and_utc_unless_they_say_otherwise(path: Path, text: str) -> None:
    times = read(path, f"{HEADER}{text},1,2,0.5,1.5,10\n", interval="1h").prices.times
    assert str(times[0])[:16] == "2023-01-01T12:00"


@pytest.mark.parametrize("interval", ["1d", "5d", "1wk", "1mo", "3mo"])
@pytest.mark.parametrize(
    "text",
    [
        "2023-01-02 00:00:00+09:00", "2023-01-02T00:00:00.000+0900", "2023-01-02 09:00 +01", "2023-01-02T00-05:00",
        "20230102T000000-0500", "2023-01-02", "2023-01-02T00:00:00Z", "2023-01-02 00:00:00+00:00", "1672617600",
    ],
)  # fmt: skip
def test_bars_of_a_day_and_longer_keep_the_date_that_is_written(path: Path, text: str, interval: str) -> None:
    times = read(path, f"{HEADER}{text},1,2,0.5,1.5,10\n", interval=interval).prices.times
    assert times == np.datetime64("2023-01-02T00:00", "ns")


def test_an_exchanges_days_in_summer_and_winter_are_its_dates(path: Path) -> None:
    rows = "2023-01-03 08:00:00+00:00,1,2,0.5,1.5,10\n2023-06-01 08:00:00+01:00,1,2,0.5,1.5,10\n"
    times = read(path, HEADER + rows).prices.times
    assert times.tolist() == np.array(["2023-01-03", "2023-06-01"], "M8[ns]").tolist()


def test_daily_times_in_utc_stay_as_they_are(path: Path) -> None:
    prices = flat(np.datetime64("2023-01-01T21:00", "ns") + np.arange(5) * np.timedelta64(1, "D"))
    assert same_bars(read(path, table.to_csv(prices)).prices, prices)


def test_the_first_and_last_day_in_tokyo_are_those_asked_for(path: Path) -> None:
    stamps = [
        f"{day} 00:00:00+09:00" for day in np.arange(np.datetime64("2022-12-31"), np.datetime64("2024-01-03"))
    ]
    prices = read(path, HEADER + "".join(f"{stamp},100,100,100,100,10\n" for stamp in stamps)).prices
    assert prices.times.tolist() == daily("2023-01-01", "2023-12-31").times.tolist()


def test_a_file_gives_the_same_data_hash_whatever_the_zone_of_the_machine(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes = set()
    with monkeypatch.context() as patch:
        for zone in ("UTC", "Asia/Tokyo", "America/New_York"):
            patch.setenv("TZ", zone)
            time.tzset()
            hashes.add(table.data_hash(table.to_csv(read(path, HEADER + ROW).prices)))
    time.tzset()
    assert len(hashes) == 1


def test_nanoseconds_are_not_rounded(path: Path) -> None:
    prices = read(path, f"{HEADER}1672574400000000001,1,2,0.5,1.5,10\n").prices
    assert str(prices.times[0]) == "2023-01-01T12:00:00.000000001"


def test_a_byte_order_mark_and_windows_line_ends_are_fine(path: Path) -> None:
    assert len(read(path, ("\ufeff" + HEADER + ROW).replace("\n", "\r\n")).prices) == 1


@pytest.mark.parametrize("ending", ["gz", "bz2", "zip", "xz", "tar", "zst"])
def test_a_plain_file_may_be_named_like_an_archive(tmp_path: Path, ending: str) -> None:
    assert len(read(tmp_path / f"prices.csv.{ending}", HEADER + ROW).prices) == 1


def test_quoted_cells_are_fine(path: Path) -> None:
    assert (
        len(
            read(
                path, '"time","open","high","low","close","volume"\n"2023-01-01","1","2","1","1","5"\n'
            ).prices
        )
        == 1
    )


def test_a_comma_within_quotes_does_not_part_names(path: Path) -> None:
    assert len(read(path, f'"Source, raw",{HEADER}"A, B",{ROW}').prices) == 1


def test_blank_lines_are_passed_over(path: Path) -> None:
    assert len(read(path, f"{HEADER}\n{ROW}\n\n").prices) == 1


def test_lines_of_commas_alone_are_passed_over(path: Path) -> None:
    assert len(read(path, f"{HEADER}{ROW},,,,,\n").prices) == 1


def test_commas_at_the_end_of_rows_or_of_the_header_are_fine(path: Path) -> None:
    assert len(read(path, HEADER + ROW.replace("\n", ",\n")).prices) == 1
    assert len(read(path, HEADER.replace("\n", ",,\n") + ROW).prices) == 1


def test_an_empty_volume_is_unknown(path: Path) -> None:
    assert np.isnan(read(path, f"{HEADER}2023-01-01,1,2,0.5,1.5,\n").prices.volume[0])


def test_only_the_range_asked_for_is_kept(path: Path) -> None:
    data = table.to_csv(daily("2022-12-01", "2024-02-01"))
    assert same_bars(read(path, data).prices, daily("2023-01-01", "2023-12-31"))


def test_the_origin_names_the_file(path: Path) -> None:
    origin = read(path, HEADER + ROW).prices.origin
    assert (origin.source, origin.detail, origin.adjusted) == ("file", "prices.csv", None)


def test_unsorted_rows_are_sorted_and_noted(path: Path) -> None:
    prices = read(path, f"{HEADER}2023-01-02,1,2,0.5,1.5,10\n{ROW}").prices
    assert prices.times[0] < prices.times[1]
    assert prices.origin.notes == ("The file's rows were not in time order; they were sorted.",)


def test_equal_rows_are_kept_once_and_counted(path: Path) -> None:
    received = read(path, HEADER + ROW * 3)
    assert (len(received.prices), received.repeated_bars) == (1, 2)


def test_equal_rows_with_unknown_volumes_are_kept_once(path: Path) -> None:
    assert len(read(path, HEADER + "2023-01-01,1,2,0.5,1.5,\n" * 2).prices) == 1


def test_different_rows_of_one_time_are_refused(path: Path) -> None:
    message = complaint(path, f"{HEADER}{ROW}2023-01-01,1,2,0.5,1.6,10\n")
    assert "two different bars at 2023-01-01T00:00:00+00:00" in message


def test_a_bar_that_has_not_closed_is_left_out(path: Path) -> None:
    received = read(
        path, f"{HEADER}2026-03-03,1,2,1,1,1\n2026-03-04,1,2,1,1,1\n", start="2026-03-01", end="2027-01-01"
    )
    assert (len(received.prices), received.unfinished_bar_dropped) == (1, True)
    assert "had not closed" in received.prices.origin.notes[0]


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ("2023-01-01,1,2,0.5,one,10\n", "column close, row 2: 'one' is no number"),
        (ROW + "2023-01-02,1,2,x y,1,10\n", "column low, row 3: 'x y' is no number"),
        (ROW + "\n2023-01-02,1,2,0,1,10\n", "column low, row 4: 0.0 is unusable"),
        ("2023-01-01,nan,2,0.5,1,10\n", "column open, row 2: nan is unusable"),
        ("2023-01-01,,2,0.5,1,10\n", "column open, row 2: nan is unusable"),
        ("2023-01-01,1,inf,0.5,1,10\n", "column high, row 2: inf is unusable"),
        (
            "2023-01-01,1,1e300,0.5,1,10\n",
            "column high, row 2: 1e+300 is unusable (1 such rows); expected a price above 0, betw",
        ),
        ("2023-01-01,1,2,1e-320,1,10\n", "column low, row 2: 1e-320 is unusable"),
        ("2023-01-01,-1,2,0.5,1,10\n", "column open, row 2: -1.0 is unusable (1 such rows)"),
        ("2023-01-01,1,2,0.5,1,-10\n", "column volume, row 2: -10.0 is unusable"),
        ("2023-01-01,1,2,0.5,1,inf\n", "column volume, row 2: inf is unusable"),
        ("2023-01-01,1_0,20,0.5,1,10\n", "column open, row 2: '1_0' is no number"),
        ("2023-01-01,True,2,0.5,1,10\n", "column open, row 2: 'True' is no number"),
        ("2023-01-01,1,2\n", "line 2: the row ends after 3 of 6 fields; complete it, or remove it"),
        (ROW + "\n2023-01-02,1,2,0.5,1.5\n", "line 4: the row ends after 5 of 6 fields"),
        (",1,2,0.5,1,10\n", "column time, row 2: the time is missing"),
        ("01/02/2023,1,2,0.5,1,10\n", "column time, row 2: '01/02/2023' may be day or month first"),
        *(
            (f"{ROW}{word},1,2,0.5,1,10\n", f"column time, row 3: '{word}' is no time")
            for word in ("nan", "NaT", "now", "today", "Null", "-", "None")
        ),
        (ROW + "9999-01-01,1,2,0.5,1,10\n", "column time, row 3: '9999-01-01' is no time"),
        (
            ROW + "99999999999999999999,1,2,0.5,1,10\n",
            "column time, row 3: '99999999999999999999' is no time",
        ),
        (ROW + "1672704000,1,2,0.5,1,10\n", "column time mixes dates with counts"),
        ("99999999999999999999,1,2,0.5,1,10\n", "column time, row 2"),
        ("\x1b[31m,1,2,0.5,1,10\n", "column time, row 2: '[31m' is no time"),
        ("2023-01-01,1,0.5,2,1,10\n", "2023-01-01T00:00:00+00:00 has its high below its low (1 such bars)"),
        ("2023-01-01,1,2,0.5,1,10,7,8\n", "cannot be read as CSV"),
        (ROW + "2023-01-01,1,2,0.5,1,10,7,8\n", "cannot be read as CSV"),
        ('"2023-01-01,1,2,0.5,1,10\n', "cannot be read as CSV"),
        ("", "holds no bars"),
        ("\n\n", "holds no bars"),
    ],
)
def test_a_bad_row_is_named(path: Path, rows: str, named: str) -> None:
    assert named in complaint(path, HEADER + rows)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "is empty"),
        (b"  \n\n", "is empty"),
        (b"time,open,high,low,volume\n", "has no column close"),
        (b"time,open,high,low,close\n", "holds no bars"),
        (b"open,high,low,close,volume\n", "has no column time or timestamp or date or datetime"),
        (b"time;open;high;low;close;volume\n", "holds no bars"),
        (b"time,date,open,high,low,close,volume\n", "more than one column time"),
        (b"time,open,Open,high,low,close,volume\n", "more than one column open"),
        (b"\x00\x01\x02\x03", "binary data"),
        (b"time,open,high,low,close,volume,\xe9t\xe9\n", "holds no bars"),
        (HEADER.encode() + b"2023-01-01,1,2,0.5,1.5,10\xff\n", "'10ÿ' is no number"),
        (b"a" * 70_000, "no header line"),
        (b"PAR1" + bytes(100), "cannot be read as Parquet"),
    ],
)
def test_a_file_of_another_shape_is_named(path: Path, content: bytes, named: str) -> None:
    assert named in complaint(path, content)


def test_no_bars_in_the_range_names_what_there_is(path: Path) -> None:
    message = complaint(path, HEADER + ROW, start="2024-01-01", end="2025-01-01")
    assert "no bars in 2024-01-01 to 2025-01-01: it runs from 2023-01-01" in message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"No such price file: .*nowhere\.csv"):
        files.fetch(str(tmp_path / "nowhere.csv"), asked())


def test_a_folder_is_no_price_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a regular file"):
        files.fetch(str(tmp_path), asked())


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="not a regular file"):
        files.fetch(str(tmp_path / "pipe"), asked())


def test_a_path_below_a_file_is_named(path: Path) -> None:
    path.write_text(HEADER)
    with pytest.raises(DataError, match="cannot be read"):
        files.fetch(str(path / "below"), asked())


def test_an_oversized_file_is_refused_unread(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(decoded.MAX_FILE_BYTES + 1)
    with pytest.raises(DataError, match="536,870,913 bytes, more than"):
        files.fetch(str(path), asked())


def test_parquet_is_read_like_csv(tmp_path: Path) -> None:
    frame().rename(columns={"time": "Date"}).to_parquet(tmp_path / "bars")
    prices = files.fetch(str(tmp_path / "bars"), asked()).prices
    assert same_bars(prices, daily("2023-01-01", "2023-12-31"))


def test_a_parquet_file_without_pyarrow_says_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    told = complaint(tmp_path / "bars", b"PAR1")
    assert (
        "which needs pyarrow: python -m pip install 'quantlab-sessions[parquet]', or write the bars as CSV."
        in told
    )


def test_a_parquet_index_of_times_is_found(tmp_path: Path) -> None:
    indexed = frame().set_index("time").tz_localize("Asia/Tokyo")
    indexed.to_parquet(tmp_path / "bars")
    days = files.fetch(str(tmp_path / "bars"), asked()).prices
    hours = files.fetch(str(tmp_path / "bars"), asked(interval="1h")).prices
    assert str(hours.times[0]) == "2023-01-01T15:00:00.000000000"
    assert same_bars(days, daily("2023-01-01", "2023-12-31"))


def test_whole_numbers_and_counts_in_parquet_are_read(tmp_path: Path) -> None:
    bars = frame().assign(volume=7)
    bars["time"] = bars["time"].astype("datetime64[s]").astype("int64")
    bars.to_parquet(tmp_path / "bars")
    prices = files.fetch(str(tmp_path / "bars"), asked()).prices
    assert same_bars(
        prices, with_values(within(daily("2023-01-01", "2023-12-31"), asked()), volume=[7.0] * 365)
    )


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"open": "x"}, "column open, row 1: 'x' is no number"),
        ({"open": True}, "column open, row 1: 'True' is no number"),
        ({"open": None}, "column open, row 1: nan is unusable"),
        ({"close": 0.0}, "column close, row 1: 0.0 is unusable (365 such rows)"),
        ({"time": 5}, "column time, row 1: '5' is no time"),
        ({"time": np.inf}, "column time, row 1: 'inf' is no time"),
        ({"time": pd.NaT}, "column time, row 1: the time is missing"),
    ],
)
def test_a_bad_parquet_cell_is_named(tmp_path: Path, change: dict[str, Any], named: str) -> None:
    frame().assign(**change).to_parquet(tmp_path / "bars")
    with pytest.raises(DataError) as caught:
        files.fetch(str(tmp_path / "bars"), asked())
    assert named in str(caught.value)


def test_a_parquet_file_that_unfolds_into_too_many_rows_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "MAX_ROWS", 364)
    frame().to_parquet(tmp_path / "bars")
    with pytest.raises(DataError, match="announces 365 rows"):
        files.fetch(str(tmp_path / "bars"), asked())


def test_a_parquet_file_without_a_column_names_it(tmp_path: Path) -> None:
    frame().drop(columns="low").to_parquet(tmp_path / "bars")
    with pytest.raises(DataError, match="has no column low"):
        files.fetch(str(tmp_path / "bars"), asked())


def test_a_mixed_column_of_numbers_and_text_is_read_as_far_as_it_is_numbers(tmp_path: Path) -> None:
    frame().astype({"open": str}).to_parquet(tmp_path / "bars")
    assert len(files.fetch(str(tmp_path / "bars"), asked()).prices) == 365
