from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from support.csv_cells import csv_cell_value
from support.outcome_builder import build_outcome

from quantlab.base import clock
from quantlab.base.errors import DataError
from quantlab.exports.layout import FileLayout, layout_of
from quantlab.exports.tables import equity_csv, iso_times, read_equity_csv, trades_csv

if TYPE_CHECKING:
    from quantlab.trading.results import Outcome

CONTRACT_COLUMNS = "timestamp,side,close,exec_price,qty,fee,equity_after,slippage,reason"
FIRST_HEADER = CONTRACT_COLUMNS + ",signal_timestamp,cash_after,position_after"
TRADES_HEADER = FIRST_HEADER + ",participation"
EQUITY_ROW = "2023-01-01T00:00:00.000000+00:00,1000.0,0.0,100.0,1000.0"


def trade_rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


def test_without_fills_the_header_stands_alone() -> None:
    assert trades_csv(build_outcome(trades=0)).decode() == TRADES_HEADER + "\n"


def test_a_fill_is_a_row() -> None:
    assert len(trade_rows(trades_csv(build_outcome(trades=3, open_at_end=True)))) == 7


def test_a_trades_row_tells_the_fill_exactly() -> None:
    outcome = build_outcome(trades=1)
    row, fill = trade_rows(trades_csv(outcome))[0], outcome.simulation.fills[0]
    told = [float(row[name]) for name in ("close", "exec_price", "qty", "fee", "equity_after", "slippage")]
    assert told == [fill.close, fill.price, fill.quantity, fill.fee, fill.equity_after, fill.slippage]
    assert [float(row["cash_after"]), float(row["position_after"])] == [fill.cash_after, fill.position_after]
    assert [row["side"], row["reason"]] == ["BUY", "cross_up"]


def test_a_fill_is_told_as_a_part_of_its_bar_s_volume() -> None:
    outcome = build_outcome(trades=1)
    buy, sell = outcome.simulation.fills
    shares = [float(row["participation"]) for row in trade_rows(trades_csv(outcome))]
    assert shares == [buy.quantity / 1000, sell.quantity / 1000]


@pytest.mark.parametrize("volume", [0.0, float("nan")])
def test_where_nobody_knows_the_volume_the_participation_is_empty(volume: float) -> None:
    outcome = build_outcome(trades=1)
    unknown = replace(outcome, prices=replace(outcome.prices, volume=np.full(len(outcome.prices), volume)))
    assert [row["participation"] for row in trade_rows(trades_csv(unknown))] == ["", ""]


def test_trades_of_an_earlier_session_keep_their_spelling() -> None:
    data = trades_csv(build_outcome(trades=1), FileLayout.FIRST)
    assert data.decode().splitlines()[0] == FIRST_HEADER
    assert [row["side"] for row in trade_rows(data)] == ["buy", "sell"]


@pytest.mark.parametrize(
    ("outcome", "digest"),
    [
        (build_outcome(), "8edb3da34e5a50fa66d3eb070b7f47fb594dc29560294746f59b54539f3df647"),
        (build_outcome(101, trades=30, open_at_end=True, interval="1h"),
         "23e9e300a4a1c9a6f505b42e8e2a2ce3bf5a312aefa4980b2e52beea94691ce7"),
    ],
)  # fmt: skip
def test_the_first_layout_stays_byte_for_byte(outcome: Outcome, digest: str) -> None:
    assert hashlib.sha256(trades_csv(outcome, FileLayout.FIRST)).hexdigest() == digest


def test_a_trade_carries_the_times_of_its_fill_and_of_its_decision() -> None:
    row = trade_rows(trades_csv(build_outcome(101, trades=1)))[0]
    assert row["signal_timestamp"] == "2023-02-03T00:00:00.000000+00:00"
    assert row["timestamp"] == "2023-02-04T00:00:00.000000+00:00"


