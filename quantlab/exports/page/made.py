"""Make the page: what queries found and what files hold, through the template, into one file."""

from __future__ import annotations

import base64
import hashlib
import posixpath
import shlex
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import jinja2
from markupsafe import Markup

from quantlab.domain.config import RunConfig
from quantlab.domain.names import EQUITY, TRADES
from quantlab.exports.page import curve, words
from quantlab.queries.rows import range_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from quantlab.ledger.reader import Row

T = TypeVar("T")

MOST_FILLS = 200
"""Fills of a session that the page shows."""
MOST_FILLS_IN_ALL = 400
"""Fills that the page shows of all its sessions: the newest have theirs; a page can be mailed."""
MOST_OF_A_KIND, MOST_LINES = 6, 12
"""Alerts of one kind that the page names, and lines of a timeline: a hundred failures must hide nothing else."""
_APART = (
    *("ticker", "start", "end", "interval", "prices", "paper"),
    *("strategy", "strategy_params", "strategy_digest", "rsi_buy_max", "rsi_sell_min"),
)
"""Settings that the page shows by themselves, or not at all."""
_POLICY = (
    "default-src 'none'; style-src '{style}'; script-src '{script}'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)


class SessionFile(NamedTuple):
    """A session's file: its bytes, or why they are not to be used."""

    data: bytes | None
    trouble: str | None


def made(found: Row, read: Callable[[Row, str], SessionFile]) -> bytes:
    """Return the page, UTF-8; equal facts, files and time give equal bytes.

    Args:
        found: What `queries.page` returns.
        read: Reads a file of a session (a row, and its name), if its digest is the recorded one.
    """
    left, sessions = MOST_FILLS_IN_ALL, len(found["sessions"])
    for place, row in enumerate(found["sessions"], start=1):
        row["place"] = place
        left -= _add_result(row, read, left, curve.parts_for(place, sessions))
        row["facts"] = [(name, value) for name, value in _facts(row, found["generated_at"]) if value]
        row["lines"] = _timeline(row["timeline"])
    found["fills_left_out"] = any(len(row["fills"]) < row["n_fills"] for row in found["sessions"])
    found["places"] = {row["session_id"]: row["place"] for row in found["sessions"]}
    standing = sorted(found["alerts"]["alerts"], key=_urgency)
    following = {row["session_id"] for row in found["running"] if row["kind"] == "forward"}
    found["calls"] = _calls(standing, following)
    found["follows"] = bool(following)
    style, script = _asset("page.css"), _asset("page.js")
    text = _template().render(
        **found,
        standing=len(standing),
        quoted_root=words.whole_text(shlex.quote(found["root_dir"])),
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        policy=Markup(_POLICY.format(style=_source(style), script=_source(script))),  # noqa: S704 - digests
    )
    return text.encode("utf-8")


def _urgency(alert: Row) -> tuple[bool, float, str]:
    """Critical first, then the latest."""
    age = alert["age_minutes"]
    return alert["severity"] != "critical", float("inf") if age is None else age, alert["session_id"] or ""


def _calls(standing: list[Row], following: set[str]) -> list[Row]:
    """Return the alerts by kind, the most urgent kind first, each with the commands that see to it."""
    kinds: dict[str, list[Row]] = {}
    for alert in standing:
        is_overdue = alert["alert_code"] == "PAPER_SESSION_STALE" and alert["session_id"] in following
        kinds.setdefault(words.OVERDUE if is_overdue else alert["alert_code"], []).append(alert)
    return [
        {
            "kind": kind,
            "alerts": alerts[:MOST_OF_A_KIND],
            "more": max(0, len(alerts) - MOST_OF_A_KIND),
            "commands": words.commands(kind, _place(alerts)),
        }
        for kind, alerts in kinds.items()
    ]


def _place(alerts: list[Row]) -> str:
    """Name the alerts' session for a shell; of several, ID stands for the one that is meant."""
    path = alerts[0]["path"] or "SESSION_DIR"
    return shlex.quote(path) if len(alerts) == 1 else f"{shlex.quote(posixpath.dirname(path))}/ID"


def _timeline(lines: list[Row]) -> list[str]:
    days = [None, *((words.minute(line["first_at"]) or "")[:10] for line in lines)]
    told = [words.event(line, day) for line, day in zip(lines[:MOST_LINES], days, strict=False)]
    left = len(lines) - len(told)
    return [*told, f"and {left} more"] if left else told


def _add_result(row: Row, read: Callable[[Row, str], SessionFile], left: int, parts: int) -> int:
    """Add `fills`, `n_fills`, `troubles`, and the lines with what they span; returns how many fills the page shows."""
    row |= {"fills": [], "n_fills": 0, "curve": None, "line": None, "fall": None, "troubles": []}
    if row["status"] != "success":
        return 0
    fills = _use(row, read, TRADES, curve.read_fills) or []
    found = _use(row, read, EQUITY, curve.of_equity) or curve.of_fills(fills)
    row["n_fills"] = len(fills)
    row["fills"] = fills[: min(MOST_FILLS, left)]
    if found is not None:
        falls = curve.drawdown(found.equity)
        height = curve.HEIGHT if parts == curve.MOST_PARTS else curve.COARSE_HEIGHT
        row["curve"], row["line"] = found, curve.drawn(curve.thinned(found.equity, parts), height)
        row["fall"] = curve.drawn(curve.lowest(falls, parts), height)
        row["highest"], row["lowest"], row["deepest"] = max(found.equity), min(found.equity), min(falls)
    return len(row["fills"])


def _use(
    row: Row, read: Callable[[Row, str], SessionFile], name: str, parse: Callable[[bytes], T]
) -> T | None:
    """Return what a recorded file holds; None where none was recorded, or it is not to be used, which is noted."""
    if name not in row["digests"]:
        return None
    file = read(row, name)
    if file.data is None:
        row["troubles"].append(f"{name}: {file.trouble}; not drawn")
        return None
    return parse(file.data)


def _facts(row: Row, now: str) -> Iterator[tuple[str, str | None]]:
    """Yield what is told of a session by name; None for what it does not know."""
    succeeded = row["status"] == "success"
    yield "Strategy", _joined(" ", row["strategy"], words.parameters(row["strategy_params"]))
    yield "Market", _joined(" ", row["ticker"], row["interval"], row["price_source"], range_of(row))
    usual = RunConfig().as_dict()
    for name, value in row["config"].items():
        if name not in _APART and value is not None and value != usual.get(name):
            yield name, words.plain(value)
    held = words.percent(row["buy_and_hold_return"])
    yield "Return", _joined("; ", words.percent(row["total_return"]), held and f"buy and hold {held}")
    yield "Drawdown", words.percent(row["max_drawdown"])
    yield "Sharpe", words.number(row["sharpe_simple"])
    won = words.share(row["win_rate"])
    yield "Trades", _joined(", ", words.whole(row["trades"]), won and f"{won} won")
    yield (
        "Ready",
        "yes" if row["broker_promotion_ready"] else f"no: {_spoken(row['broker_promotion_blockers'])}",
    )
    yield "Cautions", _spoken(row["cautions"]) if succeeded else None
    yield "Proved", row["proved_outcome"]
    yield "Request", row["request_id"]
    if row["kind"] == "forward":
        yield from _followed(row, now)


def _followed(row: Row, now: str) -> Iterator[tuple[str, str | None]]:
    """Yield what is told of a session that follows the market: how far it has seen, who drove it, what was revised."""
    yield "Seen to", words.bar(row["watermark"])
    if row["status"] == "running":
        yield "Next due", words.due(row["next_due"], now)
    counted = (("forward", row["forward_bars"]), ("late", row["late_bars"]), ("missing", row["missing_bars"]))
    yield "Bars", ", ".join(f"{words.whole(count or 0)} {what}" for what, count in counted)
    yield "Revisions", f"{words.counted(row['corrections'] or 0, 'bar')} corrected by the source"
    yield "Driver", words.driver(row)


def _spoken(codes: list[str]) -> str:
    return ", ".join(codes).replace("_", " ")


def _joined(between: str, *parts: str | None) -> str:
    return between.join(part for part in parts if part)


def _source(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@cache
def _asset(name: str) -> str:
    return files(__package__).joinpath("templates", name).read_text("utf-8").strip()


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=words.shown,
    )
    environment.globals["w"] = words
    environment.globals["range_of"] = range_of
    return environment.get_template("page.html")
