"""The health of a root, as lines, a table, JSON, CSV or Prometheus' text exposition."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from quantlab.cli import output
from quantlab.queries.following import STANDING

if TYPE_CHECKING:
    from collections.abc import Callable

    from quantlab.ledger.reader import Row

    Rows = list[Row]

STATUSES = ("success", "failed", "aborted", "running")


def as_text(values: Row, unknown: dict[str, int], following: Rows, _root: str) -> str:
    """Return contract 6's lines, then ours: one for each unknown status, and for each session that follows the market.

    Of these: its stage, when its last bar had closed, when the next one is due, and its equity.
    """
    told = {f"status_{status}": count for status, count in unknown.items()}
    return output.named_values(
        values | told | {f"following_{row['session_id']}": _standing(row) for row in following}
    )


def _standing(row: Row) -> str:
    equity = "unknown" if row["equity"] is None else f"{row['equity']:.2f}"
    return (
        f"{row['stage']}, seen to {row['watermark'] or 'nothing'}, next due {row['next_due'] or 'unknown'}, "
        f"equity {equity}"
    )


def as_table(values: Row, unknown: dict[str, int], following: Rows, _root: str) -> str:
    """Return the counts for people, coloured, the latest session and issue beneath, and what follows the market."""
    table = output.Table(["status", "sessions"])
    for status, count in [*((name, values[name]) for name in STATUSES), *unknown.items()]:
        colour = output.COLOURS.get(status, "magenta") if count else None
        table.add([status, str(count)], {0: colour})
    rest = {name: value for name, value in values.items() if name not in STATUSES}
    told = {name: "none" if value is None else value for name, value in rest.items()}
    pages = [table.text(), output.named_values(told)]
    if following:
        standing = output.Table(["follows the market", *STANDING])
        for row in following:
            standing.add(
                [
                    row["session_id"],
                    *("" if row[one] is None else output.as_cell(row[one]) for one in STANDING),
                ]
            )
        pages.append(standing.text())
    return "\n\n".join(pages)


def as_json(values: Row, unknown: dict[str, int], following: Rows, root: str) -> str:
    """Return one JSON object; `following` has an object for each session that follows the market."""
    return output.as_json({"root_dir": root, **values, "unknown_statuses": unknown, "following": following})


def as_csv(values: Row, _unknown: dict[str, int], _following: Rows, _root: str) -> str:
    """Return a header and one row."""
    return output.as_csv(tuple(values), [values])


def as_prometheus(values: Row, unknown: dict[str, int], following: Rows, root: str) -> str:
    """Return the text exposition for node_exporter's textfile collector (write it aside and rename it there)."""
    label = f'root="{_escaped(root)}"'
    counts = {name: values[name] for name in STATUSES} | unknown
    families = [
        _family(
            "quantlab_paper_sessions",
            "Paper sessions in the ledger, by status.",
            [(f'{label},status="{_escaped(status)}"', count) for status, count in counts.items()],
        ),
        *(
            _family(f"quantlab_paper_{name}", text, [(label, values[name])])
            for name, text in (
                ("unreadable_sessions", "Paper sessions with files that can't be read."),
                ("vanished_sessions", "Paper sessions whose folder is gone."),
            )
        ),
        *(
            _family(f"quantlab_paper_latest_{name}_timestamp_seconds", text, [(label, _seconds(moment))])
            for name, text, moment in (
                ("session", "Time of the latest session's last event.", values["latest_session_at"]),
                ("issue", "Time of the latest issue's last event.", values["latest_issue_at"]),
            )
            if moment is not None
        ),
        *_families_of(following, label),
    ]
    return "\n".join(families)


def _families_of(following: Rows, label: str) -> list[str]:
    """Return what is told of each session that follows the market, as far as it is known."""
    told = (
        ("last_bar_timestamp_seconds", "When the last bar had closed that it took.", "watermark", _seconds),
        ("next_due_timestamp_seconds", "When its next bar can be believed.", "next_due", _seconds),
        ("equity", "Its cash and position at the last bar.", "equity", float),
    )
    families = []
    for name, text, column, number in told:
        samples = [
            (f'{label},session="{_escaped(row["session_id"])}"', number(row[column]))
            for row in following
            if row[column] is not None
        ]
        if samples:
            families.append(_family(f"quantlab_paper_forward_{name}", text, samples))
    return families


def _family(name: str, text: str, samples: list[tuple[str, float]]) -> str:
    lines = [f"# HELP {name} {text}", f"# TYPE {name} gauge"]
    lines += [f"{name}{{{labels}}} {value}" for labels, value in samples]
    return "\n".join(lines)


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _escaped(text: str) -> str:
    """Escape a label's value as the exposition format asks."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


FORMATS: dict[str, Callable[[Row, dict[str, int], Rows, str], str]] = {
    "text": as_text,
    "table": as_table,
    "json": as_json,
    "csv": as_csv,
    "prometheus": as_prometheus,
}
