"""`forward.sql`: what forward sessions saw and did, as columns over the documents of their events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from quantlab.ledger.sql.dialects import POSTGRES_PAYLOAD, SQLITE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from quantlab.ledger.sql.dialects import Dialect

Kind = Literal["text", "number", "integer", "flag", "json"]

_TYPES = {"number": "double precision", "integer": "bigint", "flag": "boolean"}

BARS: tuple[tuple[str, str, Kind], ...] = (
    ("bar", "bar", "integer"),
    ("opened_at", "opened_at", "text"),
    ("closed_at", "closed_at", "text"),
    ("seen_at", "seen_at", "text"),
    ("open", "prices.0", "number"),
    ("high", "prices.1", "number"),
    ("low", "prices.2", "number"),
    ("close", "prices.3", "number"),
    ("volume", "prices.4", "number"),
    ("price_scale", "scale.0", "number"),
    ("wanted", "wanted", "text"),
    ("did", "did", "text"),
    ("why", "why", "text"),
    ("equity", "equity", "number"),
    ("cash", "state.cash", "number"),
    ("units", "state.quantity", "number"),
    ("late", "late", "flag"),
    ("missing_before", "missing_before", "json"),
    ("rule_values", "values", "json"),
    ("next_due", "next_due", "text"),
    ("tape_hash", "tape_hash", "text"),
)
FILLS: tuple[tuple[str, str, Kind], ...] = (
    ("bar", "bar", "integer"),
    ("opened_at", "opened_at", "text"),
    ("side", "fill.side", "text"),
    ("price", "fill.price", "number"),
    ("quantity", "fill.quantity", "number"),
    ("fee", "fill.fee", "number"),
    ("slippage", "fill.slippage", "number"),
    ("reason", "fill.reason", "text"),
    ("cash_after", "fill.cash_after", "number"),
    ("position_after", "fill.position_after", "number"),
    ("equity_after", "fill.equity_after", "number"),
)
REVISIONS: tuple[tuple[str, str, Kind], ...] = (
    ("revision", "revision", "text"),
    ("bar", "bar", "integer"),
    ("opened_at", "opened_at", "text"),
    ("seen_at", "seen_at", "text"),
    ("close_was", "was.3", "number"),
    ("close_now", "now.3", "number"),
    ("price_factor", "factor.0", "number"),
    ("volume_factor", "factor.1", "number"),
)
DRIVES: tuple[tuple[str, str, Kind], ...] = (
    ("host", "host", "text"),
    ("pid", "pid", "integer"),
    ("changed", "changed", "json"),
    ("took_over", "took_over", "json"),
)


def parts(dialect: Dialect) -> dict[str, str]:
    """Return what is made from the tables above, by the name of each part."""
    sqlite = dialect is SQLITE
    return {
        "bars": _columns(BARS, sqlite=sqlite),
        "fills": _columns(FILLS, sqlite=sqlite),
        "side": _value("fill.side", "text", sqlite=sqlite),
        "revisions": _columns(REVISIONS, sqlite=sqlite),
        "drives": _columns(DRIVES, sqlite=sqlite),
    }


def _columns(columns: Iterable[tuple[str, str, Kind]], *, sqlite: bool) -> str:
    return ",\n  ".join(f"{_value(path, kind, sqlite=sqlite)} AS {name}" for name, path, kind in columns)


def _value(path: str, kind: Kind, *, sqlite: bool) -> str:
    """Return SQL for a value of the payload, by its path: names and places in lists, parted by dots."""
    steps = path.split(".")
    if sqlite:
        return f"json_extract(payload, '${''.join(f'[{one}]' if one.isdigit() else f'.{one}' for one in steps)}')"
    found = f"({POSTGRES_PAYLOAD} #>> '{{{','.join(steps)}}}')"
    return f"CAST({found} AS {_TYPES[kind]})" if kind in _TYPES else found
