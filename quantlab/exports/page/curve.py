"""A session's equity as lines of an SVG: read from a result file, thinned, and drawn as relative steps."""

from __future__ import annotations

import csv
import math
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

FEWEST_PARTS, MOST_PARTS, PARTS_IN_ALL = 12, 60, 3_600
"""A line's parts, each of which shows its lowest and its highest value: a spike is never thinned away."""
FINE = 20
"""How many of the newest sessions have fine lines, however many others the page shows."""
HEIGHT, COARSE_HEIGHT = 60, 30
"""Steps from a line's lowest value to its highest: a number of one digit is a byte less at every point."""
SHOWN = ("timestamp", "side", "exec_price", "qty", "equity_after", "reason")
"""The columns of trades.csv that the page shows."""
Fill = dict[str, str]


class PageCurve(NamedTuple):
    """Equity over time.

    Attributes:
        first_at: The time of the first value, as the file has it.
        last_at: That of the last one.
        equity: In the quote currency; never empty.
        is_of_fills: Whether there is a value a fill alone, not one a bar.
    """

    first_at: str
    last_at: str
    equity: list[float]
    is_of_fills: bool


class DrawnLine(NamedTuple):
    """A drawn line: the `d` of a path, in a box of `width` by `height`."""

    d: Markup
    width: int
    height: int

    @property
    def box(self) -> str:
        """The viewBox, with room for the line's own thickness."""
        room = self.height // COARSE_HEIGHT
        return f"0 -{room} {self.width} {self.height + 2 * room}"


def of_equity(data: bytes) -> PageCurve | None:
    """Read the curve of an equity.csv; None where it holds none."""
    lines = data.decode("utf-8", "replace").splitlines()[1:]
    try:
        equity = [float(line[line.rfind(",") + 1 :]) for line in lines]
    except ValueError:
        equity = []
    if equity and math.isfinite(sum(equity)):
        return PageCurve(_first_cell(lines[0]), _first_cell(lines[-1]), equity, is_of_fills=False)
    pairs = [(_first_cell(line), line.rpartition(",")[2]) for line in lines]  # a few may be no numbers
    return _curve(pairs, is_of_fills=False)


def of_fills(fills: list[Fill]) -> PageCurve | None:
    """Take the curve off the equity after each fill; None where there is none."""
    return _curve([(one["timestamp"], one["equity_after"]) for one in fills], is_of_fills=True)


def read_fills(data: bytes) -> list[Fill]:
    """Return the rows of a trades.csv, each with the columns that the page shows; a cell that a row lacks is empty."""
    rows = csv.DictReader(data.decode("utf-8", "replace").splitlines())
    return [{name: row.get(name) or "" for name in SHOWN} for row in rows]


def drawdown(equity: Sequence[float]) -> list[float]:
    """Return how far each value lies below the highest so far, as a fraction at most 0."""
    peaks = accumulate(equity, max)
    return [value / peak - 1 if peak > 0 else 0.0 for value, peak in zip(equity, peaks, strict=True)]


def parts_for(place: int, sessions: int) -> int:
    """Return into how many parts a session's line is thinned, by its place on a page of so many, the newest first."""
    if place <= FINE or sessions <= FINE:
        return MOST_PARTS
    left = PARTS_IN_ALL - FINE * MOST_PARTS
    return max(FEWEST_PARTS, min(MOST_PARTS, left // (sessions - FINE)))


def drawn(values: Sequence[float], height: int = HEIGHT) -> DrawnLine | None:
    """Return the line through values at even distances, over so many steps; None for fewer than two."""
    if len(values) < 2:  # noqa: PLR2004 - a point is no line
        return None
    low, high = min(values), max(values)
    scale = height / (high - low) if high > low else 0.0
    heights = [round((high - value) * scale) if scale else height // 2 for value in values]
    steps = (f"1 {after - before}" for before, after in pairwise(heights))
    d = f"M0 {heights[0]}l{' '.join(steps)}".replace(" -", "-")
    return DrawnLine(Markup(d), len(values) - 1, height)  # noqa: S704 - numbers of ours


def _curve(pairs: Iterable[tuple[str, str]], *, is_of_fills: bool) -> PageCurve | None:
    times, equity = [], []
    for time, cell in pairs:
        value = _number(cell)
        if value is not None:
            times.append(time)
            equity.append(value)
    return PageCurve(times[0], times[-1], equity, is_of_fills) if equity else None


def _first_cell(line: str) -> str:
    return line.partition(",")[0]


def _number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def thinned(values: Sequence[float], parts: int) -> Sequence[float]:
    """Return the values, of many each part's lowest and highest in their order; the first and last stay."""
    if len(values) <= 2 * parts:
        return values
    kept = [values[0]]
    for part in _parted(values, parts):
        low, high = min(part), max(part)
        kept += (low, high) if part.index(low) < part.index(high) else (high, low)
    return [*kept, values[-1]]


def lowest(values: Sequence[float], parts: int) -> Sequence[float]:
    """Return the values, of many each part's lowest; the first and last stay."""
    if len(values) <= parts:
        return values
    return [values[0], *map(min, _parted(values, parts)), values[-1]]


def _parted(values: Sequence[float], parts: int) -> Iterator[Sequence[float]]:
    for place in range(parts):
        yield values[len(values) * place // parts : len(values) * (place + 1) // parts]
