"""CSV is made a column at a time, and is what `csv.writer` makes of the same rows."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quantlab.base.text import csv_cell
from quantlab.cli.cells import csv_lines, csv_names

TEXTS = st.one_of(st.sampled_from(["", "a", "BTC-USD", '"', "a,b", "=1", " x", "é", "a\nb", "\r"]), st.text())
NUMBERS = st.one_of(st.integers(), st.floats())
VALUES = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS, st.lists(TEXTS, max_size=2))


@st.composite
def tables(drawn: st.DrawFn) -> list[dict[str, Any]]:
    """Draw rows whose columns hold values of one kind, or of several."""
    kinds = [TEXTS, NUMBERS, st.booleans(), VALUES]
    columns = drawn(
        st.lists(st.sampled_from([*kinds, *(st.none() | one for one in kinds)]), min_size=1, max_size=4)
    )
    count = drawn(st.integers(0, 5))
    return [{f"c{place}": drawn(kind) for place, kind in enumerate(columns)} for _ in range(count)]


@given(rows=tables())
@example(rows=[{"a": None}, {"a": ""}, {"a": "b"}])
@example(rows=[{"a": 1, "b": True}, {"a": 1.0, "b": 1}])
def test_lines_are_those_of_the_standard_library(rows: list[dict[str, Any]]) -> None:
    names = list(rows[0]) if rows else ["a"]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([[told(row[name]) for name in names] for row in rows])
    assert csv_lines(names, rows, on_terminal=False) == text.getvalue()


def told(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        value = " ".join(value)
    return csv_cell(value) if isinstance(value, str) else value


def test_what_a_row_lacks_is_an_empty_cell() -> None:
    assert csv_lines(["a", "b"], [{"a": 1}, {"b": "x"}], on_terminal=False) == "1,\n,x\n"


@pytest.mark.parametrize(("on_terminal", "shown"), [(True, "\\x1b[31m"), (False, "\x1b[31m")])
def test_a_terminal_is_not_commanded(on_terminal: bool, shown: str) -> None:
    rows = [{"a": "\x1b[31m", "b": None}]
    assert csv_lines(["a", "b"], rows, on_terminal=on_terminal) == f"{shown},\n"


def test_names_are_written_as_they_are() -> None:
    assert csv_names(["=a", "b,c"]) == '=a,"b,c"\n'
