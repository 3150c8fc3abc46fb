"""Buy when the close crosses above its mean while the RSI is low; sell when it crosses back, or the RSI is high.

The mean is that of the last 20 closes, the RSI Wilder's over 14 changes. A close that lies on the mean, or an RSI
that lies on its limit, but for rounding lies on it.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np

from quantlab import Bars, Range, Signals, crossed_above, rsi, sma

MEAN_WINDOW = 20
RSI_WINDOW = 14
RSI_ROUNDING = 1e-9
"""Points of the RSI that rounding may make: prices' last digits, magnified where their changes are small."""

min_bars = MEAN_WINDOW
min_history = 100


def decide(
    bars: Bars,
    rsi_buy_max: Annotated[float, Range(0, 100)] = 60.0,
    rsi_sell_min: Annotated[float, Range(0, 100)] = 75.0,
) -> Signals:
    """Compare closes with their mean, and the RSI with its limits."""
    mean, strength = sma(bars.close, MEAN_WINDOW), rsi(bars.close, RSI_WINDOW)
    weak = strength < rsi_buy_max - RSI_ROUNDING
    strong = strength > rsi_sell_min + RSI_ROUNDING
    falls = crossed_above(mean, bars.close)
    return Signals(
        enter=crossed_above(bars.close, mean) & weak,
        leave=falls | strong,
        reasons=("cross_up", "cross_down", "rsi_high"),
        enter_reason=np.uint8(0),
        leave_reason=np.where(falls, np.uint8(1), np.uint8(2)),
        values={"mean": mean, "rsi": strength},
    )
