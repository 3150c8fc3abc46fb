"""The list of sessions, as a table, JSON or CSV; rows are written as they are read, however many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from quantlab.base.clock import iso
from quantlab.cli import output
from quantlab.queries.rows import TOLD_OF_RANGE, range_of, root_dir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from quantlab.ledger.location import Location
    from quantlab.ledger.reader import Row

WIDE = 100
"""From so many columns on a terminal shows every column; a narrower one the most telling."""
_HOME = ("host", "root")
"""Told of the sessions of a ledger that was asked for by its URL: they may be anywhere."""
_OF_FOLLOWING = ("equity", "waits for")
"""Told where any session follows the market."""
_AGREEMENT = {None: "?", True: "yes", False: "NO"}


class Listed(NamedTuple):
    """What is listed.

    Attributes:
        rows: Gives the sessions, anew at each call, with the columns that are named.
        total: How many there are.
        left_out: How many more there would be without the limit of a terminal.
        columns: Those that were asked for by name; empty for the usual ones.
        twins: Whether sessions are listed beside those that are their equals.
        location: The ledger.
        now: The time of the question.
        follow: Whether any session of the ledger follows the market: then it is told what it waits for.
    """

    rows: Callable[[Sequence[str]], Iterable[Row]]
    total: int
    left_out: int
    columns: Sequence[str]
    twins: bool
    location: Location
    now: datetime
    follow: bool = False


class _Column(NamedTuple):
    """A column of the table.

    Attributes:
        text: Its cell.
        of: The columns of the ledger that the cell tells.
        is_number: Whether it is set flush right.
        on_narrow: Whether a terminal below `WIDE` shows it.
        cut: Cut before others, those with lower numbers first; 0 for never, None for after these.
    """

    text: Callable[[Row, datetime], str]
    of: tuple[str, ...]
    is_number: bool = False
    on_narrow: bool = True
    cut: int | None = None


def _plain(name: str) -> _Column:
    return _Column(lambda row, _now: output.as_cell(row[name]), (name,))


def _percent(name: str, *, on_narrow: bool) -> _Column:
    return _Column(
        lambda row, _now: "" if row[name] is None else f"{row[name]:+.1%}",
        (name,),
        is_number=True,
        on_narrow=on_narrow,
        cut=0,
    )


def _awaited(row: Row, now: datetime) -> str:
    """Say what a session that follows the market waits for: its next bar, or who drives it on."""
    if row["kind"] != "forward" or row["status"] != "running":
        return ""
    due = row["next_due"]
    if row["stage"] in ("stalled", "paused", "retrying") or due is None:
        return str(row["stage"]).replace("_", " ")
    return f"overdue since {output.short_time(due)}" if due < iso(now) else f"bar of {output.short_time(due)}"


TABLE: dict[str, _Column] = {
    "session_id": _Column(lambda row, _now: row["session_id"], ("session_id",), cut=0),
    "status": _Column(lambda row, _now: row["status"], ("status",), cut=0),
    "agree": _Column(lambda row, _now: _AGREEMENT[row["duplicates_agree"]], ("duplicates_agree",), cut=0),
    "strategy": _Column(lambda row, _now: row["strategy"] or "", ("strategy",), on_narrow=False, cut=2),
    "ticker": _Column(lambda row, _now: row["ticker"] or "", ("ticker",), cut=4),
    "range": _Column(lambda row, _now: range_of(row), TOLD_OF_RANGE, on_narrow=False, cut=1),
    "return": _percent("total_return", on_narrow=True),
    "drawdown": _percent("max_drawdown", on_narrow=False),
    "sharpe": _Column(
        lambda row, _now: "" if row["sharpe_simple"] is None else f"{row['sharpe_simple']:.2f}",
        ("sharpe_simple",),
        is_number=True,
        cut=0,
    ),
    "trades": _Column(
        lambda row, _now: output.as_cell(row["trades"]), ("trades",), is_number=True, on_narrow=False, cut=0
    ),
    "equity": _Column(
        lambda row, _now: "" if row["equity"] is None else f"{row['equity']:,.2f}",
        ("equity",),
        is_number=True,
        on_narrow=False,
        cut=0,
    ),
    "waits for": _Column(_awaited, ("kind", "status", "next_due", "stage"), cut=1),
    "age": _Column(lambda row, now: output.age(row["activity_at"], now), ("activity_at",), cut=0),
    "host": _Column(lambda row, _now: row["host"] or "", ("host",), cut=5),
    "root": _Column(lambda row, _now: row["root"] or "", ("root",), cut=3),
}
"""The usual columns, by their headings."""
ONLY_IN_TABLES = tuple(
    name for name in TABLE if name not in ("session_id", "status", "agree", "strategy", "ticker", *_HOME)
)
"""What `--columns` may name beside the columns of the ledger, which JSON and CSV have too."""


def as_table(listed: Listed) -> Iterator[str]:
    """Yield the table for people; the age is that of the session's last event."""
    if not listed.total:
        yield f"No sessions to show in {root_dir(listed.location)}.\n"
        return
    width = output.terminal_width() if output.is_terminal() else None
    names = listed.columns or _usual(listed, is_narrow=width is not None and width < WIDE)
    columns = [TABLE.get(name) or _plain(name) for name in names]
    cut_first = [place for place, column in enumerate(columns) if column.cut]
    layout = output.TableLayout(
        names,
        never_cut=[place for place, column in enumerate(columns) if column.cut == 0],
        cut_first=sorted(cut_first, key=lambda place: columns[place].cut or 0),
        flush_right=[place for place, column in enumerate(columns) if column.is_number],
    )
    wanted = [name for column in columns for name in column.of]
    status = names.index("status") if "status" in names else None

    def rows() -> Iterator[output.Cells]:
        for row in listed.rows(wanted):
            colour: dict[int, str | None] = (
                {} if status is None else {status: output.COLOURS.get(row["status"], "magenta")}
            )
            yield [column.text(row, listed.now) for column in columns], colour

    for some in output.pieces_of(layout.lines(rows, width)):
        yield "\n".join(some) + "\n"
    if listed.left_out:
        yield f"… and {listed.left_out:,} more (--limit 0 shows all)\n"


