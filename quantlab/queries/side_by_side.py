"""What sets sessions or runs apart: their configurations and facts, and their figures with the best of each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from quantlab.ledger.reader import Row


HIGHER, NEITHER = True, False
FIGURES = {
    "total_return": HIGHER,
    "annual_return": HIGHER,
    "buy_and_hold_return": NEITHER,
    "sharpe_simple": HIGHER,
    "max_drawdown": HIGHER,
    "trades": NEITHER,
    "win_rate": HIGHER,
    "final_equity": HIGHER,
}
"""The figures, and whether the highest is the best; drawdowns are negative, so that the highest is the mildest."""
SPAN = ("interval", "start", "end")
"""Where these differ, figures are of different things, and none is the best."""
_FACTS = (
    "kind",
    "status",
    "error_type",
    "request_id",
    "like_id",
    "price_source",
    "data_hash",
    "data_doubts",
    "bars_done",
    "code_version",
    "git_commit",
    "python_version",
    "host",
    "result_digest",
    "proved_outcome",
    "broker_promotion_ready",
    "broker_promotion_blockers",
    "cautions",
)
_NO_DIFFERENCE = ("paper", "strategy_params")


class Side(NamedTuple):
    """One of those that are compared, by its id."""

    id: str
    configuration: Mapping[str, object]
    facts: Mapping[str, object]
    figures: Mapping[str, float | None]


class ComparedLine(NamedTuple):
    """One thing that is told of each.

    Attributes:
        part: `configuration`, `facts` or `figures`.
        name: What it is.
        values: One a side; None where it is not known.
        best: Places of the best; empty where there is none.
    """

    part: str
    name: str
    values: tuple[object, ...]
    best: tuple[int, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether not all are equal."""
        return len({repr(value) for value in self.values}) > 1


def side_of_session(row: Row) -> Side:
    """Return a session as it is compared, from what `queries.detail.session` says of it."""
    told = {"ticker": row["ticker"], "start": row["start_date"], "end": row["end_date"]}
    config = {**told, "interval": row["interval"], **(row["config"] or {}), "strategy": row["strategy"]}
    config |= json.loads(row["strategy_params"] or "{}")
    facts = {name: row[name] for name in _FACTS}
    return Side(
        row["session_id"],
        {name: value for name, value in config.items() if name not in _NO_DIFFERENCE},
        {name: " ".join(value) if isinstance(value, list) else value for name, value in facts.items()},
        {name: row[name] for name in FIGURES},
    )


def compared(sides: Sequence[Side], *, everything: bool = False) -> list[ComparedLine]:
    """Return what sets sides apart, in the order configuration, facts, figures.

    Args:
        sides: Two or more.
        everything: Also what is equal in all.
    """
    return [line for line in _lines(sides) if everything or line.differs]


def is_one_span(sides: Sequence[Side]) -> bool:
    """Tell whether all are of one interval and range, so that their figures can be held against each other."""
    return len({tuple(repr(side.configuration.get(name)) for name in SPAN) for side in sides}) == 1


def _lines(sides: Sequence[Side]) -> Iterator[ComparedLine]:
    ranked = is_one_span(sides)
    for part in ("configuration", "facts", "figures"):
        told: list[Mapping[str, object]] = [getattr(side, part) for side in sides]
        for name in dict.fromkeys(name for one in told for name in one):
            values = tuple(one.get(name) for one in told)
            if part == "facts" and all(value is None for value in values):
                continue
            has_best = part == "figures" and ranked and FIGURES.get(name)
            yield ComparedLine(
                part, name, values, _best([side.figures.get(name) for side in sides]) if has_best else ()
            )


def _best(values: Sequence[float | None]) -> tuple[int, ...]:
    known = [value for value in values if value is not None]
    if len(set(known)) <= 1:
        return ()
    return tuple(place for place, value in enumerate(values) if value == max(known))
