"""One session, as a page for a terminal."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from quantlab.cli import output
from quantlab.cli.output import printable

if TYPE_CHECKING:
    from datetime import datetime

Row = dict[str, Any]

_IDENTITY = (
    "session_id",
    "mode",
    "request_id",
    "origin",
    "ticker",
    "start_date",
    "end_date",
    "interval",
    "price_source",
    "data_hash",
    "config_hash",
    "git_commit",
    "python_version",
    "host",
    "pid",
)
_TIMES = ("created_at", "started_at", "updated_at", "finished_at")
_FIGURES = ("total_return", "sharpe_simple", "max_drawdown", "trades", "win_rate", "final_equity")
_FRACTIONS = {"total_return": "+.2%", "max_drawdown": "+.2%", "win_rate": ".2%"}


def text(session: Row, now: datetime) -> str:
    """Return the page: state, identity, timing, figures, readiness, files, amendments, proof and timeline."""
    sections = [
        ("State", _state(session)),
        ("Identity", [(name, session[name]) for name in _IDENTITY]),
        ("Timing (UTC)", _timing(session, now)),
        ("Figures", [(name, _figure(name, session[name])) for name in _FIGURES]),
        ("Promotion", _promotion(session)),
        ("Files", _files(session)),
        ("Amendments", _amendments(session)),
        ("Proof", _proof(session)),
    ]
    pages = [_section(title, [pair for pair in pairs if pair[1] is not None]) for title, pairs in sections]
    return "\n\n".join([*filter(None, pages), f"Timeline\n{_timeline(session)}"])


def _section(title: str, pairs: list[tuple[str, Any]]) -> str:
    if not pairs:
        return ""
    width = max(len(name) for name, _value in pairs)
    lines = [f"  {name.ljust(width)} : {_shown(name, value)}" for name, value in pairs]
    return "\n".join([title, *lines])


def _shown(name: str, value: Any) -> str:
    line = printable(str(value))
    return output.status_coloured(line, line) if name == "status" else line


def _state(session: Row) -> list[tuple[str, Any]]:
    return [
        ("status", session["status"]),
        ("status_reason", session["status_reason"]),
        ("terminal", _yes(session["terminal"])),
        ("error_type", session["error_type"]),
        ("message", session["message"]),
        ("stage", session["stage"]),
        ("bars", _bars(session["bars_done"], session["bars_expected"]) or None),
        ("unreadable", _joined(session["unreadable"])),
        ("vanished_at", session["vanished_at"]),
    ]


def _timing(session: Row, now: datetime) -> list[tuple[str, Any]]:
    times: list[tuple[str, Any]] = [
        (name, f"{output.short_time(at)} ({output.age(at, now)})" if (at := session[name]) else None)
        for name in _TIMES
    ]
    seconds = session["duration_seconds"]
    return [*times, ("duration", None if seconds is None else f"{seconds:,.1f} s")]


def _figure(name: str, value: Any) -> Any:
    if value is None or name == "trades":
        return value
    return format(value, _FRACTIONS.get(name, ",.2f"))


def _promotion(session: Row) -> list[tuple[str, Any]]:
    return [
        ("ready", _yes(session["broker_promotion_ready"])),
        ("blockers", " ".join(session["broker_promotion_blockers"]) or None),
        ("data_doubts", session["data_doubts"]),
    ]


def _files(session: Row) -> list[tuple[str, Any]]:
    folder = session["path"]
    if not session["artifacts"]:
        return [("folder", f"{_relative(folder)} (gone)" if not _is_folder(folder) else _relative(folder))]
    names = [(os.path.relpath(path, folder), _relative(path)) for path in session["artifacts"]]
    return [("folder", _relative(folder)), *((printable(name), path) for name, path in names)]


def _amendments(session: Row) -> list[tuple[str, Any]]:
    return [
        (output.short_time(one["occurred_at"]), f"{one['file']}: {_changes(one['changes'])}")
        for one in session["amendment_list"]
    ]


def _changes(changes: dict[str, dict[str, Any]]) -> str:
    return ", ".join(
        f"{field} {change.get('before')!r} -> {change['after']!r}"
        if "after" in change
        else f"{field} removed"
        for field, change in changes.items()
    )


def _proof(session: Row) -> list[tuple[str, Any]]:
    proof = session["proof"]
    if proof is None:
        return []
    return [(output.short_time(proof["occurred_at"]), f"{proof['outcome']}: {proof['detail']}")]


def _timeline(session: Row) -> str:
    table = output.Table(["#", "time (UTC)", "event", "actor", "stage", "bars", "message"], never_cut=(0, 1))
    for event in session["timeline"]:
        table.add(
            [
                str(event["session_version"]),
                output.short_time(event["occurred_at"]),
                event["type"],
                event["actor"],
                event["stage"] or "",
                _bars(event["bars_done"], event["bars_expected"]),
                event["message"] or "",
            ]
        )
    return table.text(output.terminal_width() if output.is_terminal() else None)


def _bars(done: int | None, expected: int | None) -> str:
    if done is None:
        return ""
    return str(done) if expected is None else f"{done} of {expected}"


def _yes(value: bool | None) -> str | None:
    return None if value is None else "yes" if value else "no"


def _joined(lines: str | None) -> str | None:
    return None if lines is None else ", ".join(lines.split("\n"))


def _is_folder(path: str) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - paths are text here, as the surfaces show them


def _relative(path: str) -> str:
    """Return the path from the current folder, where that is shorter to read."""
    relative = os.path.relpath(path)
    return path if relative.startswith("../..") else relative
