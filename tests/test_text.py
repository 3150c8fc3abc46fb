from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.csv_cells import csv_cell_value

from quantlab.base.text import csv_cell, markdown_cell, printable

ANY_TEXT = st.text(st.characters())
HOSTILE_TEXT = st.text(st.sampled_from("'=+-@\t\r\n \x00ab1.e|`\\_*<&\u202e\uff1d"), max_size=8)


@pytest.mark.parametrize("text", ["", "ETH-USD", "naïve 価格 👍", "a_b (50 %) #1"])
def test_ordinary_text_is_printed_as_it_is(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("bell\x07", "bell\\x07"),
        ("c1\x9b2J", "c1\\x9b2J"),
        ("null\x00", "null\\x00"),
        ("two\r\nlines\nand\ttab", "two lines and tab"),
        ("line\u2028separator", "line separator"),
        ("file\u202egnp.exe", "file\\u202egnp.exe"),
        ("half\udc80", "half\\udc80"),
        ("non-breaking\xa0space", "non-breaking\xa0space"),
    ],
)
def test_what_a_terminal_would_obey_is_made_visible(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(ANY_TEXT)
def test_printable_text_is_one_line_without_controls_that_can_be_encoded(text: str) -> None:
    shown = printable(text)
    shown.encode()
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in shown)
    assert len(shown.splitlines()) <= 1


@given(ANY_TEXT)
def test_printing_twice_changes_nothing_more(text: str) -> None:
    assert printable(printable(text)) == printable(text)


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("a|b", "a\\|b"),
        ("`code`", "\\`code\\`"),
        ("back\\slash", "back\\\\slash"),
        ("two\nlines", "two lines"),
        ("<b>bold</b>", "\\<b\\>bold\\</b\\>"),
        ("[x](y)", "\\[x\\](y)"),
        ("*a* ~~b~~", "\\*a\\* \\~\\~b\\~\\~"),
        ("&amp;", "\\&amp;"),
        ("cross_up", "cross_up"),
        ("_under_", "\\_under\\_"),
        ("a__b", "a\\_\\_b"),
        ("https://x.y", "https\\://x.y"),
        ("www.x.y", "www\\.x.y"),
        ("me@x.y", "me\\@x.y"),
        ("$x$", "\\$x\\$"),
        ("  padded ", "padded"),
        ("\x1b[31m", "\\\\x1b\\[31m"),
    ],
)
def test_a_markdown_cell_reads_literally(text: str, cell: str) -> None:
    assert markdown_cell(text) == cell


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("# heading", "\\# heading"),
        ("- item", "\\- item"),
        ("+ item", "\\+ item"),
        ("---", "\\---"),
        ("===", "\\==="),
        ("1. item", "1\\. item"),
        ("1) item", "1\\) item"),
        ("-", "\\-"),
    ],
)
def test_a_markdown_cell_begins_no_block(text: str, cell: str) -> None:
    assert markdown_cell(text) == cell


@pytest.mark.parametrize("text", ["-0.5", "+3", "1.5", "2023-01-01", "15:30", "1.x"])
def test_numbers_and_times_stay_readable_in_markdown(text: str) -> None:
    assert markdown_cell(text) == text


@given(st.one_of(ANY_TEXT, HOSTILE_TEXT))
def test_no_bar_or_backtick_in_a_markdown_cell_stands_unescaped(text: str) -> None:
    unescaped = markdown_cell(text).replace("\\\\", "").replace("\\|", "").replace("\\`", "")
    assert "|" not in unescaped
    assert "`" not in unescaped


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+cmd",
        "-cmd|' /C calc'!A0",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\nx",
        " =1",
        "-inf",
        "\uff1d1",
        "-1-1",
        "-1\n",
        "-",
        "\ufeff=1",
    ],
)
def test_a_cell_that_could_be_a_formula_is_marked_as_text(text: str) -> None:
    assert csv_cell(text) == "'" + text


@pytest.mark.parametrize(
    "text", ["", "-0.5", "+1e-3", "-.5", "7.", "1e5", "plain", "a=b", "2023-01-01", " x"]
)
def test_numbers_and_plain_text_stay_as_they_are(text: str) -> None:
    assert csv_cell(text) == text


def test_a_text_that_begins_with_the_mark_keeps_it() -> None:
    assert csv_cell("'quoted") == "''quoted"


@given(st.one_of(ANY_TEXT, HOSTILE_TEXT))
def test_a_csv_cell_reads_back_equal(text: str) -> None:
    assert csv_cell_value(csv_cell(text)) == text


@given(st.lists(st.one_of(ANY_TEXT, HOSTILE_TEXT), min_size=2, max_size=4))
def test_a_written_and_parsed_row_reads_back_equal(texts: list[str]) -> None:
    written = io.StringIO(newline="")
    csv.writer(written).writerow([csv_cell(text) for text in texts])
    (row,) = csv.reader(io.StringIO(written.getvalue(), newline=""))
    assert [csv_cell_value(cell) for cell in row] == texts
