"""How the page words what it shows: ages, figures, parameters, and what to do about an alert."""

from __future__ import annotations

import json
import math
import re
from datetime import datetime
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from quantlab.base.remedies import ABORT, FOLLOW, PROVE, RESOLVE, SHOW, Setting
from quantlab.base.text import printable

if TYPE_CHECKING:
    from quantlab.base.values import JsonObject


LONGEST = 300
"""Characters of a text that the page shows; the ledger has it whole."""
MOST_BRIEF = 40
MISSING = "\N{EN DASH}"

OVERDUE = "overdue"
"""A stale session that follows the market: it is taken up again, not closed."""
ADVICE = {
    "PAPER_SESSION_FAILED": (
        "Read error and message: is it the data, the configuration or the program? "
        "Run again once the cause is understood, not before; then resolve it with a reason."
    ),
    "PAPER_SESSION_ABORTED": (
        "Was it an operator or the machine that stopped it? Run again if nothing deeper shows, or resolve it."
    ),
    "PAPER_SESSION_STALE": (
        "Does its process still get on? If so, find out what it waits for; if not, look at logs, data and "
        "machine, then close it with abort and a reason."
    ),
    OVERDUE: (
        "Does its driver still get on? If so, show tells why no bar comes; if not, look at logs and machine, then take "
        "it up again: no bar is lost that its source still has."
    ),
    "PAPER_SESSION_PROOF_FAILED": (
        "Do not promote it. Compare its files with what the timeline names, and find out which of the two was changed."
    ),
    "PAPER_SESSION_DISAGREES": ("Prove both sessions: the one that can't be repeated is the wrong one."),
}
"""By alert, what the runbook advises (docs/runbook.md, section 9)."""
UNKNOWN_ALERT = "Look at the session, and at the runbook."
_REASON = Setting("reason", "TEXT")
CLOSING = {
    "PAPER_SESSION_FAILED": RESOLVE.with_settings(_REASON),
    "PAPER_SESSION_ABORTED": RESOLVE.with_settings(_REASON),
    "PAPER_SESSION_STALE": ABORT.with_settings(_REASON),
    OVERDUE: FOLLOW,
    "PAPER_SESSION_PROOF_FAILED": PROVE,
    "PAPER_SESSION_DISAGREES": PROVE,
}
"""By alert, what ends it once it is understood."""

STATES = {"success": "ok", "failed": "bad", "aborted": "warn", "running": "run"}
_STORED_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}:[0-9]{2}):[0-9]{2}\.[0-9]{6}\+00:00")
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def shown(value: object) -> str:
    """Return what is printed for any value of the page; texts are one line, obeyed by nothing and bounded."""
    if isinstance(value, Markup):
        return value
    if value is None:
        return MISSING
    text = printable(str(value))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def whole_text(text: str) -> Markup:
    """Return a text that has to be whole to be of use, such as a command, on one line."""
    return escape(printable(text))


def brief(text: str | None) -> str | None:
    """Return a text that fits a narrow column: tickers are short, but a folder may say anything."""
    return text if text is None or len(text) <= MOST_BRIEF else f"{text[:MOST_BRIEF]}…"


def state(status: str) -> str:
    """Return the class of a status: how it is marked, beside its word."""
    return STATES.get(status, "odd")


def percent(value: float | None) -> str | None:
    """Return a fraction as signed per cent, such as +12.34%."""
    return None if value is None else f"{value:+.2%}"


def share(value: float | None) -> str | None:
    """Return a fraction as per cent without a sign."""
    return None if value is None else f"{value:.1%}"


def number(value: float | None) -> str | None:
    """Return a number with two decimals and grouped thousands; a huge or tiny one by its power of ten."""
    if value is None or not math.isfinite(value):
        return None
    return f"{value:,.2f}" if value == 0 or 1e-2 <= abs(value) < 1e12 else f"{value:.3g}"  # noqa: PLR2004 - readable so


def whole(value: int | None) -> str | None:
    """Return a whole number with grouped thousands."""
    return None if value is None else f"{value:,}"


def counted(number_of: int, what: str) -> str:
    """Return how many of something, such as `1 bar`, `2 bars`."""
    return f"{number_of:,} {what}{'' if number_of == 1 else 's'}"


def minute(at: str | None) -> str | None:
    """Return a stored time to the minute, UTC: `2026-11-28 23:06`; what is no time stays as it is."""
    return None if at is None else at[:16].replace("T", " ")


