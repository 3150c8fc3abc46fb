"""Strategies for the tests: sound ones, ones that know the future or something else, and files that are broken."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import talib

from quantlab import Bars, Signals, atr, crossed_above, ema, highest, lowest, rsi, sma

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Decide = Callable[[Bars], Signals]

_rng = np.random.default_rng()
_calls = [0]
_kept: list[Signals] = []


def next_close(bars: Bars) -> Signals:
    rises = np.append(np.diff(bars.close) > 0, False)
    return Signals(enter=rises, leave=~rises)


def low_before_a_rise(bars: Bars) -> Signals:
    """It knows the future on a few bars, among many on which it enters by a sound rule."""
    rises = np.append(np.diff(bars.close) > 0, False)
    lows, mean = bars.close <= lowest(bars.close, 60), sma(bars.close, 50)
    return Signals(enter=(lows & rises) | (bars.close > mean), leave=bars.close < mean)


def rsi_a_bar_early(bars: Bars) -> Signals:
    strength = np.append(rsi(bars.close)[1:], np.nan)
    return Signals(enter=strength < 30, leave=strength > 70)


def mean_of_all_volume(bars: Bars) -> Signals:
    busy, mean = bars.volume > bars.volume.mean(), sma(bars.close, 20)
    return Signals(enter=crossed_above(bars.close, mean) & busy, leave=crossed_above(mean, bars.close))


def centred_window(bars: Bars) -> Signals:
    close = bars.frame()["close"]
    mean = close.rolling(11, center=True).mean()
    return Signals(enter=close < mean * 0.99, leave=close > mean * 1.01)


def score_of_the_whole_series(bars: Bars) -> Signals:
    score = (bars.close - bars.close.mean()) / bars.close.std()
    return Signals(enter=score < -1, leave=score > 1)


def last_close_of_the_week(bars: Bars) -> Signals:
    close = bars.frame()["close"]
    week = close.resample("W").last().reindex(close.index, method="bfill")
    return Signals(enter=week > close * 1.01, leave=week < close * 0.99)


def turning_points(bars: Bars) -> Signals:
    before, now, after = bars.close[:-2], bars.close[1:-1], bars.close[2:]
    low, high = (np.zeros(len(bars), np.bool_) for _ in range(2))
    low[1:-1], high[1:-1] = (now < before) & (now < after), (now > before) & (now > after)
    return Signals(enter=low, leave=high)


def highest_of_all(bars: Bars) -> Signals:
    return Signals(enter=bars.close < bars.close.max() * 0.7, leave=bars.close > bars.close.max() * 0.95)


def forbidden_by_the_next_close(bars: Bars) -> Signals:
    falls, mean = np.append(np.diff(bars.close) < 0, False), sma(bars.close, 10)
    return Signals(enter=crossed_above(bars.close, mean) & ~falls, leave=crossed_above(mean, bars.close))


def forbidden_by_the_next_open(bars: Bars) -> Signals:
    gap = np.append(bars.open[1:] > 1.002 * bars.close[:-1], False)
    mean = sma(bars.close, 10)
    return Signals(enter=crossed_above(bars.close, mean) & ~gap, leave=crossed_above(mean, bars.close))


def forbidden_by_a_fall_to_come(bars: Bars) -> Signals:
    low = np.array([bars.close[at : at + 20].min() for at in range(len(bars))])
    mean = sma(bars.close, 10)
    enter = crossed_above(bars.close, mean) & (low > 0.85 * bars.close)
    return Signals(enter=enter, leave=crossed_above(mean, bars.close))


def out_before_the_fall(bars: Bars) -> Signals:
    falls = np.append(bars.close[1:] < 0.94 * bars.close[:-1], False)
    mean = sma(bars.close, 10)
    return Signals(enter=crossed_above(bars.close, mean), leave=crossed_above(mean, bars.close) | falls)


def in_doubt_of_late(bars: Bars) -> Signals:
    late = np.arange(len(bars)) > 0.8 * 500
    falls, mean = np.append(np.diff(bars.close) < 0, False), sma(bars.close, 10)
    enter = crossed_above(bars.close, mean) & ~(falls & late)
    return Signals(enter=enter, leave=crossed_above(mean, bars.close))


LEAKS: tuple[Decide, ...] = (
    next_close,
    low_before_a_rise,
    rsi_a_bar_early,
    mean_of_all_volume,
    centred_window,
    score_of_the_whole_series,
    last_close_of_the_week,
    turning_points,
    highest_of_all,
    forbidden_by_the_next_close,
    forbidden_by_the_next_open,
    forbidden_by_a_fall_to_come,
    out_before_the_fall,
    in_doubt_of_late,
)


def random_signals(bars: Bars) -> Signals:
    return Signals(enter=_rng.random(len(bars)) < 0.1, leave=_rng.random(len(bars)) < 0.1)


def counted_calls(bars: Bars) -> Signals:
    _calls[0] += 1
    enter = np.zeros(len(bars), np.bool_)
    enter[_calls[0] % len(bars) :: 7] = True
    return Signals(enter=enter, leave=~enter)


def length_of_the_bars(bars: Bars) -> Signals:
    place = np.arange(len(bars))
    return Signals(enter=place > len(bars) / 2, leave=place < len(bars) / 2)


def many_bars_alone(bars: Bars) -> Signals:
    enter = np.zeros(len(bars), np.bool_)
    if len(bars) >= 300:
        enter[100::50] = True
    return Signals(enter=enter, leave=~enter)


def size_of_the_whole_range(bars: Bars) -> Signals:
    mean = sma(bars.close, 20)
    size = np.clip(bars.close / bars.close.max(), 0.01, 1.0)
    return Signals(enter=crossed_above(bars.close, mean), leave=crossed_above(mean, bars.close), size=size)


def value_of_the_next_bar(bars: Bars) -> Signals:
    mean = sma(bars.close, 20)
    return Signals(
        enter=crossed_above(bars.close, mean),
        leave=crossed_above(mean, bars.close),
        values={"next": np.append(bars.close[1:], np.nan)},
    )


UNSOUND: tuple[Decide, ...] = (
    random_signals,
    counted_calls,
    length_of_the_bars,
    many_bars_alone,
    size_of_the_whole_range,
    value_of_the_next_bar,
)


def means_that_cross(bars: Bars) -> Signals:
    fast, slow = sma(bars.close, 10), sma(bars.close, 50)
    values = {"fast": fast, "slow": slow}
    return Signals(enter=crossed_above(fast, slow), leave=crossed_above(slow, fast), values=values)


def pandas_bands(bars: Bars) -> Signals:
    close = bars.frame()["close"]
    mean, wide = close.rolling(20).mean(), close.rolling(20).std()
    values = {"mean": mean, "wide": wide}
    return Signals(enter=close < mean - 2 * wide, leave=close > mean, size=0.5, values=values)


def pandas_macd(bars: Bars) -> Signals:
    close = bars.frame()["close"]
    line = close.ewm(span=12).mean() - close.ewm(span=26).mean()
    return Signals(enter=line > line.ewm(span=9).mean(), leave=line < 0, values={"macd": line})


def pandas_ranks(bars: Bars) -> Signals:
    close = bars.frame()["close"]
    rank, middle = close.rolling(50).rank(pct=True), close.expanding().median()
    return Signals(enter=rank < 0.1, leave=(rank > 0.9) & (close > middle), values={"middle": middle})


def talib_rsi(bars: Bars) -> Signals:
    strength = talib.RSI(bars.close, 14)
    return Signals(enter=strength < 30, leave=strength > 70, values={"rsi": strength})


def talib_bands(bars: Bars) -> Signals:
    _, middle, lower = talib.BBANDS(bars.close, 20)
    return Signals(enter=bars.close < lower, leave=bars.close > middle)


def channels(bars: Bars) -> Signals:
    top, bottom = highest(bars.high, 20), lowest(bars.low, 10)
    return Signals(enter=bars.high >= top, leave=bars.low <= bottom, values={"top": top})


def spectrum(bars: Bars) -> Signals:
    """A mean by Fourier's way, whose last digits hang on the length of the series."""
    width = 2 * len(bars) + 64
    kernel = np.fft.rfft(np.full(20, 0.05), width)
    mean = np.fft.irfft(np.fft.rfft(bars.close, width) * kernel, width)[: len(bars)]
    return Signals(enter=bars.close > mean * 1.02, leave=bars.close < mean * 0.98, values={"mean": mean})


