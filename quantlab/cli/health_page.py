"""The health of a root, as lines, a table, JSON, CSV or Prometheus' text exposition."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from quantlab.cli import output

if TYPE_CHECKING:
    from collections.abc import Callable

Values = dict[str, Any]

STATUSES = ("success", "failed", "aborted", "running")


def as_text(values: Values, unknown: dict[str, int], _root: str) -> str:
    """Return contract 6's lines, then ours: one for each unknown status among them."""
    return output.named_values(values | {f"status_{status}": count for status, count in unknown.items()})


def as_table(values: Values, unknown: dict[str, int], _root: str) -> str:
    """Return the counts for people, coloured, and the latest session and issue beneath."""
    table = output.Table(["status", "sessions"])
    for status, count in [*((name, values[name]) for name in STATUSES), *unknown.items()]:
        colour = output.COLOURS.get(status, "magenta") if count else None
        table.add([status, str(count)], {0: colour})
    rest = {name: value for name, value in values.items() if name not in STATUSES}
    return f"{table.text()}\n\n{output.named_values(rest)}"


def as_json(values: Values, unknown: dict[str, int], root: str) -> str:
    """Return one JSON object, the ids of the active sessions as a list."""
    return output.as_json({"root_dir": root, **values, "unknown_statuses": unknown})


def as_csv(values: Values, _unknown: dict[str, int], _root: str) -> str:
    """Return a header and one row."""
    return output.as_csv(tuple(values), [values])


def as_prometheus(values: Values, unknown: dict[str, int], root: str) -> str:
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
    ]
    return "\n".join(families)


def _family(name: str, text: str, samples: list[tuple[str, float]]) -> str:
    lines = [f"# HELP {name} {text}", f"# TYPE {name} gauge"]
    lines += [f"{name}{{{labels}}} {value}" for labels, value in samples]
    return "\n".join(lines)


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _escaped(text: str) -> str:
    """Escape a label's value as the exposition format asks."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


FORMATS: dict[str, Callable[[Values, dict[str, int], str], str]] = {
    "text": as_text,
    "table": as_table,
    "json": as_json,
    "csv": as_csv,
    "prometheus": as_prometheus,
}
