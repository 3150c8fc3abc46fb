"""What an operator demands of a session beyond contract 8, as `trades>=30` or `proved`: read strictly, asked as SQL."""

from __future__ import annotations

import math
import re
from difflib import get_close_matches
from typing import NamedTuple

from quantlab.base.errors import ConfigError
from quantlab.base.remedies import Setting
from quantlab.domain.session import COLUMNS

PROVED = "proved"
_FIGURES = (
    *(one.name for one in COLUMNS if one.type in ("number", "integer", "key")),
    "searched_configurations",
)
_COMPARISONS = {">=": ">=", "<=": "<=", "==": "=", "!=": "<>", ">": ">", "<": "<", "=": "="}
_WORDS = re.compile(r"\s*([A-Za-z_]\w*)\s*(>=|<=|==|!=|>|<|=)\s*(\S+)\s*")


class Requirement(NamedTuple):
    """One demand.

    Attributes:
        expression: As the operator wrote it.
        name: The figure that it is about, or `proved`.
        holds: SQL for whether a row of `session_promotion` meets it; a figure that is unknown does not.
    """

    expression: str
    name: str
    holds: str

    @property
    def blocker(self) -> str:
        """What is said of a session that does not meet it."""
        return f"require_{self.name}"


def requirement(expression: str) -> Requirement:
    """Read a demand: a figure, a comparison, and a number or another figure; or `proved`.

    Raises:
        ConfigError: it is no such thing; the message says what was expected, and what may have been meant.
    """
    if expression.strip() == PROVED:
        return Requirement(expression.strip(), PROVED, "proved_outcome = 'identical'")
    found = _WORDS.fullmatch(expression)
    if found is None:
        raise ConfigError(
            Setting("require"),
            f": {expression!r} can't be read; expected a figure, a comparison ({' '.join(_COMPARISONS)}) and "
            f"a number or another figure, such as 'trades>=30', or '{PROVED}'.{_meant(expression.strip(), (PROVED,))}",
        )
    name, comparison, other = found.groups()
    _require_known(name, expression)
    return Requirement(
        expression.strip(), name, f"{name} {_COMPARISONS[comparison]} {_operand(other, expression)}"
    )


def _operand(text: str, expression: str) -> str:
    """Return a number or a figure as SQL: made of what was read, never of the text itself."""
    try:
        number = float(text)
    except ValueError:
        _require_known(text, expression)
        return text
    if not math.isfinite(number):
        raise ConfigError(
            Setting("require"), f": {expression!r} compares with {text}; expected a finite number."
        )
    return f"({number!r})"


def _require_known(name: str, expression: str) -> None:
    if name not in _FIGURES:
        raise ConfigError(
            Setting("require"),
            f": {expression!r} names {name!r}, which is no figure of a session; expected one such as "
            f"total_return, max_drawdown or trades.{_meant(name, _FIGURES)}",
        )


def _meant(name: str, known: tuple[str, ...]) -> str:
    close = get_close_matches(name, known, n=1)
    return f" Did you mean {close[0]}?" if close else ""
