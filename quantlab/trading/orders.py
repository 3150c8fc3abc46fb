"""What a broker makes of an order: the price on a tick, whole lots, the fee, and whether it is placed at all.

A buy spends `cash x size` with its fee in it; a sell gives all units away. In this order:

1. The price, slippage in it, is rounded against the trader to a multiple of `tick_size`: up for a buy, down for a sell.
2. A buy's units are as many as the money pays for, rounded down to a multiple of `lot_size`; what is left stays cash.
3. The fee is notional x `fee` + units x `fee_per_unit`, but at least `min_fee`.
4. The order is not placed, and forgotten, where no unit is left of it, where its notional is below `min_notional`, or
   where a sale's fee takes all that the sale and the cash come to, or more.

With the defaults all of it changes no bit of cash in, all units out.

What a fill costs is written once: the same expressions take one number or a column of them, elementwise and in one
order, so that a fill has the same bits whichever way the engine came to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from quantlab.trading.indicators import atr
from quantlab.trading.market import usable
from quantlab.trading.rounding import ROUNDING

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quantlab.domain.config import RunConfig
    from quantlab.trading.market import Prices

_RECIPROCAL = 1e-9
"""How near 1 / tick has to be to a whole number: 0.01 is no float, a hundredth part is."""
BPS = 1e-4
ATR_WINDOW = 14
ATR_SLIPPAGE = (2 * BPS, 30 * BPS)
"""Least and most slippage of the atr mode, as fractions of the price."""

RUIN = 1e-9
"""Fraction of the initial cash below which nothing is bought any more: of the usual 1,000 the 1e-6 that a session may
begin with at least."""

Number = TypeVar("Number", float, "NDArray[np.float64]")


class FillTerms(NamedTuple):
    """What a fill comes to: price, units and fee, and what is held after it."""

    price: float
    quantity: float
    fee: float
    cash_after: float
    position_after: float


def is_plain(config: RunConfig) -> bool:
    """Tell whether every order is placed as it is: a fill is then a mere exchange at a rate."""
    return not (
        config.lot_size or config.tick_size or config.min_notional or config.min_fee or config.fee_per_unit
    )


def bought(
    cash: float, raw: float, slippage: float, config: RunConfig, size: float = 1.0
) -> FillTerms | None:
    """Return the terms on which a buy at a raw price fills; None where it is not placed.

    Args:
        cash: What is there, above 0.
        raw: The price before slippage, usable.
        slippage: Fraction by which the price rises.
        config: Fees and rules.
        size: Fraction of the cash that is put in, in (0, 1].
    """
    price = on_tick(buy_price(raw, slippage), config.tick_size, up=True)
    budget = cash * size
    units = budget * units_per_cash(price, config.fee, config.fee_per_unit)
    if config.min_fee:
        units = min(units, (budget - config.min_fee) / price)
    if config.lot_size:
        units = _multiple(units, config.lot_size, up=False)
    if not is_plain(config) and _is_too_small(units, price, config):
        return None
    fee = fee_of(price, units, config)
    left = max(cash - (units * price + fee), 0.0) if config.lot_size else cash - budget
    return FillTerms(price, units, fee, left, units)


def sold(cash: float, units: float, raw: float, slippage: float, config: RunConfig) -> FillTerms | None:
    """Return the terms on which all units are sold at a raw price; None where the order is not placed."""
    price = on_tick(sell_price(raw, slippage), config.tick_size, up=False)
    fee = fee_of(price, units, config)
    if fee > fee_paid(price, units, config.fee, config.fee_per_unit):
        after = cash + (units * price - fee)
    else:
        after = cash + units * cash_per_unit(price, config.fee, config.fee_per_unit)
    if is_plain(config):
        return FillTerms(price, units, fee, after, 0.0)
    if _is_too_small(units, price, config) or after <= ROUNDING * (cash + units * price):
        return None
    return FillTerms(price, units, fee, after, 0.0)


def fee_of(price: float, units: float, config: RunConfig) -> float:
    """Return the fee of a fill in money."""
    return max(fee_paid(price, units, config.fee, config.fee_per_unit), config.min_fee)


def on_tick(price: float, tick: float, *, up: bool) -> float:
    """Return the multiple of a tick that lies at a price or beyond it; the price itself where there is no tick."""
    return _multiple(price, tick, up=up) if tick else price


def _multiple(value: float, step: float, *, up: bool) -> float:
    """Round to a multiple of a step; what lies on one but for rounding lies on it."""
    count = value / step
    nearest = float(np.rint(count))
    if abs(count - nearest) > ROUNDING * max(abs(nearest), 1.0):
        nearest = float(np.ceil(count) if up else np.floor(count))
    a_unit = 1.0 / step
    whole = float(np.rint(a_unit))
    # 1,012 hundredths are 1012 / 100, the float nearest to 10.12; 1012 x 0.01 is another.
    return nearest / whole if whole and abs(a_unit - whole) <= _RECIPROCAL * whole else nearest * step


def _is_too_small(units: float, price: float, config: RunConfig) -> bool:
    notional = units * price
    return not (notional > 0.0 and notional >= config.min_notional * (1.0 - ROUNDING))


def buy_price(raw: Number, slippage: Number) -> Number:
    """Return the price paid: slippage raises it."""
    return raw * (1.0 + slippage)


def sell_price(raw: Number, slippage: Number) -> Number:
    """Return the price received: slippage lowers it."""
    return raw * (1.0 - slippage)


def units_per_cash(price: Number, fee: float, a_unit: float = 0.0) -> Number:
    """Return the units that one of cash buys, fees included: 1 / (price x (1 + fee) + fee a unit)."""
    return 1.0 / (price * (1.0 + fee) + a_unit)


def cash_per_unit(price: Number, fee: float, a_unit: float = 0.0) -> Number:
    """Return the cash that one unit sold brings, fees deducted: price x (1 - fee) - fee a unit."""
    return price * (1.0 - fee) - a_unit


def fee_paid(price: Number, quantity: Number, fee: float, a_unit: float = 0.0) -> Number:
    """Return the fee in cash, on both sides: a fraction of the notional, and an amount a unit."""
    return price * quantity * fee + quantity * a_unit


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
