"""A strategy's answer, held to what the engine can read: one entry a bar, of the right kind, or a refusal."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from quantlab.base.errors import StrategyError
from quantlab.trading.strategies.base import Signals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quantlab.trading.market import Array
    from quantlab.trading.strategies.base import Bars

MOST_REASONS = 255
"""Different reasons that one answer may give."""
LONGEST_REASON = 64
"""Characters of a reason, which stands in every row of trades.csv, and of a value's name."""


@dataclass(frozen=True, kw_only=True)
class Decisions:
    """A strategy's signals as the engine reads them, one entry a bar.

    Attributes:
        enter: Whether to buy, if nothing is held; bool, shape (n,).
        leave: Whether to sell, if something is held; bool, shape (n,).
        enter_reason: Why to buy, as a place in `reasons`; uint8, shape (n,). Read only where `enter` is.
        leave_reason: Why to sell, likewise.
        reasons: Short codes, such as `cross_up`.
        size: Fraction of equity that a buy puts in, shape (n,), read where `enter` is; None for always all.
        values: What the rule looked at, by name, shape (n,) each.
    """

    enter: NDArray[np.bool_]
    leave: NDArray[np.bool_]
    enter_reason: NDArray[np.uint8]
    leave_reason: NDArray[np.uint8]
    reasons: tuple[str, ...]
    size: NDArray[np.float64] | None
    values: dict[str, NDArray[np.float64]]

    def __len__(self) -> int:
        return len(self.enter)


def decisions_of(answer: object, bars: Bars, *, name: str, void: int = 0) -> Decisions:
    """Read a strategy's answer.

    Args:
        answer: What its function returned.
        bars: What it was given.
        name: The strategy's name, for messages.
        void: Bars at the beginning on which signals count for nothing.

    Raises:
        StrategyError: the answer is no `Signals`, or one of its entries is of another kind or length, or missing.
    """
    if not isinstance(answer, Signals):
        if inspect.iscoroutine(answer):
            answer.close()  # else Python complains of it in lines of its own
        raise StrategyError(
            f"Strategy {name} answered {_described(answer)}; expected quantlab.Signals(enter=…, leave=…). "
            "Return one from its function."
        )
    reader = _Reader(bars, name)
    enter, leave = reader.flags("enter", answer.enter), reader.flags("leave", answer.leave)
    enter[:void] = leave[:void] = False
    codes: list[str] = list(reader.reasons(answer.reasons))
    enter_reason = reader.codes("enter_reason", answer.enter_reason, enter, codes)
    leave_reason = reader.codes("leave_reason", answer.leave_reason, leave, codes)
    return Decisions(
        enter=enter,
        leave=leave,
        enter_reason=enter_reason,
        leave_reason=leave_reason,
        reasons=tuple(codes),
        size=reader.size(answer.size, enter),
        values=reader.values(answer.values),
    )