def test_a_reason_cannot_become_a_formula_or_a_second_row() -> None:
    outcome = build_outcome(trades=1)
    first, last = outcome.simulation.fills
    hostile = replace(first, reason='=HYPERLINK("x"),\n')
    rows = trade_rows(
        trades_csv(replace(outcome, simulation=replace(outcome.simulation, fills=(hostile, last))))
    )
    assert len(rows) == 2
    assert rows[0]["reason"].startswith("'=")
    assert csv_cell_value(rows[0]["reason"]) == hostile.reason


def test_numpy_numbers_are_written_as_plain_numbers() -> None:
    outcome = build_outcome(trades=1)
    first, last = outcome.simulation.fills
    simulation = replace(outcome.simulation, fills=(replace(first, fee=np.float64(0.5)), last))
    assert trade_rows(trades_csv(replace(outcome, simulation=simulation)))[0]["fee"] == "0.5"


def test_a_session_that_tells_no_code_is_an_earlier_one() -> None:
    assert [layout_of(None), layout_of({"version": "0.2.0"})] == [FileLayout.FIRST, FileLayout.SECOND]


def test_times_are_written_as_the_clock_writes_them() -> None:
    moment = datetime(2023, 1, 31, 13, 30, 0, 250, tzinfo=UTC)
    assert iso_times(np.array(["2023-01-31T13:30:00.000250"], dtype="datetime64[ns]")) == [clock.iso(moment)]


def test_equity_reads_back_to_the_last_bit() -> None:
    outcome = build_outcome(trades=5)
    table = read_equity_csv(equity_csv(outcome))
    assert_array_equal(table.times, outcome.prices.times)
    for name in ("cash", "quantity", "mark", "equity"):
        assert_array_equal(getattr(table, name), getattr(outcome.simulation, name))


@settings(max_examples=50)
@given(st.lists(st.floats(), min_size=2, max_size=2))
def test_any_float_reads_back_equal(values: list[float]) -> None:
    outcome = build_outcome(2, trades=0)
    outcome = replace(outcome, simulation=replace(outcome.simulation, mark=np.array(values)))
    assert_array_equal(read_equity_csv(equity_csv(outcome)).mark, np.array(values))


def test_an_equity_table_is_a_header_and_a_line_a_bar() -> None:
    lines = equity_csv(build_outcome(3, trades=0)).decode().splitlines()
    assert lines[0] == "time,cash,quantity,mark,equity"
    assert lines[1].startswith("2023-01-01T00:00:00.000000+00:00,1000.0,0.0,")
    assert len(lines) == 4


def test_a_table_without_bars_reads_as_empty_arrays() -> None:
    table = read_equity_csv(b"time,cash,quantity,mark,equity\n")
    assert [len(getattr(table, field.name)) for field in fields(table)] == [0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cut off"),
        ("when,cash\n", "line 1 is not the header"),
        (f"time,cash,quantity,mark,equity\n{EQUITY_ROW}", "cut off"),
        (f"time,cash,quantity,mark,equity\n{EQUITY_ROW}\n1,2\n", "line 3 has 2 cells, expected 5"),
        (
            f"time,cash,quantity,mark,equity\n{EQUITY_ROW.replace('1000.0,0.0', 'x,0.0')}\n",
            "line 2: cash is 'x'",
        ),
        (f"time,cash,quantity,mark,equity\n{EQUITY_ROW.replace('+00:00', '+01:00')}\n", "is not in UTC"),
        (
            f"time,cash,quantity,mark,equity\n{EQUITY_ROW.replace('2023-01-01T', 'soon')}\n",
            "expected ISO 8601",
        ),
        ("time,cash,quantity,mark,equity\né\n", "is no plain text"),
    ],
)
def test_a_damaged_equity_table_is_refused_by_name(text: str, message: str) -> None:
    with pytest.raises(DataError) as error:
        read_equity_csv(text.encode())
    assert message in str(error.value)
    assert "equity.csv" in str(error.value)


def test_the_line_of_a_bad_number_is_named_after_good_lines() -> None:
    rows = "\n".join([EQUITY_ROW, EQUITY_ROW, EQUITY_ROW.replace("100.0", "1e")])
    with pytest.raises(DataError, match=r"line 4: mark is '1e'"):
        read_equity_csv(f"time,cash,quantity,mark,equity\n{rows}\n".encode())
