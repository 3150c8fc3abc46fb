"""A plain table is read with less care, and never into anything else than with all of it."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quantlab.base.errors import DataError
from quantlab.trading.prices import bars, scanning
from quantlab.trading.prices.reading import Reading

DAYS = ("2023-01-30", "2023-01-31", "2023-02-01", "2023-02-02")
CLOCKS = ("", " 09:30", "T09:30", " 09:30:00", "T09:30:00", "T09:30:00Z", " 9:30")
EDITS = st.tuples(
    st.integers(0, 10_000),
    st.integers(0, 2),
    st.sampled_from([*map(chr, b' \t\r\n",;|:-.T0123x\x00'), "\r\n", "\n\n", ", ", '"2"', "é", "\ufeff"]),
)


@st.composite
def tables(drawn: st.DrawFn) -> bytes:
    """Draw a table of four bars, edited here and there."""
    separator, line = drawn(st.sampled_from([",", ";", "\t", ", "])), drawn(st.sampled_from(["\n", "\r\n"]))
    times = drawn(st.one_of(st.sampled_from(CLOCKS).map(days), st.just(counts())))
    rows = [separator.join((time, "1.5", "2.0", "1.0", "1.75", "10")) for time in times]
    header = drawn(st.sampled_from(["time,open,high,low,close,volume", ""])).replace(",", separator)
    text = line.join([*([header] if header else []), *rows, *drawn(st.sampled_from([[], [""], ["", ""]]))])
    for place, cut, put in drawn(st.lists(EDITS, max_size=2)):
        at = place % (len(text) + 1)
        text = text[:at] + put + text[at + cut :]
    return text.encode()


def days(clock: str) -> list[str]:
    return [f"{day}{clock}" for day in DAYS]


def counts() -> list[str]:
    return [str(1_675_000_000 + 86_400 * at) for at in range(4)]


@settings(max_examples=200, deadline=None)
@given(table=tables())
@example(table=b"time,open,high,low,close\n2023-01-30 00:00,1,1,1,1\n 2023-01-31 0:00,1,1,1,1\n")
@example(table=b"time,open,high,low,close\n2023-01-30,1,1,1,1\n\n2023-01-31,1,1,1,1\n")
@example(table=b"time,open,high,low,close\n2023-01-30,1, ,1,1\n2023-01-31,1,1,1,1")
def test_less_care_reads_the_same_or_refuses_the_same(table: bytes) -> None:
    quick = read(table)
    with patch.object(scanning, "is_unquoted", return_value=False):
        assert quick == read(table)


def read(table: bytes) -> tuple[object, ...]:
    """Read a table; returns what was understood, or why not."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "prices.csv"
        path.write_bytes(table)
        try:
            found = bars.read(str(path), Reading(), dated=True)
        except DataError as error:
            return ("refused", str(error).replace(folder, ""))
    return (
        found.times.dtype,
        found.times.tolist(),
        found.values.tobytes(),
        found.empty.tolist(),
        found.form,
        found.notes,
    )


@pytest.mark.parametrize("clock", CLOCKS[:5])
@pytest.mark.parametrize("line", ["\n", "\r\n"])
def test_plain_times_are_read_off_the_bytes(clock: str, line: str) -> None:
    rows = line.join(f"{time},1,2,1,2" for time in days(clock)).encode()
    moments = scanning.times_of_rows(rows, ",", 0, DAYS[0] + clock)
    assert moments is not None
    assert [str(moment)[:10] for moment in moments] == list(DAYS)


@pytest.mark.parametrize(
    "second",
    ["2023-01-31T09:30", " 2023-01-31 9:30", "2023-01-31", "2023-01-31 09:30:00", "", "2023-13-31 09:30"],
)
def test_other_times_are_left_to_those_who_know_more_ways(second: str) -> None:
    rows = f"2023-01-30 09:30,1,2,1,2\n{second},1,2,1,2\n".encode()
    assert scanning.times_of_rows(rows, ",", 0, "2023-01-30 09:30") is None
