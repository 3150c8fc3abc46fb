"""Markets, settings and strategies with given signals, for the tests of the engine."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from hypothesis import strategies as st

from quantlab.domain.config import RunConfig
from quantlab.trading.market import Origin, Prices
from quantlab.trading.strategies.decisions import Decisions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from quantlab.trading.results import Simulation
    from quantlab.trading.tape import Decider

    Floats = NDArray[np.float64]
    Case = tuple[Prices, RunConfig, Decider]

ORIGIN = Origin(source="file", detail="test", adjusted=None, retrieved_at="2024-01-01T00:00:00+00:00")
FREE = RunConfig(fee=0.0, slippage_bps=0.0)
BAD_PRICES = (float("nan"), float("inf"), float("-inf"), 0.0, -5.0)


def market(
    close: Sequence[float] | Floats,
    *,
    opens: Sequence[float] | Floats | None = None,
    start: str = "2023-01-02",
    step: Any = "D",
) -> Prices:
    """Return bars with these closes; each opens where the one before closed, unless told otherwise."""
    closes = np.asarray(close, float)
    opened = np.concatenate([closes[:1], closes[:-1]]) if opens is None else np.asarray(opens, float)
    return Prices(
        times=(np.datetime64(start, step) + np.arange(len(closes))).astype("datetime64[ns]"),
        open=opened,
        high=np.fmax(opened, closes) * 1.01,
        low=np.fmin(opened, closes) * 0.99,
        close=closes,
        volume=np.ones(len(closes)),
        origin=ORIGIN,
    )


def walk(bars: int, seed: int = 1, volatility: float = 0.02) -> Prices:
    """Return a seeded random walk with gaps between close and next open."""
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, volatility, bars)))
    gaps = np.exp(random.normal(0, volatility / 4, bars))
    return market(close, opens=np.concatenate([[100.0], close[:-1]])[:bars] * gaps)


def prefix(prices: Prices, bars: int) -> Prices:
    """Return the first bars alone."""
    columns: dict[str, Any] = {
        each.name: getattr(prices, each.name)[:bars] for each in fields(prices) if each.name != "origin"
    }
    return replace(prices, **columns)


def scaled(prices: Prices, factor: float) -> Prices:
    """Return the same bars in another currency."""
    columns: dict[str, Any] = {
        name: getattr(prices, name) * factor for name in ("open", "high", "low", "close")
    }
    return replace(prices, **columns)


@dataclass(frozen=True)
class Given:
    """Signals on these bars, whatever the prices are; `size` (one for every bar there may be) as parts of equity."""

    enter: frozenset[int]
    leave: frozenset[int]
    size: Floats | None = None

    def signals(self, prices: Prices, config: RunConfig) -> Decisions:
        bars = range(len(prices))
        return Decisions(
            enter=np.array([bar in self.enter for bar in bars], np.bool_),
            leave=np.array([bar in self.leave for bar in bars], np.bool_),
            enter_reason=np.zeros(len(prices), np.uint8),
            leave_reason=np.ones(len(prices), np.uint8),
            reasons=("in", "out"),
            size=None if self.size is None else self.size[: len(prices)],
            values={},
        )


def given_signals(enter: Iterable[int] = (), leave: Iterable[int] = (), size: Floats | None = None) -> Given:
    """Return a strategy that signals on these bars, whatever the prices are."""
    return Given(frozenset(enter), frozenset(leave), size)


def assert_identical(first: Simulation, second: Simulation) -> None:
    """Hold two simulations to the same bits."""
    assert first.fills == second.fills
    assert first.pending == second.pending
    assert first.skipped_fills == second.skipped_fills
    assert first.refused_orders == second.refused_orders
    for name in ("cash", "quantity", "mark", "equity"):
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes(), name


configs = st.builds(
    RunConfig,
    fee=st.sampled_from([0.0, 0.001, 0.002, 0.1, 0.7]),
    slippage_bps=st.sampled_from([0.0, 8.0, 500.0]),
    slippage_mode=st.sampled_from(["fixed", "atr"]),
    k_atr=st.sampled_from([0.0, 0.05, 0.2, 10.0]),
    cooldown_days=st.sampled_from([0, 0, 1, 2, 7]),
    initial_cash=st.sampled_from([0.01, 1000.0, 1e9]),
    fill=st.sampled_from(["next_open", "close"]),
)
ruled = st.builds(
    msgspec.structs.replace,
    configs,
    lot_size=st.sampled_from([0.0, 0.001, 0.1, 1.0, 3.0, 100.0]),
    tick_size=st.sampled_from([0.0, 0.01, 0.25, 7.0, 150.0]),
    min_notional=st.sampled_from([0.0, 10.0, 990.0, 1e6]),
    min_fee=st.sampled_from([0.0, 1.0, 300.0]),
    fee_per_unit=st.sampled_from([0.0, 0.005, 20.0, 120.0]),
    warmup=st.sampled_from([0, 0, 1, 20]),
)
"""Settings with a broker's rules, sensible and absurd ones."""


@st.composite
def cases(draw: st.DrawFn, max_bars: int = 80, settings: st.SearchStrategy[RunConfig] = configs) -> Case:
    """Draw a market (some with unusable prices), settings, and a strategy with random signals."""
    bars = draw(st.integers(1, max_bars))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    prices = walk(bars, seed=draw(st.integers(0, 2**32)), volatility=draw(st.sampled_from([0.0, 0.02, 0.3])))
    bad = draw(st.sampled_from([0.0, 0.0, 0.05, 0.5]))
    columns: dict[str, Any] = {
        name: np.where(random.random(bars) < bad, random.choice(BAD_PRICES, bars), getattr(prices, name))
        for name in ("open", "high", "low", "close")
    }
    often = draw(st.sampled_from([0.05, 0.3, 0.9]))
    enter, leave = (np.flatnonzero(random.random(bars) < often).tolist() for _ in range(2))
    size = draw(st.sampled_from([None, None, random.uniform(0.01, 1.0, max_bars), np.full(max_bars, 0.5)]))
    return replace(prices, **columns), draw(settings), given_signals(enter, leave, size)
