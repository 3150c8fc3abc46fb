"""What a fill costs, written once: the same expressions take one number or a column of them.

Each expression is elementwise IEEE arithmetic in one order, so that a fill has the same bits whichever way
the engine came to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from quantlab.trading.indicators import atr
from quantlab.trading.strategy import usable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quantlab.config import RunConfig
    from quantlab.trading.market import Prices

BPS = 1e-4
ATR_WINDOW = 14
ATR_SLIPPAGE = (2 * BPS, 30 * BPS)
"""Least and most slippage of the atr mode, as fractions of the price."""

RUIN = 1e-9
"""Fraction of the initial cash below which nothing is bought any more: of the usual 1,000 the 1e-6 that a session may
begin with at least."""

Number = TypeVar("Number", float, "NDArray[np.float64]")


def buy_price(raw: Number, slippage: Number) -> Number:
    """Return the price paid: slippage raises it."""
    return raw * (1.0 + slippage)


def sell_price(raw: Number, slippage: Number) -> Number:
    """Return the price received: slippage lowers it."""
    return raw * (1.0 - slippage)


def units_per_cash(price: Number, fee: float) -> Number:
    """Return the units that one of cash buys, fee included: 1 / (price x (1 + fee))."""
    return 1.0 / (price * (1.0 + fee))


def cash_per_unit(price: Number, fee: float) -> Number:
    """Return the cash that one unit sold brings, fee deducted: price x (1 - fee)."""
    return price * (1.0 - fee)


def fee_paid(price: Number, quantity: Number, fee: float) -> Number:
    """Return the fee in cash: a fraction of the notional, on both sides."""
    return price * quantity * fee


def least_cash(config: RunConfig) -> float:
    """Return the least cash that still buys: a billionth of the initial cash."""
    return RUIN * config.initial_cash


def slippage_fractions(prices: Prices, config: RunConfig) -> NDArray[np.float64]:
    """Return the slippage of an order decided on each bar, as a fraction of the price, shape (n,).

    `fixed`: slippage_bps / 10,000. `atr`: k_atr x ATR(14) / close of that bar, held between 2 and 30 bps; 30
    where the ATR is not known yet. Bars with unusable prices count as if nothing had moved in them.
    """
    if config.slippage_mode == "fixed":
        return np.broadcast_to(np.float64(config.slippage_bps * BPS), len(prices))
    least, most = ATR_SLIPPAGE
    close = carried(prices.close)
    high, low = (np.where(usable(each), each, close) for each in (prices.high, prices.low))
    first = int(np.argmax(np.isfinite(close))) if len(close) else 0
    known = np.full(len(prices), np.nan)
    known[first:] = atr(high[first:], low[first:], close[first:], ATR_WINDOW)
    with np.errstate(over="ignore"):
        fractions = np.clip(config.k_atr * known / close, least, most)
    return np.where(np.isnan(fractions), most, fractions)


def carried(close: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return closes with the unusable ones replaced by the last usable one; NaN before the first."""
    good = usable(close)
    latest = (
        np.maximum.accumulate(np.where(good, np.arange(len(close)), -1)) if len(close) else np.array([], int)
    )
    return np.where(latest >= 0, close[latest], np.nan)
