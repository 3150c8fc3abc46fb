"""Lines, marks and scales of the charts, on matplotlib's Figure and Agg canvas directly.

Nothing here touches pyplot or any other global state. Colours are Okabe and Ito's, which people with any
common colour blindness tell apart; what matters is told by shape or line style as well.
"""

from __future__ import annotations

import io
from copy import copy
from datetime import UTC
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import dates, font_manager, rc_context, ticker
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from quantlab.base.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from quantlab.trading.results import Fill

BLUE, ORANGE, GREEN, RED, GREY, INK = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#8C8C8C", "#222222"
SYNTHETIC_LABEL = "SYNTHETIC PRICES"
FONT = "DejaVu Sans"
WIDTH, HEIGHT, DPI = 10.0, 6.4, 100
LAYOUT = (0.005, 0.005, 0.985, 0.885)
LAYOUT_BELOW_TITLE = (0.005, 0.005, 0.985, 0.93)
"""Without a legend between title and axes."""
MARGIN = 0.012
LONGEST_TITLE = 160
LEGEND_COLUMNS = 4
# Twice as many points as a line has pixels show each pixel's lowest and highest value.
LONGEST_LINE = 4000
LOG_SCALE_FROM, DECADES_ONLY_FROM = 8.0, 1e4
# Beyond these matplotlib's logarithmic axis leaves what a float can hold.
LOG_SCALE_BOUNDS = 1e-150, 1e150


def canvas(*, heights: Sequence[float]) -> tuple[Figure, list[Axes]]:
    """Return an empty figure with axes of these relative heights, one above the other, times shared."""
    figure = Figure(
        figsize=(WIDTH, HEIGHT), dpi=DPI, facecolor="white", layout=ConstrainedLayoutEngine(rect=LAYOUT)
    )
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for each in axes:
        each.margins(x=MARGIN)
        each.grid(visible=True, color="#E3E3E3", linewidth=0.6)
        each.set_axisbelow(True)
        each.spines[["top", "right"]].set_visible(False)
        each.tick_params(labelsize=9, colors=INK)
    locator = dates.AutoDateLocator(tz=UTC, minticks=4, maxticks=12)  # type: ignore[no-untyped-call] # matplotlib has no types here
    axes[-1].xaxis.set_major_locator(locator)
    axes[-1].xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, tz=UTC))  # type: ignore[no-untyped-call] # matplotlib has no types here
    return figure, list(axes)