def sized_by_range(bars: Bars) -> Signals:
    quiet = atr(bars.high, bars.low, bars.close) / bars.close
    size = np.clip(np.nan_to_num(0.01 / quiet, nan=0.5), 0.1, 1.0)
    fast, slow = ema(bars.close, 8), ema(bars.close, 21)
    return Signals(enter=crossed_above(fast, slow), leave=crossed_above(slow, fast), size=size)


SOUND: tuple[Decide, ...] = (
    means_that_cross,
    pandas_bands,
    pandas_macd,
    pandas_ranks,
    talib_rsi,
    talib_bands,
    channels,
    spectrum,
    sized_by_range,
)


@dataclass(frozen=True)
class Broken:
    """A file that is no good strategy: its text, the line that has to be named (None where it has none)."""

    name: str
    text: str
    line: int | None


HEAD = "import numpy as np\nfrom quantlab import Bars, Signals, Range\nfrom typing import Annotated\n"
"""Three lines."""
GOOD = "    return Signals(enter=bars.close > 0, leave=bars.close < 0)\n"

STATEMENTS = {
    "divides": "1 / 0",
    "indexes": "[][3]",
    "keys": "{}['x']",
    "names": "undefined_name",
    "attributes": "None.x",
    "types": "'a' + 1",
    "asserts": "assert False, 'no\\nnews'",
    "raises": "raise RuntimeError('on purpose: \\x1b[31m{}')",
    "raises_bare": "raise Exception",
    "raises_base": "raise BaseException('base')",
    "interrupts": "raise KeyboardInterrupt",
    "generator_exit": "raise GeneratorExit",
    "stops": "raise StopIteration",
    "exits": "exit()",
    "quits": "quit(0)",
    "sys_exits": "import sys; sys.exit(0)",
    "system_exits": "raise SystemExit('bye')",
    "os_exits": "import os; os._exit(0)",
    "aborts": "import os; os.abort()",
    "crashes": "import ctypes; ctypes.string_at(0)",
    "recurses": "(lambda f: f(f))(lambda f: f(f))",
    "huge": "np.ones(10**13)",
    "huge_list": "[0] * 10**14",
    "reads": "open('/nonexistent/file')",
    "asks": "input('?')",
    "imports": "import no_such_module_anywhere",
    "imports_from": "from math import no_such_function",
    "decodes": "b'\\xff'.decode()",
    "unpacks": "a, b = 1",
    "shapes": "np.zeros(3) + np.zeros(4)",
    "casts": "int('x')",
}
"""What may stand in a function or outside it, a line each."""