class _Reader:
    def __init__(self, bars: Bars, name: str) -> None:
        self._bars = bars
        self._name = name

    def refuse(self, what: str, advice: str) -> NoReturn:
        raise StrategyError(f"Strategy {self._name}: {what}; {advice}")

    def column(self, what: str, given: object) -> Array:
        """Return one entry a bar; a pandas series that is in another order than the bars is refused."""
        index: Any = getattr(given, "index", None)
        if getattr(getattr(index, "dtype", None), "kind", "") == "M":
            times = np.asarray(index.tz_convert(None) if getattr(index, "tz", None) else index)
            times = times.astype("datetime64[ns]")
            if len(times) == len(self._bars) and not np.array_equal(times, self._bars.time):
                self.refuse(
                    f"{what} is a series whose times are not those of the bars",
                    "expected the bars' own index, in order.",
                )
        try:
            column = np.asarray(given)
        except (TypeError, ValueError) as error:
            self.refuse(
                f"{what} is {_described(given)} ({error})", f"expected {len(self._bars)} entries, one a bar."
            )
        if column.shape != (len(self._bars),):
            self.refuse(
                f"{what} has the shape {column.shape}",
                f"expected {(len(self._bars),)}, one entry for each bar given.",
            )
        return column

    def flags(self, what: str, given: object) -> NDArray[np.bool_]:
        column = self.column(what, given)
        if column.dtype == object:
            unknown = np.array([not isinstance(entry, bool | np.bool_) for entry in column.tolist()], bool)
            if unknown.any():
                bar = int(np.argmax(unknown))
                self.refuse(
                    f"{what} is {_shown(column[bar])} on {self.bar(bar)}",
                    "expected True or False on every bar (comparisons of NaN are False; .fillna(False) helps).",
                )
            column = column.astype(np.bool_)
        if column.dtype.kind == "f" and np.isnan(column).any():
            self.refuse(
                f"{what} is nan on {self.bar(int(np.argmax(np.isnan(column))))}",
                "expected True or False on every bar.",
            )
        if column.dtype != np.bool_:
            self.refuse(
                f"{what} holds {column.dtype} instead of booleans",
                f"expected True or False; write {what}=column > 0.",
            )
        return np.array(column, np.bool_)

    def size(self, given: object, enter: NDArray[np.bool_]) -> NDArray[np.float64] | None:
        if isinstance(given, float | int | np.number) and not isinstance(given, bool):
            if given == 1:
                return None
            column: Array = np.full(len(self._bars), float(given))
        else:
            column = self.column("size", given)
        if column.dtype.kind not in "fiu":
            self.refuse(
                f"size holds {column.dtype}", "expected numbers above 0, at most 1: fractions of equity."
            )
        size = column.astype(np.float64)
        wrong = enter & ~((size > 0) & (size <= 1))
        if wrong.any():
            bar = int(np.argmax(wrong))
            self.refuse(
                f"size is {size[bar]:g} on {self.bar(bar)}, where it enters",
                "expected a fraction of equity above 0, at most 1.",
            )
        return None if np.all(size[enter] == 1) else size

    def reasons(self, given: Any) -> tuple[str, ...]:
        codes = tuple(given)
        for code in codes:
            self._require_code("reasons", code)
        return codes

    def codes(self, what: str, given: Any, wanted: NDArray[np.bool_], known: list[str]) -> NDArray[np.uint8]:
        """Return each bar's reason as a place in `known`, which grows by the codes that are new."""
        if isinstance(given, str):
            return np.full(len(wanted), self._place(what, given, known), np.uint8)
        if np.ndim(given) == 0:
            given = np.full(len(wanted), given)
        column = self.column(what, given)
        if column.dtype.kind in "iu":
            wrong = wanted & ((column < 0) | (column >= len(known)))
            if wrong.any():
                bar = int(np.argmax(wrong))
                self.refuse(
                    f"{what} is {column[bar]} on {self.bar(bar)}",
                    f"expected a place in reasons, 0 to {len(known) - 1}.",
                )
            return column.astype(np.uint8)
        places = np.zeros(len(column), np.uint8)
        for code in dict.fromkeys(column[wanted].tolist()):
            places[wanted & (column == code)] = self._place(what, code, known)
        return places

    def values(self, given: Any) -> dict[str, NDArray[np.float64]]:
        try:
            named = {name: self.column(f"values[{name!r}]", each) for name, each in dict(given).items()}
        except (TypeError, ValueError):
            self.refuse(f"values is {_described(given)}", "expected a dict of names and columns.")
        for name, column in named.items():
            if not _is_short_text(name) or column.dtype.kind not in "fiub":
                self.refuse(f"values[{name!r}] holds {column.dtype}", "expected numbers under a short name.")
        return {name: column.astype(np.float64, copy=False) for name, column in named.items()}

    def bar(self, index: int) -> str:
        return told_bar(self._bars, index)

    def _place(self, what: str, code: Any, known: list[str]) -> int:
        self._require_code(what, code)
        if code not in known:
            known.append(code)
        if len(known) > MOST_REASONS:
            self.refuse(f"{what} gives more than {MOST_REASONS} reasons", "expected a few short codes.")
        return known.index(code)

    def _require_code(self, what: str, code: object) -> None:
        if not _is_short_text(code):
            self.refuse(f"{what} holds {_shown(code)}", "expected short texts such as cross_up.")


def _is_short_text(text: object) -> bool:
    """Tell whether a text can stand in a table: reasons and the names of values do."""
    return isinstance(text, str) and 0 < len(text) <= LONGEST_REASON and text.isprintable()


def told_bar(bars: Bars, index: int) -> str:
    """Return how a message names a bar: its place and its opening time."""
    moment = np.datetime_as_string(bars.time[index], unit="s").replace("T00:00:00", "")
    return f"bar {index} ({moment})"


def _described(answer: object) -> str:
    kind = type(answer).__name__
    return "nothing (None)" if answer is None else f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= LONGEST_REASON else f"{shown[:LONGEST_REASON]}…"
