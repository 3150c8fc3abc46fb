"""What a strategy said of each bar when it came, in columns: at each look it is held to what it says now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quantlab.base.errors import StrategyError
from quantlab.trading.forward.growing_columns import GrowingColumns
from quantlab.trading.intervals import time_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quantlab.trading.tape import Tape

Signal = tuple[str | None, str | None, float]
"""Why to buy, why to sell, and the fraction of equity that a buy would put in."""


class RepaintError(StrategyError):
    """The strategy says something else of a bar than when that came: what it decides may know the future."""


class RecordedSignals:
    """The signals of a session's forward bars, in their order; it only grows."""

    def __init__(self) -> None:
        self._reasons: list[str] = []
        self._codes: dict[str | None, int] = {None: 0}
        self._coded = GrowingColumns(3)

    def __len__(self) -> int:
        return len(self._coded)

    def append(self, signal: Signal) -> None:
        """Add what was said of a bar."""
        enter, leave, size = signal
        self._coded.append((self._code(enter), self._code(leave), size if enter is not None else 1.0))

    def require_no_repaint(self, course: Tape, first: int) -> None:
        """Hold what the strategy says of earlier bars today against what it said of them when they came.

        Args:
            course: What it says now, of the whole tape.
            first: Index of the first bar that was decided on.

        Raises:
            RepaintError: it says something else of a bar.
        """
        changed = np.flatnonzero(self._differs(course, first))
        if not len(changed):
            return
        place = int(changed[0])
        index = first + place
        bar = course.bar(index)
        raise RepaintError(
            f"The strategy repaints at bar {index} ({time_text(course.prices.times[index])}): it said "
            f"{_shown(self._reason(0, place), self._reason(1, place))} when the bar came, and says "
            f"{_shown(bar.enter, bar.leave)} now that later bars are known. A strategy must not change its mind about "
            "the past; nothing was decided on later bars."
        )

    def _differs(self, course: Tape, first: int) -> NDArray[np.bool_]:
        now, bars = course.signals, slice(first, first + len(self))
        # A reason is read where there is a signal alone; elsewhere it may be no place in the list.
        codes = np.array([self._code(reason) for reason in now.reasons])
        enter, leave = now.enter[bars], now.leave[bars]
        entered, left, sizes = self._coded.columns
        differs: NDArray[np.bool_] = entered != codes.take(now.enter_reason[bars], mode="clip") * enter
        differs |= left != codes.take(now.leave_reason[bars], mode="clip") * leave
        differs |= sizes != (1.0 if now.size is None else np.where(enter, now.size[bars], 1.0))
        return differs

    def _code(self, reason: str | None) -> int:
        code = self._codes.get(reason)
        if code is None:
            self._reasons.append(str(reason))
            code = self._codes[reason] = len(self._reasons)
        return code

    def _reason(self, which: int, place: int) -> str | None:
        code = int(self._coded.columns[which, place])
        return self._reasons[code - 1] if code else None


def _shown(enter: str | None, leave: str | None) -> str:
    wanted = [f"buy ({enter})"] * (enter is not None) + [f"sell ({leave})"] * (leave is not None)
    return " and ".join(wanted) or "nothing"