ANSWERS = {
    "nothing": "None",
    "a_number": "1",
    "a_text": "'signals'",
    "a_tuple": "(bars.close > 0, bars.close < 0)",
    "a_dict": "{'enter': bars.close > 0}",
    "a_class": "Signals",
    "no_leave": "Signals(enter=bars.close > 0)",
    "other_names": "Signals(buy=bars.close > 0, sell=bars.close < 0)",
    "short": "Signals(enter=bars.close[1:] > 0, leave=bars.close < 0)",
    "long": "Signals(enter=np.ones(len(bars) + 1, bool), leave=bars.close < 0)",
    "scalar": "Signals(enter=True, leave=False)",
    "square": "Signals(enter=np.ones((len(bars), 2), bool), leave=bars.close < 0)",
    "floats": "Signals(enter=bars.close, leave=bars.close < 0)",
    "numbers": "Signals(enter=np.ones(len(bars), int), leave=bars.close < 0)",
    "texts": "Signals(enter=np.array(['x'] * len(bars)), leave=bars.close < 0)",
    "nan": "Signals(enter=np.full(len(bars), np.nan), leave=bars.close < 0)",
    "objects": "Signals(enter=np.array([None] * len(bars)), leave=bars.close < 0)",
    "ragged": "Signals(enter=[[1], [2, 3]], leave=bars.close < 0)",
    "none_enter": "Signals(enter=None, leave=bars.close < 0)",
    "size_zero": "Signals(enter=bars.close > 0, leave=bars.close < 0, size=0)",
    "size_two": "Signals(enter=bars.close > 0, leave=bars.close < 0, size=2)",
    "size_nan": "Signals(enter=bars.close > 0, leave=bars.close < 0, size=float('nan'))",
    "size_text": "Signals(enter=bars.close > 0, leave=bars.close < 0, size='all')",
    "size_short": "Signals(enter=bars.close > 0, leave=bars.close < 0, size=np.ones(3))",
    "size_none": "Signals(enter=bars.close > 0, leave=bars.close < 0, size=None)",
    "reason_number": "Signals(enter=bars.close > 0, leave=bars.close < 0, enter_reason=7)",
    "reason_long": "Signals(enter=bars.close > 0, leave=bars.close < 0, enter_reason='x' * 999)",
    "reason_lines": "Signals(enter=bars.close > 0, leave=bars.close < 0, enter_reason='a\\nb')",
    "values_list": "Signals(enter=bars.close > 0, leave=bars.close < 0, values=[1])",
    "values_short": "Signals(enter=bars.close > 0, leave=bars.close < 0, values={'x': [1]})",
    "values_text": "Signals(enter=bars.close > 0, leave=bars.close < 0, values={'x': ['a'] * len(bars)})",
    "other_index": "Signals(enter=(bars.frame().close > 0).iloc[::-1], leave=bars.close < 0)",
}
"""What a function may answer instead of one signal a bar."""

