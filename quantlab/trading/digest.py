"""One hash over what a simulation did, and where two simulations part.

Canonical form, version 1, all numbers as 8 little-endian bytes, whatever the machine:

1. the line `quantlab result 1`;
2. for each column of the fills, in the order of `Fill`'s fields, the line `<name> <number of fills>` and the
   column: whole numbers as signed integers, fractions as the bits of their IEEE doubles, and texts as UTF-8,
   each behind its length in bytes;
3. the line `equity <number of bars>` and the equity of every bar.

Every line ends in a line feed.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from quantlab.trading.fills import COLUMNS, Fills

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from quantlab.trading.market import Array, Prices
    from quantlab.trading.results import Fill, Simulation

_PER_BAR = ("cash", "quantity", "mark", "equity")


class FirstDifference(NamedTuple):
    """Where two simulations part first.

    Attributes:
        bar: Index of the bar.
        field: `fill` (only one has one there), `fill.price` and the like, `cash`, `quantity`, `mark`,
            `equity`, or `bars` (one ends there).
        time: Opening time of the bar, ISO 8601 UTC.
        first: The first simulation's value, None where it has none.
        second: The second one's.
    """

    bar: int
    field: str
    time: str
    first: object
    second: object


def result_digest(simulation: Simulation) -> str:
    """Return the SHA-256, in hex, over the canonical form of fills and equity."""
    digest = hashlib.sha256(b"quantlab result 1\n")
    fills = Fills.of(simulation.fills)
    for name in COLUMNS:
        _add(digest, name, fills.column(name))
    _add(digest, "equity", simulation.equity)
    return digest.hexdigest()


def first_difference(first: Simulation, second: Simulation, prices: Prices) -> FirstDifference | None:
    """Return the earliest bar at which two simulations differ, or None where none does.

    Of several differences in one bar, causes come before effects: fill, cash, quantity, mark, equity.

    Args:
        first: One simulation.
        second: The other.
        prices: The bars that both ran on, for their times.
    """
    found = [*_fill_differences(first.fills, second.fills), *_bar_differences(first, second)]
    if not found:
        return None
    bar, field, one, other = min(found, key=lambda difference: difference[0])
    return FirstDifference(bar, field, _time(prices, bar), one, other)


def _add(digest: hashlib._Hash, name: str, values: Array) -> None:
    digest.update(f"{name} {len(values)}\n".encode())
    if values.dtype == object:
        texts = values.tolist()
        coded = {text: len(text.encode()).to_bytes(8, "little") + text.encode() for text in set(texts)}
        digest.update(b"".join(map(coded.__getitem__, texts)))
    else:
        digest.update(np.ascontiguousarray(values, "<i8" if values.dtype.kind == "i" else "<f8").tobytes())


def _fill_differences(
    first: Sequence[Fill], second: Sequence[Fill]
) -> Iterator[tuple[int, str, object, object]]:
    """Give the first differing fill, if any; ties between differences go to the one that is given first."""
    for one, other in zip(first, second, strict=False):
        if one.bar != other.bar:
            yield (
                (one.bar, "fill", one.side, None)
                if one.bar < other.bar
                else (other.bar, "fill", None, other.side)
            )
            return
        for name in COLUMNS:
            mine, others = getattr(one, name), getattr(other, name)
            if mine != others:
                yield one.bar, f"fill.{name}", mine, others
                return
    common = min(len(first), len(second))
    if len(first) > common:
        yield first[common].bar, "fill", first[common].side, None
    elif len(second) > common:
        yield second[common].bar, "fill", None, second[common].side


def _bar_differences(first: Simulation, second: Simulation) -> Iterator[tuple[int, str, object, object]]:
    for name in _PER_BAR:
        one, other = getattr(first, name), getattr(second, name)
        common = min(len(one), len(other))
        differs = np.flatnonzero(one[:common] != other[:common])
        if len(differs):
            bar = int(differs[0])
            yield bar, name, float(one[bar]), float(other[bar])
        elif len(one) != len(other):
            yield common, "bars", len(one), len(other)


def _time(prices: Prices, bar: int) -> str:
    moment = prices.times[min(bar, len(prices) - 1)]
    return f"{np.datetime_as_string(moment, unit='s')}+00:00"
