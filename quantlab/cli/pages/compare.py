"""Sessions or runs side by side, as a table, JSON or CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantlab.cli import output

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from quantlab.queries.side_by_side import ComparedLine

_SHORT_END = 8
_HASHES, _SHOWN_OF_HASH = ("data_hash", "result_digest", "git_commit", "strategy_digest"), 12
_WORDS = ("broker_promotion_blockers", "cautions")
_FRACTIONS = {
    "total_return": "+.2%",
    "annual_return": "+.2%",
    "buy_and_hold_return": "+.2%",
    "max_drawdown": "+.2%",
    "win_rate": ".2%",
    "sharpe_simple": ".2f",
    "final_equity": ",.2f",
}


def as_table(ids: Sequence[str], lines: Sequence[ComparedLine]) -> str:
    """Return a row for each thing that is told, a column for each that is compared, the best marked by a star."""
    if not lines:
        return "They differ in nothing."
    table = output.Table(["", *short_ends(ids)], never_cut=tuple(range(len(ids) + 1)))
    part = lines[0].part
    for line in lines:
        if line.part != part:
            table.add([""] * (len(ids) + 1))
            part = line.part
        cells = [
            _shown(line.name, value) + (" *" if place in line.best else "")
            for place, value in enumerate(_apart(line) if line.differs else line.values)
        ]
        table.add([line.name, *cells], {place + 1: "green" for place in line.best})
    told = table.text(output.terminal_width() if output.is_terminal() else None)
    return f"{told}\n\n* the best" if any(line.best for line in lines) else told


def as_csv(ids: Sequence[str], lines: Sequence[ComparedLine]) -> str:
    """Return `part, name`, a column each by its id, and the ids of the best."""
    from quantlab.cli.cells import csv_lines  # load what the other formats do without

    # Ids are texts from outside, so the heading is a row like the others: a session may be called `=1+1`, or `name`.
    rows: list[tuple[object, ...]] = [("part", "name", *ids, "best")]
    rows += [(line.part, line.name, *line.values, [ids[place] for place in line.best]) for line in lines]
    columns = [str(place) for place in range(len(ids) + 3)]
    cells = [dict(zip(columns, row, strict=True)) for row in rows]
    return csv_lines(columns, cells, on_terminal=output.is_terminal()).rstrip("\n")


def as_json(ids: Sequence[str], lines: Sequence[ComparedLine]) -> str:
    """Return `{compared: [ids], lines: [{part, name, values: {id: value}, best: [ids]}]}`."""
    told = [
        {
            "part": line.part,
            "name": line.name,
            "values": dict(zip(ids, line.values, strict=True)),
            "best": [ids[place] for place in line.best],
        }
        for line in lines
    ]
    return output.as_json({"compared": list(ids), "lines": told})


FORMATS: dict[str, Callable[[Sequence[str], Sequence[ComparedLine]], str]] = {
    "table": as_table,
    "csv": as_csv,
    "json": as_json,
}


def short_ends(ids: Sequence[str]) -> list[str]:
    """Return the ends of ids, where they tell them apart; a command takes them for the ids."""
    ends = [one[-_SHORT_END:] for one in ids]
    return ends if len(set(ends)) == len(ends) else list(ids)


def _shown(name: str, value: object) -> str:
    if isinstance(value, float) and name in _FRACTIONS:
        return format(value, _FRACTIONS[name])
    text = output.as_cell(value)
    return text[:_SHOWN_OF_HASH] if name in _HASHES else text


def _apart(line: ComparedLine) -> tuple[object, ...]:
    """Return the values, of lists of words those alone that not all have: they are too wide for a column."""
    if line.name not in _WORDS:
        return line.values
    words = [str(value or "").split() for value in line.values]
    shared = set(words[0]).intersection(*words[1:])
    return tuple(" ".join(word for word in some if word not in shared) for some in words)