def as_dates(times: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """Return times as matplotlib counts them, in days."""
    days: NDArray[np.float64] = dates.date2num(times)  # type: ignore[no-untyped-call] # matplotlib has no types here
    return days


def line(axes: Axes, times: NDArray[np.float64], values: NDArray[np.float64], **style: Any) -> None:
    """Draw values against times; a long history keeps the extremes of each pixel."""
    drawn = drawn_bars(values, LONGEST_LINE)
    axes.plot(times[drawn], values[drawn], **{"linewidth": 1.3, "solid_joinstyle": "round", **style})


def area(axes: Axes, times: NDArray[np.float64], values: NDArray[np.float64], *, color: str) -> None:
    """Fill between zero and the values."""
    drawn = drawn_bars(values, LONGEST_LINE)
    axes.fill_between(times[drawn], values[drawn], 0, color=color, alpha=0.35, linewidth=0)
    axes.plot(times[drawn], values[drawn], color=color, linewidth=0.9)


def shade(axes: Axes, spans: Sequence[tuple[float, float]], *, label: str) -> None:
    """Shade (start, length) spans of time over the whole height."""
    if spans:
        bands = axes.broken_barh(spans, (0, 1), transform=axes.get_xaxis_transform(), color=BLUE, alpha=0.10)
        bands.set(linewidth=0, label=label, zorder=0.5)


def draw_fills(
    axes: Axes, times: NDArray[np.float64], fills: Sequence[Fill], heights: Sequence[float]
) -> None:
    """Show buys by triangles that point up and sells with ones that point down, or name their lack."""
    if not fills:
        axes.plot([], [], linestyle="none", label="No fills")
    for side, marker, color in (("buy", "^", GREEN), ("sell", "v", RED)):
        chosen = [place for place, fill in enumerate(fills) if fill.side == side]
        bars = [fills[place].bar for place in chosen]
        label = f"{side.capitalize()} ({len(chosen)})"
        draw_markers(
            axes,
            times[bars],
            np.array([heights[place] for place in chosen]),
            marker=marker,
            color=color,
            label=label,
        )


def draw_markers(
    axes: Axes,
    times: NDArray[np.float64],
    values: NDArray[np.float64],
    *,
    marker: str,
    color: str,
    label: str,
    hollow: bool = False,
) -> None:
    """Draw a marker at each point; the more there are, the smaller and lighter."""
    if not len(times):
        return
    size, alpha = marker_look(len(times))
    axes.plot(
        times,
        values,
        linestyle="none",
        marker=marker,
        markersize=size,
        alpha=alpha,
        markerfacecolor="none" if hollow else color,
        markeredgecolor=color if hollow else "white",
        markeredgewidth=1.0 if hollow else 0.5,
        zorder=3,
        label=label,
    )


def marker_look(count: int) -> tuple[float, float]:
    """Return size, in points, and opacity for so many markers."""
    if count <= 30:  # noqa: PLR2004 - found by looking at the pictures, as the next ones
        return 8.0, 1.0
    if count <= 100:  # noqa: PLR2004
        return 6.0, 0.9
    return (4.5, 0.7) if count <= 300 else (3.0, 0.5)  # noqa: PLR2004


def point_out(axes: Axes, time: float, value: float, label: str, *, color: str) -> None:
    """Mark one point and name it beside, on the side where there is room."""
    first, last = axes.get_xlim()
    leftwards = time > (first + last) / 2
    axes.plot([time], [value], marker="o", markersize=4, color=color, zorder=4)
    axes.annotate(
        label,
        (time, value),
        xytext=(-7 if leftwards else 7, 0),
        textcoords="offset points",
        ha="right" if leftwards else "left",
        va="center",
        fontsize=9,
        color=INK,
        bbox={"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": "none", "alpha": 0.8},
        zorder=5,
    )


def scale(axes: Axes, name: str, series: Sequence[NDArray[np.float64]]) -> None:
    """Name the axis, with plain numbers; a range that a straight scale would flatten gets a log one."""
    ratio = _ratio(series)
    if ratio >= LOG_SCALE_FROM:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(
            ticker.LogLocator(subs=(1,) if ratio >= DECADES_ONLY_FROM else (1, 2, 5))
        )
        axes.yaxis.set_minor_locator(ticker.NullLocator())
        name = f"{name} (log scale)"
    axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:,.12g}"))
    axes.set_ylabel(name, fontsize=10, color=INK)


def _ratio(series: Sequence[NDArray[np.float64]]) -> float:
    """Return highest over lowest finite value; 1 where there is none, or one that no logarithmic axis can show."""
    values = np.concatenate(series)
    values = values[np.isfinite(values)]
    lowest, highest = LOG_SCALE_BOUNDS
    if not len(values) or values.min() < lowest or values.max() > highest:
        return 1.0
    return float(values.max() / values.min())


def percent_scale(axes: Axes, name: str) -> None:
    """Name an axis of fractions at or below zero, in percent, from zero down."""
    lowest = min(axes.get_ylim()[0], -0.01)
    axes.set_ylim(lowest, -0.03 * lowest)
    axes.yaxis.set_major_locator(ticker.MaxNLocator(nbins=4))
    axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{100 * value:.6g} %"))
    axes.set_ylabel(name, fontsize=10, color=INK)


