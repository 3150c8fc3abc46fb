"""prices.csv: written and read back to the last bit, damage named."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.prices_cases import ORIGIN, daily, flat, same_bars, with_values

from quantlab.base.errors import DataError
from quantlab.trading.prices import table


def test_the_table_reads_as_documented() -> None:
    prices = with_values(daily("2023-01-01", "2023-01-02"), open=[0.1, 2.5], volume=[7, np.nan])
    prices = with_values(prices, high=[100.0] * 2, low=[100.0] * 2, close=[100.0] * 2)
    assert table.to_csv(prices) == (
        b"time,open,high,low,close,volume\n"
        b"2023-01-01T00:00:00+00:00,0.1,100.0,100.0,100.0,7.0\n"
        b"2023-01-02T00:00:00+00:00,2.5,100.0,100.0,100.0,nan\n"
    )


def test_fractions_of_a_second_are_kept() -> None:
    prices = flat(np.array(["2023-01-01T00:00:00.000000001", "2023-01-01T00:00:01"], dtype="M8[ns]"))
    assert same_bars(table.from_csv(table.to_csv(prices), ORIGIN), prices)


def test_no_bars_are_a_header() -> None:
    empty = flat(np.array([], dtype="M8[ns]"))
    assert table.to_csv(empty) == b"time,open,high,low,close,volume\n"
    assert len(table.from_csv(table.to_csv(empty), ORIGIN)) == 0


numbers = st.floats(allow_nan=False, width=64)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(numbers, numbers, numbers, numbers, numbers), min_size=1, max_size=5))
def test_every_float_survives(rows: list[tuple[float, ...]]) -> None:
    columns = dict(zip(("open", "high", "low", "close", "volume"), zip(*rows, strict=True), strict=True))
    times = np.arange(len(rows)).astype("M8[D]")
    prices = with_values(flat(times), **columns)
    assert same_bars(table.from_csv(table.to_csv(prices), ORIGIN), prices)


def test_the_hash_is_plain_sha256_of_the_bytes() -> None:
    assert table.data_hash(b"abc") == hashlib.sha256(b"abc").hexdigest()


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"", "got nothing"),
        (b"time,open\n", "got time,open"),
        (b"\xff\xfe", "byte 0"),
        (b"time,open,high,low,close,volume\n2023-01-01T00:00:00+00:00,1,1\n", "line 2 has 3 fields"),
        (b"time,open,high,low,close,volume\nyesterday,1,1,1,1,1\n", "yesterday"),
        (b"time,open,high,low,close,volume\n2023-01-01T00:00:00+00:00,1,1,one,1,1\n", "one"),
    ],
)
def test_a_damaged_table_is_a_data_error_that_names_the_place(data: bytes, named: str) -> None:
    with pytest.raises(DataError) as caught:
        table.from_csv(data, ORIGIN)
    assert named in str(caught.value)


def test_times_must_rise() -> None:
    row = b"2023-01-01T00:00:00+00:00,1,1,1,1,1\n"
    with pytest.raises(DataError, match="do not rise"):
        table.from_csv(b"time,open,high,low,close,volume\n" + row + row, ORIGIN)