def _usual(listed: Listed, *, is_narrow: bool) -> list[str]:
    left_out = {
        *([] if listed.twins else ["agree"]),
        *([] if listed.follow else _OF_FOLLOWING),
        *([] if listed.location.root is None else _HOME),
    }
    return [
        name for name, column in TABLE.items() if name not in left_out and (column.on_narrow or not is_narrow)
    ]


def as_json(listed: Listed) -> Iterator[str]:
    """Yield the rows as one JSON object, in the layout of `output.as_json`."""
    import json

    head = {
        "root_dir": root_dir(listed.location),
        "generated_at": iso(listed.now),
        "n_sessions": listed.total,
    }
    # A separator with the indent in it: the indented writer of the standard library takes five times as long.
    one = json.JSONEncoder(separators=(",\n      ", ": "), allow_nan=False).encode
    yield output.as_json(head)[: -len("\n}")] + ',\n  "sessions": ['
    separator = ""
    for some in output.pieces_of(listed.rows(listed.columns)):
        objects = (
            one({name: row[name] for name in listed.columns} if listed.columns else row) for row in some
        )
        yield separator + ",".join(f"\n    {{\n      {text[1:-1]}\n    }}" for text in objects)
        separator = ","
    yield "\n  ]\n}\n" if separator else "]\n}\n"


def as_csv(listed: Listed) -> Iterator[str]:
    """Yield the rows as CSV: contract 5's columns, then ours."""
    from quantlab.domain.session import NAMES  # loads what the other formats do without

    usual = (*NAMES, "promotion_ready", *(("duplicates", "duplicates_agree") if listed.twins else ()))
    columns = listed.columns or usual
    return output.csv_pieces(columns, listed.rows(columns))


FORMATS: dict[str, Callable[[Listed], Iterator[str]]] = {
    "table": as_table,
    "json": as_json,
    "csv": as_csv,
}
