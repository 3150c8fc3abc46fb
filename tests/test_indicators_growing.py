"""Wilder's averages of a series that grows: what was kept of its beginning changes no bit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from quantlab.trading import indicators
from quantlab.trading.indicators import Kept, atr, growing, rsi

if TYPE_CHECKING:
    from collections.abc import Callable

    from quantlab.trading.indicators import Floats

BARS = 700


def walk(seed: int) -> tuple[Floats, Floats, Floats]:
    made = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(made.normal(0, 0.02, BARS)))
    return close * 1.01, close * 0.99, close


def of_close(high: Floats, low: Floats, close: Floats, window: int) -> Floats:
    del high, low
    return rsi(close, window)


@pytest.mark.parametrize("indicator", [of_close, atr])
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 9),
    window=st.integers(1, 60),
    lengths=st.lists(st.integers(2, BARS), min_size=1, max_size=9),
)
def test_what_was_kept_changes_no_bit(
    indicator: Callable[..., Floats], seed: int, window: int, lengths: list[int]
) -> None:
    series, kept = walk(seed), Kept()
    for length in [*sorted(lengths), *lengths]:  # grown, and of any other length
        so_far = [each[:length] for each in series]
        with growing(kept):
            found = indicator(*so_far, window)
        assert_array_equal(found, indicator(*so_far, window))


def test_another_past_is_computed_anew() -> None:
    kept, (_high, _low, close) = Kept(), walk(1)
    with growing(kept):
        rsi(close[:500])
        corrected = close.copy()
        corrected[3] *= 1.01
        found = rsi(corrected)
    assert_array_equal(found, rsi(corrected))


def test_a_bar_more_costs_a_lane_and_not_the_whole_past(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, (_high, _low, close) = Kept(), walk(1)
    with growing(kept):
        rsi(close[: BARS - 1])
        measured: list[int] = []
        real = indicators._Wilder.extend

        def noted(self: indicators._Wilder, inputs: Floats) -> Floats:
            measured.append(inputs.shape[1])
            return real(self, inputs)

        monkeypatch.setattr(indicators._Wilder, "extend", noted)
        rsi(close)
    assert sum(measured) < 90


def test_outside_nothing_is_kept() -> None:
    kept, (_high, _low, close) = Kept(), walk(1)
    with growing(kept):
        pass
    rsi(close)
    assert kept == {}
