from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from matplotlib import image
from numpy.testing import assert_allclose, assert_array_equal
from support.outcome_builder import build_outcome, with_pending

from quantlab.exports import charts, drawing
from quantlab.exports.charts import drawdown_of, equity_png, price_png
from quantlab.exports.drawing import drawable, drawn_bars

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quantlab.trading.results import Outcome

pytestmark = pytest.mark.slow

Draw = Callable[..., bytes]
BOTH = pytest.mark.parametrize("draw", [equity_png, price_png])


def pixels(data: bytes) -> NDArray[np.uint8]:
    picture: NDArray[np.float64] = image.imread(io.BytesIO(data), format="png")
    return np.rint(picture[..., :3] * 255).astype(np.uint8)


def count_of(data: bytes, color: str) -> int:
    rgb = [int(color[place : place + 2], 16) for place in (1, 3, 5)]
    return int(np.all(pixels(data) == rgb, axis=-1).sum())


@BOTH
def test_a_chart_is_a_thousand_pixels_wide(draw: Draw) -> None:
    assert pixels(draw(build_outcome(), title="t")).shape == (640, 1000, 3)


@BOTH
def test_equal_outcomes_give_equal_bytes(draw: Draw) -> None:
    assert draw(build_outcome(), title="t") == draw(build_outcome(), title="t")


@BOTH
def test_other_prices_give_another_picture(draw: Draw) -> None:
    assert draw(build_outcome(seed=1), title="t") != draw(build_outcome(seed=2), title="t")


@BOTH
def test_a_chart_names_no_software(draw: Draw) -> None:
    assert b"matplotlib" not in draw(build_outcome(), title="t").lower()


@BOTH
def test_synthetic_prices_are_marked_with_a_badge(draw: Draw) -> None:
    badge = pixels(draw(build_outcome(trades=0, source="synthetic"), title="t"))[:50, 800:]
    assert np.all(badge == (0xD5, 0x5E, 0x00), axis=-1).sum() > 1000


@BOTH
def test_market_prices_carry_no_badge(draw: Draw) -> None:
    corner = pixels(draw(build_outcome(trades=0), title="t"))[:50, 800:]
    assert np.all(corner == 255)


@BOTH
def test_fills_are_marked(draw: Draw) -> None:
    marked, bare = draw(build_outcome(trades=5), title="t"), draw(build_outcome(trades=0), title="t")
    for color in (drawing.GREEN, drawing.RED):
        assert count_of(marked, color) > count_of(bare, color) + 100


@BOTH
@pytest.mark.parametrize("bars", [1, 2, 21, 100])
def test_short_histories_are_drawn(draw: Draw, bars: int) -> None:
    assert draw(build_outcome(bars, trades=0), title="t").startswith(b"\x89PNG")


@BOTH
def test_hundreds_of_fills_on_ten_years_are_drawn(draw: Draw) -> None:
    assert draw(build_outcome(3652, trades=400, open_at_end=True), title="t").startswith(b"\x89PNG")


@BOTH
def test_a_bad_close_leaves_a_hole_and_no_error(draw: Draw) -> None:
    outcome = build_outcome()
    close = outcome.prices.close.copy()
    close[[0, 50]] = np.nan, np.inf
    hold = np.where(np.isfinite(close), close * 10, np.nan)
    damaged = replace(outcome, prices=replace(outcome.prices, close=close), buy_and_hold=hold)
    assert draw(damaged, title="t").startswith(b"\x89PNG")


@BOTH
@pytest.mark.parametrize("title", ["", "$x^{$", "価格 \x1b[31m\n\t", "W" * 500])
def test_any_title_is_drawn_within_the_picture(draw: Draw, title: str) -> None:
    top = pixels(draw(build_outcome(trades=0), title=title))[:35]
    assert np.all(top[:, 990:] == 255)


def test_an_unknown_buy_and_hold_return_is_left_out() -> None:
    outcome = build_outcome()
    unknown = replace(outcome, figures=replace(outcome.figures, buy_and_hold_return=None))
    assert equity_png(unknown, title="t") != equity_png(outcome, title="t")


def test_a_pending_order_is_ringed() -> None:
    outcome = build_outcome(trades=0)
    assert count_of(price_png(with_pending(outcome), title="t"), drawing.GREY) > count_of(
        price_png(outcome, title="t"), drawing.GREY
    )


def test_units_held_are_shaded() -> None:
    held, flat = (price_png(build_outcome(trades=trades), title="t") for trades in (3, 0))
    shade = "#E5F0F7"
    assert count_of(held, shade) > 10_000 > count_of(flat, shade)


def test_a_position_open_at_the_end_is_held_until_the_last_bar() -> None:
    outcome = build_outcome(365, trades=0, open_at_end=True)
    times = np.arange(365.0)
    ((start, length),) = charts._held_spans(times, outcome.simulation.fills)
    assert start + length == 364.0


