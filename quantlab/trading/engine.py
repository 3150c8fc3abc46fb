"""The engine's one step: state and bar in, state and fill out.

On each bar, in this order:

1. An order that waits is filled at the open. If the open is unusable (NaN, infinite, zero or negative) the
   order waits for the next bar, and the wait is counted.
2. The position is marked at the close, or at the last good mark where the close is unusable.
3. On a usable close, with no order waiting and the rest over, the strategy's signal is taken: `enter` when
   nothing is held, `leave` when something is. The order fills at the next bar's open (`fill = "next_open"`)
   or at this very close (`fill = "close"`).

Rest: after every fill, buy or sell, at least `cooldown_days` whole bars pass before the next fill. Signals
whose fill would come earlier are not taken and not remembered: a position whose exit signal comes then is
held until the next exit signal.

An order that no broker would take (`orders`: too small a notional, no whole lot) is not placed: it is forgotten at the
bar of its fill and counted, what is held stays, and no rest follows.

Ruin: whoever has less cash than `execution.least_cash` buys nothing any more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import msgspec

from quantlab.base.errors import DataError
from quantlab.trading import orders
from quantlab.trading.results import Fill, Order

if TYPE_CHECKING:
    from quantlab.base.values import JsonObject
    from quantlab.domain.config import RunConfig
    from quantlab.trading.results import Side


@dataclass(frozen=True, kw_only=True)
class EngineState:
    """All that the next bar depends on.

    Attributes:
        bars_done: Bars that have gone by; the index of the next one.
        cash: Cash held; exactly 0 while units are, but for what a part of it or whole lots leave over.
        quantity: Units held.
        order: The order that waits for its fill.
        rest_until: First bar on whose close a decision may be taken.
        mark: The last usable close; 0 before any, when nothing can be held.
        skipped_fills: Bars on which an order waited because the price was unusable.
        refused_orders: Orders that were not placed because no broker would have taken them.
    """

    bars_done: int
    cash: float
    quantity: float
    order: Order | None
    rest_until: int
    mark: float
    skipped_fills: int
    refused_orders: int = 0

    @classmethod
    def initial(cls, config: RunConfig) -> Self:
        """Return the state before the first bar; no decision is taken on a bar of the warm-up."""
        return cls(
            bars_done=0,
            cash=config.initial_cash,
            quantity=0.0,
            order=None,
            rest_until=config.warmup,
            mark=0.0,
            skipped_fills=0,
        )

    @classmethod
    def from_json(cls, values: JsonObject) -> Self:
        """Return the state that `to_json` described, equal to the last bit.

        Raises:
            DataError: a field is missing or of another type.
        """
        try:
            return msgspec.convert(values, cls, strict=True)
        except msgspec.ValidationError as error:
            raise DataError(
                f"Stored engine state can't be read: {error}. Expected what EngineState.to_json wrote; "
                "start the session again."
            ) from error

    def to_json(self) -> JsonObject:
        """Return the state as plain JSON values; floats survive Python's json and msgspec unchanged."""
        values: JsonObject = msgspec.to_builtins(self)
        return values

    @property
    def holding(self) -> bool:
        """Whether units are held."""
        return self.quantity > 0.0


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One bar as the engine sees it.

    Attributes:
        open: First price.
        close: Last price.
        enter: Why to buy on this close, or None.
        leave: Why to sell on this close, or None.
        slippage: Fraction of the price that an order decided on this bar will lose.
        size: Fraction of equity that a buy decided on this bar puts in.
    """

    open: float
    close: float
    enter: str | None
    leave: str | None
    slippage: float
    size: float = 1.0


def step(state: EngineState, bar: Bar, config: RunConfig) -> tuple[EngineState, Fill | None]:
    """Return the state after this bar, and the fill that happened in it, if any."""
    fill: Fill | None = None
    close_usable = _is_usable(bar.close)
    mark = bar.close if close_usable else state.mark
    if (
        state.order is None and bar.enter is None and bar.leave is None
    ):  # most bars; a replace costs as much as a bar
        return replace(state, mark=mark, bars_done=state.bars_done + 1), None
    state = replace(state, mark=mark)
    if state.order is not None:
        if _is_usable(bar.open):
            state, fill = filled(state, state.order, bar.open, config)
        else:
            state = replace(state, skipped_fills=state.skipped_fills + 1)
    order = decision(state, bar, config) if close_usable else None
    if order is not None and config.fill == "close":
        state, fill = filled(state, order, bar.close, config)
    elif order is not None:
        state = replace(state, order=order)
    return replace(state, bars_done=state.bars_done + 1), fill


def rest_after(fill_bar: int, config: RunConfig) -> int:
    """Return the first bar on whose close a decision may follow a fill at `fill_bar`."""
    return fill_bar + config.cooldown_days + (config.fill == "close")


def is_ruined(state: EngineState, config: RunConfig) -> bool:
    """Tell whether nothing is held and too little cash is left to buy with."""
    return not state.holding and state.cash < orders.least_cash(config)


def decision(state: EngineState, bar: Bar, config: RunConfig) -> Order | None:
    """Return the order that this bar's usable close gives rise to, if any."""
    reason = bar.leave if state.holding else bar.enter
    if reason is None or state.order is not None or state.bars_done < state.rest_until:
        return None
    if is_ruined(state, config):
        return None
    side: Side = "sell" if state.holding else "buy"
    return Order(
        side=side,
        signal_bar=state.bars_done,
        reason=reason,
        slippage=bar.slippage,
        size=1.0 if state.holding else bar.size,
    )


def filled(
    state: EngineState, order: Order, raw: float, config: RunConfig
) -> tuple[EngineState, Fill | None]:
    """Fill an order at a raw price, its part of the cash in or all units out, unless no broker would take it."""
    if order.side == "buy":
        terms = orders.bought(state.cash, raw, order.slippage, config, order.size)
    else:
        terms = orders.sold(state.cash, state.quantity, raw, order.slippage, config)
    if terms is None:
        return replace(state, order=None, refused_orders=state.refused_orders + 1), None
    fill = Fill(
        bar=state.bars_done,
        signal_bar=order.signal_bar,
        side=order.side,
        close=state.mark,
        price=terms.price,
        quantity=terms.quantity,
        fee=terms.fee,
        slippage=order.slippage,
        cash_after=terms.cash_after,
        position_after=terms.position_after,
        equity_after=terms.cash_after + terms.position_after * state.mark,
        reason=order.reason,
    )
    return replace(
        state,
        cash=terms.cash_after,
        quantity=terms.position_after,
        order=None,
        rest_until=rest_after(state.bars_done, config),
    ), fill


def _is_usable(price: float) -> bool:
    return 0.0 < price < math.inf
