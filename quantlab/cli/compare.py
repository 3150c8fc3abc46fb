"""`quantlab paper-sessions compare SESSION_DIR…` and `quantlab runs compare RUN_DIR…`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import click

from quantlab.base.errors import ConfigError
from quantlab.cli.asking import given_by_hand
from quantlab.cli.filters import LIMIT, asked_for, filtered, of_kind
from quantlab.cli.naming import USUAL_RUNS
from quantlab.cli.options import TEXT, with_format, with_ledger

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Unpack

    from quantlab.cli.filters import Filters, OfKind
    from quantlab.cli.options import Command
    from quantlab.exports.curves import Curve
    from quantlab.ledger.location import Location
    from quantlab.queries.side_by_side import Side
    from quantlab.runner.research_index import Run


logger = logging.getLogger(__name__)

FEWEST = 2
MOST = 10
"""How many a filter finds, unless another number is asked for: more columns nobody reads."""
PICTURES = (".svg", ".png")


def _of_a_comparison(command: Command) -> Command:
    """Give a command the options of a comparison."""
    everything = click.option("--all", "everything", is_flag=True, help="Also what is equal in all of them.")
    overlay = click.option(
        "--overlay",
        type=TEXT,
        metavar="FILE",
        help="Also draw their equity, each from 1 on, in FILE.svg or FILE.png.",
    )
    return everything(overlay(with_format("table", "csv", "json")(command)))


@click.command()
@click.argument("session_dirs", metavar="[SESSION_DIR…|ROOT]", nargs=-1, type=TEXT)
@filtered
@click.option("--limit", type=LIMIT, help=f"At most so many, 0 for all; without it {MOST}.")
@with_ledger()
@_of_a_comparison
def compare(
    session_dirs: tuple[str, ...],
    ledger: str | None,
    overlay: str | None,
    form: str,
    limit: int | None,
    *,
    everything: bool,
    **filters: Unpack[Filters],
) -> None:
    """Tell what sets sessions apart: configuration and facts that differ, then figures with the best marked.

    SESSION_DIR is a folder, or in outputs/paper_sessions an id, the end of one, or latest. Or they are those that a
    filter finds, as in list: then ROOT (a folder or a ledger URL) stands in their place, or nothing.
    """
    from quantlab.cli.asking import asking
    from quantlab.ledger.location import no_session
    from quantlab.queries.detail import session
    from quantlab.queries.side_by_side import side_of_session

    _require_picture(overlay)
    named = (
        _found(session_dirs, ledger, MOST if limit is None else limit, **filters)
        if _by_filter(session_dirs, {"limit": limit, **filters})
        else _named(session_dirs, ledger)
    )
    by_ledger: dict[str, list[str]] = {}
    for location, session_id in named:
        by_ledger.setdefault(str(location), []).append(session_id)
    locations = {str(location): location for location, _session_id in named}
    sides: dict[tuple[str, str], Side] = {}
    curves: dict[tuple[str, str], Curve] = {}
    for place, session_ids in by_ledger.items():
        with asking(locations[place]) as (reader, _now):
            for session_id in session_ids:
                found = session(reader, session_id)
                if found is None:
                    raise no_session(locations[place], session_id)
                sides[place, session_id] = side_of_session(found)
                if overlay is not None:
                    from quantlab.folders.curves import curve_of_session  # loads numpy

                    curves[place, session_id] = curve_of_session(reader, found)
    order = dict.fromkeys((str(location), session_id) for location, session_id in named)
    folders = [f"{locations[place].root or place}/{session_id}" for place, session_id in order]
    shown = _named_apart([sides[one] for one in order], folders)
    _tell(shown, "sessions", form, everything=everything)
    if overlay is not None:
        _draw(Path(overlay), "sessions", shown, [curves[one] for one in order])


def _named(session_dirs: Sequence[str], ledger: str | None) -> list[tuple[Location, str]]:
    from quantlab.cli.finding import find_session
    from quantlab.cli.naming import spelled_out

    return [find_session(spelled_out(one, ledger), ledger) for one in session_dirs]


def _found(
    words: Sequence[str], ledger: str | None, limit: int, **filters: Unpack[Filters]
) -> list[tuple[Location, str]]:
    """Return the sessions of a root that a filter finds."""
    from dataclasses import replace

    from quantlab.cli.asking import asking, find_ledger
    from quantlab.queries.listing import count, sessions

    location = find_ledger(words[0] if words else None, ledger)
    asked = asked_for(limit=limit, **filters)
    with asking(location) as (reader, _now):
        found = [(location, str(row["session_id"])) for row in sessions(reader, asked)]
        _tell_of_more(len(found), count(reader, replace(asked, limit=None)), "sessions")
    return found


def _by_filter(words: Sequence[str], filters: Mapping[str, object]) -> bool:
    """Tell whether a filter says what is compared; beside names one out of file or environment is passed over.

    Raises:
        ConfigError: some are named, and a filter was given by hand.
    """
    if len(words) >= FEWEST:
        if given_by_hand(*filters):
            raise ConfigError(
                f"{len(words)} are named and a filter is given; expected either two or more by name, or a filter with "
                "at most one ROOT."
            )
        return False
    return any(value is not None and value is not False and value != () for value in filters.values())


def _tell_of_more(shown: int, there: int, what: str) -> None:
    if shown < FEWEST:
        raise ConfigError(
            f"The filter finds {shown} of the {what}; expected two or more to compare. Ask for less."
        )
    if there > shown:
        logger.info(
            "NOTE: these are %s of %s %s that are as asked for; --limit takes more.",
            f"{shown:,}",
            f"{there:,}",
            what,
        )


@click.command("compare", short_help="Tell what sets research runs apart.")
@click.argument("run_dirs", metavar="[RUN_DIR…|ROOT]", nargs=-1, type=TEXT)
@of_kind
@click.option("--limit", type=LIMIT, help=f"At most so many, 0 for all; without it {MOST}.")
@_of_a_comparison
def compare_runs(
    run_dirs: tuple[str, ...],
    overlay: str | None,
    form: str,
    limit: int | None,
    *,
    everything: bool,
    **filters: Unpack[OfKind],
) -> None:
    """Tell what sets research runs apart: parameters and facts that differ, then figures with the best marked.

    RUN_DIR is a folder, or in outputs/runs an id, the end of one, or latest. Or they are the newest that a filter
    finds below ROOT (outputs/runs, unless given).
    """
    from quantlab.cli.run_folders import read_one
    from quantlab.runner.research_index import side_of_run

    _require_picture(overlay)
    named = (
        _found_runs(run_dirs, limit=limit, **filters)
        if _by_filter(run_dirs, {"limit": limit, **filters})
        else [*map(read_one, run_dirs)]
    )
    found = list({run["path"]: run for run in named}.values())
    sides = _named_apart([side_of_run(run) for run in found], [str(run["path"]) for run in found])
    _tell(sides, "runs", form, everything=everything)
    if overlay is not None:
        from quantlab.folders.curves import curve_of_folder

        _draw(Path(overlay), "runs", sides, [curve_of_folder(Path(run["path"])) for run in found])


def _found_runs(
    words: Sequence[str],
    *,
    statuses: tuple[str, ...],
    ticker: str | None,
    strategy: str | None,
    limit: int | None,
) -> list[Run]:
    """Return the runs below a root that a filter finds, the newest first."""
    from quantlab.cli.run_folders import read_root
    from quantlab.runner.research_index import newness

    wanted = {"ticker": ticker, "strategy": strategy}
    found = [
        run
        for run in read_root(words[0] if words else USUAL_RUNS)
        if (not statuses or run["status"] in statuses)
        and all(value is None or run[name] == value for name, value in wanted.items())
    ]
    most = MOST if limit is None else limit or len(found)
    newest = sorted(found, key=newness, reverse=True)[:most]
    _tell_of_more(len(newest), len(found), "runs")
    return newest


def _named_apart(sides: Sequence[Side], folders: Sequence[str]) -> Sequence[Side]:
    """Name by their folders what has one id in several roots, such as a session and a copy of it."""
    if len({side.id for side in sides}) == len(sides):
        return sides
    return [side._replace(id=folder) for side, folder in zip(sides, folders, strict=True)]


def _tell(sides: Sequence[Side], what: str, form: str, *, everything: bool) -> None:
    from quantlab.cli.pages import compare as page
    from quantlab.queries.side_by_side import compared, is_one_span

    if len(sides) < FEWEST:
        raise ConfigError(f"{len(sides)} given; expected two or more different {what} to compare.")
    click.echo(page.FORMATS[form]([side.id for side in sides], compared(sides, everything=everything)))
    if not is_one_span(sides):
        logger.info(
            "NOTE: these %s differ in interval or range; their figures are of different things.", what
        )


def _require_picture(overlay: str | None) -> None:
    from quantlab.base.files import require_target

    if overlay is None:
        return
    if Path(overlay).suffix not in PICTURES:
        raise ConfigError(f"--overlay: {overlay!r} is no picture; expected a name that ends in .svg or .png.")
    require_target(Path(overlay))


def _draw(file: Path, what: str, sides: Sequence[Side], curves: Sequence[Curve]) -> None:
    from quantlab.base.files import write_whole
    from quantlab.cli.pages.compare import short_ends
    from quantlab.exports.overlay import overlay

    named = zip(short_ends([side.id for side in sides]), curves, strict=True)
    drawn = [(name, curve) for name, curve in named if curve.trouble is None]
    for curve in curves:
        if curve.trouble is not None:
            logger.warning("%s; it is not drawn.", curve.trouble)
    if not drawn:
        raise ConfigError(f"None of them has equity that can be drawn; {file} was not written.")
    market = {str(side.configuration.get("ticker")) for side in sides}
    title = f"{', '.join(sorted(market))}: equity of {len(drawn)} {what}"
    write_whole(file, overlay(drawn, title=title, form=file.suffix[1:]))
    logger.info("%s: equity of %d of %d %s.", file, len(drawn), len(sides), what)
