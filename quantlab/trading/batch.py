"""Many steps of the engine at once: only the bars at which something happens are visited.

It gives the bits that `engine.step` gives, bar by bar; the tests hold it to that. Between two fills nothing
changes, and all cash goes in and all units out: so what is held is one chain of exchanges, cash into units
into cash, and the amounts are running products of the rates. Where a broker's rules are set (`orders`), or buys
put in a part, there is no such chain: signals are then taken one after another (`_one_by_one`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from quantlab.trading import engine, orders
from quantlab.trading.engine import is_ruined, rest_after
from quantlab.trading.fills import Fills
from quantlab.trading.results import Order

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quantlab.trading.engine import EngineState
    from quantlab.trading.market import Array
    from quantlab.trading.results import Fill, Side
    from quantlab.trading.tape import Tape

    Bars = NDArray[np.intp]


def steps(tape: Tape, state: EngineState, until: int) -> tuple[EngineState, Fills]:
    """Return the state before bar `until`, and the fills on the way; no order may be waiting in `state`."""
    if not orders.is_plain(tape.config) or tape.signals.size is not None or (state.holding and state.cash):
        return _one_by_one(tape, state, until)
    decided, filled = _schedule(tape, state, until)
    done = int(np.searchsorted(filled, until))
    fills = _settled(tape, state, decided[:done], filled[:done])
    ruin = _ruin(tape, fills)
    if ruin is not None:
        done, fills, decided, filled = ruin + 1, fills[: ruin + 1], decided[: ruin + 1], filled[: ruin + 1]
    state = replace(
        state,
        bars_done=until,
        mark=float(tape.mark[until - 1]),
        skipped_fills=state.skipped_fills + _waited(tape, decided, np.minimum(filled, until)),
    )
    if done:
        last = fills[-1]
        state = replace(
            state,
            cash=last.cash_after,
            quantity=last.position_after,
            rest_until=rest_after(last.bar, tape.config),
        )
    return (
        replace(state, order=_order(tape, state, int(decided[-1]))) if done < len(decided) else state
    ), fills


def _one_by_one(tape: Tape, state: EngineState, until: int) -> tuple[EngineState, Fills]:
    """Do the same, signal by signal: whether an order is placed, and what it leaves, hangs on the amounts before it."""
    config = tape.config
    delay = 1 if config.fill == "next_open" else 0
    raw = tape.prices.open if delay else tape.prices.close
    fills: list[Fill] = []
    skipped, free = state.skipped_fills, state.rest_until
    wanted = tape.wanted(max(state.bars_done, free), until)
    for bar, buys, sells in zip(*(column.tolist() for column in wanted), strict=True):
        if bar < free or not (sells if state.holding else buys):
            continue
        order = engine.decision(replace(state, bars_done=bar), tape.bar(bar), config)
        if order is None:
            break  # ruined: nothing is bought any more
        fill_bar = tape.waits.get(bar + delay, bar + delay)
        skipped += min(fill_bar, until) - bar - delay
        if fill_bar >= until:
            state = replace(state, order=order)
            break
        state = replace(state, bars_done=fill_bar, mark=float(tape.mark[fill_bar]))
        state, fill = engine.filled(state, order, float(raw[fill_bar]), config)
        free = max(fill_bar, state.rest_until)
        fills += [] if fill is None else [fill]
    mark = float(tape.mark[until - 1])
    return replace(state, bars_done=until, mark=mark, skipped_fills=skipped), Fills.of(fills)


def _schedule(tape: Tape, state: EngineState, until: int) -> tuple[Bars, Bars]:
    """Return the bars of the decisions taken, and those of their fills (of which the last may lie beyond)."""
    if is_ruined(state, tape.config):
        return np.array([], np.intp), np.array([], np.intp)
    bars, enter, leave = tape.wanted(max(state.bars_done, state.rest_until), until)
    if tape.config.cooldown_days == 0 and not tape.waits:
        decided = bars[_changes(enter, leave, holding=state.holding)]
        return decided, decided + _delay(tape)
    return _visited(tape, bars, enter, leave, holding=state.holding)


def _changes(enter: NDArray[np.bool_], leave: NDArray[np.bool_], *, holding: bool) -> NDArray[np.bool_]:
    """Tell which signals are taken when every one may be.

    A signal that only says enter, or only leave, settles what is held after it; one that says both turns it
    over. So what is held follows from the last one that settled it and the number of turns since.
    """
    turns = enter & leave
    held = np.concatenate([[holding], enter])
    if turns.any():
        settled = np.concatenate([[True], ~turns])
        last = np.maximum.accumulate(np.where(settled, np.arange(len(settled)), 0))
        turned = np.concatenate([[0], np.cumsum(turns)])
        held = held[last] ^ ((turned - turned[last]) % 2 == 1)
    changes: NDArray[np.bool_] = held[1:] != held[:-1]
    return changes


def _visited(
    tape: Tape, bars: Bars, enter: NDArray[np.bool_], leave: NDArray[np.bool_], *, holding: bool
) -> tuple[Bars, Bars]:
    """Take signals one after another, where rest and waiting make a difference."""
    decided: list[int] = []
    filled: list[int] = []
    delay, free = _delay(tape), 0
    for bar, buys, sells in zip(bars.tolist(), enter.tolist(), leave.tolist(), strict=True):
        if bar >= free and (sells if holding else buys):
            fill_bar = tape.waits.get(bar + delay, bar + delay)
            decided.append(bar)
            filled.append(fill_bar)
            holding = not holding
            free = rest_after(fill_bar, tape.config)
    return np.array(decided, np.intp), np.array(filled, np.intp)


def _ruin(tape: Tape, fills: Fills) -> int | None:
    """Return which fill leaves too little cash to buy with, if any: what was scheduled after it never happens."""
    ruined = (fills.column("position_after") == 0.0) & (
        fills.column("cash_after") < orders.least_cash(tape.config)
    )
    return int(np.argmax(ruined)) if ruined.any() else None


def _delay(tape: Tape) -> int:
    return 1 if tape.config.fill == "next_open" else 0


def _waited(tape: Tape, decided: Bars, ended: Bars) -> int:
    return int((ended - decided - _delay(tape)).sum()) if tape.waits else 0


def _order(tape: Tape, state: EngineState, bar: int) -> Order:
    described = tape.bar(bar)
    reason = described.leave if state.holding else described.enter
    side: Side = "sell" if state.holding else "buy"
    return Order(
        side=side, signal_bar=bar, reason=str(reason), slippage=described.slippage
    )  # all of it: size 1


def _settled(tape: Tape, state: EngineState, decided: Bars, filled: Bars) -> Fills:
    """Return the fills of these decisions, buys and sells in turn."""
    fee, prices = tape.config.fee, tape.prices
    buys, sells = (
        (slice(1, None, 2), slice(0, None, 2)) if state.holding else (slice(0, None, 2), slice(1, None, 2))
    )
    raw = (prices.open if tape.config.fill == "next_open" else prices.close)[filled]
    slippage, mark = tape.slippage[decided], tape.mark[filled]
    price, rate = np.empty(len(filled)), np.empty(len(filled) + 1)
    price[buys] = orders.buy_price(raw[buys], slippage[buys])
    price[sells] = orders.sell_price(raw[sells], slippage[sells])
    rate[0] = state.quantity if state.holding else state.cash
    rate[1:][buys] = orders.units_per_cash(price[buys], fee)
    rate[1:][sells] = orders.cash_per_unit(price[sells], fee)
    amount = np.multiply.accumulate(rate)
    units, cash, position = np.empty(len(filled)), np.zeros(len(filled)), np.zeros(len(filled))
    units[buys] = position[buys] = amount[1:][buys]
    units[sells] = amount[:-1][sells]
    cash[sells] = amount[1:][sells]
    return Fills(
        {
            "bar": filled,
            "signal_bar": decided,
            "side": _sides(len(filled), buys, sells),
            "close": mark,
            "price": price,
            "quantity": units,
            "fee": orders.fee_paid(price, units, fee),
            "slippage": slippage,
            "cash_after": cash,
            "position_after": position,
            "equity_after": cash + position * mark,
            "reason": _reasons(tape, decided, buys, sells),
        }
    )


def _sides(count: int, buys: slice, sells: slice) -> Array:
    sides = np.empty(count, object)
    sides[buys], sides[sells] = "buy", "sell"
    return sides


def _reasons(tape: Tape, decided: Bars, buys: slice, sells: slice) -> Array:
    signals = tape.signals
    codes = np.empty(len(decided), np.uint8)
    codes[buys], codes[sells] = signals.enter_reason[decided[buys]], signals.leave_reason[decided[sells]]
    return np.array(signals.reasons, object)[codes]
