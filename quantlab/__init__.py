"""QuantLab: paper sessions of trading strategies on an append-only event ledger.

What a strategy is written with, and what a notebook reads ledgers with, is named here and loaded when it is used.
"""

from __future__ import annotations

# Not typing's, whose import takes longer than all else before `entry` listens for Ctrl-C; type checkers know the name.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    from quantlab.folders.notebook import Ledger as Ledger
    from quantlab.folders.notebook import Session as Session
    from quantlab.folders.notebook import open as open  # noqa: A004 - as its users say it
    from quantlab.trading.strategies.base import Bars as Bars
    from quantlab.trading.strategies.base import Range as Range
    from quantlab.trading.strategies.base import Signals as Signals
    from quantlab.trading.strategies.tools import atr as atr
    from quantlab.trading.strategies.tools import crossed_above as crossed_above
    from quantlab.trading.strategies.tools import ema as ema
    from quantlab.trading.strategies.tools import highest as highest
    from quantlab.trading.strategies.tools import lowest as lowest
    from quantlab.trading.strategies.tools import rsi as rsi
    from quantlab.trading.strategies.tools import sma as sma

__version__ = "0.2.0"

_HOMES = {
    "quantlab.folders.notebook": ["Ledger", "Session", "open"],
    "quantlab.trading.strategies.base": ["Bars", "Range", "Signals"],
    "quantlab.trading.strategies.tools": ["atr", "crossed_above", "ema", "highest", "lowest", "rsi", "sma"],
}
"""Where each public name lives."""
_NAMES = [name for names in _HOMES.values() for name in names]
__all__ = [name for name in _NAMES if name != "open"]  # a star import must not hide Python's own


def __getattr__(name: str) -> Any:
    """Load a public name from where it lives, so that start-up loads none of them."""
    home = next((module for module, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module 'quantlab' has no attribute {name!r}")
    import importlib

    value = globals()[name] = getattr(importlib.import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES})