def machine_time(at: str) -> str:
    """Return a stored time as HTML's `datetime` has it, to the second."""
    return f"{at[:19]}Z"


def age(at: str | None, now: str) -> str | None:
    """Return how long ago a stored time was, in its greatest unit; `in 5 min` for one to come."""
    try:
        seconds = (datetime.fromisoformat(now) - datetime.fromisoformat(at or "")).total_seconds()
    except (TypeError, ValueError):
        return None
    length = next(
        (f"{int(abs(seconds) // size)} {unit}" for size, unit in _UNITS if abs(seconds) >= size), None
    )
    if length is None:
        return "now"
    return f"{length} ago" if seconds > 0 else f"in {length}"


def parameters(told: str | None) -> str | None:
    """Return a strategy's parameters, canonical JSON in the ledger, as `name=value` words."""
    try:
        found = json.loads(told or "")
    except ValueError:
        return told
    if not isinstance(found, dict):
        return told
    return " ".join(f"{name}={plain(value)}" for name, value in found.items())


def plain(value: object) -> str:
    """Return a parameter's value as one would type it: 60, not 60.0."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:  # noqa: PLR2004 - exact so far
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value)


def advice(kind: str) -> str:
    """Return what to do about an alert, by its code, or `OVERDUE`."""
    return ADVICE.get(kind, UNKNOWN_ALERT)


def commands(kind: str, place: str) -> list[Markup]:
    """Return the command lines for an alert: the look at a session, then what ends the alert.

    Args:
        kind: The alert's code, or `OVERDUE`.
        place: The session, as a shell reads it.
    """
    closing = CLOSING.get(kind)
    actions = [SHOW.of(place)] if closing is None else [SHOW.of(place), closing.of(place, *closing.settings)]
    return [whole_text(str(action)) for action in actions]


def plain_times(text: str | None) -> str | None:
    """Return a text with the ledger's times in it as the page has them: `2026-11-28 23:06 UTC`."""
    return None if text is None else _STORED_TIME.sub(r"\1 \2 UTC", text)


def breakable(session_id: str) -> Markup:
    """Return an id that a narrow column breaks between its time and its name."""
    time, paper, name = shown(session_id).partition("_paper_")
    return escape(time) + Markup("_<wbr>paper_") + escape(name) if paper else escape(time)


def called(code: str) -> str:
    """Return an alert's code in plain words: `proof failed`."""
    return code.removeprefix("PAPER_SESSION_").replace("_", " ").lower()


def due(at: str | None, now: str) -> str | None:
    """Return when a forward session's next bar is due, and that it is late where it is."""
    if at is None:
        return None
    late = at < now
    return f"{minute(at)}, {'overdue' if late else age(at, now)}"


def event(line: JsonObject, day: str | None) -> str:
    """Return a line of a timeline; its day stands in it where it is another than the line's before."""
    at = minute(line["first_at"]) or ""
    parts = [at[11:] if at[:10] == day else at, _happened(line["type"], line["stage"])]
    told = " ".join(parts)
    if line["times"] > 1:
        told += f", {line['times']} times until {minute(line['last_at'])}"
    if line["actor"] != "session":
        told += f" by {line['actor']}"
    return f"{told}: {plain_times(line['message'])}" if line["message"] else told


def _happened(kind: str, stage: str | None) -> str:
    """Name an event; a heartbeat is called by its stage, which is what it tells."""
    if stage is None:
        return kind
    return stage.replace("_", " ") if kind == "heartbeat" else f"{kind} {stage.replace('_', ' ')}"


def driver(row: JsonObject) -> str | None:
    """Return who drives a forward session, or did so last, and how often it was taken up again."""
    if row["pid"] is None:
        return None
    again, changes = (row["drives"] or 1) - 1, row["code_changes"] or 0
    told = [f"process {row['pid']} on {row['host']}"]
    told += [f"taken up {_times(again)}"] if again else []
    told += [f"code changed {_times(changes)}"] if changes else []
    return ", ".join(told)


def _times(number_of: int) -> str:
    return "once" if number_of == 1 else f"{number_of:,} times"


def bar(time: str | None) -> str | None:
    """Return a bar's time: its day alone where it opened at midnight."""
    return None if time is None else (minute(time) or "").removesuffix(" 00:00")


def cell(text: str | None) -> str | None:
    """Return a number of a result file as the page shows it; what is none stays as it is."""
    try:
        return number(float(text or ""))
    except ValueError:
        return text