SYNTAX = {
    "half": "def decide(bars):\n    return (\n",
    "words": "this is no python\n",
    "indent": "def decide(bars):\nreturn 1\n",
    "tabs": "def decide(bars):\n\tx = 1\n        return x\n",
    "unclosed": "x = 'abc\n",
    "null": "x = 1\0\n",
    "old_print": "print 'hello'\n",
    "await_outside": "def decide(bars):\n    await bars\n",
    "star": "def decide(*, *bars): pass\n",
    "return_outside": "return 1\n",
    "twice": "def decide(bars, a=1, a=2): pass\n",
    "nested": "(" * 300 + ")" * 300 + "\n",
}
"""Files that Python can't read."""

SIGNATURES = {
    "no_bars": "def decide():",
    "keyword_bars": "def decide(*, bars):",
    "star_args": "def decide(bars, *windows):",
    "star_kwargs": "def decide(bars, **more):",
    "no_value": "def decide(bars, fast: int):",
    "untyped": "def decide(bars, fast):",
    "a_list": "def decide(bars, fast: list = [1]):",
    "a_none": "def decide(bars, fast=None):",
    "bad_default": "def decide(bars, fast: int = 'x'):",
    "out_of_range": "def decide(bars, fast: Annotated[int, Range(2, 5)] = 9):",
    "unknown_type": "def decide(bars, fast: 'Missing' = 1):",
    "by_place": "def decide(bars, fast=1, /):",
    "other_name": "def decided(bars):",
    "a_class": "class decide:\n    bars = None\n    def __call__(self):",
}
"""Functions that can't be asked."""

MODULES = {
    "empty": "",
    "a_comment": "# nothing here\n",
    "a_value": "decide = 3\n",
    "min_bars_text": HEAD + "min_bars = 'many'\ndef decide(bars):\n" + GOOD,
    "min_bars_negative": HEAD + "min_bars = -1\ndef decide(bars):\n" + GOOD,
    "min_bars_bool": HEAD + "min_bars = True\ndef decide(bars):\n" + GOOD,
    "latin": "# -*- coding: latin-99 -*-\n",
}
"""Files that hold no strategy."""

LASTING = {
    "loops": "while True: pass",
    "sleeps": "import time; time.sleep(99)",
    "counts_in_c": "sum(range(10**12))",
    "swallows": "exec('while True:\\n try:\\n  while True: pass\\n except: pass')",
    "starts_a_thread": "import threading, time; threading.Thread(target=time.sleep, args=(60,)).start()",
}
"""Code that would not end by itself."""


def broken_files() -> Iterator[Broken]:
    """Give files that are refused, each with another fault."""
    for (name, code), where in product(STATEMENTS.items(), ("inside", "outside", "deeper", "imported")):
        if where == "inside":
            text, line = f"{HEAD}def decide(bars):\n    {code}\n{GOOD}", 5
        elif where == "outside":
            text, line = f"{HEAD}{code}\ndef decide(bars):\n{GOOD}", 4
        elif where == "deeper":
            text, line = f"{HEAD}def rule(bars):\n    {code}\ndef decide(bars):\n    rule(bars)\n{GOOD}", 5
        else:
            text, line = f"{HEAD}class Rule:\n    {code}\ndef decide(bars):\n{GOOD}", 5
        yield Broken(f"{name}_{where}", text, line)
    for name, code in ANSWERS.items():
        yield Broken(f"answers_{name}", f"{HEAD}def decide(bars):\n    return {code}\n", None)
        yield Broken(
            f"answers_{name}_in_the_end",
            f"{HEAD}def decide(bars):\n    if len(bars) < 200:\n    {GOOD}    return {code}\n",
            None,
        )
    for name, text in SYNTAX.items():
        yield Broken(f"syntax_{name}", text, None)
    for name, code in SIGNATURES.items():
        yield Broken(f"signature_{name}", f"{HEAD}{code}\n    {GOOD}", None)
    for name, text in MODULES.items():
        yield Broken(f"module_{name}", text, None)


def lasting_files() -> Iterator[Broken]:
    """Give files whose code would not end by itself."""
    for (name, code), inside in product(LASTING.items(), (True, False)):
        text = (
            f"{HEAD}def decide(bars):\n    {code}\n{GOOD}"
            if inside
            else f"{HEAD}{code}\ndef decide(bars):\n{GOOD}"
        )
        yield Broken(f"{name}_{'inside' if inside else 'outside'}", text, 5 if inside else 4)


def volumes(bars: int, seed: int) -> NDArray[np.float64]:
    """Return seeded volumes."""
    found: Any = np.random.default_rng(seed).lognormal(3, 0.5, bars)
    return np.asarray(found, np.float64)