def grown(factor: float) -> Outcome:
    outcome = build_outcome(trades=0)
    return replace(outcome, buy_and_hold=np.geomspace(1000, 1000 * factor, len(outcome.prices)))


@pytest.mark.parametrize(("factor", "scale"), [(7.0, "linear"), (9.0, "log"), (1e6, "log")])
def test_a_wide_range_gets_a_log_scale(factor: float, scale: str) -> None:
    _, (axes,) = drawing.canvas(heights=(1,))
    drawing.scale(axes, "Equity", (grown(factor).buy_and_hold,))
    assert axes.get_yscale() == scale
    assert ("log scale" in axes.get_ylabel()) == (scale == "log")


@BOTH
@pytest.mark.parametrize("bars", [slice(50, 51), slice(None)])
def test_prices_at_the_edge_of_all_floats_are_drawn_without_a_warning(draw: Draw, bars: slice) -> None:
    outcome = build_outcome()
    close, held = outcome.prices.close.copy(), outcome.buy_and_hold.copy()
    close[bars], held[bars] = 1e-320, 1e-320
    prices = replace(outcome.prices, close=close)
    assert draw(replace(outcome, prices=prices, buy_and_hold=held), title="t").startswith(b"\x89PNG")


@pytest.mark.parametrize("values", [[], [np.nan], [0.0, 100.0], [-1.0, 50.0]])
def test_values_without_a_logarithm_keep_a_straight_scale(values: list[float]) -> None:
    _, (axes,) = drawing.canvas(heights=(1,))
    drawing.scale(axes, "Equity", (np.array(values),))
    assert axes.get_yscale() == "linear"


@pytest.mark.parametrize(("value", "text"), [(1234567.0, "1,234,567"), (0.30000000000000004, "0.3")])
def test_ticks_are_plain_numbers(value: float, text: str) -> None:
    _, (axes,) = drawing.canvas(heights=(1,))
    drawing.scale(axes, "Equity", (np.array([1.0, 2.0]),))
    assert axes.yaxis.get_major_formatter()(value, 0) == text


def test_marks_shrink_and_fade_as_they_become_many() -> None:
    looks = [drawing.marker_look(count) for count in (1, 100, 300, 1000)]
    assert looks == sorted(looks, reverse=True)
    assert len(set(looks)) == 4


def test_a_name_beside_a_point_stands_on_the_side_with_room() -> None:
    _, (axes,) = drawing.canvas(heights=(1,))
    axes.set_xlim(0, 10)
    drawing.point_out(axes, 9, 0, "late", color=drawing.RED)
    drawing.point_out(axes, 1, 0, "early", color=drawing.RED)
    assert [text.get_horizontalalignment() for text in axes.texts] == ["right", "left"]


def test_a_short_line_is_drawn_bar_by_bar() -> None:
    assert_array_equal(drawn_bars(np.arange(10.0), 10), np.arange(10))


@settings(max_examples=100)
@given(arrays.arrays(np.float64, st.integers(1, 300), elements=st.floats(-1e6, 1e6)), st.integers(2, 40))
def test_a_long_line_keeps_its_ends_and_extremes(values: NDArray[np.float64], limit: int) -> None:
    drawn = drawn_bars(values, limit)
    assert (drawn[0], drawn[-1]) == (0, len(values) - 1)
    assert values[drawn].min() == values.min()
    assert values[drawn].max() == values.max()
    assert len(drawn) <= limit + 2
    assert np.all(np.diff(drawn) > 0)


def test_one_spike_in_a_hundred_thousand_bars_is_drawn() -> None:
    values = np.ones(100_000)
    values[[31_415, 92_653]] = 9.0, -9.0
    assert {31_415, 92_653} <= set(drawn_bars(values, drawing.LONGEST_LINE).tolist())


def test_a_nan_does_not_hide_an_extreme_beside_it() -> None:
    values = np.full(1000, np.nan)
    values[500] = 7.0
    assert 500 in drawn_bars(values, 10)


def test_drawdown_is_the_fraction_below_the_peak_so_far() -> None:
    assert_allclose(drawdown_of(np.array([100.0, 80.0, 120.0, 90.0])), [0, -0.2, 0, -0.25])


@pytest.mark.parametrize(
    ("text", "shown"), [("ETH-USD", "ETH-USD"), ("価格", "□□"), ("a\nb\x1b", "a b\\x1b"), ("é→", "é→")]
)
def test_a_title_has_only_characters_that_the_font_has(text: str, shown: str) -> None:
    assert drawable(text) == shown


def test_a_long_title_is_shortened() -> None:
    assert drawable("x" * 200) == "x" * 159 + "…"
