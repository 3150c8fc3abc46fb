"""One session, as a page for a terminal."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from quantlab.cli import output
from quantlab.cli.output import printable
from quantlab.cli.pages.judged import sharpe
from quantlab.domain.promotion import IN_ORDER

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from quantlab.ledger.reader import Row

    Pairs = list[tuple[str, object]]

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
    "rules_hash",
    "code_version",
    "code_digest",
    "git_commit",
    "python_version",
    "host",
    "pid",
)
_TOLD_ELSEWHERE = ("ticker", "start", "end", "interval", "prices", "paper", "strategy", "strategy_params")
_TIMES = ("created_at", "started_at", "updated_at", "finished_at")
_FIGURES = (
    *("total_return", "buy_and_hold_return", "max_drawdown", "sharpe_simple", "trades", "win_rate"),
    "final_equity",
)
_FRACTIONS = {
    "total_return": "+.2%",
    "buy_and_hold_return": "+.2%",
    "max_drawdown": "+.2%",
    "win_rate": ".2%",
}


def text(session: Row, now: datetime) -> str:
    """Return the page: state, identity, parameters, timing, figures, readiness, files, edits, proof and timeline."""
    sections = [
        ("State", _state(session)),
        ("Identity", [*((name, session[name]) for name in _IDENTITY), ("lineage", _lineage(session))]),
        ("Parameters", _parameters(session)),
        ("Timing (UTC)", _timing(session, now)),
        ("Figures", _figures(session)),
        ("Promotion", _promotion(session)),
        ("Files", _files(session)),
        ("Amendments", _amendments(session)),
        ("Proof", _proof(session)),
    ]
    pages = [_section(title, [pair for pair in pairs if pair[1] is not None]) for title, pairs in sections]
    return "\n\n".join([*filter(None, pages), f"Timeline\n{_timeline(session)}"])


def _section(title: str, pairs: Pairs) -> str:
    if not pairs:
        return ""
    width = max(len(name) for name, _value in pairs)
    lines = [
        line for name, value in pairs for line in _wrapped(f"  {name.ljust(width)} : ", _shown(name, value))
    ]
    return "\n".join([title, *lines])


def _wrapped(name: str, value: str) -> list[str]:
    """Return a value beside its name; on a terminal its words go on beneath each other, paths stay whole."""
    width = output.terminal_width()
    if len(name) + len(value) <= width or not output.is_terminal() or "\x1b" in value:
        return [f"{name}{value}"]
    import textwrap  # costs more than most answers

    beneath = " " * len(name)
    return textwrap.wrap(
        value,
        width,
        initial_indent=name,
        subsequent_indent=beneath,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _shown(name: str, value: object) -> str:
    line = printable(str(value))
    return output.status_coloured(line, line) if name == "status" else line


def _state(session: Row) -> Pairs:
    return [
        ("status", session["status"]),
        ("status_reason", session["status_reason"]),
        ("terminal", _yes(session["terminal"])),
        ("error_type", session["error_type"]),
        ("message", session["message"]),
        ("stage", session["stage"]),
        ("bars", _bars(session["bars_done"], session["bars_expected"]) or None),
        *_standing(session),
        ("unreadable", _joined(session["unreadable"])),
        ("vanished_at", session["vanished_at"]),
    ]


def _standing(session: Row) -> Pairs:
    """Return what is told of a session that follows the market."""
    if session["kind"] != "forward":
        return []
    equity, units = session["equity"], session["units"]
    counts = [f"{session[name] or 0} {name.removesuffix('_bars')}" for name in ("late_bars", "missing_bars")]
    return [
        ("follows", "the market, bar by bar"),
        ("seen to", session["watermark"]),
        ("next due", session["next_due"] if session["status"] == "running" else None),
        ("because", (session["trouble"] or {}).get("cause")),
        ("equity", None if equity is None else f"{equity:,.2f}"),
        ("units", None if units is None else output.as_cell(units)),
        ("last fill", session["last_fill_at"]),
        ("of its bars", ", ".join([*counts, f"{session['corrections'] or 0} corrected"])),
        ("begun or taken up", session["drives"]),
    ]


def _lineage(session: Row) -> str | None:
    if session["like"] is None:
        return None
    # What few sessions have, and what loads the validation of configurations: 10 ms.
    from quantlab.domain import lineage

    return lineage.told(session["like"], session["like_changes"])


def _parameters(session: Row) -> Pairs:
    """Return strategy, its parameters and what else changes a result, less what the identity tells."""
    import json

    told = {"strategy": session["strategy"], **json.loads(session["strategy_params"] or "{}")}
    asked = {name: value for name, value in (session["config"] or {}).items() if name not in _TOLD_ELSEWHERE}
    return [
        (name, None if value is None else output.as_cell(value)) for name, value in {**asked, **told}.items()
    ]


def _timing(session: Row, now: datetime) -> Pairs:
    times: Pairs = [
        (name, f"{output.short_time(at)} ({output.age(at, now)})" if (at := session[name]) else None)
        for name in _TIMES
    ]
    seconds = session["duration_seconds"]
    return [*times, ("duration", None if seconds is None else f"{seconds:,.1f} s")]


def _figures(session: Row) -> Pairs:
    """Return the figures as the ledger recorded them, and what an edit made of them in the files beside."""
    told = []
    for name in _FIGURES:
        value = sharpe(session) if name == "sharpe_simple" else _figure(name, session[name])
        if session[name] is None and name not in session["amended"]:
            continue
        if name in session["amended"]:
            edit = _figure(name, session["amended"][name])
            value = f"{value} (edited in its files to {'nothing' if edit is None else edit})"
        told.append((name, value))
    return told


def _figure(name: str, value: float | None) -> object:
    if value is None or name == "trades":
        return value
    return format(value, _FRACTIONS.get(name, ",.2f"))


def _promotion(session: Row) -> Pairs:
    return [
        ("record in order", _yes(session["broker_promotion_ready"])),
        ("blockers", " ".join(session["broker_promotion_blockers"]) or None),
        ("cautions", " ".join(session["cautions"]) or None),
        ("other rules tried", session["searched_configurations"]),
        ("data_doubts", session["data_doubts"]),
        ("missing", session["evidence_missing"]),
        ("disagrees", _joined(session["files_disagree"])),
        ("means", IN_ORDER),
    ]


def _files(session: Row) -> Pairs:
    folder = session["path"]
    if not session["artifacts"]:
        return [("folder", f"{_relative(folder)} (gone)" if not _is_folder(folder) else _relative(folder))]
    names = [(os.path.relpath(path, folder), _relative(path)) for path in session["artifacts"]]
    return [("folder", _relative(folder)), *((printable(name), path) for name, path in names)]


def _amendments(session: Row) -> Pairs:
    return [
        (output.short_time(one["occurred_at"]), f"{one['file']}: {_changes(one['changes'])}")
        for one in session["amendment_list"]
    ]


def _changes(changes: Mapping[str, Mapping[str, object]]) -> str:
    return ", ".join(
        f"{field} {_value(change.get('before'))} -> {_value(change['after'])}"
        if "after" in change
        else f"{field} removed"
        for field, change in output.parted(changes).items()
    )


def _value(value: object) -> str:
    return "nothing" if value is None else repr(value) if isinstance(value, str) else output.as_cell(value)


def _proof(session: Row) -> Pairs:
    proof = session["proof"]
    if proof is None:
        return []
    return [(output.short_time(proof["occurred_at"]), f"{proof['outcome']}: {proof['detail']}")]


def _timeline(session: Row) -> str:
    table = output.Table(["#", "time (UTC)", "event", "actor", "stage", "bars", "message"], never_cut=(0, 1))
    for event in _without_a_run_of_bars(session["timeline"]):
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


def _without_a_run_of_bars(timeline: list[Row]) -> list[Row]:
    """Return the timeline with one line for bars that follow each other, the last of them."""
    told: list[Row] = []
    run = 0
    for event in timeline:
        run = run + 1 if event["type"] == "bar" else 0
        if run > 1:
            told[-1] = {**event, "message": f"{event['message'] or ''} (last of {run} bars)".strip()}
        else:
            told.append(event)
    return told


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