def drawn_bars(values: NDArray[np.float64], limit: int) -> NDArray[np.intp]:
    """Return the bars to draw, at most about `limit`: all, or lowest and highest of each of equal stretches.

    The first and the last bar are always among them; a NaN is drawn only where a stretch holds nothing else.
    """
    count = len(values)
    if count <= limit:
        return np.arange(count)
    width = -(-count // (limit // 2))
    stretches = -(-count // width)
    padded = np.concatenate([values, np.full(stretches * width - count, np.nan)]).reshape(stretches, width)
    lowest = np.where(np.isnan(padded), np.inf, padded).argmin(axis=1)
    highest = np.where(np.isnan(padded), -np.inf, padded).argmax(axis=1)
    starts = np.arange(stretches) * width
    return np.unique(np.concatenate([[0], starts + lowest, starts + highest, [count - 1]]))


def png(figure: Figure, *, title: str, synthetic: bool) -> bytes:
    """Add title, legend and, for synthetic prices, the label across the picture; return the PNG's bytes."""
    return picture(figure, "png", title=title, synthetic=synthetic)


def picture(figure: Figure, form: str, *, title: str, synthetic: bool, legend_below: bool = False) -> bytes:
    """Add what `png` does, and return the bytes of a `png` or `svg`.

    Args:
        figure: What is drawn.
        form: `png` or `svg`.
        title: One line above the picture.
        synthetic: Whether the prices were made up.
        legend_below: Set the legend under the axes, in rows, where there may be many lines.
    """
    axes = figure.axes[0]
    if synthetic:
        _label_synthetic(figure, axes)
    _add_title(figure, title, right=0.80 if synthetic else 0.985)
    handles, labels = axes.get_legend_handles_labels()
    look: dict[str, Any] = {
        "loc": "upper left",
        "bbox_to_anchor": (0.008, 0.945),
        "ncols": max(len(handles), 1),
    }
    if legend_below:
        look = {"loc": "outside lower left", "ncols": LEGEND_COLUMNS}
        figure.set_layout_engine(ConstrainedLayoutEngine(rect=LAYOUT_BELOW_TITLE))
    legend = figure.legend(
        [_legend_handle(handle) for handle in handles],
        labels,
        frameon=False,
        fontsize=9.5,
        handlelength=2.2,
        columnspacing=1.6,
        borderpad=0.1,
        **look,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)  # `$` in a name is a dollar, no formula
    figure.align_ylabels()
    data = io.BytesIO()
    if form == "svg":
        with rc_context({"svg.hashsalt": "quantlab"}):  # ids by chance would make each file another
            FigureCanvasSVG(figure).print_svg(data, metadata={"Date": None})  # type: ignore[no-untyped-call] # the same
    else:
        FigureCanvasAgg(figure).print_png(data, metadata={"Software": None})  # type: ignore[no-untyped-call] # matplotlib has no types here
    return data.getvalue()


def _legend_handle(handle: Artist) -> Artist:
    """Return the sign for the legend: a marker at full size, however small the plot has it."""
    if not isinstance(handle, Line2D) or handle.get_linestyle() != "None":
        return handle
    sign = copy(handle)
    sign.set(markersize=7, alpha=1.0)
    return sign


def _add_title(figure: Figure, title: str, *, right: float) -> None:
    """Write the title as large as its room allows; `$` in it is a dollar, no formula."""
    text = figure.text(
        0.012, 0.985, drawable(title), fontsize=13, fontweight="bold", color=INK, va="top", parse_math=False
    )
    room = (right - 0.012) * WIDTH * DPI
    width = text.get_window_extent(FigureCanvasAgg(figure).get_renderer()).width  # type: ignore[no-untyped-call] # matplotlib has no types here
    text.set_fontsize(13 * min(1.0, room / width) if width else 13)


def _label_synthetic(figure: Figure, axes: Axes) -> None:
    badge = {"boxstyle": "round,pad=0.3", "facecolor": RED, "edgecolor": "none"}
    figure.text(
        0.985,
        0.98,
        SYNTHETIC_LABEL,
        fontsize=11,
        fontweight="bold",
        color="white",
        ha="right",
        va="top",
        bbox=badge,
    )
    axes.text(
        0.5,
        0.5,
        SYNTHETIC_LABEL,
        transform=axes.transAxes,
        fontsize=46,
        fontweight="bold",
        color=RED,
        alpha=0.10,
        ha="center",
        va="center",
        rotation=18,
        zorder=0.6,
    )


def drawable(text: str) -> str:
    """Return the text as one line, shortened, with a box for each character that the font lacks."""
    line_of_text = printable(text)
    if len(line_of_text) > LONGEST_TITLE:
        line_of_text = line_of_text[: LONGEST_TITLE - 1] + "…"
    return "".join(character if ord(character) in _glyphs() else "□" for character in line_of_text)


@cache
def _glyphs() -> frozenset[int]:
    path = font_manager.findfont(font_manager.FontProperties(family=FONT, weight="bold"))
    return frozenset(font_manager.get_font(path).get_charmap())
