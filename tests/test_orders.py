"""Orders that a broker would take: lots, ticks, least sizes, fees; against an independent engine too."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from support.engine_markets import FREE, ORIGIN, given_signals, market

from quantlab.domain.config import RunConfig
from quantlab.trading.market import Prices
from quantlab.trading.orders import on_tick
from quantlab.trading.simulation import simulate

if TYPE_CHECKING:
    import pandas as pd

    from quantlab.trading.results import Fill, Simulation


def ruled(**rules: float) -> RunConfig:
    return msgspec.structs.replace(FREE, **rules)


def fills(closes: list[float], enter: list[int], leave: list[int], config: RunConfig) -> list[Fill]:
    return list(simulate(market(closes), config, given_signals(enter, leave)).fills)


def test_whole_shares_leave_the_rest_as_cash() -> None:
    (buy,) = fills([300.0] * 3, [0], [], ruled(lot_size=1.0))
    assert (buy.quantity, buy.cash_after) == (3.0, 100.0)


def test_the_cash_that_lots_leave_over_is_there_after_the_sale() -> None:
    _, sell = fills([300.0, 300.0, 400.0, 400.0], [0], [2], ruled(lot_size=1.0))
    assert (sell.quantity, sell.cash_after, sell.position_after) == (3.0, 1300.0, 0.0)


def test_ten_tenths_are_a_whole_lot() -> None:
    (buy,) = fills([0.1] * 3, [0], [], ruled(lot_size=1.0, initial_cash=0.3))
    assert (buy.quantity, buy.cash_after) == (3.0, 0.0)


@pytest.mark.parametrize(
    ("price", "up", "expected"),
    [(10.121, True, 10.13), (10.129, False, 10.12), (10.12, True, 10.12), (10.12, False, 10.12)],
)
def test_a_price_is_rounded_to_the_float_nearest_to_its_tick(price: float, up: bool, expected: float) -> None:
    assert on_tick(price, 0.01, up=up) == expected


def test_a_tick_makes_buys_dearer_and_sales_cheaper() -> None:
    config = ruled(tick_size=0.25)
    assert [fill.price for fill in fills([10.1] * 4, [0], [1], config)] == [10.25, 10.0]


def test_an_order_below_the_least_notional_is_not_placed_and_counted() -> None:
    done = simulate(market([10.0] * 5), ruled(min_notional=1000.5), given_signals([0, 2]))
    assert (len(done.fills), done.refused_orders, done.pending) == (0, 2, None)


def test_an_order_that_is_not_placed_needs_no_rest() -> None:
    config = ruled(lot_size=1.0, cooldown_days=3)
    done = simulate(market([2000.0, 2000.0, 2000.0, 500.0, 500.0]), config, given_signals([0, 1, 2, 3]))
    assert [fill.bar for fill in done.fills] == [4]


def test_a_sale_that_costs_more_than_it_brings_is_not_placed() -> None:
    done = simulate(market([100.0, 100.0, 0.001, 0.001]), ruled(min_fee=20.0), given_signals([0], [2]))
    assert [fill.side for fill in done.fills] == ["buy"]
    assert done.refused_orders == 1


@pytest.mark.parametrize(
    ("rules", "fell_to"),
    [({"min_fee": 200.0}, 25.0), ({"fee_per_unit": 7.0}, 7.0), ({"min_fee": 0.1}, 0.1 / 9.999)],
)
def test_a_sale_that_its_fee_eats_up_is_not_placed(rules: dict[str, float], fell_to: float) -> None:
    done = simulate(market([100.0, 100.0, fell_to, fell_to]), ruled(**rules), given_signals([0], [2]))
    assert [fill.side for fill in done.fills] == ["buy"]
    assert done.refused_orders == 1
    assert done.equity[-1] > 0.0


def test_a_fee_is_at_least_the_least_fee() -> None:
    buy, sell = fills([100.0] * 4, [0], [1], ruled(min_fee=1.0, lot_size=1.0))
    assert (buy.quantity, buy.fee, buy.cash_after, sell.fee, sell.cash_after) == (9.0, 1.0, 99.0, 1.0, 998.0)


def test_all_cash_goes_in_with_the_least_fee_too() -> None:
    (buy,) = fills([100.0] * 3, [0], [], ruled(min_fee=1.0))
    assert (buy.quantity, buy.fee, buy.cash_after) == (9.99, 1.0, 0.0)


def test_a_fee_a_unit_is_paid_on_both_sides() -> None:
    buy, sell = fills([100.0] * 4, [0], [1], ruled(fee_per_unit=0.5, lot_size=1.0))
    assert (buy.quantity, buy.fee, sell.fee) == (9.0, 4.5, 4.5)


def test_a_tick_above_the_price_sells_nothing_for_nothing() -> None:
    done = simulate(market([1.5, 1.5, 0.5, 0.5]), ruled(tick_size=1.0), given_signals([0], [2]))
    assert (len(done.fills), done.refused_orders) == (1, 1)


COMMISSIONS: dict[str, tuple[RunConfig, Any]] = {
    "a fraction": (RunConfig(initial_cash=10_000.0, slippage_bps=0.0, lot_size=1.0, fee=0.002), 0.002),
    "nothing": (RunConfig(initial_cash=10_000.0, slippage_bps=0.0, lot_size=1.0, fee=0.0), 0.0),
    "a dollar at least": (
        RunConfig(
            initial_cash=10_000.0, slippage_bps=0.0, lot_size=1.0, fee=0.0, fee_per_unit=0.0035, min_fee=1.0
        ),
        lambda size, _price: max(1.0, abs(size) * 0.0035),
    ),
}


@pytest.mark.parametrize("name", COMMISSIONS)
def test_an_independent_engine_gives_the_same_equity_of_every_bar(name: str) -> None:
    config, commission = COMMISSIONS[name]
    frame, enter, leave = google()
    ours = simulate(as_prices(frame), config, given_signals(enter, leave))
    stats = independent(frame, enter, leave, commission, ours)
    assert len(ours.fills) > 60
    assert ours.equity == pytest.approx(stats["_equity_curve"]["Equity"].to_numpy(), rel=1e-12)
    trips = stats["_trades"]
    bought, sold = ours.fills[0::2], ours.fills[1::2]
    assert [fill.quantity for fill in bought][: len(trips)] == trips["Size"].tolist()
    assert [fill.bar for fill in bought][: len(trips)] == trips["EntryBar"].tolist()
    assert [fill.price for fill in sold] == trips["ExitPrice"].tolist()


def google() -> tuple[pd.DataFrame, list[int], list[int]]:
    """Return Google's daily bars of 2004 to 2013, and where the mean of 10 closes crosses that of 30."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from backtesting.test import GOOG
    fast, slow = GOOG["Close"].rolling(10).mean(), GOOG["Close"].rolling(30).mean()
    above, below = (fast > slow).to_numpy(), (fast < slow).to_numpy()
    enter = np.flatnonzero(above[1:] & ~above[:-1]) + 1
    leave = np.flatnonzero(below[1:] & ~below[:-1]) + 1
    return GOOG, enter.tolist(), leave[leave > enter[0]].tolist()


def as_prices(frame: pd.DataFrame) -> Prices:
    columns = {
        name.lower(): frame[name].to_numpy(float) for name in ("Open", "High", "Low", "Close", "Volume")
    }
    return Prices(times=frame.index.to_numpy().astype("datetime64[ns]"), origin=ORIGIN, **columns)


def independent(
    frame: pd.DataFrame, enter: list[int], leave: list[int], commission: Any, ours: Simulation
) -> Any:
    """Run the same signals through `backtesting`.

    It takes a fixed fee for one unit's when it works out how many units the cash buys; so where the fee is no mere
    fraction it is told the number, and checks the money alone.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from backtesting import Backtest, Strategy
    units = {fill.signal_bar: int(fill.quantity) for fill in ours.fills if fill.side == "buy"}

    class Given(Strategy):  # type: ignore[misc] # the other engine has no types
        def init(self) -> None:
            pass

        def next(self) -> None:
            bar = len(self.data) - 1
            if bar in enter and not self.position:
                self.buy(**({"size": units[bar]} if callable(commission) else {}))
            elif bar in leave and self.position:
                self.position.close()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Backtest(frame, Given, cash=10_000, commission=commission, finalize_trades=False).run()
