"""What `quantlab strategies new FILE` writes: a strategy that runs as it is, and shows what there is."""

TEXT = '''"""Buy when the fast mean crosses above the slow one; sell when it crosses back."""

from typing import Annotated

from quantlab import Bars, Range, Signals, crossed_above, sma

min_bars = 50  # signals on earlier bars count for nothing; with fewer bars the strategy is not asked


def decide(
    bars: Bars,  # bars.time, open, high, low, close, volume: arrays, one entry a bar; bars.frame() is a pandas frame
    fast: Annotated[int, Range(2, 500)] = 10,  # quantlab run ... --param fast=20
    slow: Annotated[int, Range(3, 1000)] = 50,
) -> Signals:
    """Look at closes up to each bar; what is decided on a bar's close is filled at the next bar's open."""
    fast_mean, slow_mean = sma(bars.close, fast), sma(bars.close, slow)
    return Signals(
        enter=crossed_above(fast_mean, slow_mean),  # buy, if nothing is held: True or False, one a bar
        leave=crossed_above(slow_mean, fast_mean),  # sell, if something is held
        size=1.0,  # the part of equity that a buy puts in, above 0 and at most 1; one number, or one a bar
        values={"fast": fast_mean, "slow": slow_mean},  # what the rule looked at
    )
'''
