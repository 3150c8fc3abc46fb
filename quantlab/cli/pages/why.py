"""Why bars brought trades or none: a summary and a row a bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantlab.cli import output
from quantlab.runner.why import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from quantlab.runner.why import Reasoned

    Bars = Sequence[Reasoned]

_BEFORE, _AFTER = ("time", "close"), ("wanted", "did", "reason")
_MIDNIGHT = " 00:00:00"


def as_table(shown: Bars, known: Bars) -> Iterator[str]:
    """Yield the summary as one line, then the bars under it.

    Args:
        shown: The bars that were asked for.
        known: All bars of the session, by which a rest's end is named.
    """
    if not shown:
        yield "No bar yet.\n"
        return
    yield ", ".join(f"{reason} {n:,}" for reason, n in counted(shown).items()) + "\n\n"
    times = {one.bar: output.short_time(one.time) for one in known}
    daily = all(time.endswith(_MIDNIGHT) for time in times.values())
    times = {bar: time.removesuffix(_MIDNIGHT) if daily else time for bar, time in times.items()}
    names = _names(shown)
    headings = (*_BEFORE, *names, *_AFTER)
    numbers = tuple(range(1, 2 + len(names)))
    layout = output.TableLayout(headings, never_cut=(0, len(headings) - 1), flush_right=numbers)

    def rows() -> Iterator[output.Cells]:
        for one in shown:
            cells = (
                output.as_cell(value) for value in (one.close, *(one.values.get(name) for name in names))
            )
            yield [times[one.bar], *cells, one.wanted, one.did, _reason(one, times)], {}

    width = output.terminal_width() if output.is_terminal() else None
    for some in output.pieces_of(layout.lines(rows, width)):
        yield "".join(f"{line}\n" for line in some)


def as_csv(shown: Bars, _known: Bars) -> Iterator[str]:
    """Yield a header and a row a bar; a value that is named as one of our columns is has `value_` before it."""
    names = {name: f"value_{name}" if name in (*_BEFORE, *_AFTER) else name for name in _names(shown)}
    rows = (
        {
            "time": one.time,
            "close": one.close,
            **{column: one.values.get(name) for name, column in names.items()},
            "wanted": one.wanted,
            "did": one.did,
            "reason": one.reason,
        }
        for one in shown
    )
    return output.csv_pieces((*_BEFORE, *names.values(), *_AFTER), rows)


def as_json(shown: Bars, _known: Bars) -> Iterator[str]:
    """Yield `{summary, bars}`."""
    bars = [one._asdict() for one in shown]
    yield output.as_json({"summary": counted(shown), "bars": bars}) + "\n"


FORMATS: dict[str, Callable[[Bars, Bars], Iterator[str]]] = {
    "table": as_table,
    "csv": as_csv,
    "json": as_json,
}


def _names(bars: Bars) -> list[str]:
    """Return the names of all values, in the order in which they came up."""
    return list(dict.fromkeys(name for one in bars for name in one.values))


def _reason(one: Reasoned, times: dict[int, str]) -> str:
    if one.until_bar is None:
        return one.reason
    return f"{one.reason} until {times.get(one.until_bar, f'bar {one.until_bar}')}"
