"""Which sessions are asked for: the options that `list` and `compare` have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import click

from quantlab.base.errors import ConfigError
from quantlab.cli.asking import stored_time
from quantlab.cli.options import TEXT, WholeNumber

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Unpack

    from quantlab.cli.options import Command
    from quantlab.queries.listing import ListFilter

LIMIT = WholeNumber("sessions", zero="for all")


class OfKind(TypedDict):
    """What the options of `of_kind` gave."""

    statuses: tuple[str, ...]
    ticker: str | None
    strategy: str | None


class Filters(OfKind):
    """What the options of `filtered` gave, as they were typed."""

    since: str | None
    request_id: str | None
    sort: str | None
    duplicates: bool


def of_kind(command: Command) -> Command:
    """Give a command the filters that sessions and runs share: status, ticker and strategy."""
    for option in (
        click.option("--strategy", type=TEXT, help="Only this strategy."),
        click.option("--ticker", type=TEXT, help="Only this ticker."),
        click.option(
            "--status", "statuses", type=TEXT, multiple=True, help="Only this status; may be given again."
        ),
    ):
        command = option(command)
    return command


def filtered(command: Command) -> Command:
    """Give a command the filters of sessions, and their order."""
    for option in (
        click.option(
            "--duplicates", is_flag=True, help="Only sessions whose rules, range and prices equal another's."
        ),
        click.option("--sort", help="Greatest value of this column first; NAME:asc for the smallest."),
        click.option("--request-id", type=TEXT, help="Only the sessions of this request."),
        click.option(
            "--since",
            help="Only sessions that began at or after this day or ISO 8601 time (local without offset).",
        ),
    ):
        command = option(command)
    return of_kind(command)


def asked_for(*, limit: int | None, **filters: Unpack[Filters]) -> ListFilter:
    """Return what the options of `filtered` ask for.

    Args:
        limit: At most so many; None or 0 for all.
        filters: The others, by name.

    Raises:
        ConfigError: a time is none, or a column.
    """
    from quantlab.queries.listing import ListFilter

    sort = filters["sort"]
    order = None if sort is None else _order(sort)
    return ListFilter(
        statuses=filters["statuses"],
        ticker=filters["ticker"],
        strategy=filters["strategy"],
        request_id=filters["request_id"],
        since=stored_time("--since", filters["since"]),
        duplicates=filters["duplicates"],
        sort=order,
        limit=limit or None,
    )


def _order(asked: str) -> tuple[str, bool]:
    name, _colon, direction = asked.partition(":")
    require_column("--sort", name)
    if direction not in ("", "asc", "desc"):
        raise ConfigError(f"--sort: {direction!r} is no direction; expected {name}:asc or {name}:desc.")
    return name, direction != "asc"


def require_column(option: str, name: str, more: Sequence[str] = ()) -> None:
    """Refuse a name that is no column of a session, nor one of some more.

    Raises:
        ConfigError: it is none; the nearest one is named.
    """
    from quantlab.domain.session import NAMES  # loads what most lists do without

    known = (*NAMES, "promotion_ready", *more)
    if name in known:
        return
    import difflib

    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "expected one such as trades; docs/sql.md names all."
    raise ConfigError(f"{option}: there is no column {name!r}; {hint}")
