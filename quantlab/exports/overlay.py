"""Several equities in one picture: each from 1 on, one axis of time, buy-and-hold dashed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantlab.exports import drawing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quantlab.exports.curves import Curve

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#222222")
STYLES = ("-", (0, (1, 1)), (0, (6, 1.5, 1, 1.5)))
"""Line styles tell those apart that have the same colour; dashes are buy-and-hold's."""
_DASHED = (0, (5, 3))


def overlay(curves: Sequence[tuple[str, Curve]], *, title: str, form: str) -> bytes:
    """Draw equities, each as a multiple of its first.

    Prices that several traded are drawn once, in grey where all traded the same.

    Args:
        curves: What each is called, and its equity.
        title: One line above the picture.
        form: `png` or `svg`; equal arguments give equal bytes.
    """
    figure, (axes,) = drawing.canvas(heights=(1,))
    markets = {
        (curve.times.tobytes(), curve.mark.tobytes()): place for place, (_name, curve) in enumerate(curves)
    }
    shown = []
    for place, (name, curve) in reversed(list(enumerate(curves))):
        if place not in markets.values():
            continue
        label = "Buy and hold" if len(markets) == 1 else f"Buy and hold of {drawing.drawable(name)}"
        colour = drawing.GREY if len(markets) == 1 else COLOURS[place % len(COLOURS)]
        times = drawing.as_dates(curve.times)
        label = f"{label} ({100 * (curve.held()[-1] - 1):+,.1f} %)"
        drawing.line(axes, times, curve.held(), color=colour, linestyle=_DASHED, linewidth=1.1, label=label)
        shown.append(curve.held())
    for place, (name, curve) in enumerate(curves):
        style = STYLES[place // len(COLOURS) % len(STYLES)]
        label = f"{_named(name)} ({100 * (curve.rebased()[-1] - 1):+,.1f} %)"
        times = drawing.as_dates(curve.times)
        colour = COLOURS[place % len(COLOURS)]
        drawing.line(axes, times, curve.rebased(), color=colour, linestyle=style, linewidth=1.6, label=label)
        shown.append(curve.rebased())
    axes.axhline(1.0, color=drawing.GREY, linewidth=0.6, zorder=0.5)
    drawing.scale(axes, "Equity, the first as 1", shown)
    synthetic = any(curve.is_synthetic for _name, curve in curves)
    return drawing.picture(figure, form, title=title, synthetic=synthetic, legend_below=True)


def _named(name: str) -> str:
    """Return a name as the legend shows it: matplotlib leaves out what begins with an underscore."""
    return drawing.drawable(f" {name}" if name.startswith("_") else name)
